package recipes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Locker;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.state.ConnectionState;
import org.junit.jupiter.api.Test;
import running.Await;
import running.Server;

class Locks extends Recipe {
    /** How many are inside now, and the maximum so far. */
    private static final class Room {
        final AtomicInteger now = new AtomicInteger();
        final AtomicInteger most = new AtomicInteger();

        void enter() {
            most.accumulateAndGet(now.incrementAndGet(), Math::max);
        }

        void leave() {
            now.decrementAndGet();
        }
    }

    @Test
    void aMutexExcludesThreadsAndClients() throws Exception {
        Room room = new Room();
        int[] unguarded = {0};
        List<CuratorFramework> clients = List.of(client(), client(), client());
        AtomicInteger next = new AtomicInteger();
        inThreads(9, () -> {
            InterProcessMutex mutex = new InterProcessMutex(clients.get(next.getAndIncrement() % 3), at);
            for (int i = 0; i < 15; i++) {
                mutex.acquire();
                room.enter();
                int before = unguarded[0];
                Thread.yield();
                unguarded[0] = before + 1;
                room.leave();
                mutex.release();
            }
        });
        assertEquals(135, unguarded[0]);
        assertEquals(1, room.most.get());
        assertEquals(List.of(), client().getChildren().forPath(at));
    }

    @Test
    void aMutexMayBeTakenAgainByItsThread() throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(client(), at);
        InterProcessMutex other = new InterProcessMutex(client(), at);
        mutex.acquire();
        mutex.acquire();
        assertFalse(other.acquire(200, TimeUnit.MILLISECONDS));
        mutex.release();
        assertTrue(mutex.isAcquiredInThisProcess());
        assertFalse(other.acquire(200, TimeUnit.MILLISECONDS));
        mutex.release();
        assertTrue(other.acquire(30, TimeUnit.SECONDS));
        assertThrows(IllegalMonitorStateException.class, mutex::release);
        other.release();
    }

    @Test
    void aMutexIsFair() throws Exception {
        InterProcessMutex gate = new InterProcessMutex(client(), at);
        gate.acquire();
        List<Integer> order = Collections.synchronizedList(new ArrayList<>());
        List<Future<?>> waiting = new ArrayList<>();
        List<CuratorFramework> clients = List.of(client(), client(), client());
        for (int i = 0; i < 12; i++) {
            int mine = i;
            InterProcessMutex mutex = new InterProcessMutex(clients.get(i % 3), at);
            waiting.add(start(() -> {
                mutex.acquire();
                order.add(mine);
                mutex.release();
                return null;
            }));
            Await.equal(i + 2, () -> gate.getParticipantNodes().size());
        }
        gate.release();
        for (Future<?> each : waiting) {
            each.get(60, TimeUnit.SECONDS);
        }
        assertEquals(List.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), order);
    }

    @Test
    void aHolderIsAskedToGiveUp() throws Exception {
        CuratorFramework client = client();
        InterProcessMutex mutex = new InterProcessMutex(client, at);
        CountDownLatch asked = new CountDownLatch(1);
        mutex.makeRevocable(lock -> asked.countDown());
        mutex.acquire();
        Revoker.attemptRevoke(client(), mutex.getParticipantNodes().iterator().next());
        assertTrue(asked.await(30, TimeUnit.SECONDS));
        mutex.release();
    }

    @Test
    void readersMeetAndWritersAreAlone() throws Exception {
        Room writers = new Room();
        Room readers = new Room();
        CyclicBarrier together = new CyclicBarrier(3);
        List<CuratorFramework> clients = List.of(client(), client(), client());
        AtomicInteger next = new AtomicInteger();
        inThreads(3, () -> {
            InterProcessReadWriteLock lock = new InterProcessReadWriteLock(clients.get(next.getAndIncrement()), at);
            try (Locker held = new Locker(lock.readLock(), 60, TimeUnit.SECONDS)) {
                together.await(60, TimeUnit.SECONDS);
            }
        });
        inThreads(6, () -> {
            InterProcessReadWriteLock lock = new InterProcessReadWriteLock(clients.get(next.getAndIncrement() % 3), at);
            for (int i = 0; i < 10; i++) {
                boolean write = i % 3 == 0;
                InterProcessLock side = write ? lock.writeLock() : lock.readLock();
                side.acquire();
                (write ? writers : readers).enter();
                assertTrue(write ? writers.now.get() == 1 && readers.now.get() == 0 : writers.now.get() == 0);
                (write ? writers : readers).leave();
                side.release();
            }
        });
        assertEquals(1, writers.most.get());
    }

    @Test
    void aWriterMayBecomeAReaderAndAReaderWaitsBehindAWriter() throws Exception {
        InterProcessReadWriteLock first = new InterProcessReadWriteLock(client(), at);
        InterProcessReadWriteLock second = new InterProcessReadWriteLock(client(), at);
        InterProcessReadWriteLock third = new InterProcessReadWriteLock(client(), at);
        first.writeLock().acquire();
        first.readLock().acquire();
        assertFalse(second.readLock().acquire(200, TimeUnit.MILLISECONDS));
        first.writeLock().release();
        assertTrue(second.readLock().acquire(30, TimeUnit.SECONDS));
        Future<Boolean> writer = start(() -> {
            boolean held = third.writeLock().acquire(60, TimeUnit.SECONDS);
            third.writeLock().release();
            return held;
        });
        Await.equal(1, () -> third.writeLock().getParticipantNodes().size());
        InterProcessReadWriteLock fourth = new InterProcessReadWriteLock(client(), at);
        assertFalse(fourth.readLock().acquire(300, TimeUnit.MILLISECONDS), "a reader overtook a waiting writer");
        first.readLock().release();
        second.readLock().release();
        assertTrue(writer.get(60, TimeUnit.SECONDS));
        assertTrue(fourth.readLock().acquire(30, TimeUnit.SECONDS));
        fourth.readLock().release();
    }

    @Test
    void aSemaphoreLetsSoManyIn() throws Exception {
        Room room = new Room();
        CyclicBarrier full = new CyclicBarrier(3);
        List<CuratorFramework> clients = List.of(client(), client());
        AtomicInteger next = new AtomicInteger();
        inThreads(9, () -> {
            InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(clients.get(next.getAndIncrement() % 2), at, 3);
            for (int i = 0; i < 4; i++) {
                Lease lease = semaphore.acquire();
                room.enter();
                full.await(60, TimeUnit.SECONDS);
                room.leave();
                semaphore.returnLease(lease);
            }
        });
        assertEquals(3, room.most.get());
        InterProcessSemaphoreV2 all = new InterProcessSemaphoreV2(client(), at, 3);
        assertEquals(3, all.acquire(3).size());
        assertEquals(null, all.acquire(200, TimeUnit.MILLISECONDS));
    }

    @Test
    void aSemaphoreGrowsWithItsSharedCount() throws Exception {
        CuratorFramework client = client();
        SharedCount count = keep(new SharedCount(client, at + "/count", 1));
        count.start();
        SharedCount seen = keep(new SharedCount(client(), at + "/count", 1));
        seen.start();
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, at + "/leases", count);
        InterProcessSemaphoreV2 other = new InterProcessSemaphoreV2(client(), at + "/leases", seen);
        Lease first = semaphore.acquire(30, TimeUnit.SECONDS);
        assertEquals(null, other.acquire(200, TimeUnit.MILLISECONDS));
        Future<Lease> waiting = start(() -> other.acquire(60, TimeUnit.SECONDS));
        Await.equal(2, () -> other.getParticipantNodes().size());
        count.setCount(2);
        Lease second = waiting.get(60, TimeUnit.SECONDS);
        assertFalse(second.getNodeName().equals(first.getNodeName()));
        first.close();
        second.close();
    }

    @Test
    void aSemaphoreMutexIsNotTakenTwice() throws Exception {
        InterProcessSemaphoreMutex mutex = new InterProcessSemaphoreMutex(client(), at);
        assertTrue(mutex.acquire(30, TimeUnit.SECONDS));
        assertFalse(mutex.acquire(200, TimeUnit.MILLISECONDS));
        mutex.release();
        assertTrue(mutex.acquire(30, TimeUnit.SECONDS));
        mutex.release();
    }

    @Test
    void aMultiLockIsHeldWholeOrNotAtAll() throws Exception {
        CuratorFramework client = client();
        InterProcessLock b = new InterProcessMutex(client(), at + "/b");
        b.acquire();
        InterProcessMultiLock both = new InterProcessMultiLock(client, List.of(at + "/a", at + "/b"));
        assertFalse(both.acquire(300, TimeUnit.MILLISECONDS));
        InterProcessMutex a = new InterProcessMutex(client(), at + "/a");
        assertTrue(a.acquire(30, TimeUnit.SECONDS), "the part that was had is given back");
        a.release();
        b.release();
        assertTrue(both.acquire(30, TimeUnit.SECONDS));
        assertFalse(a.acquire(200, TimeUnit.MILLISECONDS));
        both.release();
    }

    @Test
    void aHeldLockOutlivesTheServer() throws Exception {
        for (boolean orderly : new boolean[] {true, false}) {
            Server own = keep(new Server());
            CuratorFramework holder = started(builder(own.address()));
            CuratorFramework rival = started(builder(own.address()));
            InterProcessMutex held = new InterProcessMutex(holder, "/lock");
            InterProcessMutex wanted = new InterProcessMutex(rival, "/lock");
            held.acquire();
            long session = holder.getZookeeperClient().getZooKeeper().getSessionId();
            Future<Boolean> waiting = start(() -> wanted.acquire(100, TimeUnit.SECONDS));
            Await.equal(2, () -> held.getParticipantNodes().size());
            List<String> before = List.copyOf(held.getParticipantNodes());
            if (orderly) {
                own.stop();
            } else {
                own.kill();
            }
            own.start();
            Await.equal(before, () -> List.copyOf(held.getParticipantNodes()));
            assertEquals(session, holder.getZookeeperClient().getZooKeeper().getSessionId());
            assertFalse(waiting.isDone(), "the lock was lost with the server");
            held.release();
            assertTrue(waiting.get(100, TimeUnit.SECONDS));
        }
    }

    @Test
    void anEndedSessionFreesItsLock() throws Exception {
        CuratorFramework holder = client();
        CountDownLatch lost = new CountDownLatch(1);
        holder.getConnectionStateListenable().addListener((c, state) -> {
            if (state == ConnectionState.LOST) {
                lost.countDown();
            }
        });
        InterProcessMutex held = new InterProcessMutex(holder, at);
        InterProcessMutex wanted = new InterProcessMutex(client(), at);
        held.acquire();
        assertFalse(wanted.acquire(100, TimeUnit.MILLISECONDS));
        expire(holder, server().address());
        assertTrue(lost.await(30, TimeUnit.SECONDS));
        assertTrue(wanted.acquire(30, TimeUnit.SECONDS));
        InterProcessMutex again = new InterProcessMutex(holder, at);
        assertFalse(again.acquire(200, TimeUnit.MILLISECONDS));
        wanted.release();
        assertTrue(again.acquire(30, TimeUnit.SECONDS));
        again.release();
    }
}
