import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's clients, by name, told what to do by lines of JSON on standard input, each answered with one line, in one JVM, because a JVM starts
 * slowly. A producer that nobody closed is dropped at the end without a word to the broker: what it had begun stays open.
 */
public final class Clients {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final Map<String, KafkaProducer<byte[], byte[]>> PRODUCERS = new HashMap<>();
    private static String bootstrap;
    private static Admin admin;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                answer(JSON.readTree(line), answer);
            } catch (Throwable problem) {
                Throwable cause = problem instanceof ExecutionException ? problem.getCause() : problem;
                answer.removeAll().put("error", cause.toString());
            }
            System.out.println(JSON.writeValueAsString(answer));
            System.out.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    private static void answer(JsonNode question, ObjectNode answer) throws Exception {
        switch (question.get("do").asText()) {
            case "create" -> create(question, answer);
            case "producer" -> open(question);
            case "begin" -> producer(question).beginTransaction();
            case "send" -> send(question, answer);
            case "sendOffsets" -> sendOffsets(question);
            case "commit" -> producer(question).commitTransaction();
            case "abort" -> producer(question).abortTransaction();
            case "close" -> PRODUCERS.remove(question.get("producer").asText()).close();
            case "read" -> read(question, answer);
            case "commitOffsets" -> commitOffsets(question);
            case "offsets" -> groupOffsets(question, answer);
            case "ends" -> ends(question, answer);
            case "producers" -> producers(question, answer);
            case "transactions" -> transactions(answer);
            default -> throw new IllegalArgumentException(question.toString());
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(JsonNode question) {
        return PRODUCERS.get(question.get("producer").asText());
    }

    private static Map<String, Object> settings(JsonNode question) {
        Map<String, Object> settings = new HashMap<>();
        if (question.has("settings")) question.get("settings").properties().forEach(each -> settings.put(each.getKey(), each.getValue().asText()));
        settings.put("bootstrap.servers", bootstrap);
        return settings;
    }

    /** Resolves when every partition has its leader. */
    private static void create(JsonNode question, ObjectNode answer) throws Exception {
        String topic = question.get("topic").asText();
        Map<String, String> settings = new HashMap<>();
        question.get("config").properties().forEach(each -> settings.put(each.getKey(), each.getValue().asText()));
        NewTopic wanted = new NewTopic(topic, Optional.of(question.get("partitions").asInt()), Optional.of((short) 1)).configs(settings);
        admin.createTopics(List.of(wanted)).all().get();
        TopicDescription description = null;
        while (description == null || description.partitions().stream().anyMatch(each -> each.leader() == null)) {
            Thread.sleep(50);
            description = Topics.describe(admin, topic);
        }
        answer.put("topicId", description.topicId().toString());
    }

    private static void open(JsonNode question) {
        Map<String, Object> settings = settings(question);
        settings.put("key.serializer", ByteArraySerializer.class.getName());
        settings.put("value.serializer", ByteArraySerializer.class.getName());
        settings.putIfAbsent("linger.ms", "5");
        settings.putIfAbsent("batch.size", "4096");
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings);
        if (settings.containsKey("transactional.id")) producer.initTransactions();
        PRODUCERS.put(question.get("producer").asText(), producer);
    }

    /** All of them, and waits until each is acknowledged. */
    private static void send(JsonNode question, ObjectNode answer) throws Exception {
        KafkaProducer<byte[], byte[]> producer = producer(question);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : question.get("records")) {
            RecordHeaders headers = new RecordHeaders();
            for (JsonNode header : record.get("headers")) headers.add(header.get(0).asText(), bytes(header.get(1)));
            Long timestamp = record.get("timestamp").isNull() ? null : record.get("timestamp").asLong();
            sent.add(producer.send(new ProducerRecord<>(record.get("topic").asText(), record.get("partition").asInt(), timestamp,
                bytes(record.get("key")), bytes(record.get("value")), headers)));
        }
        producer.flush();
        ArrayNode places = answer.putArray("sent");
        for (Future<RecordMetadata> each : sent) places.addObject().put("offset", each.get().offset()).put("timestamp", each.get().timestamp());
    }

    /** As from a consumer outside its group. */
    private static void sendOffsets(JsonNode question) {
        try (KafkaConsumer<byte[], byte[]> consumer = memberOf(question)) {
            producer(question).sendOffsetsToTransaction(offsets(question), consumer.groupMetadata());
        }
    }

    private static Map<TopicPartition, OffsetAndMetadata> offsets(JsonNode question) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (JsonNode each : question.get("offsets"))
            offsets.put(new TopicPartition(each.get("topic").asText(), each.get("partition").asInt()),
                new OffsetAndMetadata(each.get("nextOffset").asLong(), each.path("metadata").asText("")));
        return offsets;
    }

    /** Everything that these topics show from their start to their end under this isolation level. */
    private static void read(JsonNode question, ObjectNode answer) throws Exception {
        ArrayNode partitions = answer.putArray("partitions");
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(question)) {
            Map<TopicPartition, ArrayNode> found = new HashMap<>();
            for (TopicPartition partition : partitionsOf(question)) found.put(partition, JSON.createArrayNode());
            consumer.assign(found.keySet());
            Map<TopicPartition, Long> begins = consumer.beginningOffsets(found.keySet());
            Map<TopicPartition, Long> ends = consumer.endOffsets(found.keySet());
            consumer.seekToBeginning(found.keySet());
            long end = System.currentTimeMillis() + PATIENCE.toMillis();
            while (ends.entrySet().stream().anyMatch(each -> consumer.position(each.getKey()) < each.getValue())) {
                if (System.currentTimeMillis() > end) throw new IllegalStateException("no end of " + ends);
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200)))
                    found.get(new TopicPartition(record.topic(), record.partition())).add(record(record));
            }
            found.forEach((partition, records) -> partitions.addObject().put("topic", partition.topic()).put("partition", partition.partition())
                .put("startOffset", begins.get(partition)).put("endOffset", ends.get(partition)).set("records", records));
        }
    }

    private static KafkaConsumer<byte[], byte[]> consumer(JsonNode question) {
        Map<String, Object> settings = settings(question);
        settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "none");
        return new KafkaConsumer<>(settings);
    }

    private static KafkaConsumer<byte[], byte[]> memberOf(JsonNode question) {
        return consumer(JSON.createObjectNode().set("settings", JSON.createObjectNode().put("group.id", question.get("group").asText())));
    }

    private static ObjectNode record(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode node = JSON.createObjectNode().put("offset", record.offset()).put("timestamp", record.timestamp())
            .put("key", text(record.key())).put("value", text(record.value()));
        ArrayNode headers = node.putArray("headers");
        for (Header header : record.headers()) headers.addArray().add(header.key()).add(text(header.value()));
        return node;
    }

    private static List<TopicPartition> partitionsOf(JsonNode question) throws Exception {
        List<String> topics = new ArrayList<>();
        question.get("topics").forEach(each -> topics.add(each.asText()));
        List<TopicPartition> partitions = new ArrayList<>();
        admin.describeTopics(topics).allTopicNames().get().forEach((topic, description) ->
            description.partitions().forEach(each -> partitions.add(new TopicPartition(topic, each.partition()))));
        return partitions;
    }

    private static void commitOffsets(JsonNode question) {
        try (KafkaConsumer<byte[], byte[]> consumer = memberOf(question)) {
            Map<TopicPartition, OffsetAndMetadata> offsets = offsets(question);
            consumer.assign(offsets.keySet());
            consumer.commitSync(offsets);
        }
    }

    private static void groupOffsets(JsonNode question, ObjectNode answer) throws Exception {
        ArrayNode offsets = answer.putArray("offsets");
        admin.listConsumerGroupOffsets(question.get("group").asText()).partitionsToOffsetAndMetadata().get().forEach((partition, offset) ->
            offsets.addObject().put("topic", partition.topic()).put("partition", partition.partition())
                .put("nextOffset", offset.offset()).put("metadata", offset.metadata()));
    }

    /** Where each partition ends, as a reader of this isolation level sees it. */
    private static void ends(JsonNode question, ObjectNode answer) throws Exception {
        IsolationLevel isolation = IsolationLevel.valueOf(question.get("isolation").asText().toUpperCase());
        Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
        for (TopicPartition partition : partitionsOf(question)) wanted.put(partition, OffsetSpec.latest());
        ArrayNode ends = answer.putArray("ends");
        admin.listOffsets(wanted, new ListOffsetsOptions(isolation)).all().get().forEach((partition, end) ->
            ends.addObject().put("topic", partition.topic()).put("partition", partition.partition()).put("endOffset", end.offset()));
    }

    /** The broker's producer state. */
    private static void producers(JsonNode question, ObjectNode answer) throws Exception {
        ArrayNode producers = answer.putArray("producers");
        admin.describeProducers(partitionsOf(question)).all().get().forEach((partition, state) -> {
            for (ProducerState each : state.activeProducers())
                producers.addObject().put("topic", partition.topic()).put("partition", partition.partition())
                    .put("producerId", each.producerId()).put("producerEpoch", each.producerEpoch()).put("lastSequence", each.lastSequence())
                    .put("timestamp", each.lastTimestamp()).put("coordinatorEpoch", each.coordinatorEpoch().orElse(-1))
                    .put("currentTxnFirstOffset", each.currentTransactionStartOffset().orElse(-1));
        });
    }

    private static void transactions(ObjectNode answer) throws Exception {
        ArrayNode transactions = answer.putArray("transactions");
        List<String> ids = new ArrayList<>();
        admin.listTransactions().all().get().forEach(each -> ids.add(each.transactionalId()));
        Map<String, TransactionDescription> all = admin.describeTransactions(ids).all().get();
        all.forEach((id, each) -> transactions.addObject().put("transactionalId", id).put("state", each.state().toString())
            .put("producerId", each.producerId()).put("producerEpoch", each.producerEpoch()).put("timeoutMs", each.transactionTimeoutMs()));
    }

    private static byte[] bytes(JsonNode base64) {
        return base64 == null || base64.isNull() ? null : Base64.getDecoder().decode(base64.asText());
    }

    private static String text(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }
}
