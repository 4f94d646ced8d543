package recipes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCacheEvent;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.cache.TreeCacheEvent;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.junit.jupiter.api.Test;
import running.Await;
import running.Server;

@SuppressWarnings("deprecation")
class Caches extends Recipe {
    private static final class Log {
        private final List<String> lines = Collections.synchronizedList(new ArrayList<>());

        void add(String line) {
            lines.add(line);
        }

        List<String> lines() {
            return List.copyOf(lines);
        }
    }

    /** The tree below `path`, as path and data. */
    private static Map<String, String> tree(CuratorFramework client, String path) throws Exception {
        Map<String, String> all = new TreeMap<>();
        all.put(path, text(client.getData().forPath(path)));
        for (String child : client.getChildren().forPath(path)) {
            all.putAll(tree(client, path + "/" + child));
        }
        return all;
    }

    private static Map<String, String> tree(CuratorCache cache) {
        Map<String, String> all = new TreeMap<>();
        cache.stream().forEach(node -> all.put(node.getPath(), text(node.getData())));
        return all;
    }

    private static Map<String, String> tree(TreeCache cache, String path) {
        Map<String, String> all = new TreeMap<>();
        ChildData data = cache.getCurrentData(path);
        if (data != null) {
            all.put(path, text(data.getData()));
        }
        Map<String, ChildData> children = cache.getCurrentChildren(path);
        if (children != null) {
            children.keySet().forEach(child -> all.putAll(tree(cache, path + "/" + child)));
        }
        return all;
    }

    /** The same changes every time: creates, sets and deletes over three levels. */
    private static void change(CuratorFramework client, String root, int count, long seed) throws Exception {
        Random random = new Random(seed);
        for (int i = 0; i < count; i++) {
            String path = root + "/" + random.nextInt(4);
            for (int depth = random.nextInt(3); depth > 0; depth--) {
                path += "/" + random.nextInt(3);
            }
            try {
                switch (random.nextInt(4)) {
                    case 0 -> client.delete().deletingChildrenIfNeeded().forPath(path);
                    case 1 -> client.setData().forPath(path, bytes("set " + i));
                    default -> client.create().orSetData().creatingParentsIfNeeded().forPath(path, bytes("made " + i));
                }
            } catch (KeeperException.NoNodeException e) {
                // One of the changes whose node did not exist.
            }
        }
    }

    @Test
    void aNodeIsFollowed() throws Exception {
        CuratorFramework client = client();
        NodeCache cache = keep(new NodeCache(client, at + "/node"));
        Log log = new Log();
        cache.getListenable().addListener(() -> {
            ChildData now = cache.getCurrentData();
            log.add(now == null ? "none" : text(now.getData()) + " " + now.getStat().getVersion());
        });
        cache.start(true);
        assertNull(cache.getCurrentData());
        CuratorFramework other = client();
        List<String> expected = new ArrayList<>();
        other.create().forPath(at + "/node", bytes("one"));
        expected.add("one 0");
        Await.equal(expected, log::lines);
        other.setData().forPath(at + "/node", bytes("two"));
        expected.add("two 1");
        Await.equal(expected, log::lines);
        other.delete().forPath(at + "/node");
        expected.add("none");
        Await.equal(expected, log::lines);
        other.create().forPath(at + "/node", bytes("three"));
        expected.add("three 0");
        Await.equal(expected, log::lines);
    }

    @Test
    void childrenAreFollowed() throws Exception {
        CuratorFramework client = client();
        client.create().forPath(at + "/a", bytes("1"));
        PathChildrenCache cache = keep(new PathChildrenCache(client, at, true));
        Log log = new Log();
        cache.getListenable().addListener((c, event) -> {
            ChildData data = event.getData();
            log.add(event.getType() + (data == null ? "" : " " + data.getPath().substring(at.length()) + " " + text(data.getData())));
        });
        cache.start(PathChildrenCache.StartMode.POST_INITIALIZED_EVENT);
        List<String> expected = new ArrayList<>(List.of("CHILD_ADDED /a 1", "INITIALIZED"));
        Await.equal(expected, log::lines);
        CuratorFramework other = client();
        other.create().forPath(at + "/b", bytes("2"));
        expected.add("CHILD_ADDED /b 2");
        Await.equal(expected, log::lines);
        other.setData().forPath(at + "/a", bytes("3"));
        expected.add("CHILD_UPDATED /a 3");
        Await.equal(expected, log::lines);
        other.delete().forPath(at + "/b");
        expected.add("CHILD_REMOVED /b 2");
        Await.equal(expected, log::lines);
        for (int i = 0; i < 100; i++) {
            other.create().forPath(at + "/many-" + i, bytes("" + i));
        }
        Await.equal(101, () -> cache.getCurrentData().size());
        assertEquals("57", text(cache.getCurrentData(at + "/many-57").getData()));
        assertTrue(log.lines().containsAll(List.of(PathChildrenCacheEvent.Type.CHILD_ADDED + " /many-99 99")));
    }

    @Test
    void aTreeIsFollowed() throws Exception {
        CuratorFramework other = client();
        change(other, at, 40, 1);
        TreeCache cache = keep(new TreeCache(client(), at));
        CountDownLatch initial = new CountDownLatch(1);
        cache.getListenable().addListener((c, event) -> {
            if (event.getType() == TreeCacheEvent.Type.INITIALIZED) {
                initial.countDown();
            }
        });
        cache.start();
        assertTrue(initial.await(60, TimeUnit.SECONDS));
        assertEquals(tree(other, at), tree(cache, at));
        change(other, at, 200, 2);
        Map<String, String> whole = tree(other, at);
        assertTrue(whole.size() > 5);
        Await.equal(whole, () -> tree(cache, at));
    }

    @Test
    void aCacheFollowsATree() throws Exception {
        CuratorFramework other = client();
        change(other, at, 40, 3);
        CuratorCache cache = keep(CuratorCache.build(client(), at));
        CountDownLatch initial = new CountDownLatch(1);
        cache.listenable().addListener(CuratorCacheListener.builder().forInitialized(initial::countDown).build());
        cache.start();
        assertTrue(initial.await(60, TimeUnit.SECONDS));
        Await.equal(tree(other, at), () -> tree(cache));
        change(other, at, 300, 4);
        Map<String, String> whole = tree(other, at);
        Await.equal(whole, () -> tree(cache));
    }

    @Test
    void aCacheTellsEachChangeOnce() throws Exception {
        CuratorCache cache = keep(CuratorCache.build(client(), at));
        Log log = new Log();
        CountDownLatch initial = new CountDownLatch(1);
        cache.listenable().addListener(CuratorCacheListener.builder().forInitialized(initial::countDown)
                .forCreates(node -> log.add("created " + node.getPath().substring(at.length())))
                .forChanges((was, is) -> log.add("changed " + is.getPath().substring(at.length()) + " " + text(was.getData()) + " "
                        + text(is.getData())))
                .forDeletes(node -> log.add("deleted " + node.getPath().substring(at.length()))).afterInitialized().build());
        cache.start();
        assertTrue(initial.await(60, TimeUnit.SECONDS));
        CuratorFramework other = client();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            String name = "/" + i;
            other.create().forPath(at + name, bytes("1"));
            expected.add("created " + name);
            Await.equal(expected, log::lines);
            other.setData().forPath(at + name, bytes("2"));
            expected.add("changed " + name + " 1 2");
            Await.equal(expected, log::lines);
            other.delete().forPath(at + name);
            expected.add("deleted " + name);
            Await.equal(expected, log::lines);
        }
    }

    @Test
    void aCacheOfOneNodeLeavesTheRest() throws Exception {
        CuratorCache cache = keep(CuratorCache.build(client(), at, CuratorCache.Options.SINGLE_NODE_CACHE));
        cache.start();
        CuratorFramework other = client();
        other.create().forPath(at + "/child", bytes("x"));
        other.setData().forPath(at, bytes("now"));
        Await.equal(Map.of(at, "now"), () -> tree(cache));
    }

    @Test
    void cachesCatchUpAfterARestart() throws Exception {
        Server own = keep(new Server());
        CuratorFramework other = started(builder(own.address()));
        other.create().forPath("/top", bytes("x"));
        change(other, "/top", 60, 5);
        CuratorFramework follower = started(builder(own.address()));
        CuratorCache cache = keep(CuratorCache.build(follower, "/top"));
        TreeCache tree = keep(new TreeCache(follower, "/top"));
        cache.start();
        tree.start();
        Await.equal(tree(other, "/top"), () -> tree(cache));
        own.stop();
        own.start();
        change(other, "/top", 120, 6);
        Map<String, String> whole = tree(other, "/top");
        Await.equal(whole, () -> tree(cache));
        Await.equal(whole, () -> tree(tree, "/top"));
    }

    @Test
    void aPersistentWatcherStaysAfterAReconnect() throws Exception {
        Server own = keep(new Server());
        CuratorFramework client = started(builder(own.address()));
        client.create().forPath("/top", bytes("x"));
        PersistentWatcher watcher = keep(new PersistentWatcher(client, "/top", true));
        Log log = new Log();
        CountDownLatch set = new CountDownLatch(1);
        watcher.getResetListenable().addListener(set::countDown);
        watcher.getListenable().addListener(event -> {
            if (event.getType() != Watcher.Event.EventType.None) {
                log.add(event.getType() + " " + event.getPath());
            }
        });
        watcher.start();
        assertTrue(set.await(30, TimeUnit.SECONDS));
        client.create().forPath("/top/a", bytes("x"));
        Await.equal(List.of("NodeCreated /top/a"), log::lines);
        own.kill();
        own.start();
        Await.that("the watch is set again", () -> own.word("wchp").contains("/top\n"));
        client.setData().forPath("/top/a", bytes("y"));
        client.setData().forPath("/top/a", bytes("z"));
        client.delete().forPath("/top/a");
        Await.equal(List.of("NodeCreated /top/a", "NodeDataChanged /top/a", "NodeDataChanged /top/a", "NodeDeleted /top/a"),
                log::lines);
    }
}
