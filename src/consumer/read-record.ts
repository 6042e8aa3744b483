/** One record by its offset, without a consumer: what `log.read` does. */
import type { FetchedPartition, Standing } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { Deserializer } from "../api/serde.ts";
import { OffsetError, UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import type { Turn } from "../base/turn.ts";
import type { Compression } from "../compression/compression.ts";
import { checkPartition } from "./assignment.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";
import { FetchedRun } from "./fetched-run.ts";
import { PartitionState } from "./partition-state.ts";
import { PieceRoom } from "./piece-room.ts";
import { PlainDecoder } from "./plain-record.ts";
import { type RecentBatches, recentBatchesOf } from "./recent-batches.ts";
import { RecentRun } from "./recent-run.ts";

/**
 * The batch that holds the offset comes whole, whatever this says. Small ones come with those behind them: a page is read for one as it is
 * for all of them, and the next record asked for may be among them.
 */
const READ_MAX_BYTES = 4096;

/** What the reads of one log share: where they read from, what opens compressed batches, and what the last one needed as well. */
export class RecordReading {
  readonly broker: ConsumerBroker;
  readonly compression: Compression;
  readonly recent: RecentBatches;
  readonly #turn: Turn;
  /** null while a read has it: a deserializer is a program's own, and may begin another. */
  #room: PieceRoom | null = null;
  #decoder: PlainDecoder<unknown, unknown> | null = null;
  #key: unknown = null;
  #value: unknown = null;

  constructor(broker: ConsumerBroker, compression: Compression, turn: Turn) {
    this.broker = broker;
    this.compression = compression;
    this.#turn = turn;
    this.recent = recentBatchesOf(broker);
  }

  decoderOf<K, V>(key: Deserializer<K>, value: Deserializer<V>): PlainDecoder<K, V> {
    if (this.#decoder === null || this.#key !== key || this.#value !== value) {
      this.#decoder = new PlainDecoder<unknown, unknown>(key, value);
      this.#key = key;
      this.#value = value;
    }
    return this.#decoder as PlainDecoder<K, V>;
  }

  /** What is at hand waits for nothing: a loop of such reads would keep timers and sockets waiting. */
  inGoodTime<T>(found: T): Promise<T> {
    return this.#turn.isSpent() ? this.#turn.next().then(() => found) : Promise.resolve(found);
  }

  /** Out of what was read before; undefined: it must be read. */
  recentRecord<K, V>(decoder: PlainDecoder<K, V>, wanted: Wanted, standing: Standing): ConsumerRecord<K, V> | null | undefined {
    const { offset } = wanted;
    if (standing.logStartOffset > offset) return undefined;
    const run = this.recent.find(wanted, standing.topicId, offset);
    if (run === null) return undefined;
    const room = this.#room ?? new PieceRoom();
    this.#room = null;
    try {
      const cursor = run.record(offset, this.broker.atHand, room);
      run.isShown ||= !decoder.isInPlace;
      return cursor === null || cursor === undefined ? cursor : decoder.decode(cursor, wanted, room.isLent(cursor.bytes));
    } finally {
      this.#room = room;
    }
  }

  /** Out of what was just read. Null: there is none. */
  freshRecord<K, V>(decoder: PlainDecoder<K, V>, wanted: Wanted, answer: FetchedPartition, topicId: string): ConsumerRecord<K, V> | null {
    const { offset } = wanted;
    const state = new PartitionState(wanted);
    state.moveTo(offset);
    const run = new FetchedRun(state, answer, { fetchOffset: offset, readCommitted: true, compression: this.compression });
    if (run.error instanceof OffsetError && offset >= run.error.range.logStartOffset) return null;
    if (run.error !== null) throw run.error;
    const slice = run.next();
    if (slice === null || slice.baseOffset > offset) return null;
    const isStored = slice.bytes === answer.batches;
    const kept = new RecentRun(topicId, slice, isStored, answer.abortedTransactions.length > 0);
    kept.isShown = !decoder.isInPlace;
    const room = this.#room ?? new PieceRoom();
    this.#room = null;
    try {
      const cursor = kept.record(offset, undefined, room) ?? null;
      this.recent.keep(kept);
      return cursor === null ? null : decoder.decode(cursor, wanted);
    } finally {
      room.leave();
      this.#room = room;
    }
  }
}

/**
 * Null where there is none: compacted away, a control record, of an aborted transaction, or behind the last stable offset.
 * Rejects with an `OffsetError` with the legal range before the log's start, where a record may have been, and with a `SerdeError` when
 * it does not deserialize. No asynchronous function: what is at hand costs one promise.
 */
export function readRecord<K, V>(
  reading: RecordReading,
  at: TopicPartition & { readonly offset: number },
  key: Deserializer<K>,
  value: Deserializer<V>,
): Promise<ConsumerRecord<K, V> | null> {
  try {
    const { topic, partition } = checkPartition(at, "read");
    const { offset } = at;
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new UsageError("INVALID_ARGUMENT", `read: offset: expected a whole number from 0 to 2^53-1, found ${describeValue(offset)}`);
    }
    const decoder = reading.decoderOf(key, value);
    const wanted = { topic, partition, offset, maxBytes: READ_MAX_BYTES };
    const { atHand } = reading.broker;
    // What was deleted since, with its topic or from the log's start, is not there any more, though it is remembered.
    const standing = atHand?.standing(topic, partition) ?? null;
    if (atHand === undefined || standing === null) return readAsking(reading, wanted, decoder);
    const recent = reading.recentRecord(decoder, wanted, standing);
    if (recent !== undefined) return reading.inGoodTime(recent);
    const answer = atHand.read(wanted, reading.recent.memory.take);
    if (answer === null) return readFetching(reading, wanted, decoder, standing.topicId);
    return reading.inGoodTime(reading.freshRecord(decoder, wanted, answer, standing.topicId));
  } catch (error) {
    return Promise.reject(error);
  }
}

async function readAsking<K, V>(reading: RecordReading, wanted: Wanted, decoder: PlainDecoder<K, V>): Promise<ConsumerRecord<K, V> | null> {
  const { broker, recent } = reading;
  if (!recent.has(wanted)) return readFetching(reading, wanted, decoder, null);
  const standing = await standingOf(broker, wanted);
  const found = reading.recentRecord(decoder, wanted, standing);
  return found !== undefined ? reading.inGoodTime(found) : readFetching(reading, wanted, decoder, standing.topicId);
}

async function readFetching<K, V>(
  reading: RecordReading,
  wanted: Wanted,
  decoder: PlainDecoder<K, V>,
  topicId: string | null,
): Promise<ConsumerRecord<K, V> | null> {
  // Asked for before the records, which are kept under it: where the topic is made anew in between, an id of before finds nothing later.
  const keptUnder = topicId ?? (await topicOf(reading.broker, wanted.topic));
  const answer = await fetchOne(reading.broker, wanted);
  return answer === undefined ? null : reading.inGoodTime(reading.freshRecord(decoder, wanted, answer, keptUnder));
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
