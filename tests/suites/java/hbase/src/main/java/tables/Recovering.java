package tables;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.Abortable;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.Stoppable;
import org.apache.hadoop.hbase.zookeeper.RecoverableZooKeeper;
import org.apache.hadoop.hbase.zookeeper.ZKLeaderManager;
import org.apache.hadoop.hbase.zookeeper.ZKListener;
import org.apache.hadoop.hbase.zookeeper.ZKNodeTracker;
import org.apache.hadoop.hbase.zookeeper.ZKUtil;
import org.apache.hadoop.hbase.zookeeper.ZKWatcher;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import running.Await;
import running.Server;

/** HBase's access to the server: a retrying handle, watchers, trackers, its tools. */
class Recovering {
    private final List<AutoCloseable> open = new ArrayList<>();
    private Server server;

    /** Nothing here may abort. */
    private static final class Never implements Abortable, Stoppable {
        private volatile String why;

        @Override
        public void abort(String reason, Throwable cause) {
            why = reason;
        }

        @Override
        public boolean isAborted() {
            return why != null;
        }

        @Override
        public void stop(String reason) {
            why = reason;
        }

        @Override
        public boolean isStopped() {
            return why != null;
        }
    }

    private final Never never = new Never();

    @BeforeEach
    void begin() throws Exception {
        server = new Server();
        open.add(server);
    }

    @AfterEach
    void end() throws Exception {
        for (int i = open.size() - 1; i >= 0; i--) {
            open.get(i).close();
        }
        assertNull(never.why);
    }

    private Configuration configuration() {
        Configuration configuration = HBaseConfiguration.create();
        configuration.set("hbase.zookeeper.quorum", "127.0.0.1");
        configuration.set("hbase.zookeeper.property.clientPort", server.address().split(":")[1]);
        configuration.setInt("zookeeper.session.timeout", 30_000);
        configuration.setInt("zookeeper.recovery.retry", 20);
        configuration.setInt("zookeeper.recovery.retry.intervalmill", 200);
        return configuration;
    }

    private ZKWatcher watcher(String name) throws Exception {
        ZKWatcher watcher = new ZKWatcher(configuration(), name, never, true);
        open.add(watcher);
        return watcher;
    }

    private RecoverableZooKeeper handle() throws Exception {
        RecoverableZooKeeper handle = RecoverableZooKeeper.connect(configuration(), event -> { });
        open.add(handle::close);
        handle.exists("/", false);
        return handle;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Test
    void aHandleReadsWhatItWrote() throws Exception {
        RecoverableZooKeeper zk = handle();
        var acl = ZooDefs.Ids.OPEN_ACL_UNSAFE;
        assertEquals("/a", zk.create("/a", bytes("one"), acl, CreateMode.PERSISTENT));
        Stat stat = new Stat();
        assertEquals("one", text(zk.getData("/a", false, stat)));
        assertTrue(stat.getDataLength() > 3, "data carries HBase's mark");
        assertEquals(1, zk.setData("/a", bytes("two"), 0).getVersion());
        assertThrows(KeeperException.BadVersionException.class, () -> zk.setData("/a", bytes("three"), 0));
        String numbered = zk.create("/a/s-", bytes(""), acl, CreateMode.EPHEMERAL_SEQUENTIAL);
        assertEquals("/a/s-" + zk.getIdentifier() + "-0000000000", numbered.replaceFirst("-?(\\d{10})$", "-$1"));
        assertEquals(2, zk.multi(List.of(Op.create("/a/b", bytes("x"), acl, CreateMode.PERSISTENT), Op.setData("/a", bytes("m"), 1)))
                .size());
        assertEquals(acl, zk.getAcl("/a", stat));
        zk.delete("/a/b", 0);
        assertEquals(List.of(numbered.substring("/a/".length())), zk.getChildren("/a", false));
    }

    @Test
    void aHandleTriesAgainOverARestart() throws Exception {
        RecoverableZooKeeper zk = handle();
        var acl = ZooDefs.Ids.OPEN_ACL_UNSAFE;
        zk.create("/e", bytes("mine"), acl, CreateMode.EPHEMERAL);
        long session = zk.getSessionId();
        for (int i = 0; i < 3; i++) {
            server.kill();
            Thread starting = new Thread(() -> {
                try {
                    server.start();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            starting.start();
            zk.create("/during-" + i, bytes("x"), acl, CreateMode.PERSISTENT);
            starting.join();
            assertEquals("mine", text(zk.getData("/e", false, null)));
        }
        assertEquals(session, zk.getSessionId());
        zk.reconnectAfterExpiration();
        assertNull(zk.exists("/e", false));
        assertNotEquals(session, zk.getSessionId());
    }

    @Test
    void toolsMakeSetAndDeleteTrees() throws Exception {
        ZKWatcher zk = watcher("tools");
        ZKUtil.createWithParents(zk, "/hbase/t/a/b", bytes("x"));
        ZKUtil.createSetData(zk, "/hbase/t/a/c", bytes("y"));
        ZKUtil.createSetData(zk, "/hbase/t/a/c", bytes("z"));
        assertEquals("z", text(ZKUtil.getData(zk, "/hbase/t/a/c")));
        assertTrue(ZKUtil.createEphemeralNodeAndWatch(zk, "/hbase/t/e", bytes("e")));
        assertFalse(ZKUtil.createEphemeralNodeAndWatch(watcher("other"), "/hbase/t/e", bytes("e")));
        ZKUtil.multiOrSequential(zk, List.of(ZKUtil.ZKUtilOp.createAndFailSilent("/hbase/t/m", bytes("m")),
                ZKUtil.ZKUtilOp.setData("/hbase/t/a/c", bytes("multi")), ZKUtil.ZKUtilOp.deleteNodeFailSilent("/hbase/t/a/b")), false);
        assertArrayEquals(bytes("multi"), ZKUtil.getData(zk, "/hbase/t/a/c"));
        assertEquals(-1, ZKUtil.checkExists(zk, "/hbase/t/a/b"));
        for (int i = 0; i < 300; i++) {
            ZKUtil.createWithParents(zk, "/hbase/t/many/" + i + "/leaf");
        }
        ZKUtil.deleteNodeRecursively(zk, "/hbase/t");
        assertEquals(-1, ZKUtil.checkExists(zk, "/hbase/t"));
    }

    @Test
    void aNodeIsTrackedAndListenersHear() throws Exception {
        ZKWatcher zk = watcher("tracking");
        ZKNodeTracker tracker = new ZKNodeTracker(zk, "/hbase/tracked", never) {
        };
        tracker.start();
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        zk.registerListener(new ZKListener(zk) {
            @Override
            public void nodeChildrenChanged(String path) {
                heard.add("children " + path);
            }
        });
        ZKWatcher other = watcher("writing");
        ZKUtil.createWithParents(other, "/hbase/list");
        ZKUtil.listChildrenAndWatchForNewChildren(zk, "/hbase/list");
        ZKUtil.createWithParents(other, "/hbase/tracked", bytes("1"));
        assertEquals("1", text(tracker.blockUntilAvailable()));
        ZKUtil.setData(other, "/hbase/tracked", bytes("2"));
        Await.equal("2", () -> text(tracker.getData(false)));
        ZKUtil.deleteNode(other, "/hbase/tracked");
        Await.that("gone", () -> tracker.getData(false) == null);
        ZKUtil.createWithParents(other, "/hbase/list/child");
        Await.equal(List.of("children /hbase/list"), () -> List.copyOf(heard));
        tracker.stop();
    }

    @Test
    void oneLeads() throws Exception {
        ZKWatcher first = watcher("first");
        ZKWatcher second = watcher("second");
        ZKLeaderManager one = new ZKLeaderManager(first, "/hbase/leader", bytes("one"), never);
        ZKLeaderManager two = new ZKLeaderManager(second, "/hbase/leader", bytes("two"), never);
        for (ZKLeaderManager each : List.of(one, two)) {
            each.start();
        }
        one.waitToBecomeLeader();
        Thread waiting = new Thread(two::waitToBecomeLeader);
        waiting.start();
        assertEquals("one", text(ZKUtil.getData(second, "/hbase/leader")));
        first.close();
        waiting.join(60_000);
        assertFalse(waiting.isAlive(), "the second leads when the first is gone");
        assertEquals("two", text(ZKUtil.getData(second, "/hbase/leader")));
    }
}
