import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.ProducerStateManager;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.tools.DumpLogSegments;

/**
 * Reads lines from standard input and answers each with one JSON line, in one JVM, because a JVM starts slowly:
 * "records FILE...": Kafka's record classes over these .log files in order: every checksum checked, one hash over all records.
 * "dump ARGUMENT...": kafka-dump-log with these arguments; what it printed and what it complained of, as base64.
 * "reindex DIRECTORY BASE_OFFSET INDEX_INTERVAL_BYTES SEGMENT_INDEX_BYTES": makes the segment's indexes anew as a broker's recovery does,
 * and closes it; how many bytes were not valid.
 * "rebuild DIRECTORY INDEX_INTERVAL_BYTES SEGMENT_INDEX_BYTES": the same for all segments of a partition, in order, with one producer state:
 * transaction indexes too, and a snapshot at each segment's base offset and at the end.
 * Arguments are separated by tabs.
 */
public final class Dump {
    private static final KafkaScheduler SCHEDULER = new KafkaScheduler(1, true, "epochs");
    private static final TopicPartition PARTITION = new TopicPartition("reindexed", 0);

    public static void main(String[] arguments) throws Exception {
        SCHEDULER.startup();
        PrintStream answers = System.out;
        PrintStream complaints = System.err;
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            String[] words = line.split("\t");
            String[] rest = List.of(words).subList(1, words.length).toArray(new String[0]);
            String answer;
            try {
                answer = switch (words[0]) {
                    case "records" -> records(rest);
                    case "dump" -> dump(rest);
                    case "rebuild" -> rebuild(new File(rest[0]), rest[1], rest[2]);
                    case "reindex" -> reindex(new File(rest[0]), Long.parseLong(rest[1]), rest[2], rest[3]);
                    default -> throw new IllegalArgumentException(words[0]);
                };
            } catch (Throwable problem) {
                answer = "{\"error\":" + Json.string(problem.toString()) + "}";
            } finally {
                System.setOut(answers);
                System.setErr(complaints);
            }
            answers.println(answer);
            answers.flush();
        }
    }

    private static String records(String[] files) throws Exception {
        RecordHash hash = new RecordHash();
        long batchCount = 0;
        long unreadByteLength = 0;
        List<String> epochs = new ArrayList<>();
        for (String file : files) {
            try (FileRecords records = FileRecords.open(new File(file), false)) {
                long read = 0;
                for (RecordBatch batch : records.batches()) {
                    batch.ensureValid();
                    if (batch.magic() != RecordBatch.MAGIC_VALUE_V2) throw new IllegalStateException("magic " + batch.magic() + " in " + file);
                    String epoch = Integer.toString(batch.partitionLeaderEpoch());
                    if (epochs.isEmpty() || !epochs.get(epochs.size() - 1).equals(epoch)) epochs.add(epoch);
                    batchCount++;
                    read += batch.sizeInBytes();
                    if (batch.isControlBatch()) continue;
                    for (Record record : batch) {
                        record.ensureValid();
                        hash.add(record.offset(), record.timestamp(), record.key(), record.value(), record.headers());
                    }
                }
                unreadByteLength += records.sizeInBytes() - read;
            }
        }
        return "{\"recordCount\":" + hash.recordCount() + ",\"batchCount\":" + batchCount + ",\"unreadByteLength\":" + unreadByteLength
            + ",\"epochs\":[" + String.join(",", epochs) + "],\"hash\":\"" + hash.hex() + "\"}";
    }

    private static String dump(String[] arguments) throws Exception {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        ByteArrayOutputStream complained = new ByteArrayOutputStream();
        try (PrintStream out = new PrintStream(printed, false, StandardCharsets.UTF_8);
             PrintStream err = new PrintStream(complained, false, StandardCharsets.UTF_8)) {
            System.setOut(out);
            System.setErr(err);
            DumpLogSegments.main(arguments);
        } catch (CorruptRecordException problem) {
            // Where the program ends; what it had printed by then stands.
            complained.writeBytes(problem.getMessage().getBytes(StandardCharsets.UTF_8));
        }
        return "{\"printed\":\"" + base64(printed) + "\",\"complained\":\"" + base64(complained) + "\"}";
    }

    private static String reindex(File directory, long baseOffset, String indexIntervalBytes, String segmentIndexBytes) throws Exception {
        int invalidByteLength = recover(directory, baseOffset, config(indexIntervalBytes, segmentIndexBytes), producers(directory));
        return "{\"invalidByteLength\":" + invalidByteLength + "}";
    }

    private static String rebuild(File directory, String indexIntervalBytes, String segmentIndexBytes) throws Exception {
        LogConfig config = config(indexIntervalBytes, segmentIndexBytes);
        ProducerStateManager producers = producers(directory);
        int invalidByteLength = 0;
        String[] logs = directory.list((folder, name) -> name.endsWith(".log"));
        Arrays.sort(logs);
        for (String log : logs) {
            long baseOffset = Long.parseLong(log.substring(0, 20));
            producers.updateMapEndOffset(baseOffset);
            if (baseOffset > 0) producers.takeSnapshot();
            invalidByteLength += recover(directory, baseOffset, config, producers);
        }
        producers.takeSnapshot();
        return "{\"invalidByteLength\":" + invalidByteLength + ",\"endOffset\":" + producers.mapEndOffset() + "}";
    }

    private static LogConfig config(String indexIntervalBytes, String segmentIndexBytes) {
        return new LogConfig(Map.of("index.interval.bytes", indexIntervalBytes, "segment.index.bytes", segmentIndexBytes));
    }

    private static ProducerStateManager producers(File directory) throws Exception {
        return new ProducerStateManager(PARTITION, directory, 60_000, new ProducerStateManagerConfig(86_400_000, false), Time.SYSTEM);
    }

    private static int recover(File directory, long baseOffset, LogConfig config, ProducerStateManager producers) throws Exception {
        LeaderEpochFileCache epochs =
            UnifiedLog.createLeaderEpochCache(directory, PARTITION, new LogDirFailureChannel(1), Optional.empty(), SCHEDULER);
        LogSegment segment = LogSegment.open(directory, baseOffset, config, Time.SYSTEM, true, 0, false, "");
        int invalidByteLength = segment.recover(producers, epochs);
        producers.updateMapEndOffset(segment.readNextOffset());
        segment.close();
        return invalidByteLength;
    }

    private static String base64(ByteArrayOutputStream bytes) {
        return Base64.getEncoder().encodeToString(bytes.toByteArray());
    }
}
