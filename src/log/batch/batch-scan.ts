/** Walks the batches of a `.log` file from a position on, checking each wholly, a window at a time, and says where and why it stopped. */
import type { StorageFile } from "../../api/storage-driver.ts";
import type { Core, ScanStop } from "../../core/core.ts";
import {
  ATTRIBUTES_AT,
  batchByteLengthAt,
  CRC_AT,
  EPOCH_AT,
  HEADER_BYTE_LENGTH,
  lastOffsetAt,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  RECORD_COUNT_AT,
  readInt64,
  viewOf,
} from "./batch-header.ts";
import { isOlderMessage } from "./older-message.ts";

export interface ScannedBatch {
  readonly position: number;
  readonly byteLength: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly maxTimestamp: number;
  readonly recordCount: number;
  /** The whole batch stands here, from `at` on: until the callback returns, since it may be the core's window. */
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** What a batch at a given place must be, besides whole. */
export interface ScanExpectation {
  /** The base offset the first batch must have, or at least have; each later one follows from the one before. */
  readonly nextOffset: number;
  /** "exact": no offset is missing, as in a log only ever appended to. "rising": gaps are legal (compaction, repair, Kafka). */
  readonly order: "exact" | "rising";
  /** The leader epoch a batch at this offset must carry; null: unknown, any that does not fall. */
  readonly epochFor: (offset: number) => number | null;
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** "order" and "epoch": a whole batch that does not belong here. "older": a message of magic 0 or 1. */
export type ScanStopReason = ScanStop | "order" | "epoch" | "older";

export interface ScanEnd {
  /** The first byte not accepted. */
  readonly position: number;
  /** The offset after the last batch accepted. */
  readonly nextOffset: number;
  readonly reason: ScanStopReason;
  /** Computed and stored checksum, expected and found offset or epoch. */
  readonly detail: string;
}

/** `onBatch` gets one object that is reused: what it keeps it copies. It may answer "stop": that batch is then the last accepted. */
export async function scanBatches(
  core: Core,
  file: StorageFile,
  range: readonly [start: number, end: number],
  expectation: ScanExpectation,
  onBatch: (batch: ScannedBatch) => unknown,
): Promise<ScanEnd> {
  const [start, end] = range;
  let position = start;
  let nextOffset = expectation.nextOffset;
  let epochBefore = -1;
  const place = { position: 0, byteLength: 0, bytes: NO_BYTES, at: 0 };
  const batch = { ...place, baseOffset: 0, lastOffset: 0, leaderEpoch: 0, maxTimestamp: 0, recordCount: 0 };
  const misplaced = (): ScanEnd | null => {
    const wrongOrder = expectation.order === "exact" ? batch.baseOffset !== nextOffset : batch.baseOffset < nextOffset;
    if (wrongOrder) return stop("order", `expected offset ${nextOffset}, found ${batch.baseOffset}`);
    if (batch.lastOffset < batch.baseOffset) return stop("order", `its last offset ${batch.lastOffset} is below its first`);
    // Of its last offset: where records were deleted, epochs begin with the log start, perhaps in the middle of a batch.
    const epoch = expectation.epochFor(batch.lastOffset);
    const wrongEpoch = epoch === null ? batch.leaderEpoch < epochBefore : batch.leaderEpoch !== epoch;
    if (wrongEpoch) return stop("epoch", `expected leader epoch ${epoch ?? `${epochBefore} or more`}, found ${batch.leaderEpoch}`);
    return null;
  };
  const stop = (reason: ScanStopReason, detail = ""): ScanEnd => ({ position, nextOffset, reason, detail });
  const accept = (): boolean => {
    const goOn = onBatch(batch) !== "stop";
    position += batch.byteLength;
    nextOffset = batch.lastOffset + 1;
    epochBefore = batch.leaderEpoch;
    return goOn;
  };
  while (position < end) {
    const wantedByteLength = Math.min(core.readWindowByteLength, end - position);
    await file.readAhead(position, wantedByteLength);
    const window = core.readWindow();
    const byteLength = file.readAt(window.subarray(0, wantedByteLength), position);
    if (byteLength === 0) break;
    const scan = core.scan(byteLength, { verifyChecksums: true });
    const windowPosition = position;
    batch.bytes = window;
    for (let index = 0; index < scan.count; index += 1) {
      batch.at = scan.position(index);
      batch.position = windowPosition + batch.at;
      batch.byteLength = scan.byteLength(index);
      batch.baseOffset = scan.baseOffset(index);
      batch.lastOffset = scan.lastOffset(index);
      batch.leaderEpoch = scan.leaderEpoch(index);
      batch.maxTimestamp = scan.maxTimestamp(index);
      batch.recordCount = scan.recordCount(index);
      const wrong = misplaced();
      if (wrong !== null) return wrong;
      if (!accept()) return stop("end");
    }
    if (scan.stop === "end") continue;
    if (scan.stop === "partial") {
      if (position > windowPosition) continue; // the next window begins with this batch
      if (scan.neededByteLength === 0) return stop("partial", `expected at least ${HEADER_BYTE_LENGTH} bytes, found ${end - position}`);
      if (position + scan.neededByteLength > end)
        return stop("partial", `its length says ${scan.neededByteLength} bytes, ${end - position} are there`);
      const large = readLargeBatch(core, file, position, scan.neededByteLength, batch);
      if (large !== null) return stop("checksum", large);
      const wrong = misplaced();
      if (wrong !== null) return wrong;
      if (!accept()) return stop("end");
      continue;
    }
    const detail =
      scan.stop === "checksum"
        ? `computed crc ${hex(scan.computedChecksum)}, stored ${hex(scan.storedChecksum)}`
        : headerDetail(scan.stop, file, position);
    const reason = scan.stop === "magic" && isOlderMessage(file, position, end) ? "older" : scan.stop;
    return stop(reason, detail);
  }
  return stop("end");
}

/** What stands in the header where something else should. */
function headerDetail(stop: ScanStop, file: StorageFile, position: number): string {
  const header = new Uint8Array(HEADER_BYTE_LENGTH);
  if (file.readAt(header, position) < HEADER_BYTE_LENGTH) return "";
  const view = viewOf(header);
  if (stop === "magic") return `expected magic 2, found ${view.getUint8(MAGIC_AT)}`;
  if (stop !== "length") return "";
  const lengths = `its length says ${batchByteLengthAt(view, 0)} bytes, its record count ${view.getInt32(RECORD_COUNT_AT)}`;
  return `expected at least ${HEADER_BYTE_LENGTH} bytes and as many records as they can hold; ${lengths}`;
}

/** A batch longer than the core's window: checked in memory of its own. Answers what is wrong with it, or null. */
function readLargeBatch(
  core: Core,
  file: StorageFile,
  position: number,
  byteLength: number,
  into: { -readonly [Field in keyof ScannedBatch]: ScannedBatch[Field] },
): string | null {
  const bytes = new Uint8Array(byteLength);
  if (file.readAt(bytes, position) < byteLength) return "the file ends within the batch";
  const view = viewOf(bytes);
  const stored = view.getUint32(CRC_AT);
  const computed = core.crc32c(bytes.subarray(ATTRIBUTES_AT)) >>> 0;
  if (stored !== computed) return `computed crc ${hex(computed)}, stored ${hex(stored)}`;
  if (view.getUint8(MAGIC_AT) !== 2) return `magic ${view.getUint8(MAGIC_AT)}`;
  into.position = position;
  into.bytes = bytes;
  into.at = 0;
  into.byteLength = batchByteLengthAt(view, 0);
  into.baseOffset = readInt64(view, 0);
  into.lastOffset = lastOffsetAt(view, 0);
  into.leaderEpoch = view.getInt32(EPOCH_AT);
  into.maxTimestamp = readInt64(view, MAX_TIMESTAMP_AT);
  into.recordCount = view.getInt32(RECORD_COUNT_AT);
  return null;
}

/** Whether any byte of the file at or beyond `from` differs from zero. */
export async function hasBytesBeyond(file: StorageFile, from: number): Promise<boolean> {
  const end = file.byteLength();
  const piece = new Uint8Array(Math.min(PIECE_BYTE_LENGTH, Math.max(0, end - from)));
  for (let position = from; position < end; position += piece.length) {
    await file.readAhead(position, piece.length);
    const byteLength = file.readAt(piece, position);
    // By words: a preallocated file may hold a gigabyte of nothing.
    const wordCount = byteLength >>> 2;
    const words = new Int32Array(piece.buffer, 0, wordCount);
    for (let index = 0; index < wordCount; index += 1) if (words[index] !== 0) return true;
    for (let index = wordCount * 4; index < byteLength; index += 1) if (piece[index] !== 0) return true;
  }
  return false;
}

/** Behind the last byte at or beyond `from` that differs from zero; `from` where there is none. */
export async function endOfBytes(file: StorageFile, from: number): Promise<number> {
  const end = file.byteLength();
  const piece = new Uint8Array(Math.min(PIECE_BYTE_LENGTH, Math.max(0, end - from)));
  let found = from;
  for (let position = from; position < end; position += piece.length) {
    await file.readAhead(position, piece.length);
    let byteLength = file.readAt(piece, position);
    while (byteLength % 4 > 0 && piece[byteLength - 1] === 0) byteLength -= 1;
    // By words: what was sized ahead, or preallocated, is mostly nothing.
    const words = new Int32Array(piece.buffer, 0, byteLength >>> 2);
    if (byteLength % 4 === 0) while (byteLength > 0 && words[(byteLength >>> 2) - 1] === 0) byteLength -= 4;
    while (byteLength > 0 && piece[byteLength - 1] === 0) byteLength -= 1;
    if (byteLength > 0) found = position + byteLength;
  }
  return found;
}

const PIECE_BYTE_LENGTH = 256 * 1024;

function hex(checksum: number): string {
  return (checksum >>> 0).toString(16).padStart(8, "0");
}
