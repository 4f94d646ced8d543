package recipes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorTempFramework;
import org.apache.curator.framework.api.BackgroundCallback;
import org.apache.curator.framework.api.CuratorEvent;
import org.apache.curator.framework.api.transaction.CuratorOp;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.api.transaction.OperationType;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;
import org.junit.jupiter.api.Test;
import running.Await;

/** Curator's framework itself: every builder against the server. */
class Operations extends Recipe {
    @Test
    void nodesAreMadeReadAndDeleted() throws Exception {
        CuratorFramework client = client();
        Stat stat = new Stat();
        assertEquals(at + "/a/b/c", client.create().storingStatIn(stat).creatingParentsIfNeeded().forPath(at + "/a/b/c", bytes("x")));
        assertEquals(stat, client.checkExists().forPath(at + "/a/b/c"));
        assertEquals(1, stat.getDataLength());
        assertEquals(stat.getCzxid(), client.checkExists().forPath(at + "/a/b").getPzxid());
        assertEquals(Code.NODEEXISTS, code(() -> client.create().forPath(at + "/a")));
        assertEquals(Code.NONODE, code(() -> client.create().forPath(at + "/no/parent")));
        assertEquals(Code.NOTEMPTY, code(() -> client.delete().forPath(at + "/a")));
        assertEquals(Code.BADVERSION, code(() -> client.setData().withVersion(3).forPath(at + "/a", bytes("y"))));
        Stat set = client.setData().withVersion(0).forPath(at + "/a/b/c", bytes("long"));
        assertEquals(1, set.getVersion());
        assertEquals(4, set.getDataLength());
        assertEquals("long", text(client.getData().storingStatIn(stat).forPath(at + "/a/b/c")));
        assertEquals(set, stat);
        assertEquals(Code.BADVERSION, code(() -> client.delete().withVersion(0).forPath(at + "/a/b/c")));
        client.create().orSetData(1).forPath(at + "/a/b/c", bytes("again"));
        assertEquals(2, client.checkExists().forPath(at + "/a/b/c").getVersion());
        client.delete().quietly().forPath(at + "/nothing");
        client.delete().guaranteed().deletingChildrenIfNeeded().forPath(at + "/a");
        assertNull(client.checkExists().forPath(at + "/a"));
        client.checkExists().creatingParentsIfNeeded().forPath(at + "/p/q/r");
        assertNotNull(client.checkExists().forPath(at + "/p/q"));
        assertNull(client.checkExists().forPath(at + "/p/q/r"));
        client.setData().idempotent().withVersion(0).forPath(at + "/p/q", bytes("i"));
        client.setData().idempotent().withVersion(0).forPath(at + "/p/q", bytes("i"));
        assertEquals(1, client.checkExists().forPath(at + "/p/q").getVersion());
    }

    @Test
    void everyModeOfCreate() throws Exception {
        CuratorFramework client = client();
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        for (int i = 0; i < 3; i++) {
            assertEquals(String.format("%s/s-%010d", at, i), client.create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath(at + "/s-"));
        }
        assertEquals(at + "/e-0000000003", client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(at + "/e-"));
        assertEquals(session, client.checkExists().forPath(at + "/e-0000000003").getEphemeralOwner());
        assertEquals(Code.NOCHILDRENFOREPHEMERALS, code(() -> client.create().forPath(at + "/e-0000000003/child")));
        String hidden = client.create().withProtection().withMode(CreateMode.EPHEMERAL).forPath(at + "/own");
        assertTrue(hidden.startsWith(at + "/_c_") && hidden.endsWith("-own"));
        client.create().withMode(CreateMode.CONTAINER).forPath(at + "/container");
        assertEquals(0, client.checkExists().forPath(at + "/container").getEphemeralOwner());
        client.create().forPath(at + "/container/child");
        client.delete().forPath(at + "/container/child");
        Await.that("an emptied container goes", () -> client.checkExists().forPath(at + "/container") == null);
        client.create().withTtl(700).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath(at + "/ttl");
        client.create().withTtl(600_000).withMode(CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL).forPath(at + "/ttl-");
        Await.that("a node with a time goes", () -> client.checkExists().forPath(at + "/ttl") == null);
        Set<String> left = new TreeSet<>(client.getChildren().forPath(at));
        assertTrue(left.contains("ttl-0000000007"), left.toString());
        assertEquals(6, left.size());
        client.close();
        CuratorFramework other = client();
        assertEquals(Set.of("s-0000000000", "s-0000000001", "s-0000000002", "ttl-0000000007"),
                Set.copyOf(other.getChildren().forPath(at)));
    }

    @Test
    void aTransactionIsWholeOrNothing() throws Exception {
        CuratorFramework client = client();
        CuratorOp make = client.transactionOp().create().forPath(at + "/a", bytes("1"));
        CuratorOp numbered = client.transactionOp().create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath(at + "/n-", bytes("2"));
        CuratorOp set = client.transactionOp().setData().withVersion(0).forPath(at + "/a", bytes("3"));
        CuratorOp check = client.transactionOp().check().withVersion(1).forPath(at + "/a");
        CuratorOp delete = client.transactionOp().delete().withVersion(0).forPath(at + "/n-0000000001");
        List<CuratorTransactionResult> results = client.transaction().forOperations(make, numbered, set, check, delete);
        assertEquals(List.of(OperationType.CREATE, OperationType.CREATE, OperationType.SET_DATA, OperationType.CHECK,
                OperationType.DELETE), results.stream().map(CuratorTransactionResult::getType).toList());
        assertEquals(at + "/a", results.get(0).getResultPath());
        assertEquals(at + "/n-0000000001", results.get(1).getResultPath());
        assertEquals(1, results.get(2).getResultStat().getVersion());
        assertEquals(List.of("a"), client.getChildren().forPath(at));
        Stat before = client.checkExists().forPath(at);
        KeeperException error = assertThrows(KeeperException.BadVersionException.class, () -> client.transaction().forOperations(
                client.transactionOp().create().forPath(at + "/b"), client.transactionOp().check().withVersion(7).forPath(at + "/a"),
                client.transactionOp().create().forPath(at + "/c")));
        assertEquals(3, error.getResults().size());
        assertEquals(before, client.checkExists().forPath(at));
    }

    @Test
    @SuppressWarnings("deprecation")
    void theOldTransactionsToo() throws Exception {
        CuratorFramework client = client();
        var results = client.inTransaction().create().forPath(at + "/a", bytes("1")).and().setData().forPath(at, bytes("2")).and().commit();
        assertEquals(2, new ArrayList<>(results).size());
        try (CuratorTempFramework temp = builder(server().address()).buildTemp()) {
            var made = temp.inTransaction().create().withMode(CreateMode.EPHEMERAL).forPath(at + "/e", bytes("1")).and().delete()
                    .forPath(at + "/a").and().commit();
            assertEquals(2, made.size());
            assertEquals("1", text(temp.getData().forPath(at + "/e")));
            assertThrows(KeeperException.NoNodeException.class,
                    () -> temp.inTransaction().delete().forPath(at + "/a").and().commit());
        }
        Await.that("the temporary client's session ends", () -> client.checkExists().forPath(at + "/e") == null);
    }

    @Test
    void rightsAreKept() throws Exception {
        CuratorFramework owner = started(builder(server().address()).authorization("digest", bytes("ann:secret")));
        CuratorFramework wrong = started(builder(server().address()).authorization("digest", bytes("ann:guess")));
        CuratorFramework anonymous = client();
        owner.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath(at + "/mine", bytes("x"));
        Id ann = new Id("digest", DigestAuthenticationProvider.generateDigest("ann:secret"));
        assertEquals(List.of(new ACL(ZooDefs.Perms.ALL, ann)), owner.getACL().forPath(at + "/mine"));
        for (CuratorFramework other : List.of(wrong, anonymous)) {
            assertEquals(Code.NOAUTH, code(() -> other.getData().forPath(at + "/mine")));
            assertEquals(Code.NOAUTH, code(() -> other.setData().forPath(at + "/mine", bytes("y"))));
            assertEquals(Code.NOAUTH, code(() -> other.getChildren().forPath(at + "/mine")));
            assertEquals(Code.NOAUTH, code(() -> other.create().forPath(at + "/mine/child")));
            assertEquals(Code.NOAUTH, code(() -> other.setACL().withACL(ZooDefs.Ids.OPEN_ACL_UNSAFE).forPath(at + "/mine")));
            assertEquals(Code.NOAUTH, code(() -> other.getACL().forPath(at + "/mine")));
            assertEquals(Code.NOAUTH, code(() -> other.checkExists().forPath(at + "/mine")));
        }
        assertEquals(Code.INVALIDACL, code(() -> anonymous.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath(at + "/no")));
        List<ACL> mixed = List.of(new ACL(ZooDefs.Perms.ALL, ann), new ACL(ZooDefs.Perms.READ, ZooDefs.Ids.ANYONE_ID_UNSAFE));
        assertEquals(Code.BADVERSION, code(() -> owner.setACL().withVersion(3).withACL(mixed).forPath(at + "/mine")));
        assertEquals(1, owner.setACL().withVersion(0).withACL(mixed).forPath(at + "/mine").getAversion());
        assertEquals("x", text(anonymous.getData().forPath(at + "/mine")));
        assertEquals(Code.NOAUTH, code(() -> anonymous.setData().forPath(at + "/mine", bytes("y"))));
        assertEquals(List.of(new ACL(ZooDefs.Perms.ALL, new Id("digest", "ann:x")), mixed.get(1)), anonymous.getACL().forPath(at + "/mine"));
        var who = owner.getZookeeperClient().getZooKeeper().whoAmI();
        assertEquals(List.of("digest ann", "ip 127.0.0.1"), who.stream().map(each -> each.getAuthScheme() + " " + each.getUser()).sorted().toList());
        assertEquals(Code.AUTHFAILED, code(() -> {
            CuratorFramework bad = keep(builder(server().address()).authorization("nonsense", bytes("x")).build());
            bad.start();
            bad.getData().forPath("/");
        }));
    }

    @Test
    void aNamespaceAndAChrootHideTheRest() throws Exception {
        CuratorFramework inside = started(builder(server().address()).namespace(at.substring(1)));
        CuratorFramework rooted = started(builder(server().address() + at));
        CuratorFramework outside = client();
        assertEquals("/a", inside.create().forPath("/a", bytes("1")));
        assertEquals("1", text(rooted.getData().forPath("/a")));
        assertEquals("1", text(outside.getData().forPath(at + "/a")));
        Events events = new Events();
        rooted.getData().usingWatcher(events).forPath("/a");
        rooted.getChildren().usingWatcher(events).forPath("/");
        inside.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE).usingWatcher(events).forPath("/a");
        outside.setData().forPath(at + "/a", bytes("2"));
        outside.create().forPath(at + "/b");
        Await.that("three events", () -> events.seen().size() == 3);
        assertEquals(List.of("NodeChildrenChanged /", "NodeDataChanged /a", "NodeDataChanged /a"), events.seen().stream().sorted().toList());
        assertEquals("/s-0000000002", rooted.create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath("/s-"));
        rooted.transaction().forOperations(rooted.transactionOp().create().forPath("/t"), rooted.transactionOp().delete().forPath("/b"));
        assertEquals(Set.of("a", "t", "s-0000000002"), Set.copyOf(outside.getChildren().forPath(at)));
        CuratorFramework astray = started(builder(server().address() + at + "/missing"));
        assertEquals(Code.NONODE, code(() -> astray.create().forPath("/x")));
        rooted.sync().forPath("/");
    }

    @Test
    void workInTheBackgroundIsAnsweredInOrder() throws Exception {
        CuratorFramework client = client();
        List<String> answers = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(401);
        BackgroundCallback callback = (c, event) -> {
            answers.add(event.getType() + " " + event.getContext() + " " + event.getResultCode()
                    + (event.getData() == null || event.getData().length == 0 ? "" : " " + text(event.getData())));
            done.countDown();
        };
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            String path = at + "/" + i % 10;
            client.create().inBackground(callback, i).forPath(path, bytes("made"));
            expected.add("CREATE " + i + " " + (i < 10 ? 0 : Code.NODEEXISTS.intValue()));
            client.setData().inBackground(callback, i).forPath(path, bytes("v" + i));
            expected.add("SET_DATA " + i + " 0");
            client.getData().inBackground(callback, i).forPath(path);
            expected.add("GET_DATA " + i + " 0 v" + i);
            client.checkExists().inBackground(callback, i).forPath(path + "x");
            expected.add("EXISTS " + i + " " + Code.NONODE.intValue());
        }
        client.sync().inBackground(callback, "s").forPath(at);
        expected.add("SYNC s 0");
        assertTrue(done.await(60, TimeUnit.SECONDS));
        assertEquals(expected, answers);
        CountDownLatch listener = new CountDownLatch(1);
        client.getCuratorListenable().addListener((CuratorFramework c, CuratorEvent event) -> listener.countDown());
        client.getChildren().inBackground().forPath(at);
        assertTrue(listener.await(30, TimeUnit.SECONDS));
    }

    @Test
    void packedDataIsSmallerOnTheServer() throws Exception {
        CuratorFramework client = client();
        byte[] data = bytes("the same again and again ".repeat(4000));
        client.create().compressed().forPath(at + "/packed", data);
        int length = client.checkExists().forPath(at + "/packed").getDataLength();
        assertTrue(length > 0 && length < 5000);
        assertArrayEquals(data, client.getData().decompressed().forPath(at + "/packed"));
        assertEquals(length, client.getData().undecompressed().forPath(at + "/packed").length);
        client.setData().compressed().forPath(at + "/packed", bytes("short"));
        assertEquals("short", text(client.getData().decompressed().forPath(at + "/packed")));
    }

    @Test
    void manyChildrenAreListed() throws Exception {
        CuratorFramework client = client();
        int count = 8000;
        CountDownLatch made = new CountDownLatch(count);
        Set<String> names = new TreeSet<>();
        for (int i = 0; i < count; i++) {
            String name = String.format("a-child-with-a-name-of-fifty-odd-characters-%08d", i);
            names.add(name);
            client.create().inBackground((c, event) -> made.countDown()).forPath(at + "/" + name, new byte[0]);
        }
        assertTrue(made.await(120, TimeUnit.SECONDS));
        Stat stat = new Stat();
        List<String> listed = client.getChildren().storingStatIn(stat).forPath(at);
        assertEquals(count, listed.size());
        assertEquals(names, new TreeSet<>(listed));
        assertEquals(count, stat.getNumChildren());
        assertEquals(count, client.getZookeeperClient().getZooKeeper().getAllChildrenNumber(at));
    }

    @Test
    void watchesAreRemoved() throws Exception {
        CuratorFramework client = client();
        Events kept = new Events();
        Events removed = new Events();
        client.getData().usingWatcher(kept).forPath(at);
        client.getData().usingWatcher(removed).forPath(at);
        client.watchers().remove(removed).forPath(at);
        assertEquals(Code.NOWATCHER, code(() -> client.watchers().remove(new Events()).forPath(at)));
        client.setData().forPath(at, bytes("1"));
        Await.equal(List.of("NodeDataChanged " + at), kept::seen);
        assertEquals(List.of("DataWatchRemoved " + at), removed.seen());
        Events gone = new Events();
        client.getChildren().usingWatcher(gone).forPath(at);
        client.watchers().removeAll().locally().forPath(at);
        client.create().forPath(at + "/x");
        Await.equal(List.of("ChildWatchRemoved " + at), gone::seen);
    }

    @Test
    void persistentWatchesStay() throws Exception {
        CuratorFramework client = client();
        Events one = new Events();
        Events below = new Events();
        client.watchers().add().withMode(AddWatchMode.PERSISTENT).usingWatcher(one).forPath(at + "/a");
        client.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE).usingWatcher(below).forPath(at + "/a");
        CuratorFramework other = client();
        for (int i = 0; i < 2; i++) {
            other.create().forPath(at + "/a", bytes("x"));
            other.setData().forPath(at + "/a", bytes("y"));
            other.create().creatingParentsIfNeeded().forPath(at + "/a/b/c", bytes("z"));
            other.setData().forPath(at + "/a/b/c", bytes("y"));
            other.delete().deletingChildrenIfNeeded().forPath(at + "/a");
        }
        List<String> each = List.of("NodeCreated", "NodeDataChanged", "NodeChildrenChanged", "NodeChildrenChanged", "NodeDeleted");
        List<String> ofOne = new ArrayList<>();
        List<String> ofBelow = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            each.forEach(type -> ofOne.add(type + " " + at + "/a"));
            ofBelow.addAll(List.of("NodeCreated " + at + "/a", "NodeDataChanged " + at + "/a", "NodeCreated " + at + "/a/b",
                    "NodeCreated " + at + "/a/b/c", "NodeDataChanged " + at + "/a/b/c", "NodeDeleted " + at + "/a/b/c",
                    "NodeDeleted " + at + "/a/b", "NodeDeleted " + at + "/a"));
        }
        Await.equal(ofOne, one::seen);
        Await.equal(ofBelow, below::seen);
        client.watchers().remove(below).forPath(at + "/a");
        other.create().forPath(at + "/a", bytes("x"));
        ofOne.add("NodeCreated " + at + "/a");
        Await.equal(ofOne, one::seen);
        assertEquals(ofBelow.size() + 1, below.seen().size());
        assertEquals("PersistentWatchRemoved " + at + "/a", below.seen().get(ofBelow.size()));
    }

    @Test
    void theConfigurationIsReadButNotChanged() throws Exception {
        CuratorFramework client = client();
        assertArrayEquals(new byte[0], client.getConfig().forEnsemble());
        assertFalse(client.getCurrentConfig() == null);
        Code code = code(() -> client.reconfig().joining("server.2=127.0.0.1:2888:3888;2181").forEnsemble());
        assertEquals(Code.RECONFIGDISABLED, code);
    }
}
