/** Producers as a partition meets them: their batches, and a slow, obvious twin of what it must know of them. For provers too: no vitest here. */
import { readBigInt64, readInt16, readInt32, readInt64 } from "../../src/base/big-endian.ts";
import { decodeMarker } from "../../src/base/control-record.ts";
import {
  ATTRIBUTES_AT,
  BASE_SEQUENCE_AT,
  batchByteLengthAt,
  isControl,
  isTransactional,
  LAST_OFFSET_DELTA_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
} from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import { AbortedFilter } from "../../src/consumer/aborted-filter.ts";
import type { Appended, PartitionLog } from "../../src/log/partition-log.ts";
import { core, NOW_MS } from "./log-rig.ts";

export interface Sent {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
  readonly transactional: boolean;
  readonly timestamp?: number;
}

export function producerBatch(sent: Sent): Uint8Array {
  const { writer } = core;
  writer.begin({ ...sent });
  for (let index = 0; index < sent.recordCount; index += 1) {
    const value = new TextEncoder().encode(`${sent.producerId}/${sent.producerEpoch}/${sent.baseSequence + index}`);
    writer.append(null, value, null, sent.timestamp ?? NOW_MS);
  }
  return writer.finish().slice();
}

/** As the produce path would; written when it resolves. */
export async function sendAs(log: PartitionLog, sent: Sent): Promise<Appended> {
  return await log.append(producerBatch(sent), { recordCount: sent.recordCount, maxTimestamp: sent.timestamp ?? NOW_MS });
}

/** A batch as it stands in the log. */
export interface Logged {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly transactional: boolean;
  readonly timestamp: number;
  /** null: records. */
  readonly marker: { readonly commit: boolean; readonly coordinatorEpoch: number } | null;
}

export function batchesIn(bytes: Uint8Array): Logged[] {
  const found: Logged[] = [];
  for (let at = 0; at < bytes.length; at += batchByteLengthAt(bytes, at)) {
    const attributes = readInt16(bytes, at + ATTRIBUTES_AT);
    const baseOffset = readInt64(bytes, at);
    let marker: Logged["marker"] = null;
    if (isControl(attributes)) {
      const cursor = new RecordCursor(bytes, at);
      cursor.next();
      const decoded = decodeMarker(cursor.key(), cursor.value());
      if (decoded === null) throw new Error(`a control batch at ${baseOffset} without a marker`);
      marker = { commit: decoded.type === "commit", coordinatorEpoch: decoded.coordinatorEpoch };
    }
    found.push({
      baseOffset,
      lastOffset: baseOffset + readInt32(bytes, at + LAST_OFFSET_DELTA_AT),
      producerId: readBigInt64(bytes, at + PRODUCER_ID_AT),
      producerEpoch: readInt16(bytes, at + PRODUCER_EPOCH_AT),
      baseSequence: readInt32(bytes, at + BASE_SEQUENCE_AT),
      transactional: isTransactional(attributes),
      timestamp: readInt64(bytes, at + MAX_TIMESTAMP_AT),
      marker,
    });
  }
  return found;
}

/** Everything that stands in the log, whatever became of its transaction. */
export async function allBatches(log: PartitionLog): Promise<Logged[]> {
  const found: Logged[] = [];
  for (
    let offset = log.watermarks.logStartOffset;
    offset < log.watermarks.highWatermark;
    offset = (found.at(-1)?.lastOffset ?? offset) + 1
  ) {
    const bytes = await log.read(offset, 700);
    if (bytes.length === 0) break;
    found.push(...batchesIn(bytes));
  }
  return found;
}

/** The data batches that a reader of committed records is given from `from` on. */
export async function committedBatches(log: PartitionLog, from: number, maxBytes: number): Promise<number[]> {
  const found: number[] = [];
  for (let offset = from; ; ) {
    const bytes = await log.read(offset, maxBytes, "readCommitted");
    if (bytes.length === 0) return found;
    const read = batchesIn(bytes);
    const end = (read.at(-1) as Logged).lastOffset + 1;
    if (end > log.watermarks.lastStableOffset) throw new Error(`read up to ${end}, stable up to ${log.watermarks.lastStableOffset}`);
    const aborted = await log.abortedTransactions(offset, end);
    const filter = new AbortedFilter(aborted.map(({ producerId, firstOffset }) => ({ producerId, firstOffset })));
    let at = 0;
    for (const batch of read) {
      const attributes = readInt16(bytes, at + ATTRIBUTES_AT);
      const isDropped = filter.drops(bytes, at, attributes, batch.lastOffset);
      if (!isDropped && batch.marker === null && batch.lastOffset >= from) found.push(batch.baseOffset);
      at += batchByteLengthAt(bytes, at);
    }
    offset = end;
  }
}

// ── The twin: everything worked out anew from the batches ────────────────────

const SEQUENCES = 2 ** 31;

export interface TwinProducer {
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  /** Of this epoch, newest last; all of them. */
  readonly batches: readonly { first: number; last: number; baseOffset: number; lastOffset: number }[];
  /** null: none is open. */
  readonly openFrom: number | null;
}

export interface TwinTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}

export function twinProducer(log: readonly Logged[], producerId: bigint): TwinProducer | null {
  const its = log.filter((batch) => batch.producerId === producerId);
  const newest = its.at(-1);
  if (newest === undefined) return null;
  const { producerEpoch } = newest;
  // Batches of an epoch count until another one is seen.
  const otherAt = its.findLastIndex((batch) => batch.producerEpoch !== producerEpoch);
  const batches = its
    .slice(otherAt + 1)
    .filter((batch) => batch.marker === null)
    .map(({ baseSequence, baseOffset, lastOffset }) => {
      return { first: baseSequence, last: (baseSequence + lastOffset - baseOffset) % SEQUENCES, baseOffset, lastOffset };
    });
  const lastMarker = its.findLastIndex((batch) => batch.marker !== null);
  const openFrom = its.slice(lastMarker + 1).find((batch) => batch.transactional)?.baseOffset ?? null;
  return { producerEpoch, coordinatorEpoch: its[lastMarker]?.marker?.coordinatorEpoch ?? -1, batches, openFrom };
}

export function twinIds(log: readonly Logged[]): bigint[] {
  return [...new Set(log.map(({ producerId }) => producerId))].filter((producerId) => producerId >= 0n);
}

/** Those whose abort stands in the log, in order of their markers, in Kafka's entries. */
export function twinAborted(log: readonly Logged[]): TwinTransaction[] {
  const found: TwinTransaction[] = [];
  for (const [index, { marker, producerId, baseOffset }] of log.entries()) {
    if (marker === null) continue;
    const before = log.slice(0, index);
    const firstOffset = twinProducer(before, producerId)?.openFrom ?? null;
    if (firstOffset === null || marker.commit) continue;
    const others = twinIds(before).filter((other) => other !== producerId);
    const open = others.flatMap((other) => twinProducer(before, other)?.openFrom ?? []);
    found.push({
      producerId,
      firstOffset,
      lastOffset: baseOffset,
      lastStableOffset: open.length === 0 ? baseOffset + 1 : Math.min(...open),
    });
  }
  return found;
}

/** Where readers of committed records must stop, when all of the log is below the high watermark. */
export function twinStableOffset(log: readonly Logged[], logEndOffset: number): number {
  return Math.min(logEndOffset, ...twinIds(log).flatMap((producerId) => twinProducer(log, producerId)?.openFrom ?? []));
}

/** The data batches that stand in the log below `end`, in no aborted transaction. */
export function twinCommitted(log: readonly Logged[], from: number, end: number): number[] {
  const aborted = twinAborted(log);
  const isAborted = (batch: Logged): boolean =>
    batch.transactional &&
    aborted.some(
      (each) => each.producerId === batch.producerId && each.firstOffset <= batch.baseOffset && batch.baseOffset < each.lastOffset,
    );
  return log
    .filter((batch) => batch.marker === null && batch.lastOffset >= from && batch.baseOffset < end && !isAborted(batch))
    .map(({ baseOffset }) => baseOffset);
}

export type Answer = "written" | "OUT_OF_ORDER_SEQUENCE_NUMBER" | "INVALID_PRODUCER_EPOCH" | "INVALID_TXN_STATE" | { duplicateOf: number };

/** What Kafka's rules say of a batch, when the last `remembered` batches of its producer are known. */
export function twinAnswer(log: readonly Logged[], sent: Sent, remembered: number): Answer {
  const known = twinProducer(log, sent.producerId);
  if (known === null) return "written";
  const last = (sent.baseSequence + sent.recordCount - 1) % SEQUENCES;
  const recent = remembered === 0 ? [] : known.batches.slice(-remembered);
  if (sent.producerEpoch === known.producerEpoch) {
    const same = recent.findLast((batch) => batch.first === sent.baseSequence && batch.last === last);
    if (same !== undefined) return { duplicateOf: same.baseOffset };
  }
  if (sent.producerEpoch < known.producerEpoch) return "INVALID_PRODUCER_EPOCH";
  const newest = known.batches.at(-1);
  const expected = sent.producerEpoch !== known.producerEpoch || newest === undefined ? 0 : (newest.last + 1) % SEQUENCES;
  if (sent.baseSequence !== expected) return "OUT_OF_ORDER_SEQUENCE_NUMBER";
  return known.openFrom !== null && !sent.transactional ? "INVALID_TXN_STATE" : "written";
}
