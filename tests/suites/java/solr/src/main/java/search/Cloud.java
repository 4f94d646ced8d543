package search;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.solr.client.solrj.cloud.BadVersionException;
import org.apache.solr.client.solrj.impl.ZkDistribStateManager;
import org.apache.solr.common.cloud.DocCollection;
import org.apache.solr.common.cloud.SolrZkClient;
import org.apache.solr.common.cloud.ZkMaintenanceUtils;
import org.apache.solr.common.cloud.ZkStateReader;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import running.Await;
import running.Server;

/** Solr's view of its cloud: its client, its reader of states, its tools for configurations. */
class Cloud {
    private static Server shared;
    private final List<AutoCloseable> open = new ArrayList<>();

    private static synchronized Server server() throws Exception {
        if (shared == null) {
            shared = new Server();
        }
        return shared;
    }

    private <T extends AutoCloseable> T keep(T what) {
        open.add(what);
        return what;
    }

    private SolrZkClient client(String address) {
        return keep(new SolrZkClient.Builder().withUrl(address).withTimeout(30, TimeUnit.SECONDS).withConnTimeOut(60, TimeUnit.SECONDS)
                .build());
    }

    private SolrZkClient client() throws Exception {
        return client(server().address());
    }

    @AfterEach
    void end() throws Exception {
        for (int i = open.size() - 1; i >= 0; i--) {
            open.get(i).close();
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Test
    void pathsAreMade() throws Exception {
        SolrZkClient zk = client();
        zk.makePath("/paths/a/b/c", bytes("x"), CreateMode.PERSISTENT, true);
        assertEquals("x", text(zk.getData("/paths/a/b/c", null, null, true)));
        assertEquals(0, zk.exists("/paths/a/b", null, true).getDataLength());
        assertThrows(KeeperException.NodeExistsException.class, () -> zk.makePath("/paths/a/b/c", true, true));
        zk.makePath("/paths/a/b/c", bytes("y"), CreateMode.PERSISTENT, null, false, true);
        assertEquals("y", text(zk.getData("/paths/a/b/c", null, null, true)));
        assertThrows(KeeperException.NoNodeException.class,
                () -> zk.makePath("/paths/none/child", bytes("x"), CreateMode.PERSISTENT, null, true, true, 2));
        ZkMaintenanceUtils.ensureExists("/paths/sure", bytes("once"), zk);
        ZkMaintenanceUtils.ensureExists("/paths/sure", bytes("twice"), zk);
        assertEquals("once", text(zk.getData("/paths/sure", null, null, true)));
        zk.clean("/paths");
        assertFalse(zk.exists("/paths", true));
    }

    @Test
    void updatesAreComparedAndLoseNothing() throws Exception {
        SolrZkClient zk = client();
        zk.makePath("/cas", bytes("0"), true);
        Stat stat = new Stat();
        zk.getData("/cas", null, stat, true);
        assertEquals(1, zk.setData("/cas", bytes("1"), stat.getVersion(), true).getVersion());
        assertThrows(KeeperException.BadVersionException.class, () -> zk.setData("/cas", bytes("2"), stat.getVersion(), true));
        List<Thread> threads = new ArrayList<>();
        List<Exception> errors = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 4; i++) {
            SolrZkClient mine = client();
            threads.add(new Thread(() -> {
                try {
                    for (int n = 0; n < 25; n++) {
                        mine.atomicUpdate("/cas", data -> bytes("" + (Integer.parseInt(text(data)) + 1)));
                    }
                } catch (Exception e) {
                    errors.add(e);
                }
            }));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(List.of(), errors);
        assertEquals("101", text(zk.getData("/cas", null, stat, true)));
        assertEquals(101, stat.getVersion());
    }

    @Test
    void watchesAndMulti() throws Exception {
        SolrZkClient zk = client();
        zk.makePath("/watched", true);
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        zk.getData("/watched", event -> seen.add(event.getType() + " " + event.getPath()), null, true);
        zk.getChildren("/watched", event -> seen.add(event.getType() + " " + event.getPath()), true);
        SolrZkClient other = client();
        other.setData("/watched", bytes("x"), true);
        Await.equal(List.of("NodeDataChanged /watched"), () -> List.copyOf(seen));
        other.create("/watched/n-", bytes("x"), CreateMode.EPHEMERAL_SEQUENTIAL, true);
        Await.equal(List.of("NodeDataChanged /watched", "NodeChildrenChanged /watched"), () -> List.copyOf(seen));
        assertEquals(List.of("n-0000000000"), zk.getChildren("/watched", null, true));
        other.close();
        Await.equal(List.of(), () -> zk.getChildren("/watched", null, true));
        var acl = ZooDefs.Ids.OPEN_ACL_UNSAFE;
        assertEquals(2, zk.multi(List.of(Op.create("/watched/a", null, acl, CreateMode.PERSISTENT), Op.setData("/watched", null, 1)), true)
                .size());
        assertThrows(KeeperException.BadVersionException.class, () -> zk.multi(List.of(Op.create("/watched/b", null, acl,
                CreateMode.PERSISTENT), Op.check("/watched", 77)), true));
        assertEquals(List.of("a"), zk.getChildren("/watched", null, true));
    }

    @Test
    void aStateManagerKeepsVersions() throws Exception {
        ZkDistribStateManager manager = new ZkDistribStateManager(client());
        manager.makePath("/manager", bytes("x"), CreateMode.PERSISTENT, true);
        manager.setData("/manager", bytes("y"), 0);
        assertEquals("y", text(manager.getData("/manager").getData()));
        assertEquals(1, manager.getData("/manager").getVersion());
        assertThrows(BadVersionException.class, () -> manager.setData("/manager", bytes("z"), 0));
        assertEquals("/manager/s-0000000000", manager.createData("/manager/s-", bytes("1"), CreateMode.PERSISTENT_SEQUENTIAL));
        assertEquals(List.of("s-0000000000"), manager.listData("/manager"));
        manager.removeRecursively("/manager", true, true);
        assertFalse(manager.hasData("/manager"));
    }

    private static Map<String, String> files(Path folder) throws Exception {
        Map<String, String> files = new TreeMap<>();
        try (var paths = Files.walk(folder)) {
            for (Path path : paths.filter(Files::isRegularFile).toList()) {
                files.put(folder.relativize(path).toString(), Files.readString(path));
            }
        }
        return files;
    }

    @Test
    void aConfigurationGoesUpAndComesDown() throws Exception {
        SolrZkClient zk = client();
        Path work = Files.createTempDirectory(Path.of(System.getProperty("work")), "config");
        Path up = work.resolve("up");
        Files.createDirectories(up.resolve("lang"));
        Files.writeString(up.resolve("solrconfig.xml"), "<config/>");
        Files.writeString(up.resolve("schema.xml"), "<schema/>".repeat(20_000));
        for (int i = 0; i < 30; i++) {
            Files.writeString(up.resolve("lang/stop_" + i + ".txt"), "words " + i);
        }
        zk.upConfig(up, "mine");
        assertEquals(Set.of("lang", "schema.xml", "solrconfig.xml"), new TreeSet<>(zk.getChildren("/configs/mine", null, true)));
        zk.downConfig("mine", work.resolve("down"));
        assertEquals(files(up), files(work.resolve("down")));
        zk.zkTransfer("/configs/mine", true, "/configs/copy", true, true);
        ZkMaintenanceUtils.moveZnode(zk, "/configs/copy", "/configs/moved");
        assertFalse(zk.exists("/configs/copy", true));
        zk.downConfig("moved", work.resolve("moved"));
        assertEquals(files(up), files(work.resolve("moved")));
        assertTrue(zk.listZnode("/configs/mine", true).contains("stop_29.txt"));
    }

    private static String state(int shards, String leader) {
        StringBuilder state = new StringBuilder("{\"books\":{\"pullReplicas\":\"0\",\"replicationFactor\":\"1\",\"router\":"
                + "{\"name\":\"compositeId\"},\"nrtReplicas\":\"1\",\"tlogReplicas\":\"0\",\"shards\":{");
        for (int i = 0; i < shards; i++) {
            state.append(i == 0 ? "" : ",").append(String.format("\"shard%d\":{\"range\":\"%08x-%08x\",\"state\":\"active\",\"replicas\":"
                    + "{\"core_node%d\":{\"core\":\"books_%d\",\"node_name\":\"%s\",\"base_url\":\"http://host:8983/solr\",\"state\":"
                    + "\"active\",\"type\":\"NRT\",\"leader\":\"true\"}}}", i, i * 0x1000, i * 0x1000 + 0xfff, i, i, leader));
        }
        return state.append("}}}").toString();
    }

    private static void cluster(SolrZkClient zk) throws Exception {
        for (String path : List.of("/collections", "/live_nodes", "/configs/_default", "/aliases.json", "/clusterprops.json",
                "/security.json")) {
            zk.makePath(path, path.endsWith(".json") ? bytes("{}") : null, false, true);
        }
    }

    @Test
    void aCollectionsStateIsFollowed() throws Exception {
        Server own = keep(new Server());
        SolrZkClient writer = client(own.address());
        cluster(writer);
        writer.makePath("/live_nodes/host:8983_solr", null, CreateMode.EPHEMERAL, true);
        ZkStateReader reader = keep(new ZkStateReader(client(own.address())));
        reader.createClusterStateWatchersAndUpdate();
        assertEquals(Set.of("host:8983_solr"), reader.getClusterState().getLiveNodes());
        assertNull(reader.getClusterState().getCollectionOrNull("books"));
        CountDownLatch made = new CountDownLatch(1);
        CountDownLatch grown = new CountDownLatch(1);
        reader.registerDocCollectionWatcher("books", state -> {
            if (state != null) {
                made.countDown();
                if (state.getSlices().size() == 3) {
                    grown.countDown();
                }
            }
            return false;
        });
        writer.makePath("/collections/books/state.json", bytes(state(2, "host:8983_solr")), true);
        assertTrue(made.await(60, TimeUnit.SECONDS));
        DocCollection books = reader.getClusterState().getCollection("books");
        assertEquals(Set.of("shard0", "shard1"), books.getSlicesMap().keySet());
        assertEquals("core_node1", books.getLeader("shard1").getName());
        own.stop();
        own.start();
        writer.setData("/collections/books/state.json", bytes(state(3, "host:8983_solr")), true);
        assertTrue(grown.await(60, TimeUnit.SECONDS));
        assertEquals(1, reader.getClusterState().getCollection("books").getZNodeVersion());
        writer.makePath("/live_nodes/other:8983_solr", null, CreateMode.EPHEMERAL, true);
        Await.equal(2, () -> reader.getClusterState().getLiveNodes().size());
        reader.getAliasesManager().applyModificationAndExportToZk(aliases -> aliases.cloneWithCollectionAlias("novels", "books"));
        assertEquals(List.of("books"), reader.getAliases().resolveAliases("novels"));
        writer.clean("/collections/books");
        Await.that("the collection is gone", () -> reader.getClusterState().getCollectionOrNull("books") == null);
    }

    /** Solr's own election (an ephemeral sequence, each watches the one before), with its client. */
    @Test
    void leadershipPassesOnInOrder() throws Exception {
        SolrZkClient look = client();
        look.makePath("/overseer_elect/election", true);
        List<SolrZkClient> members = new ArrayList<>();
        List<Integer> led = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 5; i++) {
            int mine = i;
            SolrZkClient member = client();
            members.add(member);
            String node = member.create("/overseer_elect/election/" + member.getZooKeeper().getSessionId() + "-core-n_", null,
                    CreateMode.EPHEMERAL_SEQUENTIAL, true);
            List<String> order = new ArrayList<>(look.getChildren("/overseer_elect/election", null, true));
            order.sort((a, b) -> a.substring(a.lastIndexOf('_')).compareTo(b.substring(b.lastIndexOf('_'))));
            assertTrue(node.endsWith(order.get(i)));
            if (i == 0) {
                led.add(0);
            } else {
                member.exists("/overseer_elect/election/" + order.get(i - 1), event -> led.add(mine), true);
            }
        }
        for (int i = 0; i < 5; i++) {
            Await.equal(IntStream.rangeClosed(0, i).boxed().toList(), () -> List.copyOf(led));
            members.get(i).close();
        }
        Await.equal(List.of(), () -> look.getChildren("/overseer_elect/election", null, true));
    }

    @Test
    void aClientComesBackWithANewSession() throws Exception {
        CountDownLatch again = new CountDownLatch(1);
        SolrZkClient zk = keep(new SolrZkClient.Builder().withUrl(server().address()).withTimeout(30, TimeUnit.SECONDS)
                .withReconnectListener(again::countDown).build());
        zk.makePath("/session-e", null, CreateMode.EPHEMERAL, true);
        long id = zk.getZooKeeper().getSessionId();
        var twin = new org.apache.zookeeper.ZooKeeper(server().address(), 30_000, event -> { }, id, zk.getZooKeeper().getSessionPasswd());
        Await.that("the session is taken over", () -> twin.getState().isConnected());
        twin.close();
        assertTrue(again.await(60, TimeUnit.SECONDS));
        assertNotEquals(id, zk.getZooKeeper().getSessionId());
        assertFalse(zk.exists("/session-e", true));
    }
}
