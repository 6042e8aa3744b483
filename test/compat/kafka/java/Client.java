import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Future;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A Kafka client of one task: waits for the broker, makes a topic, produces, reads as a member of a group, or shows a group. One JSON line on standard output. */
public final class Client {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static String bootstrap;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        String answer = switch (arguments[1]) {
            case "ready" -> ready();
            case "create" -> create(arguments[2], Integer.parseInt(arguments[3]), List.of(arguments).subList(4, arguments.length));
            case "produce" -> produce(arguments[2], Integer.parseInt(arguments[3]), Long.parseLong(arguments[4]), arguments.length > 5 ? arguments[5] : "none");
            case "consume" -> consume(arguments[2], arguments[3], Long.parseLong(arguments[4]));
            case "group" -> group(arguments[2]);
            default -> throw new IllegalArgumentException(arguments[1]);
        };
        System.out.println(answer);
        System.out.flush();
        System.exit(0);
    }

    private static Map<String, Object> common() {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        return settings;
    }

    private static String ready() throws Exception {
        try (Admin admin = Admin.create(common())) {
            return "{\"brokers\":" + admin.describeCluster().nodes().get().size() + "}";
        }
    }

    private static String create(String topic, int partitionCount, List<String> configuration) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (String setting : configuration) settings.put(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
        try (Admin admin = Admin.create(common())) {
            admin.createTopics(List.of(new NewTopic(topic, Optional.of(partitionCount), Optional.of((short) 1)).configs(settings))).all().get();
            TopicDescription description = null;
            while (description == null || description.partitions().stream().anyMatch(each -> each.leader() == null)) {
                Thread.sleep(100);
                description = Topics.describe(admin, topic);
            }
            return "{\"topicId\":" + Json.string(description.topicId().toString()) + "}";
        }
    }

    /** Records of every shape a client can send: null and empty keys, tombstones, headers with and without values, old and equal timestamps. */
    private static String produce(String topic, int recordCount, long seed, String compression) throws Exception {
        Map<String, Object> settings = common();
        settings.put("key.serializer", ByteArraySerializer.class.getName());
        settings.put("value.serializer", ByteArraySerializer.class.getName());
        settings.put("compression.type", compression);
        settings.put("linger.ms", "5");
        settings.put("batch.size", "4096");
        Random random = new Random(seed);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
            for (int index = 0; index < recordCount; index++) {
                RecordHeaders headers = new RecordHeaders();
                for (int count = random.nextInt(4); count > 0; count--) {
                    byte[] value = random.nextInt(4) == 0 ? null : bytes(random, random.nextInt(20));
                    headers.add("h-é-" + random.nextInt(5), value);
                }
                byte[] key = random.nextInt(5) == 0 ? null : ("key-" + random.nextInt(200)).getBytes(StandardCharsets.UTF_8);
                byte[] value = random.nextInt(10) == 0 ? null : bytes(random, random.nextInt(300));
                Long timestamp = random.nextInt(3) == 0 ? null : 1_700_000_000_000L + random.nextInt(1_000_000);
                sent.add(producer.send(new ProducerRecord<>(topic, null, timestamp, key, value, headers)));
            }
            producer.flush();
            for (Future<RecordMetadata> each : sent) each.get();
        }
        return "{\"recordCount\":" + recordCount + "}";
    }

    private static byte[] bytes(Random random, int byteLength) {
        byte[] bytes = new byte[byteLength];
        random.nextBytes(bytes);
        return bytes;
    }

    /** Reads on from the group's commits until `wanted` records came, commits them, and leaves. */
    private static String consume(String topic, String groupId, long wanted) throws Exception {
        Map<String, Object> settings = common();
        settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("group.id", groupId);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("max.poll.records", "1000");
        Map<Integer, RecordHash> hashes = new TreeMap<>();
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        Map<Integer, Long> first = new TreeMap<>();
        long taken = 0;
        long end = System.currentTimeMillis() + PATIENCE.toMillis();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(List.of(topic));
            while (taken < wanted && System.currentTimeMillis() < end) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(500));
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    if (taken == wanted) break;
                    taken++;
                    first.putIfAbsent(record.partition(), record.offset());
                    hashes.computeIfAbsent(record.partition(), each -> new RecordHash()).add(
                        record.offset(), record.timestamp(), wrap(record.key()), wrap(record.value()), record.headers().toArray());
                    next.put(new TopicPartition(topic, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
            }
            consumer.commitSync(next);
        }
        List<String> parts = new ArrayList<>();
        hashes.forEach((partition, hash) -> parts.add("{\"partition\":" + partition + ",\"firstOffset\":" + first.get(partition)
            + ",\"nextOffset\":" + next.get(new TopicPartition(topic, partition)).offset()
            + ",\"recordCount\":" + hash.recordCount() + ",\"hash\":\"" + hash.hex() + "\"}"));
        return "{\"recordCount\":" + taken + ",\"partitions\":[" + String.join(",", parts) + "]}";
    }

    private static ByteBuffer wrap(byte[] bytes) {
        return bytes == null ? null : ByteBuffer.wrap(bytes);
    }

    private static String group(String groupId) throws Exception {
        try (Admin admin = Admin.create(common())) {
            Map<TopicPartition, OffsetAndMetadata> offsets = admin.listConsumerGroupOffsets(groupId).partitionsToOffsetAndMetadata().get();
            List<String> parts = new ArrayList<>();
            offsets.forEach((partition, offset) -> parts.add("{\"topic\":" + Json.string(partition.topic()) + ",\"partition\":" + partition.partition()
                + ",\"nextOffset\":" + offset.offset() + ",\"metadata\":" + Json.string(offset.metadata()) + "}"));
            return "{\"offsets\":[" + String.join(",", parts) + "]}";
        }
    }
}
