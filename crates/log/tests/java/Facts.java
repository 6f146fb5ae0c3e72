import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What Apache Kafka's own Java client finds of a log that speaks Kafka's protocol. Every fact prints one line, "ok" or
 * "FAILED", tab, name; the conformance tests run this against the embedded log and against Apache Kafka.
 *
 * <pre>java -cp 'JARS/*' Facts.java ADDRESS</pre>
 */
public final class Facts {
    /** How long a state is waited for before it counts as never coming. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static String address;
    private static Admin admin;
    private static boolean failed;

    public static void main(String[] args) {
        address = args[0];
        try (Admin opened = Admin.create(client())) {
            admin = opened;
            topics();
            offsets();
            producers();
            groups();
        }
        System.exit(failed ? 1 : 0);
    }

    // ------------------------------------------------------------------------------------------------ topics

    private static void topics() {
        fact("the cluster has one broker, at the address it was asked at", () -> {
            var nodes = admin.describeCluster().nodes().get();
            equal(1, nodes.size());
            var node = nodes.iterator().next();
            equal(address, node.host() + ":" + node.port());
        });
        fact("a topic is made, listed and described", () -> {
            create("made", 3, Map.of());
            check(admin.listTopics().names().get().contains("made"), "not listed");
            TopicDescription described = admin.describeTopics(Set.of("made")).allTopicNames().get().get("made");
            equal(3, described.partitions().size());
            check(described.partitions().stream().allMatch(p -> p.leader() != null), "no leader");
            refused(TopicExistsException.class, admin.createTopics(Set.of(new NewTopic("made", 3, (short) 1))).all());
        });
        fact("a topic's settings are shown, changed and put back", () -> {
            create("settings", 1, Map.of("retention.ms", "1000"));
            equal("1000", setting("settings", "retention.ms"));
            equal("delete", setting("settings", "cleanup.policy"));
            alter("settings", "segment.bytes", "2000000", AlterConfigOp.OpType.SET);
            soon("2000000", () -> setting("settings", "segment.bytes"));
            alter("settings", "cleanup.policy", "compact", AlterConfigOp.OpType.APPEND);
            soon(Set.of("delete", "compact"), () -> Set.of(setting("settings", "cleanup.policy").split(",")));
            alter("settings", "cleanup.policy", "compact", AlterConfigOp.OpType.SUBTRACT);
            soon("delete", () -> setting("settings", "cleanup.policy"));
            alter("settings", "retention.ms", null, AlterConfigOp.OpType.DELETE);
            soon("604800000", () -> setting("settings", "retention.ms"));
        });
        fact("a setting that makes no sense is refused and changes nothing", () -> {
            create("nonsense", 1, Map.of("retention.ms", "1000"));
            refused(InvalidConfigurationException.class, altering("nonsense", "retention.ms", "soon", AlterConfigOp.OpType.SET));
            equal("1000", setting("nonsense", "retention.ms"));
        });
        fact("partitions are added and never taken away", () -> {
            create("wider", 1, Map.of());
            admin.createPartitions(Map.of("wider", NewPartitions.increaseTo(3))).all().get();
            soon(3, () -> partitions("wider"));
            refused(InvalidPartitionsException.class,
                admin.createPartitions(Map.of("wider", NewPartitions.increaseTo(2))).all());
            try (Producer<String, String> producer = producer(Map.of())) {
                equal(0L, producer.send(new ProducerRecord<>("wider", 2, null, "x")).get().offset());
            }
        });
        fact("a topic made anew is empty and has another id", () -> {
            Uuid first = create("anew", 1, Map.of());
            fill("anew", 3);
            admin.deleteTopics(Set.of("anew")).all().get();
            soon(0, () -> partitions("anew"));
            refused(UnknownTopicOrPartitionException.class, admin.deleteTopics(Set.of("anew")).all());
            Uuid second = create("anew", 1, Map.of());
            check(!first.equals(second), "the same id");
            equal(0L, offset("anew", OffsetSpec.latest()));
        });
        fact("an unknown topic is refused and not made", () -> {
            try (Producer<String, String> producer = producer(Map.of("max.block.ms", "1000"))) {
                refused(TimeoutException.class, producer.send(new ProducerRecord<>("unknown", "x")));
            }
            try (Consumer<String, String> consumer = consumer(Map.of("allow.auto.create.topics", "true"))) {
                check(consumer.partitionsFor("unknown").isEmpty(), "it has partitions");
            } catch (UnknownTopicOrPartitionException expected) {
                // As good an answer.
            }
            check(!admin.listTopics().names().get().contains("unknown"), "it was made");
        });
    }

    // ------------------------------------------------------------------------------------------------ offsets

    private static void offsets() {
        fact("offsets are found by time, and the first, the last and the newest", () -> {
            create("times", 1, Map.of("retention.ms", "-1"));
            try (Producer<String, String> producer = producer(Map.of())) {
                for (long at : new long[] {1000, 5000, 3000, 4000}) {
                    producer.send(new ProducerRecord<>("times", 0, at, null, "x")).get();
                }
            }
            equal(0L, offset("times", OffsetSpec.earliest()));
            equal(4L, offset("times", OffsetSpec.latest()));
            equal(1L, offset("times", OffsetSpec.maxTimestamp()));
            equal(1L, offset("times", OffsetSpec.forTimestamp(1001)));
            equal(-1L, offset("times", OffsetSpec.forTimestamp(5001)));
        });
        fact("records before an offset are deleted", () -> {
            create("trimmed", 1, Map.of());
            fill("trimmed", 10);
            TopicPartition partition = new TopicPartition("trimmed", 0);
            var deleted = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(6)));
            equal(6L, deleted.lowWatermarks().get(partition).get().lowWatermark());
            equal(6L, offset("trimmed", OffsetSpec.earliest()));
            refused(OffsetOutOfRangeException.class,
                admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(11))).all());
            equal(List.of(6L, 7L, 8L, 9L), offsetsOf(read("trimmed", 4)));
        });
        fact("a waiting consumer is woken by a message", () -> {
            create("woken", 1, Map.of());
            // Whoever is not woken waits for longer than patience lasts.
            var waits = Map.of("fetch.max.wait.ms", "60000", "request.timeout.ms", "90000");
            Consumer<String, String> consumer = consumer(waits);
            try {
                consumer.assign(Set.of(new TopicPartition("woken", 0)));
                consumer.seekToBeginning(consumer.assignment());
                fill("woken", 1);
                equal(1, take(consumer, 1).size());
                fill("woken", 1);
                equal(1, take(consumer, 1).size());
            } finally {
                // It would wait for the answer that it waits for.
                consumer.close(CloseOptions.timeout(Duration.ZERO));
            }
        });
    }

    // ------------------------------------------------------------------------------------------------ producers

    private static void producers() {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            fact("an idempotent producer's records come back whole with compression " + codec, () -> compressed(codec));
        }
        fact("a message over the topic's limit is refused and the next one is taken", () -> {
            create("small", 1, Map.of("max.message.bytes", "2000"));
            try (Producer<String, String> producer = producer(Map.of())) {
                refused(RecordTooLargeException.class, producer.send(new ProducerRecord<>("small", "x".repeat(3000))));
                equal(0L, producer.send(new ProducerRecord<>("small", "x".repeat(1000))).get().offset());
            }
        });
    }

    private static void compressed(String codec) throws Exception {
        String topic = "codec-" + codec;
        int count = 200;
        create(topic, 1, Map.of("retention.ms", "-1"));
        var settings = Map.of("compression.type", codec, "linger.ms", "50", "batch.size", "8000");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (Producer<String, String> producer = producer(settings)) {
            for (int i = 0; i < count; i++) {
                String value = i % 10 == 9 ? null : "value " + i + " again".repeat(50);
                var record = new ProducerRecord<>(topic, 0, 1_000_000L + i, "key " + i, value);
                record.headers().add(new RecordHeader("number", Integer.toString(i).getBytes(StandardCharsets.UTF_8)));
                sent.add(producer.send(record));
            }
        }
        for (int i = 0; i < count; i++) {
            equal((long) i, sent.get(i).get().offset());
        }
        List<ConsumerRecord<String, String>> got = read(topic, count);
        for (int i = 0; i < count; i++) {
            var record = got.get(i);
            equal((long) i, record.offset());
            equal("key " + i, record.key());
            equal(i % 10 == 9 ? null : "value " + i + " again".repeat(50), record.value());
            equal(1_000_000L + i, record.timestamp());
            equal(Integer.toString(i), new String(record.headers().lastHeader("number").value(), StandardCharsets.UTF_8));
        }
        // Somewhere inside a batch, whose records have to be looked at.
        equal(117L, offset(topic, OffsetSpec.forTimestamp(1_000_117)));
    }

    // ------------------------------------------------------------------------------------------------ groups

    private static void groups() {
        var strategies = new LinkedHashMap<String, String>();
        strategies.put("range", RangeAssignor.class.getName());
        strategies.put("roundrobin", RoundRobinAssignor.class.getName());
        strategies.put("cooperative-sticky", CooperativeStickyAssignor.class.getName());
        strategies.forEach((name, assignor) ->
            fact("two members share by " + name + " and one takes over when the other leaves", () -> {
                String group = "shared-" + name;
                create(group, 4, Map.of());
                try (Consumer<String, String> first = member(group, assignor, null)) {
                    settle(List.of(first), Facts::areShared);
                    Consumer<String, String> second = member(group, assignor, null);
                    try {
                        settle(List.of(first, second), Facts::areShared);
                        ConsumerGroupDescription described = describe(group);
                        equal(GroupState.STABLE, described.groupState());
                        equal(name, described.partitionAssignor());
                        equal(Set.of(first.assignment(), second.assignment()), described.members().stream()
                            .map(m -> m.assignment().topicPartitions()).collect(Collectors.toSet()));
                    } finally {
                        second.close();
                    }
                    settle(List.of(first), Facts::areShared);
                }
            }));
        fact("a static member that comes back keeps its partitions without a rebalance", () -> {
            create("static", 4, Map.of());
            try (Consumer<String, String> other = member("static", RangeAssignor.class.getName(), "other")) {
                Consumer<String, String> before = member("static", RangeAssignor.class.getName(), "back");
                Set<TopicPartition> had;
                int generation;
                try {
                    settle(List.of(other, before), Facts::areShared);
                    had = Set.copyOf(before.assignment());
                    generation = other.groupMetadata().generationId();
                } finally {
                    before.close();
                }
                try (Consumer<String, String> after = member("static", RangeAssignor.class.getName(), "back")) {
                    settle(List.of(other, after), assigned -> assigned.get(1).equals(had));
                    equal(generation, after.groupMetadata().generationId());
                    equal(generation, other.groupMetadata().generationId());
                }
            }
        });
        fact("an older twin of a static member is fenced", () -> {
            create("twins", 4, Map.of());
            Consumer<String, String> older = member("twins", RangeAssignor.class.getName(), "twin");
            settle(List.of(older), Facts::areShared);
            try (Consumer<String, String> newer = member("twins", RangeAssignor.class.getName(), "twin")) {
                settle(List.of(newer), Facts::areShared);
                await("fencing", () -> {
                    try {
                        older.poll(Duration.ofMillis(50));
                        return false;
                    } catch (FencedInstanceIdException expected) {
                        return true;
                    }
                });
            } finally {
                older.close(CloseOptions.timeout(Duration.ZERO));
            }
        });
        fact("static members are removed by an admin", () -> {
            create("removed", 1, Map.of());
            member("removed", RangeAssignor.class.getName(), "gone").close();
            Consumer<String, String> member = member("removed", RangeAssignor.class.getName(), "gone");
            settle(List.of(member), assigned -> assigned.get(0).size() == 1);
            member.close();
            equal(Set.of(Optional.of("gone")), describe("removed").members().stream()
                .map(MemberDescription::groupInstanceId).collect(Collectors.toSet()));
            admin.removeMembersFromConsumerGroup("removed",
                new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("gone")))).all().get();
            equal(GroupState.EMPTY, describe("removed").groupState());
        });
        fact("committed offsets are kept with their notes and read by anybody", () -> {
            create("committed", 2, Map.of());
            fill("committed", 5);
            TopicPartition partition = new TopicPartition("committed", 0);
            try (Consumer<String, String> consumer = member("committed", RangeAssignor.class.getName(), null)) {
                settle(List.of(consumer), assigned -> assigned.get(0).size() == 2);
                consumer.commitSync(Map.of(partition, new OffsetAndMetadata(3, "a note")));
                OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
                equal(3L, committed.offset());
                equal("a note", committed.metadata());
                // Nobody else commits for a group that has members.
                refused(UnknownMemberIdException.class,
                    admin.alterConsumerGroupOffsets("committed", Map.of(partition, new OffsetAndMetadata(1))).all());
            }
            equal(3L, committed("committed").get(partition).offset());
            admin.alterConsumerGroupOffsets("committed", Map.of(partition, new OffsetAndMetadata(1))).all().get();
            equal(1L, committed("committed").get(partition).offset());
            try (Consumer<String, String> consumer = member("committed", RangeAssignor.class.getName(), null)) {
                equal(1L, take(consumer, 4).get(0).offset());
            }
        });
        fact("offsets of a group without members are deleted one by one", () -> {
            create("forgotten", 2, Map.of());
            TopicPartition first = new TopicPartition("forgotten", 0);
            TopicPartition second = new TopicPartition("forgotten", 1);
            admin.alterConsumerGroupOffsets("forgotten",
                Map.of(first, new OffsetAndMetadata(0), second, new OffsetAndMetadata(0))).all().get();
            admin.deleteConsumerGroupOffsets("forgotten", Set.of(first)).all().get();
            equal(Set.of(second), committed("forgotten").keySet());
        });
        fact("groups are listed, and deleted once they are empty", () -> {
            create("listed", 1, Map.of());
            Consumer<String, String> member = member("listed", RangeAssignor.class.getName(), null);
            try {
                settle(List.of(member), assigned -> assigned.get(0).size() == 1);
                check(list().contains("listed"), "not listed");
                refused(GroupNotEmptyException.class, admin.deleteConsumerGroups(Set.of("listed")).all());
                member.commitSync(Map.of(new TopicPartition("listed", 0), new OffsetAndMetadata(0)));
            } finally {
                member.close();
            }
            admin.deleteConsumerGroups(Set.of("listed")).all().get();
            check(!list().contains("listed"), "still listed");
            refused(GroupIdNotFoundException.class, admin.deleteConsumerGroups(Set.of("listed")).all());
        });
    }

    // ------------------------------------------------------------------------------------------------ tools

    private interface Body {
        void run() throws Exception;
    }

    private static void fact(String name, Body body) {
        try {
            body.run();
            System.out.println("ok\t" + name);
        } catch (Throwable problem) {
            failed = true;
            System.out.println("FAILED\t" + name);
            problem.printStackTrace();
        }
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    private static void equal(Object expected, Object found) {
        check(java.util.Objects.equals(expected, found), "expected " + expected + ", found " + found);
    }

    /** Apache Kafka tells its brokers of a change after it has told the client. */
    private static <T> void soon(T expected, Callable<T> found) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        T last = found.call();
        while (!expected.equals(last)) {
            check(System.nanoTime() < deadline, "expected " + expected + ", found " + last);
            last = found.call();
        }
    }

    private static void refused(Class<? extends Exception> expected, KafkaFuture<?> future) throws Exception {
        refused(expected, future.toCompletionStage().toCompletableFuture());
    }

    private static void refused(Class<? extends Exception> expected, Future<?> future) throws Exception {
        try {
            future.get();
        } catch (ExecutionException refusal) {
            if (expected.isInstance(refusal.getCause())) {
                return;
            }
            throw refusal;
        }
        throw new AssertionError("not refused; expected " + expected.getSimpleName());
    }

    private static void await(String what, BooleanSupplier done) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!done.getAsBoolean()) {
            check(System.nanoTime() < deadline, "waited in vain for " + what);
        }
    }

    private static Map<String, Object> client() {
        var config = new HashMap<String, Object>();
        config.put("bootstrap.servers", address);
        config.put("reconnect.backoff.max.ms", "500");
        return config;
    }

    private static Producer<String, String> producer(Map<String, String> settings) {
        Map<String, Object> config = client();
        config.put("enable.idempotence", "true");
        config.put("acks", "all");
        config.putAll(settings);
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    private static Consumer<String, String> consumer(Map<String, String> settings) {
        Map<String, Object> config = client();
        config.put("auto.offset.reset", "earliest");
        config.put("enable.auto.commit", "false");
        config.put("fetch.max.wait.ms", "50");
        config.putAll(settings);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    /** A member of a group of the same name as its topic. */
    private static Consumer<String, String> member(String group, String assignor, String instance) {
        var config = new HashMap<String, String>();
        config.put("group.id", group);
        config.put("partition.assignment.strategy", assignor);
        config.put("session.timeout.ms", "6000");
        config.put("heartbeat.interval.ms", "100");
        if (instance != null) {
            config.put("group.instance.id", instance);
        }
        Consumer<String, String> consumer = consumer(config);
        consumer.subscribe(Set.of(group));
        return consumer;
    }

    /** Polls all until what they are assigned is as wanted. */
    private static void settle(List<Consumer<String, String>> members, Predicate<List<Set<TopicPartition>>> wanted) {
        await("partitions", () -> {
            for (Consumer<String, String> member : members) {
                member.poll(Duration.ofMillis(20));
            }
            return wanted.test(members.stream().map(Consumer::assignment).collect(Collectors.toList()));
        });
    }

    /** Four partitions are had, each by one, and everybody has some. */
    private static boolean areShared(List<Set<TopicPartition>> assigned) {
        Set<TopicPartition> distinct = new HashSet<>();
        int all = 0;
        for (Set<TopicPartition> some : assigned) {
            distinct.addAll(some);
            all += some.size();
        }
        return all == 4 && distinct.size() == 4 && assigned.stream().noneMatch(Set::isEmpty);
    }

    private static Uuid create(String topic, int partitions, Map<String, String> settings) throws Exception {
        var made = admin.createTopics(Set.of(new NewTopic(topic, partitions, (short) 1).configs(settings)));
        Uuid id = made.topicId(topic).get();
        soon(partitions, () -> partitions(topic));
        return id;
    }

    /** How many partitions a topic has; none if there is no such topic. */
    private static int partitions(String topic) throws Exception {
        try {
            return admin.describeTopics(Set.of(topic)).allTopicNames().get().get(topic).partitions().size();
        } catch (ExecutionException refusal) {
            if (refusal.getCause() instanceof UnknownTopicOrPartitionException) {
                return 0;
            }
            throw refusal;
        }
    }

    private static void fill(String topic, int count) throws Exception {
        try (Producer<String, String> producer = producer(Map.of())) {
            for (int i = 0; i < count; i++) {
                producer.send(new ProducerRecord<>(topic, 0, null, "m" + i)).get();
            }
        }
    }

    private static List<ConsumerRecord<String, String>> read(String topic, int count) {
        try (Consumer<String, String> consumer = consumer(Map.of())) {
            consumer.assign(Set.of(new TopicPartition(topic, 0)));
            consumer.seekToBeginning(consumer.assignment());
            return take(consumer, count);
        }
    }

    private static List<ConsumerRecord<String, String>> take(Consumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        await(count + " records", () -> {
            consumer.poll(Duration.ofMillis(100)).forEach(got::add);
            return got.size() >= count;
        });
        return got;
    }

    private static List<Long> offsetsOf(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::offset).collect(Collectors.toList());
    }

    private static long offset(String topic, OffsetSpec which) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 0);
        return admin.listOffsets(Map.of(partition, which)).partitionResult(partition).get().offset();
    }

    private static Map<TopicPartition, OffsetAndMetadata> committed(String group) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    }

    private static ConsumerGroupDescription describe(String group) throws Exception {
        return admin.describeConsumerGroups(Set.of(group)).all().get().get(group);
    }

    private static Set<String> list() throws Exception {
        return admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get().stream()
            .map(GroupListing::groupId).collect(Collectors.toSet());
    }

    private static String setting(String topic, String name) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return admin.describeConfigs(Set.of(resource)).all().get().get(resource).get(name).value();
    }

    private static void alter(String topic, String name, String value, AlterConfigOp.OpType how) throws Exception {
        altering(topic, name, value, how).get();
    }

    private static KafkaFuture<Void> altering(String topic, String name, String value, AlterConfigOp.OpType how) {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var change = new AlterConfigOp(new ConfigEntry(name, value), how);
        return admin.incrementalAlterConfigs(Map.of(resource, Set.of(change))).all();
    }
}
