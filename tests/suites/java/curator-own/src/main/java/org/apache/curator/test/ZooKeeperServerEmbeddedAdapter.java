package org.apache.curator.test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;
import running.Await;
import running.Server;

/**
 * In place of Curator's class of this name, which runs a server inside the JVM: a process of SERVER_CMD for each server that
 * Curator's own tests start, alone or in a cluster.
 */
public class ZooKeeperServerEmbeddedAdapter implements ZooKeeperMainFace {
    private static final long START_MAX_MS = 60_000;

    private Process process;
    private int port;

    @Override
    public void start(QuorumPeerConfigBuilder builder) {
        try {
            Properties config = builder.buildProperties();
            port = Integer.parseInt(config.getProperty("clientPort"));
            if (port == 0) {
                port = Server.freePort();
                config.setProperty("clientPort", Integer.toString(port));
            }
            config.setProperty("admin.enableServer", "false");
            // Tests set this for servers in their JVM.
            config.setProperty("reconfigEnabled", Boolean.toString(QuorumPeerConfig.isReconfigEnabled()));
            config.setProperty("4lw.commands.whitelist", "*");
            Path file = Files.createTempFile(Path.of(System.getProperty("work")), "server-", ".cfg");
            Files.write(file, config.stringPropertyNames().stream().sorted().map(key -> key + "=" + config.getProperty(key)).toList());
            launch(file);
            awaitStart(config.stringPropertyNames().stream().anyMatch(key -> key.startsWith("server.")));
        } catch (Exception e) {
            throw new FailedServerStartException(e);
        }
    }

    private void launch(Path file) throws IOException {
        List<String> command = new ArrayList<>(List.of(System.getenv("SERVER_CMD").trim().split("\\s+")));
        command.add(file.toString());
        Path log = Path.of(file.toString().replace(".cfg", ".log"));
        ProcessBuilder starting = new ProcessBuilder(command).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        starting.environment().merge("JVMFLAGS", flags(), (has, more) -> has + " " + more);
        process = starting.start();
        Runtime.getRuntime().addShutdownHook(new Thread(this::kill));
    }

    /** What tests set as system properties for the server in their JVM. */
    private static String flags() {
        Properties all = System.getProperties();
        return all.stringPropertyNames().stream()
                .filter(key -> key.matches("(zookeeper|znode|readonlymode)\\..*") && !all.getProperty(key).matches(".*\\s.*"))
                .map(key -> "-D" + key + "=" + all.getProperty(key)).collect(Collectors.joining(" "));
    }

    /** A single server serves; one of a cluster is only asked whether it listens, for the others may not be there yet. */
    private void awaitStart(boolean inCluster) throws Exception {
        Await.that("a server at port " + port, START_MAX_MS, () -> {
            if (!process.isAlive()) {
                throw new IllegalStateException("the server ended with " + process.exitValue());
            }
            String answer = Server.ask(port, inCluster ? "ruok" : "srvr");
            return inCluster ? answer.startsWith("imok") : answer.contains("Mode: ");
        });
    }

    @Override
    public int getClientPort() {
        return port;
    }

    @Override
    public void kill() {
        if (process != null) {
            process.destroyForcibly();
            await();
        }
    }

    @Override
    public void close() {
        if (process != null) {
            process.destroy();
            await();
        }
    }

    private void await() {
        try {
            if (!process.waitFor(30, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the server does not end");
            }
        } catch (InterruptedException e) {
            // Some tests interrupt; the process ends anyway.
            Thread.currentThread().interrupt();
        }
    }
}
