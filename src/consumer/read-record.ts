/** One record by its offset, without a consumer: what `log.read` does. */
import type { Broker } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { Deserializer } from "../api/serde.ts";
import { OffsetError, UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { checkPartition } from "./assignment.ts";
import { FetchedRun } from "./fetched-run.ts";
import { PartitionState } from "./partition-state.ts";
import { PlainDecoder } from "./plain-record.ts";
import { recentBatchesOf, walkTo } from "./recent-batches.ts";

/** The batch that holds the offset comes whole, whatever this says; a second one would be read for nothing. */
const READ_MAX_BYTES = 1;

/**
 * Null where there is none: compacted away, a control record, of an aborted transaction, or behind the last stable offset.
 * Throws an `OffsetError` with the legal range before the log's start, where a record may have been, and a `SerdeError` when
 * it does not deserialize.
 */
export async function readRecord<K, V>(
  broker: Broker,
  at: TopicPartition & { readonly offset: number },
  key: Deserializer<K>,
  value: Deserializer<V>,
): Promise<ConsumerRecord<K, V> | null> {
  const { topic, partition } = checkPartition(at, "read");
  const { offset } = at;
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new UsageError("INVALID_ARGUMENT", `read: offset: expected a whole number from 0 to 2^53-1, found ${describeValue(offset)}`);
  }
  const recent = recentBatchesOf(broker);
  const state = new PartitionState({ topic, partition });
  const decoder = new PlainDecoder(key, value);
  if (recent.has(state)) {
    // What was deleted since, with its topic or from the log's start, is not there any more.
    const [metadata, earliest] = [await topicOf(broker, topic), await startOf(broker, state)];
    const found = earliest <= offset ? recent.find(state, metadata, offset) : null;
    if (found !== null) return decoder.decode(found.cursor, state);
  }
  const { partitions } = await broker.fetch({
    partitions: [{ topic, partition, offset, maxBytes: READ_MAX_BYTES }],
    minBytes: 0,
    maxWaitMs: 0,
    maxBytes: READ_MAX_BYTES,
    isolation: "readCommitted",
  });
  const [answer] = partitions;
  if (answer === undefined) return null;
  state.moveTo(offset);
  const run = new FetchedRun(state, answer, offset, true);
  if (run.error instanceof OffsetError && offset >= run.error.range.logStartOffset) return null;
  if (run.error !== null) throw run.error;
  const slice = run.next();
  if (slice === null || slice.baseOffset > offset) return null;
  recent.keep(await topicOf(broker, topic), slice);
  const cursor = walkTo(slice, offset);
  return cursor === null ? null : decoder.decode(cursor, state);
}

/** The topic's id; empty when it is not there. */
async function topicOf(broker: Broker, topic: string): Promise<string> {
  const [metadata] = await broker.metadata([topic]);
  return metadata?.topicId ?? "";
}

async function startOf(broker: Broker, { topic, partition }: PartitionState): Promise<number> {
  const [listed] = await broker.listOffsets({ partitions: [{ topic, partition, at: "earliest" }], isolation: "readCommitted" });
  // With a fault there is no start: the fetch that follows tells it better.
  return listed?.fault === null ? (listed.offset ?? 0) : Number.POSITIVE_INFINITY;
}
