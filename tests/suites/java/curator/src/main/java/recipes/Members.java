package recipes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.CachedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicValue;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedCountListener;
import org.apache.curator.framework.recipes.shared.SharedCountReader;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.Test;
import running.Await;

/** Groups, nodes that stay, counters, service discovery. */
class Members extends Recipe {
    @Test
    void aGroupKnowsItsMembers() throws Exception {
        List<GroupMember> members = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            members.add(new GroupMember(client(), at + "/group", "member-" + i, bytes("of " + i)));
            members.get(i).start();
        }
        for (GroupMember member : members) {
            Await.equal(Set.of("member-0", "member-1", "member-2", "member-3"), () -> member.getCurrentMembers().keySet());
        }
        members.get(1).setThisData(bytes("new"));
        Await.equal("new", () -> text(members.get(3).getCurrentMembers().get("member-1")));
        members.get(2).close();
        Await.equal(Set.of("member-0", "member-1", "member-3"), () -> members.get(0).getCurrentMembers().keySet());
        members.get(0).close();
        members.get(1).close();
        members.get(3).close();
    }

    @Test
    void aPersistentNodeComesBack() throws Exception {
        CuratorFramework client = client();
        CuratorFramework other = client();
        PersistentNode node = keep(new PersistentNode(client, CreateMode.EPHEMERAL, false, at + "/node", bytes("here")));
        node.start();
        assertTrue(node.waitForInitialCreate(30, TimeUnit.SECONDS));
        Stat first = other.checkExists().forPath(at + "/node");
        assertEquals(client.getZookeeperClient().getZooKeeper().getSessionId(), first.getEphemeralOwner());
        other.delete().forPath(at + "/node");
        Await.that("it is back", () -> other.checkExists().forPath(at + "/node") != null);
        expire(client, server().address());
        Await.that("it is the new session's", () -> {
            Stat stat = other.checkExists().forPath(at + "/node");
            return stat != null && stat.getEphemeralOwner() == client.getZookeeperClient().getZooKeeper().getSessionId();
        });
        assertNotEquals(first.getEphemeralOwner(), other.checkExists().forPath(at + "/node").getEphemeralOwner());
        assertEquals("here", text(other.getData().forPath(at + "/node")));
        node.setData(bytes("changed"));
        Await.equal("changed", () -> text(other.getData().forPath(at + "/node")));
    }

    @Test
    void aTtlNodeLivesWhileItIsTouched() throws Exception {
        CuratorFramework client = client();
        PersistentTtlNode node = new PersistentTtlNode(client, at + "/node", 3000, bytes("here"));
        node.start();
        assertTrue(node.waitForInitialCreate(30, TimeUnit.SECONDS));
        Stat made = client.checkExists().forPath(at + "/node");
        long deadline = System.currentTimeMillis() + 7000;
        while (System.currentTimeMillis() < deadline) {
            assertEquals(made.getCzxid(), client.checkExists().forPath(at + "/node").getCzxid(), "it was never gone");
            Thread.sleep(100);
        }
        node.close();
        Await.that("it is not used and is removed", () -> client.checkExists().forPath(at + "/node") == null);
    }

    @Test
    void anAtomicLongLosesNothing() throws Exception {
        List<CuratorFramework> clients = List.of(client(), client(), client());
        AtomicInteger next = new AtomicInteger();
        Set<Long> seen = Collections.synchronizedSet(new HashSet<>());
        PromotedToLock lock = PromotedToLock.builder().lockPath(at + "/lock").retryPolicy(new RetryNTimes(50, 5)).build();
        inThreads(6, () -> {
            DistributedAtomicLong counter = new DistributedAtomicLong(clients.get(next.getAndIncrement() % 3), at + "/n",
                    new RetryNTimes(3, 2), lock);
            for (int i = 0; i < 20; i++) {
                AtomicValue<Long> value = counter.increment();
                assertTrue(value.succeeded());
                assertEquals(value.preValue() + 1, value.postValue());
                assertTrue(seen.add(value.postValue()), "a number was given twice");
            }
        });
        DistributedAtomicLong counter = new DistributedAtomicLong(clients.get(0), at + "/n", new RetryNTimes(3, 2));
        assertEquals(120L, counter.get().postValue());
        assertFalse(counter.compareAndSet(7L, 8L).succeeded());
        assertTrue(counter.compareAndSet(120L, 8L).succeeded());
        assertEquals(5L, counter.subtract(3L).postValue());
        assertFalse(counter.initialize(1L));
    }

    @Test
    void cachedNumbersDoNotOverlap() throws Exception {
        Set<Long> seen = Collections.synchronizedSet(new TreeSet<>());
        List<CuratorFramework> clients = List.of(client(), client());
        AtomicInteger next = new AtomicInteger();
        inThreads(2, () -> {
            CachedAtomicLong numbers = new CachedAtomicLong(new DistributedAtomicLong(clients.get(next.getAndIncrement()), at + "/n",
                    new RetryNTimes(100, 2)), 10);
            for (int i = 0; i < 50; i++) {
                AtomicValue<Long> value = numbers.next();
                assertTrue(value.succeeded() && seen.add(value.postValue()));
            }
        });
        assertEquals(100, seen.size());
    }

    @Test
    void anAtomicValueIsComparedByVersion() throws Exception {
        DistributedAtomicValue value = new DistributedAtomicValue(client(), at + "/v", new RetryNTimes(5, 5));
        assertTrue(value.trySet(bytes("one")).succeeded());
        assertTrue(value.compareAndSet(bytes("one"), bytes("two")).succeeded());
        assertFalse(value.compareAndSet(bytes("one"), bytes("three")).succeeded());
        assertEquals("two", text(value.get().postValue()));
        value.forceSet(bytes("four"));
        assertEquals("four", text(value.get().postValue()));
    }

    @Test
    void aSharedCountTellsItsListeners() throws Exception {
        SharedCount one = keep(new SharedCount(client(), at + "/count", 5));
        SharedCount two = keep(new SharedCount(client(), at + "/count", 5));
        List<Integer> heard = Collections.synchronizedList(new ArrayList<>());
        two.addListener(new SharedCountListener() {
            @Override
            public void countHasChanged(SharedCountReader count, int now) {
                heard.add(now);
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {
            }
        });
        one.start();
        two.start();
        assertEquals(5, two.getCount());
        one.setCount(6);
        Await.equal(List.of(6), () -> List.copyOf(heard));
        var old = two.getVersionedValue();
        assertTrue(one.trySetCount(one.getVersionedValue(), 7));
        Await.equal(List.of(6, 7), () -> List.copyOf(heard));
        assertFalse(two.trySetCount(old, 99));
        assertEquals(7, two.getCount());
    }

    private ServiceDiscovery<String> discovery(CuratorFramework client) throws Exception {
        ServiceDiscovery<String> discovery = keep(ServiceDiscoveryBuilder.builder(String.class).client(client).basePath(at)
                .serializer(new JsonInstanceSerializer<>(String.class)).build());
        discovery.start();
        return discovery;
    }

    private static ServiceInstance<String> instance(String id, int port, String payload) throws Exception {
        return ServiceInstance.<String>builder().id(id).name("shop").address("host").port(port).payload(payload).build();
    }

    private static Set<String> ids(Iterable<ServiceInstance<String>> instances) {
        Set<String> ids = new TreeSet<>();
        instances.forEach(each -> ids.add(each.getId()));
        return ids;
    }

    @Test
    void servicesAreFound() throws Exception {
        ServiceDiscovery<String> shops = discovery(client());
        ServiceDiscovery<String> seekers = discovery(client());
        ServiceInstance<String> first = instance("a", 1, "red");
        shops.registerService(first);
        shops.registerService(instance("b", 2, "green"));
        shops.registerService(instance("c", 3, "blue"));
        assertEquals(List.of("shop"), List.copyOf(seekers.queryForNames()));
        assertEquals(Set.of("a", "b", "c"), ids(seekers.queryForInstances("shop")));
        ServiceInstance<String> found = seekers.queryForInstance("shop", "b");
        assertEquals("green", found.getPayload());
        assertEquals(2, found.getPort());
        ServiceProvider<String> provider = keep(seekers.serviceProviderBuilder().serviceName("shop").build());
        provider.start();
        Await.equal(3, () -> provider.getAllInstances().size());
        Set<String> taken = new TreeSet<>();
        for (int i = 0; i < 3; i++) {
            taken.add(provider.getInstance().getId());
        }
        assertEquals(Set.of("a", "b", "c"), taken, "round robin");
        shops.unregisterService(first);
        Await.equal(2, () -> provider.getAllInstances().size());
        assertEquals(null, seekers.queryForInstance("shop", "a"));
    }

    @Test
    void aServiceIsFollowedAndComesBackAfterItsSession() throws Exception {
        CuratorFramework client = client();
        ServiceDiscovery<String> shops = discovery(client);
        ServiceDiscovery<String> seekers = discovery(client());
        ServiceCache<String> cache = keep(seekers.serviceCacheBuilder().name("shop").build());
        cache.start();
        shops.registerService(instance("a", 1, "red"));
        Await.equal(Set.of("a"), () -> ids(cache.getInstances()));
        shops.updateService(instance("a", 9, "gold"));
        Await.equal(Set.of("gold"), () -> cache.getInstances().stream().map(ServiceInstance::getPayload).collect(Collectors.toSet()));
        expire(client, server().address());
        Await.that("registered by the new session", () -> {
            Stat stat = client.checkExists().forPath(at + "/shop/a");
            return stat != null && stat.getEphemeralOwner() == client.getZookeeperClient().getZooKeeper().getSessionId();
        });
        Await.equal(Set.of("a"), () -> ids(cache.getInstances()));
    }
}
