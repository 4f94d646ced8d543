// How ZooKeeper reads configuration keys: the result of one line or one -D each, for many of them.
//
//   java -cp LIB/*:CLASSES Readings LIB CLASSES < pairs > readings
//
// A pair is "source TAB name TAB value"; source is file (a line of zoo.cfg) or flag (-Dname=value). Each answer repeats
// the pair and adds two fields: starts, parse (the configuration is refused) or run (a later step fails), and
// ZooKeeper's value of the key afterwards, "-" if it cannot be observed. Every pair gets freshly loaded classes of
// ZooKeeper, so that static fields are read again; the server is a complete one, and counts as started once it has
// answered srvr.

import java.io.File;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Properties;
import java.util.Scanner;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

public class Readings {
    private static final long SECONDS_MAX = 60;

    public static void main(String[] args) throws Exception {
        Path work = Files.createTempDirectory("readings");
        List<URL> shared = new ArrayList<>();
        List<URL> fresh = new ArrayList<>();
        for (File jar : new File(args[0]).listFiles((folder, name) -> name.endsWith(".jar"))) {
            (jar.getName().startsWith("zookeeper") ? fresh : shared).add(jar.toURI().toURL());
        }
        fresh.add(new File(args[1]).toURI().toURL());
        ClassLoader libraries =
            new URLClassLoader(shared.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
        Properties properties = (Properties) System.getProperties().clone();
        Scanner pairs = new Scanner(System.in, StandardCharsets.UTF_8);
        int number = 0;
        while (pairs.hasNextLine()) {
            String[] pair = pairs.nextLine().split("\t", -1);
            System.setProperties((Properties) properties.clone());
            Path folder = Files.createDirectory(work.resolve("" + number++));
            String[] answer = reading(libraries, fresh, folder, pair[0], pair[1], pair[2]);
            System.out.println(String.join("\t", pair[0], pair[1], pair[2], answer[0], answer[1]));
            System.out.flush();
            remove(folder);
        }
        remove(work);
        // Threads of servers that failed halfway may be left.
        Runtime.getRuntime().halt(0);
    }

    private static String[] reading(ClassLoader libraries, List<URL> fresh, Path folder, String source, String name, String value)
        throws Exception {
        StringBuilder file = new StringBuilder();
        if (!name.equals("dataDir")) {
            file.append("dataDir=").append(folder.resolve("data")).append('\n');
        }
        file.append("clientPortAddress=127.0.0.1\n");
        if (!name.equals("clientPort")) {
            file.append("clientPort=0\n");
        }
        if (!name.startsWith("admin.") && !name.startsWith("zookeeper.admin.")) {
            file.append("admin.enableServer=false\n");
        } else if (!name.endsWith("admin.serverPort")) {
            file.append("admin.serverPort=0\nadmin.serverAddress=127.0.0.1\n");
        }
        if (source.equals("file")) {
            file.append(name).append('=').append(value).append('\n');
        } else {
            System.setProperty(name, value);
        }
        Path config = folder.resolve("zoo.cfg");
        Files.write(config, file.toString().getBytes(StandardCharsets.ISO_8859_1));
        String key = name.replaceFirst("^zookeeper[.]", "");
        try (URLClassLoader loader = new URLClassLoader(fresh.toArray(new URL[0]), libraries)) {
            Object probe = loader.loadClass("Probe").getDeclaredConstructor().newInstance();
            Method run = probe.getClass().getMethod("run", String.class, String.class);
            ExecutorService thread = Executors.newSingleThreadExecutor(task -> {
                Thread made = new Thread(task);
                made.setDaemon(true);
                made.setContextClassLoader(loader);
                return made;
            });
            Future<String[]> future = thread.submit((Callable<String[]>) () -> (String[]) run.invoke(probe, config.toString(), key));
            try {
                return future.get(SECONDS_MAX, TimeUnit.SECONDS);
            } catch (TimeoutException late) {
                return new String[] {"hangs", "-"};
            } finally {
                thread.shutdownNow();
            }
        }
    }

    private static void remove(Path folder) throws IOException {
        try (Stream<Path> below = Files.walk(folder)) {
            below.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        }
    }
}
