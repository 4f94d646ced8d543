package recipes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.junit.jupiter.api.Test;
import running.Await;
import running.Server;

class Leaders extends Recipe {
    @Test
    void aLatchHasOneLeaderAtATime() throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            latches.add(new LeaderLatch(client(), at + "/latch", "member-" + i));
            latches.get(i).start();
        }
        HashSet<String> led = new HashSet<>();
        while (!latches.isEmpty()) {
            Await.equal(1L, () -> latches.stream().filter(LeaderLatch::hasLeadership).count());
            Await.equal(latches.size(), () -> latches.get(0).getParticipants().size());
            LeaderLatch leader = latches.stream().filter(LeaderLatch::hasLeadership).findFirst().orElseThrow();
            for (LeaderLatch latch : latches) {
                assertEquals(leader.getId(), latch.getLeader().getId());
            }
            assertTrue(led.add(leader.getId()));
            leader.close();
            latches.remove(leader);
        }
        assertEquals(5, led.size());
    }

    @Test
    void aLatchIsLostWithItsSession() throws Exception {
        CuratorFramework first = client();
        LeaderLatch leader = keep(new LeaderLatch(first, at + "/latch", "first"));
        AtomicInteger gained = new AtomicInteger();
        CountDownLatch lost = new CountDownLatch(1);
        leader.addListener(new LeaderLatchListener() {
            @Override
            public void isLeader() {
                gained.incrementAndGet();
            }

            @Override
            public void notLeader() {
                lost.countDown();
            }
        });
        leader.start();
        assertTrue(leader.await(30, TimeUnit.SECONDS));
        LeaderLatch heir = keep(new LeaderLatch(client(), at + "/latch", "heir"));
        heir.start();
        Await.equal(2, () -> leader.getParticipants().size());
        expire(first, server().address());
        assertTrue(lost.await(30, TimeUnit.SECONDS));
        assertTrue(heir.await(60, TimeUnit.SECONDS));
        Await.equal(2, () -> heir.getParticipants().size());
        assertFalse(leader.hasLeadership());
        assertEquals(1, gained.get());
    }

    @Test
    void aLatchFindsItsLeaderAgainAfterARestart() throws Exception {
        Server own = keep(new Server());
        List<LeaderLatch> latches = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            latches.add(keep(new LeaderLatch(started(builder(own.address())), "/latch", "member-" + i)));
            latches.get(i).start();
        }
        Await.equal(1L, () -> latches.stream().filter(LeaderLatch::hasLeadership).count());
        own.kill();
        Await.equal(0L, () -> latches.stream().filter(LeaderLatch::hasLeadership).count());
        own.start();
        Await.that("one leader of three", () -> latches.get(0).getParticipants().size() == 3
                && latches.stream().filter(LeaderLatch::hasLeadership).count() == 1);
    }

    @Test
    void aSelectorsTurnComesRound() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        List<String> led = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 4; i++) {
            String name = "member-" + i;
            LeaderSelector selector = keep(new LeaderSelector(client(), at + "/selector", new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework client) throws Exception {
                    most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                    led.add(name);
                    Thread.sleep(5);
                    inside.decrementAndGet();
                }
            }));
            selector.setId(name);
            selector.autoRequeue();
            selector.start();
        }
        Await.that("each led thrice", () -> List.of(0, 1, 2, 3).stream()
                .allMatch(i -> Collections.frequency(List.copyOf(led), "member-" + i) >= 3));
        assertEquals(1, most.get());
    }

    @Test
    void aSelectorIsInterruptedAndTheNextLeads() throws Exception {
        CountDownLatch interrupted = new CountDownLatch(1);
        CountDownLatch leads = new CountDownLatch(1);
        LeaderSelector first = keep(new LeaderSelector(client(), at + "/selector", new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework client) throws Exception {
                try {
                    leads.countDown();
                    Thread.sleep(120_000);
                } catch (InterruptedException e) {
                    interrupted.countDown();
                    throw e;
                }
            }
        }));
        first.start();
        assertTrue(leads.await(30, TimeUnit.SECONDS));
        CountDownLatch next = new CountDownLatch(1);
        LeaderSelector second = keep(new LeaderSelector(client(), at + "/selector", new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework client) {
                next.countDown();
            }
        }));
        second.start();
        Await.equal(2, () -> first.getParticipants().size());
        assertEquals(1, next.getCount());
        first.interruptLeadership();
        assertTrue(interrupted.await(30, TimeUnit.SECONDS));
        assertTrue(next.await(30, TimeUnit.SECONDS));
    }

    @Test
    void aBarrierHoldsUntilItIsRemoved() throws Exception {
        DistributedBarrier barrier = new DistributedBarrier(client(), at + "/barrier");
        barrier.setBarrier();
        assertFalse(barrier.waitOnBarrier(200, TimeUnit.MILLISECONDS));
        List<Future<Boolean>> waiting = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            DistributedBarrier mine = new DistributedBarrier(client(), at + "/barrier");
            waiting.add(start(() -> mine.waitOnBarrier(60, TimeUnit.SECONDS)));
        }
        String watches = at + "/barrier\n";
        Await.that("all wait", () -> waiting.stream().noneMatch(Future::isDone) && server().word("wchp").contains(watches));
        barrier.removeBarrier();
        for (Future<Boolean> each : waiting) {
            assertTrue(each.get(60, TimeUnit.SECONDS));
        }
    }

    @Test
    void aDoubleBarrierIsEnteredAndLeftTogether() throws Exception {
        AtomicInteger entered = new AtomicInteger();
        AtomicInteger leaving = new AtomicInteger();
        List<CuratorFramework> clients = List.of(client(), client());
        AtomicInteger next = new AtomicInteger();
        for (int round = 0; round < 3; round++) {
            entered.set(0);
            leaving.set(0);
            inThreads(5, () -> {
                DistributedDoubleBarrier barrier =
                        new DistributedDoubleBarrier(clients.get(next.getAndIncrement() % 2), at + "/double", 5);
                entered.incrementAndGet();
                assertTrue(barrier.enter(60, TimeUnit.SECONDS));
                assertEquals(5, entered.get());
                leaving.incrementAndGet();
                assertTrue(barrier.leave(60, TimeUnit.SECONDS));
                assertEquals(5, leaving.get());
            });
        }
    }
}
