package recipes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;
import org.junit.jupiter.api.Test;
import running.Await;

class Queues extends Recipe {
    private static final QueueSerializer<String> PLAIN = new QueueSerializer<>() {
        @Override
        public byte[] serialize(String item) {
            return bytes(item);
        }

        @Override
        public String deserialize(byte[] item) {
            return text(item);
        }
    };

    private static final class Taken implements QueueConsumer<String> {
        final List<String> items = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void consumeMessage(String item) {
            items.add(item);
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {
        }
    }

    private static List<String> numbers(int count) {
        return IntStream.range(0, count).mapToObj(i -> String.format("%04d", i)).toList();
    }

    private static List<String> sorted(List<String> items) {
        return items.stream().sorted().toList();
    }

    @Test
    void aSimpleQueueGivesEachItemOnceInOrder() throws Exception {
        SimpleDistributedQueue queue = new SimpleDistributedQueue(client(), at + "/q");
        for (String item : numbers(150)) {
            assertTrue(queue.offer(bytes(item)));
        }
        assertEquals("0000", text(queue.peek()));
        List<CuratorFramework> clients = List.of(client(), client(), client());
        List<String> all = Collections.synchronizedList(new ArrayList<>());
        AtomicInteger next = new AtomicInteger();
        inThreads(3, () -> {
            SimpleDistributedQueue mine = new SimpleDistributedQueue(clients.get(next.getAndIncrement()), at + "/q");
            String last = "";
            for (byte[] item = mine.poll(); item != null; item = mine.poll()) {
                assertTrue(last.compareTo(text(item)) < 0, "a consumer sees items in order");
                last = text(item);
                all.add(last);
            }
        });
        assertEquals(numbers(150), sorted(all));
        assertNull(queue.peek());
    }

    @Test
    void aSimpleQueueWakesWhoWaits() throws Exception {
        SimpleDistributedQueue queue = new SimpleDistributedQueue(client(), at + "/q");
        SimpleDistributedQueue taker = new SimpleDistributedQueue(client(), at + "/q");
        assertNull(taker.poll(100, TimeUnit.MILLISECONDS));
        var taken = start(() -> text(taker.take()));
        Thread.sleep(50);
        queue.offer(bytes("late"));
        assertEquals("late", taken.get(30, TimeUnit.SECONDS));
    }

    @Test
    void aQueueIsConsumedInOrder() throws Exception {
        Taken taken = new Taken();
        DistributedQueue<String> queue = keep(QueueBuilder.builder(client(), taken, PLAIN, at + "/q").buildQueue());
        queue.start();
        for (String item : numbers(100)) {
            queue.put(item);
        }
        assertTrue(queue.flushPuts(60, TimeUnit.SECONDS));
        Await.equal(100, taken.items::size);
        assertEquals(numbers(100), taken.items);
    }

    @Test
    void aLockedQueueGivesEachItemToOneConsumer() throws Exception {
        Taken taken = new Taken();
        List<DistributedQueue<String>> queues = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            queues.add(keep(QueueBuilder.builder(client(), taken, PLAIN, at + "/q").lockPath(at + "/locks").buildQueue()));
            queues.get(i).start();
        }
        for (String item : numbers(90)) {
            queues.get(Integer.parseInt(item) % 3).put(item);
        }
        CuratorFramework client = client();
        Await.that("all is consumed", () -> taken.items.size() >= 90 && client.getChildren().forPath(at + "/q").isEmpty());
        assertEquals(numbers(90), sorted(taken.items));
    }

    @Test
    void aPriorityQueueTakesTheLowestFirst() throws Exception {
        Taken none = null;
        DistributedPriorityQueue<String> producer =
                keep(QueueBuilder.builder(client(), none, PLAIN, at + "/q").buildPriorityQueue(10));
        producer.start();
        for (int i = 0; i < 40; i++) {
            int priority = i * 7 % 40 - 20;
            producer.put(String.format("%03d", priority + 20), priority);
        }
        assertTrue(producer.flushPuts(60, TimeUnit.SECONDS));
        Taken taken = new Taken();
        DistributedPriorityQueue<String> consumer =
                keep(QueueBuilder.builder(client(), taken, PLAIN, at + "/q").buildPriorityQueue(10));
        consumer.start();
        Await.equal(40, taken.items::size);
        assertEquals(sorted(taken.items), taken.items);
    }

    @Test
    void anItemIsRemovedByItsId() throws Exception {
        Taken none = null;
        DistributedIdQueue<String> queue = keep(QueueBuilder.builder(client(), none, PLAIN, at + "/q").buildIdQueue());
        queue.start();
        queue.put("a", "one");
        queue.put("b", "two");
        queue.put("c", "two");
        assertTrue(queue.flushPuts(30, TimeUnit.SECONDS));
        assertEquals(2, queue.remove("two"));
        Taken taken = new Taken();
        DistributedIdQueue<String> consumer = keep(QueueBuilder.builder(client(), taken, PLAIN, at + "/q").buildIdQueue());
        consumer.start();
        queue.put("d", "three");
        Await.equal(List.of("a", "d"), () -> List.copyOf(taken.items));
    }

    @Test
    void aDelayedItemComesNotBeforeItsTime() throws Exception {
        List<Long> came = Collections.synchronizedList(new ArrayList<>());
        Taken taken = new Taken();
        QueueConsumer<String> timed = new QueueConsumer<>() {
            @Override
            public void consumeMessage(String item) {
                came.add(System.currentTimeMillis());
                taken.consumeMessage(item);
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {
            }
        };
        DistributedDelayQueue<String> queue = keep(QueueBuilder.builder(client(), timed, PLAIN, at + "/q").buildDelayQueue());
        queue.start();
        long now = System.currentTimeMillis();
        queue.put("later", now + 1200);
        queue.put("soon", now + 500);
        queue.put("now", now - 1);
        Await.equal(List.of("now", "soon", "later"), () -> List.copyOf(taken.items));
        assertTrue(came.get(1) >= now + 500 && came.get(2) >= now + 1200);
    }
}
