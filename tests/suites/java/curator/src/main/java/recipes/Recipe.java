package recipes;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInfo;
import running.Await;
import running.Server;

/** What the tests share: a server, a node per test, clients and threads that end with the test. */
abstract class Recipe {
    private static Server shared;

    /** A node that no other test uses; it exists. */
    String at;

    private final List<AutoCloseable> open = new ArrayList<>();
    private ExecutorService threads;

    /** Work of a thread; what it throws fails the test. */
    interface Work {
        void run() throws Exception;
    }

    static synchronized Server server() throws Exception {
        if (shared == null) {
            shared = new Server();
        }
        return shared;
    }

    @BeforeEach
    void node(TestInfo test) throws Exception {
        at = "/" + getClass().getSimpleName() + "-" + test.getTestMethod().orElseThrow().getName();
        threads = Executors.newCachedThreadPool(work -> {
            Thread thread = new Thread(work, "test");
            thread.setDaemon(true);
            return thread;
        });
        client().create().forPath(at, new byte[0]);
    }

    @AfterEach
    void end() throws Exception {
        threads.shutdownNow();
        for (int i = open.size() - 1; i >= 0; i--) {
            open.get(i).close();
        }
    }

    /** Closes `what` after the test. */
    <T extends AutoCloseable> T keep(T what) {
        open.add(what);
        return what;
    }

    static CuratorFrameworkFactory.Builder builder(String address) {
        return CuratorFrameworkFactory.builder().connectString(address).sessionTimeoutMs(30_000).connectionTimeoutMs(20_000)
                .retryPolicy(new RetryNTimes(100, 100)).maxCloseWaitMs(1000).dontUseContainerParents();
    }

    CuratorFramework client() throws Exception {
        return started(builder(server().address()));
    }

    CuratorFramework started(CuratorFrameworkFactory.Builder builder) throws Exception {
        CuratorFramework client = keep(builder.build());
        client.start();
        client.blockUntilConnected(60, TimeUnit.SECONDS);
        return client;
    }

    /** A plain handle of the official client, connected. */
    ZooKeeper plain(String address) throws Exception {
        Events events = new Events();
        ZooKeeper handle = keep(new ZooKeeper(address, 30_000, events));
        Await.that("a session", () -> handle.getState().isConnected());
        return handle;
    }

    /** Ends a client's session as if it had expired, by taking it over on another connection and closing it. */
    static void expire(CuratorFramework client, String address) throws Exception {
        ZooKeeper old = client.getZookeeperClient().getZooKeeper();
        long id = old.getSessionId();
        ZooKeeper twin = new ZooKeeper(address, 30_000, event -> { }, id, old.getSessionPasswd());
        Await.that("the session is taken over", () -> twin.getState().isConnected());
        twin.close();
        Await.that("a new session", () -> {
            ZooKeeper now = client.getZookeeperClient().getZooKeeper();
            return now.getState().isConnected() && now.getSessionId() != id;
        });
    }

    <T> Future<T> start(Callable<T> work) {
        return threads.submit(work);
    }

    /** Runs `work` in `count` threads at once and waits for all. */
    void inThreads(int count, Work work) throws Exception {
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            running.add(start(() -> {
                work.run();
                return null;
            }));
        }
        for (Future<?> each : running) {
            each.get(120, TimeUnit.SECONDS);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** The code of the error that `work` ends with; OK if none. */
    static KeeperException.Code code(Work work) throws Exception {
        try {
            work.run();
            return KeeperException.Code.OK;
        } catch (KeeperException e) {
            return e.code();
        }
    }

    /** Records events, as "Type path". */
    static final class Events implements Watcher {
        private final List<String> seen = new ArrayList<>();

        @Override
        public synchronized void process(WatchedEvent event) {
            if (event.getType() != Event.EventType.None) {
                seen.add(event.getType() + " " + event.getPath());
            }
        }

        synchronized List<String> seen() {
            return List.copyOf(seen);
        }
    }
}
