package recipes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Transaction;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.Test;
import running.Await;
import running.Server;

/** The official client's handle, without Curator. */
class Handle extends Recipe {
    private static final List<org.apache.zookeeper.data.ACL> OPEN = ZooDefs.Ids.OPEN_ACL_UNSAFE;

    /** Results as the client reports them: a type, and an error's code. */
    private static List<String> described(List<OpResult> results) {
        return results.stream().map(result -> result instanceof OpResult.ErrorResult error ? "error " + error.getErr()
                : result.getClass().getSimpleName()).toList();
    }

    @Test
    void aMultiTellsWhichOpFailed() throws Exception {
        ZooKeeper zk = plain(server().address());
        Stat before = zk.exists(at, false);
        KeeperException error = assertThrows(KeeperException.NoNodeException.class, () -> zk.multi(List.of(
                Op.create(at + "/a", bytes("x"), OPEN, CreateMode.PERSISTENT), Op.setData(at, bytes("y"), -1),
                Op.delete(at + "/none", -1), Op.create(at + "/b", bytes("x"), OPEN, CreateMode.PERSISTENT))));
        assertEquals(List.of("error 0", "error 0", "error -101", "error -2"), described(error.getResults()));
        assertEquals(before, zk.exists(at, false));
        List<OpResult> results = zk.multi(List.of(Op.check(at, 0), Op.create(at + "/a", bytes("x"), OPEN, CreateMode.PERSISTENT),
                Op.setData(at + "/a", bytes("yy"), 0), Op.create(at + "/t", null, OPEN, CreateMode.PERSISTENT_WITH_TTL, 100_000),
                Op.delete(at + "/a", 1)));
        assertEquals(List.of("CheckResult", "CreateResult", "SetDataResult", "CreateResult", "DeleteResult"), described(results));
        assertEquals(2, ((OpResult.SetDataResult) results.get(2)).getStat().getDataLength());
        assertEquals(List.of("t"), zk.getChildren(at, false));
        assertEquals(List.of(), zk.multi(List.of()));
        CountDownLatch called = new CountDownLatch(1);
        List<Object> answers = Collections.synchronizedList(new ArrayList<>());
        zk.multi(List.of(Op.check(at, 5), Op.delete(at + "/t", -1)), (rc, path, ctx, list) -> {
            answers.add(rc);
            answers.addAll(described(list));
            called.countDown();
        }, null);
        assertTrue(called.await(30, TimeUnit.SECONDS));
        assertEquals(List.of(-103, "error -103", "error -2"), answers);
        Transaction transaction = zk.transaction().delete(at + "/t", -1).create(at + "/z", null, OPEN, CreateMode.EPHEMERAL);
        assertEquals(2, transaction.commit().size());
        assertEquals(zk.getSessionId(), zk.exists(at + "/z", false).getEphemeralOwner());
    }

    @Test
    void manyAreReadAtOnce() throws Exception {
        ZooKeeper zk = plain(server().address());
        zk.create(at + "/a", bytes("one"), OPEN, CreateMode.PERSISTENT);
        List<OpResult> results = zk.multi(List.of(Op.getData(at + "/a"), Op.getChildren(at), Op.getData(at + "/none")));
        assertEquals(List.of("GetDataResult", "GetChildrenResult", "error -101"), described(results));
        assertEquals("one", text(((OpResult.GetDataResult) results.get(0)).getData()));
        assertEquals(zk.exists(at + "/a", false), ((OpResult.GetDataResult) results.get(0)).getStat());
        assertEquals(List.of("a"), ((OpResult.GetChildrenResult) results.get(1)).getChildren());
    }

    @Test
    void callbacksComeInTheOrderOfTheirCalls() throws Exception {
        ZooKeeper zk = plain(server().address());
        List<String> answers = Collections.synchronizedList(new ArrayList<>());
        List<String> expected = new ArrayList<>();
        int rounds = 300;
        CountDownLatch done = new CountDownLatch(rounds * 6);
        for (int i = 0; i < rounds; i++) {
            String path = at + "/n" + i;
            zk.create(path, bytes("a"), OPEN, CreateMode.PERSISTENT, (rc, p, ctx, name) -> {
                answers.add("create " + rc + " " + name);
                done.countDown();
            }, null);
            zk.setData(path, bytes("b" + i), 0, (rc, p, ctx, stat) -> {
                answers.add("set " + rc + " " + stat.getVersion());
                done.countDown();
            }, null);
            zk.getData(path, false, (rc, p, ctx, data, stat) -> {
                answers.add("get " + rc + " " + text(data));
                done.countDown();
            }, null);
            zk.getChildren(at, false, (rc, p, ctx, names) -> {
                answers.add("children " + rc + " " + names.size());
                done.countDown();
            }, null);
            zk.delete(path, 0, (rc, p, ctx) -> {
                answers.add("delete " + rc);
                done.countDown();
            }, null);
            zk.sync(path, (rc, p, ctx) -> {
                answers.add("sync " + rc);
                done.countDown();
            }, null);
            expected.addAll(List.of("create 0 " + path, "set 0 1", "get 0 b" + i, "children 0 " + (i + 1), "delete -103", "sync 0"));
        }
        assertTrue(done.await(90, TimeUnit.SECONDS));
        assertEquals(expected, answers);
    }

    @Test
    void anEventComesBeforeWhatItAnnounces() throws Exception {
        ZooKeeper watcher = plain(server().address());
        ZooKeeper writer = plain(server().address());
        writer.create(at + "/n", bytes("0"), OPEN, CreateMode.PERSISTENT);
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        for (int i = 1; i <= 60; i++) {
            String now = "" + i;
            watcher.getData(at + "/n", event -> order.add("event"), null);
            writer.setData(at + "/n", bytes(now), -1);
            String seen;
            do {
                CountDownLatch read = new CountDownLatch(1);
                String[] data = {null};
                watcher.getData(at + "/n", false, (rc, path, ctx, bytes, stat) -> {
                    data[0] = text(bytes);
                    if (data[0].equals(now)) {
                        order.add("new data");
                    }
                    read.countDown();
                }, null);
                assertTrue(read.await(30, TimeUnit.SECONDS));
                seen = data[0];
            } while (!seen.equals(now));
            assertEquals(List.of("event", "new data"), List.copyOf(order));
            order.clear();
        }
    }

    @Test
    void ownEphemeralsAreListed() throws Exception {
        ZooKeeper one = plain(server().address());
        ZooKeeper two = plain(server().address());
        for (String name : List.of("/a", "/ab", "/b")) {
            one.create(at + name, null, OPEN, CreateMode.EPHEMERAL);
        }
        two.create(at + "/other", null, OPEN, CreateMode.EPHEMERAL);
        assertEquals(Set.of(at + "/a", at + "/ab", at + "/b"), Set.copyOf(one.getEphemerals()));
        assertEquals(Set.of(at + "/a", at + "/ab"), Set.copyOf(one.getEphemerals(at + "/a")));
        assertEquals(List.of(at + "/other"), two.getEphemerals());
        assertEquals(4, one.getAllChildrenNumber(at));
        one.close();
        assertEquals(List.of("other"), two.getChildren(at, false));
    }

    @Test
    void everyWatchFiresOnce() throws Exception {
        ZooKeeper zk = plain(server().address());
        ZooKeeper writer = plain(server().address());
        Events events = new Events();
        String path = at + "/n";
        zk.exists(path, events);
        zk.getChildren(at, events);
        writer.create(path, null, OPEN, CreateMode.PERSISTENT);
        Await.equal(List.of("NodeCreated " + path, "NodeChildrenChanged " + at), events::seen);
        zk.getData(path, events, null);
        zk.exists(path, events);
        zk.getChildren(path, events);
        writer.delete(path, -1);
        Await.equal("NodeDeleted " + path, () -> events.seen().get(events.seen().size() - 1));
        writer.create(path, null, OPEN, CreateMode.PERSISTENT);
        writer.setData(path, bytes("x"), -1);
        zk.sync(at);
        assertEquals(1, zk.exists(path, false).getVersion());
        assertEquals(3, events.seen().size(), events.seen().toString());
        assertThrows(KeeperException.NoWatcherException.class,
                () -> zk.removeWatches(path, new Events(), Watcher.WatcherType.Any, false));
        zk.addWatch(path, events, AddWatchMode.PERSISTENT_RECURSIVE);
        zk.removeAllWatches(path, Watcher.WatcherType.PersistentRecursive, false);
        writer.setData(path, bytes("y"), -1);
        Await.equal("PersistentWatchRemoved " + path, () -> events.seen().get(events.seen().size() - 1));
    }

    @Test
    void largeDataPassesAndTooLargeDoesNot() throws Exception {
        ZooKeeper zk = plain(server().address());
        byte[] large = new byte[1_000_000];
        Arrays.fill(large, (byte) 7);
        zk.create(at + "/large", large, OPEN, CreateMode.PERSISTENT);
        assertArrayEquals(large, zk.getData(at + "/large", false, null));
        long session = zk.getSessionId();
        assertEquals(Code.CONNECTIONLOSS, code(() -> zk.setData(at + "/large", new byte[1_100_000], -1)));
        Await.that("connected again", () -> zk.getState().isConnected());
        assertEquals(session, zk.getSessionId());
        assertEquals(0, zk.exists(at + "/large", false).getVersion());
        assertEquals(Code.BADARGUMENTS, code(() -> zk.delete("/zookeeper", -1)));
    }

    @Test
    void aSessionMovesToAnotherHandle() throws Exception {
        ZooKeeper first = plain(server().address());
        first.create(at + "/e", bytes("x"), OPEN, CreateMode.EPHEMERAL);
        CountDownLatch dropped = new CountDownLatch(1);
        first.register(event -> {
            if (event.getState() == Watcher.Event.KeeperState.Disconnected) {
                dropped.countDown();
            }
        });
        byte[] password = first.getSessionPasswd().clone();
        ZooKeeper second = keep(new ZooKeeper(server().address(), 30_000, event -> { }, first.getSessionId(), password));
        Await.that("the second has the session", () -> second.getState().isConnected());
        assertEquals(first.getSessionId(), second.getSessionId());
        assertTrue(dropped.await(30, TimeUnit.SECONDS));
        password[3] ^= 1;
        CountDownLatch expired = new CountDownLatch(1);
        keep(new ZooKeeper(server().address(), 30_000, event -> {
            if (event.getState() == Watcher.Event.KeeperState.Expired) {
                expired.countDown();
            }
        }, first.getSessionId(), password));
        assertTrue(expired.await(30, TimeUnit.SECONDS), "a wrong password opens no session");
    }

    @Test
    void watchesAreSetAgainAfterARestart() throws Exception {
        Server own = keep(new Server());
        ZooKeeper zk = plain(own.address());
        zk.create("/data", bytes("x"), OPEN, CreateMode.PERSISTENT);
        Events events = new Events();
        zk.getData("/data", events, null);
        zk.exists("/later", events);
        zk.getChildren("/", events);
        zk.addWatch("/tree", events, AddWatchMode.PERSISTENT_RECURSIVE);
        for (int i = 0; i < 3000; i++) {
            zk.exists("/a-long-name-so-that-the-watches-need-more-than-one-packet-" + i, events);
        }
        own.stop();
        own.start();
        Await.that("connected", () -> zk.getState().isConnected());
        ZooKeeper writer = plain(own.address());
        Await.that("the watches are there", () -> own.word("wchs").contains("Total watches:3003"));
        writer.create("/later", null, OPEN, CreateMode.PERSISTENT);
        writer.setData("/data", bytes("y"), -1);
        writer.create("/tree", null, OPEN, CreateMode.PERSISTENT);
        writer.create("/tree/leaf", null, OPEN, CreateMode.PERSISTENT);
        writer.create("/a-long-name-so-that-the-watches-need-more-than-one-packet-2999", null, OPEN, CreateMode.PERSISTENT);
        Await.equal(List.of("NodeCreated /later", "NodeChildrenChanged /", "NodeDataChanged /data", "NodeCreated /tree",
                "NodeCreated /tree/leaf", "NodeCreated /a-long-name-so-that-the-watches-need-more-than-one-packet-2999"), events::seen);
    }
}
