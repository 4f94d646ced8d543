package kafkas;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import running.Await;
import running.Server;

/** A broker in ZooKeeper mode, in a JVM of its own with a small heap. */
final class Broker implements AutoCloseable {
    private final Path folder;
    private final int port;
    private Process process;

    Broker(int id, String zookeeper) throws Exception {
        folder = Files.createTempDirectory(Path.of(System.getProperty("work")), "broker-" + id + "-");
        port = Server.freePort();
        List<String> config = new ArrayList<>(List.of("broker.id=" + id, "zookeeper.connect=" + zookeeper,
                "listeners=PLAINTEXT://127.0.0.1:" + port, "log.dirs=" + folder.resolve("logs"), "num.partitions=1",
                "offsets.topic.replication.factor=1", "offsets.topic.num.partitions=1", "transaction.state.log.replication.factor=1",
                "transaction.state.log.num.partitions=1", "transaction.state.log.min.isr=1", "group.initial.rebalance.delay.ms=0",
                "zookeeper.session.timeout.ms=6000", "zookeeper.connection.timeout.ms=30000", "log.cleaner.enable=false",
                "auto.create.topics.enable=false", "num.network.threads=1", "num.io.threads=2", "background.threads=1",
                "authorizer.class.name=kafka.security.authorizer.AclAuthorizer", "allow.everyone.if.no.acl.found=true"));
        Files.write(folder.resolve("server.properties"), config);
        Runtime.getRuntime().addShutdownHook(new Thread(this::kill));
        start();
    }

    String address() {
        return "127.0.0.1:" + port;
    }

    void start() throws Exception {
        process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx" + "512m",
                "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
                System.getProperty("java.class.path"), "kafka.Kafka", folder.resolve("server.properties").toString())
                .directory(folder.toFile()).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(folder.resolve("log").toFile())).start();
        Await.that("the broker answers, see " + folder.resolve("log"), 120_000, () -> {
            if (!process.isAlive()) {
                throw new IllegalStateException("the broker ended, see " + folder.resolve("log"));
            }
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", address(), "request.timeout.ms", 3000,
                    "default.api.timeout.ms", 5000))) {
                return admin.describeCluster().nodes().get(5, TimeUnit.SECONDS).stream().anyMatch(node -> node.port() == port);
            } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
                return false;
            }
        });
    }

    void stop() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(90, TimeUnit.SECONDS)) {
            throw new IllegalStateException("the broker does not end on SIGTERM, see " + folder.resolve("log"));
        }
    }

    void kill() {
        process.destroyForcibly();
        try {
            process.waitFor(30, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        kill();
    }
}
