package running;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A server of the suite's own, run by SERVER_CMD on a zoo.cfg below the folder that the property `work` names. */
public final class Server implements AutoCloseable {
    private static final long START_MAX_MS = 60_000;
    private static int number;

    private final Path folder;
    private final int port;
    private Process process;

    /** Starts a server; `lines` are added to zoo.cfg. It ends with this JVM at the latest. */
    public Server(String... lines) throws Exception {
        this(freePort(), List.of(lines));
        start();
    }

    /** A server that is not started yet. */
    Server(int port, List<String> lines) throws IOException {
        this.port = port;
        synchronized (Server.class) {
            folder = Path.of(System.getProperty("work"), "server-" + number++);
        }
        sweep(folder);
        Files.createDirectories(folder.resolve("data"));
        List<String> config = new ArrayList<>(List.of("tickTime=500", "dataDir=" + folder.resolve("data"), "clientPort=" + port,
                "clientPortAddress=127.0.0.1", "maxSessionTimeout=60000", "maxClientCnxns=0", "admin.enableServer=false",
                "4lw.commands.whitelist=*", "extendedTypesEnabled=true"));
        config.addAll(lines);
        Files.write(folder.resolve("zoo.cfg"), config);
        Runtime.getRuntime().addShutdownHook(new Thread(this::kill));
    }

    /** The connect string. */
    public String address() {
        return "127.0.0.1:" + port;
    }

    /** Where its files are; `data` below it is its dataDir. */
    public Path folder() {
        return folder;
    }

    /** Runs the server (again) on its folder and waits until it serves. */
    public void start() throws Exception {
        launch();
        awaitService();
    }

    /** Runs the server (again) on its folder. */
    public void launch() throws IOException {
        List<String> command = new ArrayList<>(List.of(System.getenv("SERVER_CMD").trim().split("\\s+")));
        command.add(folder.resolve("zoo.cfg").toString());
        ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
        builder.environment().merge("JVMFLAGS", "-Dznode.container.checkIntervalMs=500", (has, more) -> has + " " + more);
        process = builder.redirectOutput(ProcessBuilder.Redirect.appendTo(folder.resolve("log").toFile())).start();
    }

    /** Waits until the server serves. */
    public void awaitService() throws Exception {
        Await.that("server at " + port + " serves, see " + folder.resolve("log"), START_MAX_MS, () -> {
            if (!process.isAlive()) {
                throw new IllegalStateException("the server ended, see " + folder.resolve("log"));
            }
            return word("srvr").contains("Mode: ");
        });
    }

    /** Kills the process, as a crash would. */
    public void kill() {
        if (process == null) {
            return;
        }
        process.destroyForcibly();
        try {
            process.waitFor(30, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Stops the process with SIGTERM. */
    public void stop() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(30, TimeUnit.SECONDS)) {
            throw new IllegalStateException("the server does not end on SIGTERM");
        }
    }

    /** The answer to a four-letter word; empty if no server answers. */
    public String word(String word) {
        return ask(port, word);
    }

    /** The same of any server on this machine. */
    public static String ask(int port, String word) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 2000);
            socket.setSoTimeout(5000);
            socket.getOutputStream().write(word.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }

    @Override
    public void close() {
        kill();
    }

    /** A port that the kernel finds free. */
    public static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static void sweep(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (var paths = Files.walk(folder)) {
            for (Path path : paths.sorted((a, b) -> b.compareTo(a)).toList()) {
                Files.delete(path);
            }
        }
    }
}
