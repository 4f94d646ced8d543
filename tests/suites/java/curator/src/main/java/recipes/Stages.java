package recipes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.x.async.AsyncCuratorFramework;
import org.apache.curator.x.async.AsyncStage;
import org.apache.curator.x.async.WatchMode;
import org.apache.curator.x.async.api.CreateOption;
import org.apache.curator.x.async.modeled.JacksonModelSerializer;
import org.apache.curator.x.async.modeled.ModelSpec;
import org.apache.curator.x.async.modeled.ModeledFramework;
import org.apache.curator.x.async.modeled.ZPath;
import org.apache.curator.x.async.modeled.cached.CachedModeledFramework;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.Test;
import running.Await;

/** Curator's asynchronous side and its typed nodes. */
class Stages extends Recipe {
    private static <T> T get(java.util.concurrent.CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(60, TimeUnit.SECONDS);
    }

    @Test
    void stagesFollowEachOther() throws Exception {
        AsyncCuratorFramework async = AsyncCuratorFramework.wrap(client());
        Stat stat = new Stat();
        String data = get(async.create().withOptions(Set.of(CreateOption.createParentsIfNeeded)).forPath(at + "/a/b", bytes("one"))
                .thenCompose(path -> async.setData().forPath(path, bytes("two")))
                .thenCompose(set -> async.getData().storingStatIn(stat).forPath(at + "/a/b")).thenApply(Recipe::text));
        assertEquals("two", data);
        assertEquals(1, stat.getVersion());
        ExecutionException error = assertThrows(ExecutionException.class, () -> get(async.getData().forPath(at + "/none")));
        assertTrue(error.getCause() instanceof KeeperException.NoNodeException);
        List<CompletableFuture<String>> made = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            made.add(async.create().forPath(at + "/n" + i, bytes("x")).toCompletableFuture());
        }
        CompletableFuture.allOf(made.toArray(CompletableFuture[]::new)).get(60, TimeUnit.SECONDS);
        assertEquals(201, get(async.getChildren().forPath(at)).size());
        assertEquals(2, get(async.transaction().forOperations(List.of(async.transactionOp().delete().forPath(at + "/n1"),
                async.transactionOp().create().forPath(at + "/z")))).size());
    }

    @Test
    void aStagesWatchCompletes() throws Exception {
        CuratorFramework client = client();
        AsyncCuratorFramework async = AsyncCuratorFramework.wrap(client);
        AsyncStage<Stat> stage = async.with(WatchMode.successOnly).watched().checkExists().forPath(at + "/later");
        assertEquals(null, get(stage));
        client.create().forPath(at + "/later");
        WatchedEvent event = get(stage.event());
        assertEquals("NodeCreated " + at + "/later", event.getType() + " " + event.getPath());
    }

    /** What a typed node holds. */
    public record Person(String name, int age) {}

    @Test
    void typedNodesAreFollowed() throws Exception {
        AsyncCuratorFramework async = AsyncCuratorFramework.wrap(client());
        ModelSpec<Person> model = ModelSpec.builder(ZPath.parse(at + "/people"), JacksonModelSerializer.build(Person.class)).build();
        CachedModeledFramework<Person> cached = ModeledFramework.wrap(async, model).cached();
        cached.start();
        ModeledFramework<Person> people = ModeledFramework.wrap(AsyncCuratorFramework.wrap(client()), model);
        get(people.child("ann").set(new Person("Ann", 30)));
        get(people.child("bob").set(new Person("Bob", 40)));
        assertEquals(new Person("Ann", 30), get(people.child("ann").read()));
        Await.equal(2, () -> get(cached.list()).size());
        get(people.child("bob").update(new Person("Bob", 41)));
        Await.equal(new Person("Bob", 41), () -> get(cached.child("bob").read()));
        get(people.child("ann").delete());
        Await.equal(1, () -> get(cached.list()).size());
        assertNotNull(get(people.checkExists()));
        cached.close();
    }
}
