/** The producers of one partition by their ids: checks what they send, and takes in what was written. */
import { readBigInt64, readInt16, readInt32 } from "../../base/big-endian.ts";
import { decodeMarker } from "../../base/control-record.ts";
import { UsageError } from "../../base/errors.ts";
import {
  ATTRIBUTES_AT,
  BASE_SEQUENCE_AT,
  isControl,
  isTransactional,
  LAST_OFFSET_DELTA_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
} from "../../base/record-batch.ts";
import { RecordCursor, RecordFramingError } from "../../base/record-decoder.ts";
import { OpenTransactions } from "./open-transactions.ts";
import { checkBatch, checkMarker } from "./producer-check.ts";
import { type ProducerBatch, ProducerEntry, sequenceAfter } from "./producer-entry.ts";
import type { LastEntry, OpenTransaction, ProducerStates } from "./producer-states.ts";
import type { AbortedTransaction } from "./transaction-index.ts";

const TWO_POW_32 = 2 ** 32;
/** Ids below 2^53 are numbers in the map, which costs no BigInt for every batch. */
const SAFE_HIGH_END = 2 ** 21;

/** Whether the batch at `at` has a producer id at all: -1 is none. */
export const hasProducer = (bytes: Uint8Array, at = 0): boolean => (bytes[at + PRODUCER_ID_AT] as number) < 0x80;

export class ProducerTable implements ProducerStates {
  readonly transactions: OpenTransactions = new OpenTransactions();
  readonly #where: string;
  readonly #entries: Map<number | bigint, ProducerEntry> = new Map();
  /** The one whose batch came last, as a rule the one whose batch comes next. */
  #recent: ProducerEntry | null = null;
  #recentHigh = 0;
  #recentLow = 0;
  #largest = -1n;

  /** `where`: for messages. */
  constructor(where: string) {
    this.#where = where;
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): Iterable<ProducerEntry> {
    return this.#entries.values();
  }

  /** Of a batch that has a producer: null when it may be written, else the batch that it repeats. Throws as `checkBatch` and `checkMarker`. */
  check(bytes: Uint8Array): ProducerBatch | null {
    const attributes = readInt16(bytes, ATTRIBUTES_AT);
    const entry = this.#find(readInt32(bytes, PRODUCER_ID_AT), readInt32(bytes, PRODUCER_ID_AT + 4));
    const producerEpoch = readInt16(bytes, PRODUCER_EPOCH_AT);
    if (isControl(attributes)) {
      checkMarker(entry, producerEpoch, markerIn(bytes, 0)?.coordinatorEpoch ?? -1, this.#where);
      return null;
    }
    const firstSequence = readInt32(bytes, BASE_SEQUENCE_AT);
    const lastSequence = lastSequenceOf(firstSequence, readInt32(bytes, LAST_OFFSET_DELTA_AT));
    const claim = { producerEpoch, firstSequence, lastSequence, transactional: isTransactional(attributes) };
    return checkBatch(entry, claim, entry?.producerId ?? readBigInt64(bytes, PRODUCER_ID_AT), this.#where);
  }

  /**
   * Takes in a batch that has a producer and stands in the log, whatever its epoch and sequence: what was written happened. Answers the
   * transaction that it aborts, if it is a marker that does.
   */
  admit(bytes: Uint8Array, at: number, baseOffset: number, lastOffset: number, maxTimestamp: number): AbortedTransaction | null {
    const attributes = readInt16(bytes, at + ATTRIBUTES_AT);
    const producerEpoch = readInt16(bytes, at + PRODUCER_EPOCH_AT);
    if (isControl(attributes)) return this.#admitMarker(bytes, at, producerEpoch, baseOffset, maxTimestamp);
    const entry = this.#findOrAdd(bytes, at);
    const firstSequence = readInt32(bytes, at + BASE_SEQUENCE_AT);
    const lastSequence = lastSequenceOf(firstSequence, readInt32(bytes, at + LAST_OFFSET_DELTA_AT));
    entry.addBatch(producerEpoch, firstSequence, lastSequence, baseOffset, lastOffset, maxTimestamp);
    if (entry.transactionFirstOffset < 0 && isTransactional(attributes)) {
      entry.transactionFirstOffset = baseOffset;
      this.transactions.begin(baseOffset, entry.producerId);
    }
    return null;
  }

  /** An entry of a snapshot. Those with open transactions must come in order of their first offsets. */
  restore(entry: ProducerEntry): void {
    this.#entries.set(keyOf(entry.producerId), entry);
    this.#noteLargest(entry.producerId);
    if (entry.transactionFirstOffset >= 0) this.transactions.begin(entry.transactionFirstOffset, entry.producerId);
  }

  openTransactions(): readonly OpenTransaction[] {
    return Array.from(this.transactions.entries(), ([firstOffset, producerId]) => {
      // None goes while its transaction is open.
      const { producerEpoch, coordinatorEpoch } = this.#entries.get(keyOf(producerId)) as ProducerEntry;
      return { producerId, producerEpoch, coordinatorEpoch, firstOffset };
    });
  }

  openTransaction(producerId: bigint): OpenTransaction | null {
    const entry = this.#entries.get(keyOf(producerId));
    if (entry === undefined || entry.transactionFirstOffset < 0) return null;
    const { producerEpoch, coordinatorEpoch, transactionFirstOffset: firstOffset } = entry;
    return { producerId, producerEpoch, coordinatorEpoch, firstOffset };
  }

  largestProducerId(): bigint {
    return this.#largest;
  }

  *lastEntries(): Iterable<LastEntry> {
    for (const { producerId, producerEpoch, lastBatch } of this.#entries.values())
      yield { producerId, producerEpoch, lastDataOffset: lastBatch?.lastOffset ?? -1 };
  }

  expire(nowMs: number, producerIdExpirationMs: number): void {
    for (const [key, entry] of this.#entries) {
      if (entry.transactionFirstOffset >= 0 || nowMs - entry.lastTimestamp < producerIdExpirationMs) continue;
      this.#entries.delete(key);
      if (this.#recent === entry) this.#recent = null;
    }
  }

  #admitMarker(bytes: Uint8Array, at: number, producerEpoch: number, offset: number, timestamp: number): AbortedTransaction | null {
    const marker = markerIn(bytes, at);
    // An emptied one ended a transaction of which compaction has left nothing; other types end none.
    if (marker === null || (marker.type !== "abort" && marker.type !== "commit")) return null;
    const entry = this.#findOrAdd(bytes, at);
    const firstOffset = entry.transactionFirstOffset;
    entry.setEpoch(producerEpoch);
    entry.coordinatorEpoch = marker.coordinatorEpoch;
    entry.lastTimestamp = timestamp;
    entry.transactionFirstOffset = -1;
    if (firstOffset < 0) return null;
    const lastStableOffset = this.transactions.earliestOfOthers(entry.producerId) ?? offset + 1;
    this.transactions.end(firstOffset, offset);
    return marker.type === "commit" ? null : { producerId: entry.producerId, firstOffset, lastOffset: offset, lastStableOffset };
  }

  #find(high: number, low: number): ProducerEntry | null {
    if (this.#recent !== null && low === this.#recentLow && high === this.#recentHigh) return this.#recent;
    const key = high >= 0 && high < SAFE_HIGH_END ? high * TWO_POW_32 + (low >>> 0) : (BigInt(high) << 32n) | BigInt(low >>> 0);
    const entry = this.#entries.get(key) ?? null;
    if (entry !== null) [this.#recent, this.#recentHigh, this.#recentLow] = [entry, high, low];
    return entry;
  }

  #findOrAdd(bytes: Uint8Array, at: number): ProducerEntry {
    const found = this.#find(readInt32(bytes, at + PRODUCER_ID_AT), readInt32(bytes, at + PRODUCER_ID_AT + 4));
    if (found !== null) return found;
    const entry = new ProducerEntry(readBigInt64(bytes, at + PRODUCER_ID_AT));
    this.#entries.set(keyOf(entry.producerId), entry);
    this.#noteLargest(entry.producerId);
    return entry;
  }

  #noteLargest(producerId: bigint): void {
    if (producerId > this.#largest) this.#largest = producerId;
  }
}

/** A batch without sequences has no last one either. */
function lastSequenceOf(firstSequence: number, count: number): number {
  return firstSequence < 0 ? firstSequence : sequenceAfter(firstSequence, count);
}

function keyOf(producerId: bigint): number | bigint {
  return producerId <= Number.MAX_SAFE_INTEGER ? Number(producerId) : producerId;
}

function markerIn(bytes: Uint8Array, at: number): ReturnType<typeof decodeMarker> {
  try {
    const cursor = new RecordCursor(bytes, at);
    // Compaction may have emptied it.
    return cursor.next() ? decodeMarker(cursor.key(), cursor.value()) : null;
  } catch (error) {
    // Its checksum is right and its record is none: another writer's, and it says nothing about any transaction.
    if (error instanceof RecordFramingError || error instanceof UsageError) return null;
    throw error;
  }
}
