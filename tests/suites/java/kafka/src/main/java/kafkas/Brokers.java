package kafkas;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import running.Await;
import running.Server;

/** Two Kafka brokers that keep their cluster in the server, in the order of a cluster's life. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class Brokers {
    private static Server server;
    private static Broker one;
    private static Broker two;
    private static Admin admin;
    private static ZooKeeper zk;

    @BeforeAll
    static void begin() throws Exception {
        server = new Server();
        zk = new ZooKeeper(server.address(), 30_000, event -> { });
        one = new Broker(1, server.address() + "/kafka");
        two = new Broker(2, server.address() + "/kafka");
        admin = Admin.create(Map.of("bootstrap.servers", one.address() + "," + two.address()));
        Await.equal(2, () -> admin.describeCluster().nodes().get().size());
    }

    @AfterAll
    static void end() throws Exception {
        if (admin != null) {
            admin.close(Duration.ZERO);
        }
        for (AutoCloseable each : new AutoCloseable[] {two, one, zk, server}) {
            if (each != null) {
                each.close();
            }
        }
    }

    private static JsonNode json(String path) throws Exception {
        return new ObjectMapper().readTree(zk.getData("/kafka" + path, false, null));
    }

    private static Set<String> children(String path) throws Exception {
        return new TreeSet<>(zk.getChildren("/kafka" + path, false));
    }

    /** The broker that leads the cluster, according to its node; -1 while there is none. */
    private static int controller() throws Exception {
        try {
            return json("/controller").get("brokerid").asInt();
        } catch (KeeperException.NoNodeException e) {
            return -1;
        }
    }

    private static int epoch() throws Exception {
        return Integer.parseInt(new String(zk.getData("/kafka/controller_epoch", false, null), "US-ASCII"));
    }

    private static void produce(String topic, int from, int to) throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(Map.of("bootstrap.servers",
                one.address() + "," + two.address(), "acks", "all"), new StringSerializer(), new StringSerializer())) {
            List<java.util.concurrent.Future<?>> sent = new ArrayList<>();
            for (int i = from; i < to; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, "key-" + i % 7, "value-" + i)));
            }
            for (var each : sent) {
                each.get(60, TimeUnit.SECONDS);
            }
        }
    }

    private static List<String> consume(String topic, String group, int count) throws Exception {
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(Map.of("bootstrap.servers",
                one.address() + "," + two.address(), "group.id", group, "auto.offset.reset", "earliest"), new StringDeserializer(),
                new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            Await.that("all is consumed", 90_000, () -> {
                for (ConsumerRecord<String, String> each : consumer.poll(Duration.ofMillis(200))) {
                    values.add(each.value());
                }
                return values.size() >= count;
            });
            consumer.commitSync();
        }
        return values.stream().sorted().toList();
    }

    private static List<String> values(int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> "value-" + i).sorted().toList();
    }

    @Test
    @Order(1)
    void brokersRegisterThemselves() throws Exception {
        assertEquals(Set.of("1", "2"), children("/brokers/ids"));
        for (String id : List.of("1", "2")) {
            Stat stat = zk.exists("/kafka/brokers/ids/" + id, false);
            assertTrue(stat.getEphemeralOwner() != 0);
            assertEquals(id.equals("1") ? one.address() : two.address(),
                    json("/brokers/ids/" + id).get("endpoints").get(0).asText().substring("PLAINTEXT://".length()));
        }
        assertTrue(Set.of(1, 2).contains(controller()));
        assertEquals(controller(), admin.describeCluster().controller().get().id());
        assertEquals(1, epoch());
        assertEquals(admin.describeCluster().clusterId().get(), json("/cluster/id").get("id").asText());
        assertTrue(children("").containsAll(Set.of("admin", "brokers", "cluster", "config", "consumers", "controller",
                "controller_epoch", "feature", "isr_change_notification", "latest_producer_id_block", "log_dir_event_notification",
                "kafka-acl", "kafka-acl-changes")));
    }

    @Test
    @Order(2)
    void aTopicIsMadeWrittenAndRead() throws Exception {
        admin.createTopics(List.of(new NewTopic("orders", 3, (short) 2))).all().get(60, TimeUnit.SECONDS);
        JsonNode partitions = json("/brokers/topics/orders").get("partitions");
        assertEquals(3, partitions.size());
        assertEquals(2, partitions.get("0").size());
        Await.equal(Set.of("0", "1", "2"), () -> children("/brokers/topics/orders/partitions"));
        Await.that("both replicas are in step", () -> json("/brokers/topics/orders/partitions/1/state").get("isr").size() == 2);
        produce("orders", 0, 500);
        assertEquals(values(0, 500), consume("orders", "readers", 500));
    }

    @Test
    @Order(3)
    void configurationAndPartitionsChange() throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "orders");
        admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "123456789"),
                AlterConfigOp.OpType.SET)))).all().get(60, TimeUnit.SECONDS);
        assertEquals("123456789", json("/config/topics/orders").get("config").get("retention.ms").asText());
        Await.equal("123456789", () -> admin.describeConfigs(List.of(topic)).all().get().get(topic).get("retention.ms").value());
        assertTrue(children("/config/changes").stream().anyMatch(name -> name.startsWith("config_change_")));
        admin.createPartitions(Map.of("orders", NewPartitions.increaseTo(5))).all().get(60, TimeUnit.SECONDS);
        Await.equal(5, () -> children("/brokers/topics/orders/partitions").size());
        Await.equal(5, () -> admin.describeTopics(List.of("orders")).allTopicNames().get().get("orders").partitions().size());
    }

    @Test
    @Order(4)
    void rightsAreKeptAndTakenBack() throws Exception {
        AclBinding binding = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "secret", PatternType.LITERAL),
                new AccessControlEntry("User:ann", "*", AclOperation.READ, AclPermissionType.ALLOW));
        admin.createAcls(List.of(binding)).all().get(60, TimeUnit.SECONDS);
        Await.equal(List.of(binding), () -> List.copyOf(admin.describeAcls(AclBindingFilter.ANY).values().get()));
        assertEquals("User:ann", json("/kafka-acl/Topic/secret").get("acls").get(0).get("principal").asText());
        admin.deleteAcls(List.of(AclBindingFilter.ANY)).all().get(60, TimeUnit.SECONDS);
        Await.equal(List.of(), () -> List.copyOf(admin.describeAcls(AclBindingFilter.ANY).values().get()));
        assertEquals(Set.of(), children("/kafka-acl/Topic"));
    }

    @Test
    @Order(5)
    void theControllerMovesWhenItsBrokerStops() throws Exception {
        int first = controller();
        int epoch = epoch();
        Broker leaving = first == 1 ? one : two;
        leaving.stop();
        Await.equal(3 - first, Brokers::controller);
        assertEquals(epoch + 1, epoch());
        assertEquals(Set.of("" + (3 - first)), children("/brokers/ids"));
        Await.that("one replica is in step", () -> json("/brokers/topics/orders/partitions/0/state").get("isr").size() == 1);
        produce("orders", 500, 600);
        leaving.start();
        Await.equal(Set.of("1", "2"), () -> children("/brokers/ids"));
        assertEquals(3 - first, controller());
        Await.that("both are in step again", () -> json("/brokers/topics/orders/partitions/0/state").get("isr").size() == 2);
        assertEquals(values(500, 600), consume("orders", "readers", 100));
    }

    @Test
    @Order(6)
    void theControllerMovesWhenItsBrokerIsKilled() throws Exception {
        int first = controller();
        Broker dead = first == 1 ? one : two;
        dead.kill();
        Await.that("the session expires and the other leads", 90_000, () -> controller() == 3 - first);
        Await.equal(Set.of("" + (3 - first)), () -> children("/brokers/ids"));
        dead.start();
        Await.equal(Set.of("1", "2"), () -> children("/brokers/ids"));
    }

    @Test
    @Order(7)
    void brokersOutliveARestartOfTheServer() throws Exception {
        int first = controller();
        long session = zk.exists("/kafka/brokers/ids/" + first, false).getEphemeralOwner();
        server.stop();
        server.start();
        Await.that("connected", () -> zk.getState().isConnected());
        admin.createTopics(List.of(new NewTopic("after", Optional.of(2), Optional.of((short) 2)))).all().get(90, TimeUnit.SECONDS);
        produce("after", 0, 50);
        assertEquals(values(0, 50), consume("after", "later", 50));
        assertEquals(session, zk.exists("/kafka/brokers/ids/" + first, false).getEphemeralOwner());
        assertEquals(first, controller());
    }

    @Test
    @Order(8)
    void aTopicIsDeleted() throws Exception {
        assertNotNull(zk.exists("/kafka/brokers/topics/orders", false));
        admin.deleteTopics(List.of("orders")).all().get(60, TimeUnit.SECONDS);
        Await.that("its nodes are gone", () -> zk.exists("/kafka/brokers/topics/orders", false) == null
                && zk.exists("/kafka/config/topics/orders", false) == null && children("/admin/delete_topics").isEmpty());
        Await.equal(Set.of("after"), () -> admin.listTopics().names().get());
    }
}
