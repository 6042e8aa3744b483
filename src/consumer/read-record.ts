/** One record by its offset, without a consumer: what `log.read` does. */
import type { FetchedPartition, Standing } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { Deserializer } from "../api/serde.ts";
import { OffsetError, UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import type { Compression } from "../compression/compression.ts";
import { checkPartition } from "./assignment.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";
import { FetchedRun } from "./fetched-run.ts";
import { PartitionState } from "./partition-state.ts";
import { PlainDecoder } from "./plain-record.ts";
import { recentBatchesOf } from "./recent-batches.ts";
import { RecentRun } from "./recent-run.ts";

/** What it reads from, and what opens compressed batches. */
export interface RecordReading {
  readonly broker: ConsumerBroker;
  readonly compression: Compression;
}

/**
 * The batch that holds the offset comes whole, whatever this says. Small ones come with those behind them: a page is read for one as it is
 * for all of them, and the next record asked for may be among them.
 */
const READ_MAX_BYTES = 4096;

/**
 * Null where there is none: compacted away, a control record, of an aborted transaction, or behind the last stable offset.
 * Throws an `OffsetError` with the legal range before the log's start, where a record may have been, and a `SerdeError` when
 * it does not deserialize.
 */
export async function readRecord<K, V>(
  { broker, compression }: RecordReading,
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
  const decoder = new PlainDecoder(key, value);
  const wanted = { topic, partition, offset, maxBytes: READ_MAX_BYTES };
  // What was deleted since, with its topic or from the log's start, is not there any more, though it is remembered.
  const standing = broker.atHand?.standing(topic, partition) ?? (recent.has(wanted) ? await standingOf(broker, wanted) : null);
  if (standing !== null && standing.logStartOffset <= offset) {
    const cursor = recent.find(wanted, standing.topicId, offset)?.record(offset, broker.atHand);
    if (cursor !== undefined) return cursor === null ? null : decoder.decode(cursor, wanted);
  }
  const answer = broker.atHand?.read(wanted) ?? (await fetchOne(broker, wanted));
  if (answer === undefined) return null;
  const state = new PartitionState(wanted);
  state.moveTo(offset);
  const run = new FetchedRun(state, answer, { fetchOffset: offset, readCommitted: true, compression });
  if (run.error instanceof OffsetError && offset >= run.error.range.logStartOffset) return null;
  if (run.error !== null) throw run.error;
  const slice = run.next();
  if (slice === null || slice.baseOffset > offset) return null;
  const isStored = slice.bytes === answer.batches;
  const kept = new RecentRun(standing?.topicId ?? (await topicOf(broker, topic)), slice, isStored, answer.abortedTransactions.length > 0);
  const cursor = kept.record(offset, undefined) ?? null;
  recent.keep(kept);
  return cursor === null ? null : decoder.decode(cursor, wanted);
}

interface Wanted extends TopicPartition {
  readonly offset: number;
  readonly maxBytes: number;
}

async function fetchOne(broker: ConsumerBroker, wanted: Wanted): Promise<FetchedPartition | undefined> {
  for (let maxWaitMs = 0; ; ) {
    const { partitions, throttleTimeMs } = await broker.fetch({
      partitions: [wanted],
      minBytes: 0,
      maxWaitMs,
      maxBytes: READ_MAX_BYTES,
      isolation: "readCommitted",
    });
    const [found] = partitions;
    // What is held back for a quota looks as if nothing were there: it is asked for again, and waited for.
    if (throttleTimeMs === 0 || found === undefined || found.fault !== null || found.batches.byteLength > 0) return found;
    maxWaitMs = throttleTimeMs;
  }
}

async function standingOf(broker: ConsumerBroker, at: TopicPartition): Promise<Standing> {
  return { topicId: await topicOf(broker, at.topic), logStartOffset: await startOf(broker, at) };
}

/** The topic's id; empty when it is not there. */
async function topicOf(broker: ConsumerBroker, topic: string): Promise<string> {
  const [metadata] = await broker.metadata([topic]);
  return metadata?.topicId ?? "";
}

async function startOf(broker: ConsumerBroker, { topic, partition }: TopicPartition): Promise<number> {
  const [listed] = await broker.listOffsets({ partitions: [{ topic, partition, at: "earliest" }], isolation: "readCommitted" });
  // With a fault there is no start: the fetch that follows tells it better.
  return listed?.fault === null ? (listed.offset as number) : Number.POSITIVE_INFINITY;
}
