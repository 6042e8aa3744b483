/** What a partition holds, to the last byte, and how everything that can be read of it is held against that. */
import { readBigInt64, readInt16 } from "../../../src/base/big-endian.ts";
import { CorruptionError } from "../../../src/base/errors.ts";
import { ATTRIBUTES_AT, HEADER_BYTE_LENGTH, isControl, isTransactional, PRODUCER_ID_AT } from "../../../src/base/record-batch.ts";
import type { PartitionLog } from "../../../src/log/partition-log.ts";
import { ProducerTable } from "../../../src/log/producers/producer-table.ts";
import type { Breach } from "../prover.ts";
import type { DiskImage } from "./disk-image.ts";
import { batchEnd } from "./made-partition.ts";

/** A promise that did not hold: thrown where it is noticed, and reported with what had been done to the disk. */
export class Broken extends Error {
  readonly breach: Breach;

  constructor(breach: Breach, what: string) {
    super(what);
    this.breach = breach;
  }
}

export interface TrueBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** In the file that holds it. */
  readonly file: string;
  readonly position: number;
  readonly byteLength: number;
  /** Of a transaction that is not ended. */
  readonly isOpen: boolean;
}

export interface PartitionTruth {
  readonly batches: readonly TrueBatch[];
  /** All batches one behind another, and where each begins. */
  readonly bytes: Buffer;
  readonly starts: readonly number[];
  readonly logStartOffset: number;
  readonly lastStableOffset: number;
  readonly logEndOffset: number;
  readonly aborted: string;
  readonly producers: string;
  readonly times: readonly (readonly [timestamp: number, answer: string])[];
}

/** How everything is read: from the start on in pieces, or each batch by itself, the last one first. */
export type ReadingWay = "onward in pieces" | "onward one by one" | "each from the end";
export const READING_WAYS: readonly ReadingWay[] = ["onward in pieces", "onward one by one", "each from the end"];

/** Reads a log that is known to be whole. `image`: the disk it stands on. */
export async function truthOf(log: PartitionLog, image: DiskImage): Promise<PartitionTruth> {
  const { logStartOffset, lastStableOffset, logEndOffset, highWatermark } = log.watermarks;
  if (highWatermark !== logEndOffset) throw new Error(`of what was left, ${highWatermark} is readable and ${logEndOffset} is there`);
  const places = new Map<number, TrueBatch>();
  for (const [file, bytes] of image)
    if (/\/\d{20}\.log$/.test(file)) for (const batch of batchesIn(file, bytes)) places.set(batch.baseOffset, batch);
  const batches: TrueBatch[] = [];
  const pieces: Uint8Array[] = [];
  const starts: number[] = [];
  let byteLength = 0;
  for (let offset = logStartOffset; offset < logEndOffset; ) {
    const piece = await log.read(offset, 1);
    if (piece.length === 0) break;
    const { baseOffset, lastOffset } = batchEnd(piece, 0);
    const place = places.get(baseOffset);
    if (place === undefined || place.byteLength !== piece.length) throw new Error(`the batch at ${baseOffset} is in no file`);
    const open = log.producers.openTransaction(readBigInt64(piece, PRODUCER_ID_AT));
    batches.push({ ...place, isOpen: open !== null && open.firstOffset <= baseOffset && isTransactional(readInt16(piece, ATTRIBUTES_AT)) });
    pieces.push(piece);
    starts.push(byteLength);
    byteLength += piece.length;
    offset = lastOffset + 1;
  }
  starts.push(byteLength);
  const times: [number, string][] = [];
  const truth = { batches, bytes: Buffer.concat(pieces), starts, logStartOffset, lastStableOffset, logEndOffset };
  for (const timestamp of timesIn(pieces)) times.push([timestamp, JSON.stringify(await log.offsetForTime(timestamp))]);
  return { ...truth, aborted: await abortedOf(log, truth), producers: producersOf(log), times };
}

export function* batchesIn(file: string, bytes: Uint8Array): Generator<TrueBatch> {
  // A log that was left open may end in a part of a batch.
  for (let at = 0; at + HEADER_BYTE_LENGTH <= bytes.length; ) {
    const { next, baseOffset, lastOffset } = batchEnd(bytes, at);
    if (Number.isNaN(next)) return;
    yield { file, position: at, byteLength: next - at, baseOffset, lastOffset, isOpen: false };
    at = next;
  }
}

/** Times to ask for: before, in the middle, at the end, and behind. */
function timesIn(batches: readonly Uint8Array[]): number[] {
  const largest = batches.map((bytes) => new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(35)).map(Number);
  return [0, largest[largest.length >> 1] ?? 1, Math.max(0, ...largest), Math.max(0, ...largest) + 1];
}

/**
 * Those of which a batch is left, from the first that is. Of the others compaction has left the marker alone, and an index made again from
 * the log can name neither them nor what went before.
 */
async function abortedOf(
  log: PartitionLog,
  { logStartOffset, logEndOffset, batches, bytes, starts }: Omit<PartitionTruth, "aborted" | "producers" | "times">,
): Promise<string> {
  const firstLeft = (producerId: bigint, first: number, last: number): number | undefined =>
    batches.find(({ baseOffset, lastOffset }, index) => {
      const at = starts[index] as number;
      if (lastOffset < first || baseOffset > last || isControl(readInt16(bytes, at + ATTRIBUTES_AT))) return false;
      return readBigInt64(bytes, at + PRODUCER_ID_AT) === producerId;
    })?.baseOffset;
  const all = await log.abortedTransactions(logStartOffset, logEndOffset);
  // The last stable offset of that time bounds a search, and is another where compaction has left nothing of what was open then.
  return all
    .flatMap(({ producerId, firstOffset, lastOffset }) => {
      const left = firstLeft(producerId, firstOffset, lastOffset);
      return left === undefined ? [] : [`${producerId} ${Math.max(left, firstOffset)}-${lastOffset}`];
    })
    .join("; ");
}

/** What is asked of a producer's next batch. Batches before the last one may be forgotten, or found again: an opening is free to. */
function producersOf({ producers }: PartitionLog): string {
  if (!(producers instanceof ProducerTable)) throw new Error("expected the log's own table of producers");
  return [...producers.entries()]
    .map(
      (entry) =>
        `${entry.producerId} epoch ${entry.producerEpoch} coordinator ${entry.coordinatorEpoch} sequence ${entry.lastSequence} at ${entry.lastBatch?.lastOffset ?? -1} open ${entry.transactionFirstOffset}`,
    )
    .sort()
    .join("; ");
}

/** The answers that do not lie in the log alone: none may be other than it was. Throws `Broken`. */
export async function assertDerived(
  log: PartitionLog,
  truth: PartitionTruth,
  times: readonly (readonly [number, string])[],
  what: string,
  isReadOnly: boolean,
): Promise<void> {
  const same = (of: string, found: string | number, expected: string | number): void => {
    if (found !== expected) throw new Broken("undetectedFlip", `${what}: expected ${of} ${expected}, found ${found}`);
  };
  same("a last stable offset of", log.watermarks.lastStableOffset, truth.lastStableOffset);
  same("aborted transactions", await abortedOf(log, truth), truth.aborted);
  // To whoever only reads they mean nothing, and a batch below the log start, which nobody reads, may have been all that told of one.
  if (!isReadOnly) same("producers", producersOf(log), truth.producers);
  for (const [timestamp, answer] of times) same(`for time ${timestamp}`, JSON.stringify(await log.offsetForTime(timestamp)), answer);
}

/**
 * The same, of a log of which some batches were refused: no record of an open transaction becomes stable, and a search by time finds what
 * it found, or tells of damage, or passes over what is refused.
 */
export async function assertDerivedOrTold(
  log: PartitionLog,
  truth: PartitionTruth,
  times: readonly (readonly [number, string])[],
  refused: readonly number[],
  what: string,
): Promise<void> {
  const { lastStableOffset } = log.watermarks;
  for (const [index, { baseOffset, isOpen }] of truth.batches.entries())
    if (isOpen && Math.max(baseOffset, truth.logStartOffset) < lastStableOffset && !refused.includes(index))
      throw new Broken(
        "undetectedFlip",
        `${what}: expected a last stable offset of ${truth.lastStableOffset}, found ${lastStableOffset}, behind the open transaction's batch at ${baseOffset}`,
      );
  for (const [timestamp, answer] of times) {
    try {
      const found = await log.offsetForTime(timestamp);
      const expected = JSON.parse(answer) as typeof found;
      if (JSON.stringify(found) === answer) continue;
      const isRefused = refused.some((index) => {
        const { baseOffset, lastOffset } = truth.batches[index] as TrueBatch;
        return expected !== null && baseOffset <= expected.offset && expected.offset <= lastOffset;
      });
      if (!isRefused || (found !== null && expected !== null && found.offset <= expected.offset))
        throw new Broken("undetectedFlip", `${what}: expected ${answer} for time ${timestamp}, found ${JSON.stringify(found)}`);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
    }
  }
}

/** Reads everything. Answers the indexes of batches that were refused; throws `Broken` for bytes that are not those written, and for silence. */
export async function unreadable(log: PartitionLog, truth: PartitionTruth, way: ReadingWay, what: string): Promise<readonly number[]> {
  const { logStartOffset, logEndOffset } = log.watermarks;
  if (logEndOffset < truth.logEndOffset || logStartOffset > truth.logStartOffset)
    throw new Broken(
      "lost",
      `${what}: expected offsets ${truth.logStartOffset} to ${truth.logEndOffset}, found ${logStartOffset} to ${logEndOffset}`,
    );
  if (logEndOffset !== truth.logEndOffset || logStartOffset !== truth.logStartOffset)
    throw new Broken(
      "undetectedFlip",
      `${what}: expected offsets ${truth.logStartOffset} to ${truth.logEndOffset}, found ${logStartOffset} to ${logEndOffset}`,
    );
  const isGood = new Uint8Array(truth.batches.length);
  if (way !== "each from the end") await readOnward(log, truth, way === "onward in pieces" ? 700 : 1, isGood, what);
  const refused: number[] = [];
  for (let index = truth.batches.length - 1; index >= 0; index -= 1)
    if (isGood[index] === 0 && !(await isReadable(log, truth, index, what))) refused.push(index);
  return refused;
}

async function readOnward(log: PartitionLog, truth: PartitionTruth, maxBytes: number, isGood: Uint8Array, what: string): Promise<void> {
  const { batches } = truth;
  let index = 0;
  for (let offset = truth.logStartOffset; index < batches.length; ) {
    try {
      const bytes = log.readSync(offset, maxBytes) ?? (await log.read(offset, maxBytes));
      index = taken(truth, index, offset, bytes, isGood, what);
      offset = (batches[index - 1] as TrueBatch).lastOffset + 1;
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      const { nextReadableOffset } = error;
      if (nextReadableOffset === null) return;
      if (nextReadableOffset <= offset)
        throw new Broken(
          "other",
          `${what}: a read at ${offset} says that the next readable offset is ${nextReadableOffset}: ${error.message}`,
        );
      offset = nextReadableOffset;
      while (index < batches.length && (batches[index] as TrueBatch).lastOffset < offset) index += 1;
    }
  }
}

/** One batch by itself. */
async function isReadable(log: PartitionLog, truth: PartitionTruth, index: number, what: string): Promise<boolean> {
  const offset = Math.max(truth.logStartOffset, (truth.batches[index] as TrueBatch).baseOffset);
  try {
    const bytes = log.readSync(offset, 1) ?? (await log.read(offset, 1));
    taken(truth, index, offset, bytes, null, what);
    return true;
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return false;
  }
}

/** Whole batches from `index` on, exactly as they were written; answers the index behind them. */
function taken(truth: PartitionTruth, index: number, offset: number, bytes: Uint8Array, isGood: Uint8Array | null, what: string): number {
  const { batches, starts } = truth;
  if (bytes.length === 0) throw new Broken("hole", `${what}: a read at ${offset} found nothing, with ${truth.logEndOffset} the end`);
  const start = starts[index] as number;
  const end = start + bytes.length;
  let next = index;
  while (next < batches.length && (starts[next] as number) < end) next += 1;
  if (starts[next] === end && truth.bytes.compare(bytes, 0, bytes.length, start, end) === 0) {
    isGood?.fill(1, index, next);
    return next;
  }
  let at = 0;
  while (at < bytes.length && truth.bytes[start + at] === bytes[at]) at += 1;
  const expected = batches[index] as TrueBatch;
  throw new Broken(
    "undetectedFlip",
    `${what}: a read at ${offset} gave ${bytes.length} bytes for good that are not the batch of offsets ${expected.baseOffset} to ${expected.lastOffset} and those behind it: byte ${at} differs`,
  );
}
