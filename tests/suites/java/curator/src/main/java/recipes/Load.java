package recipes;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.data.Stat;
import running.Await;

/**
 * Clients by Curator, until standard input ends: mutexes, persistent nodes, atomic counters, caches and watches.
 *
 * Arguments: HOSTS NOTES. What is noted and printed is said in replacing/drive.py.
 */
public final class Load {
    private static final String TOP = "/curator";

    private static PrintWriter notes;
    private static String[] hosts;
    private static volatile boolean stops;

    private Load() {}

    /** A client whose first server is the one with this number; what becomes of its session. */
    private static final class Session {
        final CuratorFramework client;
        final AtomicInteger losses = new AtomicInteger();
        final int number;
        private final PersistentNode alive;
        private final long id;
        private final long born;
        private volatile boolean ended;

        Session(int number) throws Exception {
            this.number = number;
            client = started(String.join(",", hosts[number % 3], hosts[(number + 1) % 3], hosts[(number + 2) % 3]));
            client.getConnectionStateListenable().addListener((same, state) -> {
                if (state == ConnectionState.SUSPENDED) {
                    losses.incrementAndGet();
                } else if (state == ConnectionState.LOST) {
                    ended = true;
                }
            });
            alive = new PersistentNode(client, CreateMode.EPHEMERAL, false, TOP + "/alive-" + number, new byte[0]);
            alive.start();
            if (!alive.waitForInitialCreate(60, TimeUnit.SECONDS)) {
                throw new IllegalStateException("no persistent node");
            }
            id = client.getZookeeperClient().getZooKeeper().getSessionId();
            born = client.checkExists().forPath(alive.getActualPath()).getCzxid();
        }

        /** Its session and its persistent node are those of the beginning. */
        void check() throws Exception {
            Stat stat = client.checkExists().forPath(alive.getActualPath());
            long now = client.getZookeeperClient().getZooKeeper().getSessionId();
            require(!ended && now == id, "session " + Long.toHexString(id) + " lost, now " + Long.toHexString(now));
            require(stat != null && stat.getCzxid() == born && stat.getEphemeralOwner() == id, alive.getActualPath() + ": " + stat);
        }
    }

    /** Work that is repeated in a thread; `check` throws, or says what was done. */
    private abstract static class Work {
        Session session;
        private volatile Throwable thrown;

        abstract void step() throws Exception;

        void prepare() throws Exception {}

        Thread start(Session with) throws Exception {
            session = with;
            prepare();
            Thread thread = new Thread(() -> {
                try {
                    while (!stops) {
                        step();
                    }
                } catch (Exception | AssertionError e) {
                    e.printStackTrace();
                    thrown = e;
                }
            });
            thread.setDaemon(true);
            return thread;
        }

        void remained() throws Exception {
            if (thrown != null) {
                throw new AssertionError(thrown.toString(), thrown);
            }
            session.check();
        }

        /** Notes an acknowledged write. */
        void wrote(boolean always) {
            note(always ? getClass().getSimpleName() + "-" + session.number : "-");
        }
    }

    /** A counter that is read and written under a mutex: two holders at a time would lose an increment. */
    private static final class Mutexes extends Work {
        static final ConcurrentLinkedQueue<Long> WROTE = new ConcurrentLinkedQueue<>();
        static final ConcurrentLinkedQueue<long[]> HELD = new ConcurrentLinkedQueue<>();
        private InterProcessMutex mutex;

        @Override
        void prepare() throws Exception {
            ensure(session.client, TOP + "/locked", "0");
            mutex = new InterProcessMutex(session.client, TOP + "/mutex");
        }

        @Override
        void step() throws Exception {
            mutex.acquire();
            long begin = System.nanoTime();
            // Curator repeats both until they are answered; the set may be repeated, for its value is absolute.
            long value = Long.parseLong(text(session.client.getData().forPath(TOP + "/locked"))) + 1;
            session.client.setData().forPath(TOP + "/locked", bytes(value));
            WROTE.add(value);
            HELD.add(new long[] {begin, System.nanoTime()});
            mutex.release();
            wrote(false);
        }

        static String check(CuratorFramework reader) throws Exception {
            List<Long> wrote = WROTE.stream().sorted().toList();
            for (int i = 0; i < wrote.size(); i++) {
                require(wrote.get(i) == i + 1, "value " + (i + 1) + " was written twice or never");
            }
            require(text(reader.getData().forPath(TOP + "/locked")).equals("" + wrote.size()), "the last value");
            List<long[]> held = HELD.stream().sorted((a, b) -> Long.compare(a[0], b[0])).toList();
            for (int i = 1; i < held.size(); i++) {
                require(held.get(i - 1)[1] <= held.get(i)[0], "held twice");
            }
            return held.size() + " times held, by one at a time";
        }
    }

    private static final class Atomics extends Work {
        static final AtomicInteger ADDED = new AtomicInteger();
        static final AtomicInteger UNKNOWN = new AtomicInteger();
        private DistributedAtomicLong number;

        @Override
        void prepare() {
            number = new DistributedAtomicLong(session.client, TOP + "/atomic", new RetryNTimes(1000, 5));
        }

        @Override
        void step() throws Exception {
            try {
                if (number.increment().succeeded()) {
                    ADDED.incrementAndGet();
                    wrote(false);
                }
            } catch (KeeperException e) {
                UNKNOWN.incrementAndGet();
            }
            Thread.sleep(5);
        }

        static String check(CuratorFramework reader, int losses) throws Exception {
            // Curator repeats what it has no answer to: that may count twice, once for each lost connection.
            long value = new DistributedAtomicLong(reader, TOP + "/atomic", new RetryNTimes(10, 5)).get().postValue();
            int added = ADDED.get();
            int most = added + UNKNOWN.get() + losses;
            require(added <= value && value <= most, added + " added, at most " + most + ", value " + value);
            return added + " added, value " + value + ", " + losses + " connections lost";
        }
    }

    /** Makes and changes nodes that the caches of all sessions follow. */
    private static final class Nodes extends Work {
        static final Map<String, String> HAS = new ConcurrentHashMap<>();
        private int rounds;

        @Override
        void step() throws Exception {
            String path = TOP + "/cached/" + session.number + "-" + rounds++ % 500;
            String value = "" + rounds;
            ensure(session.client, path, value);
            session.client.setData().forPath(path, value.getBytes(StandardCharsets.US_ASCII));
            HAS.put(path, value);
            wrote(true);
            Thread.sleep(5);
        }

        static String check(CuratorFramework reader) throws Exception {
            Map<String, String> found = new TreeMap<>();
            for (String child : reader.getChildren().forPath(TOP + "/cached")) {
                String path = TOP + "/cached/" + child;
                found.put(path, text(reader.getData().forPath(path)));
            }
            require(found.equals(new TreeMap<>(HAS)), "what was acknowledged is not there");
            return found.size() + " nodes with their last data";
        }
    }

    /** A cache, told of each creation once, and with the same nodes as the server at last. */
    private static final class Cache {
        final Map<String, AtomicInteger> created = new ConcurrentHashMap<>();
        final CuratorCache cache;

        Cache(CuratorFramework client) {
            cache = CuratorCache.build(client, TOP + "/cached");
            cache.listenable().addListener(CuratorCacheListener.builder().forCreates(node ->
                    created.computeIfAbsent(node.getPath(), path -> new AtomicInteger()).incrementAndGet()).build());
            cache.start();
        }

        String check() throws Exception {
            Await.that("a cache holds what was acknowledged", () -> Nodes.HAS.entrySet().stream().allMatch(each ->
                    cache.get(each.getKey()).map(node -> text(node.getData()).equals(each.getValue())).orElse(false)));
            created.remove(TOP + "/cached");
            for (Map.Entry<String, AtomicInteger> each : created.entrySet()) {
                require(each.getValue().get() == 1, each.getKey() + " was created " + each.getValue() + " times");
            }
            require(created.keySet().equals(Nodes.HAS.keySet()), "creations that it was not told of");
            return created.size() + " creations told once";
        }
    }

    /** Reads with a watch, sets at another session, waits for the event. */
    private static final class Watches extends Work {
        static final AtomicInteger ROUNDS = new AtomicInteger();
        private final List<AtomicInteger> events = Collections.synchronizedList(new ArrayList<>());
        private final CuratorFramework writer;
        private String path;

        Watches(Session writer) {
            this.writer = writer.client;
        }

        @Override
        void prepare() throws Exception {
            path = TOP + "/watched-" + session.number;
            ensure(session.client, path, "");
        }

        @Override
        void step() throws Exception {
            AtomicInteger count = new AtomicInteger();
            events.add(count);
            Stat stat = new Stat();
            session.client.getData().storingStatIn(stat).usingWatcher((org.apache.curator.framework.api.CuratorWatcher) event -> {
                if (event.getType() != EventType.None) {
                    count.incrementAndGet();
                }
            }).forPath(path);
            try {
                writer.setData().withVersion(stat.getVersion()).forPath(path, new byte[0]);
            } catch (KeeperException.BadVersionException e) {
                // Curator has repeated a set that was done before its connection was lost.
            }
            wrote(true);
            Await.that("a watch fires", () -> count.get() > 0);
            ROUNDS.incrementAndGet();
        }

        @Override
        void remained() throws Exception {
            super.remained();
            for (AtomicInteger count : events) {
                require(count.get() == 1, "a watch fired " + count + " times");
            }
        }
    }

    static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static synchronized void note(String writer) {
        notes.print(System.nanoTime() + " " + writer + "\n");
        notes.flush();
    }

    static String text(byte[] data) {
        return new String(data, StandardCharsets.US_ASCII);
    }

    static byte[] bytes(long value) {
        return Long.toString(value).getBytes(StandardCharsets.US_ASCII);
    }

    static void ensure(CuratorFramework client, String path, String value) throws Exception {
        try {
            client.create().creatingParentsIfNeeded().forPath(path, value.getBytes(StandardCharsets.US_ASCII));
        } catch (KeeperException.NodeExistsException e) {
            // By another session, or by itself before its connection was lost.
        }
    }

    static CuratorFramework started(String address) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder().connectString(address).sessionTimeoutMs(20_000)
                .connectionTimeoutMs(20_000).retryPolicy(new RetryForever(50)).dontUseContainerParents()
                .ensembleTracker(false).build();
        client.start();
        client.blockUntilConnected(60, TimeUnit.SECONDS);
        return client;
    }

    private interface Check {
        String run() throws Exception;
    }

    private static boolean verdict(String what, Check check) {
        try {
            System.out.println("ok " + what + ": " + check.run());
            return true;
        } catch (Exception | AssertionError e) {
            System.out.println("not ok " + what + ": " + e);
            return false;
        }
    }

    private static boolean check(List<Work> works, List<Session> sessions, List<Cache> caches) {
        int losses = sessions.stream().mapToInt(session -> session.losses.get()).sum();
        boolean good = verdict("sessions", () -> {
            for (Work work : works) {
                work.remained();
            }
            for (Session session : sessions) {
                session.check();
            }
            return sessions.size() + " with their persistent nodes, " + losses + " connections lost";
        });
        for (String host : hosts) {
            try (CuratorFramework reader = started(host)) {
                reader.sync().forPath(TOP);
                good &= verdict("mutexes at " + host, () -> Mutexes.check(reader));
                good &= verdict("atomics at " + host, () -> Atomics.check(reader, losses));
                good &= verdict("nodes at " + host, () -> Nodes.check(reader));
            } catch (Exception e) {
                good &= verdict("reader of " + host, () -> { throw e; });
            }
        }
        for (Cache cache : caches) {
            good &= verdict("cache", cache::check);
        }
        return good & verdict("watches", () -> Watches.ROUNDS + " fired once");
    }

    public static void main(String[] args) throws Exception {
        hosts = args[0].split(",");
        notes = new PrintWriter(Files.newBufferedWriter(Path.of(args[1])));
        try (CuratorFramework client = started(args[0])) {
            ensure(client, TOP + "/cached", "");
        }
        List<Session> sessions = new ArrayList<>();
        for (int number : IntStream.range(0, 6).toArray()) {
            sessions.add(new Session(number));
        }
        List<Cache> caches = List.of(new Cache(sessions.get(0).client), new Cache(sessions.get(1).client));
        List<Work> works = List.of(new Mutexes(), new Mutexes(), new Mutexes(), new Atomics(), new Atomics(), new Atomics(),
                new Nodes(), new Nodes(), new Watches(sessions.get(1)), new Watches(sessions.get(2)));
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < works.size(); i++) {
            threads.add(works.get(i).start(sessions.get(i % sessions.size())));
        }
        threads.forEach(Thread::start);
        while (System.in.read() >= 0) {
            // Until the end of input.
        }
        stops = true;
        for (Thread thread : threads) {
            thread.join(120_000);
        }
        boolean good = check(works, sessions, caches);
        System.out.flush();
        notes.close();
        Runtime.getRuntime().exit(good ? 0 : 1);
    }
}
