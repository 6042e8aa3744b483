/** Reads whole batches out of one segment, synchronously, into memory of their own, and never gives a byte out that was not checked. */
import type { MemoryFor } from "../../api/broker.ts";
import type { Bytes } from "../../api/bytes.ts";
import type { StorageFile } from "../../api/storage-driver.ts";
import type { Core } from "../../core/core.ts";
import { checkBatches } from "../batch/batch-check.ts";
import { batchByteLengthAt, CRC_AT, HEADER_BYTE_LENGTH, lastOffsetAt, MAGIC_AT, readInt64, viewOf } from "../batch/batch-header.ts";
import { Damage } from "../batch/damage.ts";
import { findBadBlock, SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";
import type { Segment, SegmentFiles } from "./segment.ts";

/** Up to where a segment may be read: a batch boundary, and the offset that begins there. */
export interface ReadLimit {
  readonly position: number;
  readonly offset: number;
}

export interface ReadChecks {
  readonly core: Core;
  /** The epoch a batch at this offset must carry; null: any. */
  readonly epochFor: (offset: number) => number | null;
}

/** What looking for a batch reads at a time. */
const SCRATCH_BYTE_LENGTH = 4096;
const scratch = new Uint8Array(SCRATCH_BYTE_LENGTH);
const scratchView = viewOf(scratch);
/** Behind a batch of so many bytes the next one's header is looked at before both are read. */
const PEEKED_BYTE_LENGTH_MIN = 32 * 1024;
/** The base offset of a batch that follows another. */
const nextBase = new Uint8Array(8);
const nextBaseView = viewOf(nextBase);
/** What of which file the scratch holds: for the synchronous call that read it, and no longer. */
let scratchFile: StorageFile | null = null;
let scratchFrom = 0;
let scratchTo = 0;

/** Fills the scratch from `position` on, at most up to `end`. */
function fillScratch(log: StorageFile, position: number, end: number): void {
  scratchFile = null;
  scratchFrom = position;
  scratchTo = position + log.readAt(scratch.subarray(0, Math.min(SCRATCH_BYTE_LENGTH, end - position)), position);
  scratchFile = log;
}

/** To be called by whoever waited between `locate` and `readFrom`: what was read before is not what stands there now. */
export function forgetScratch(): void {
  scratchFile = null;
}

/** As `log.readAt`, from the scratch where all of it is there. */
function readThrough(log: StorageFile, into: Uint8Array, position: number): number {
  if (scratchFile !== log || position < scratchFrom || position + into.length > scratchTo) return log.readAt(into, position);
  into.set(scratch.subarray(position - scratchFrom, position - scratchFrom + into.length));
  return into.length;
}

/** Where the first batch that reaches `offset` begins, by headers alone; -1: no batch before the limit does. */
export function locate(segment: Segment, files: SegmentFiles, offset: number, limit: ReadLimit): number {
  scratchFile = null;
  const hinted = segment.hints.positionOf(offset);
  if (hinted >= 0 && hinted < limit.position) return hinted;
  return walkTo(files.log, indexedBefore(segment, files, offset, limit), offset, limit);
}

/** Where a walk to `offset` may begin, as the index has it: a batch that does not begin behind it. 0: nothing nearer is known. */
export function indexedBefore(segment: Segment, files: SegmentFiles, offset: number, limit: ReadLimit): number {
  const from = segment.indexIsBelieved ? (files.offsetIndex?.lookup(offset) ?? 0) : 0;
  // An index that points beyond the log, or behind what is asked for, is wrong, and never an authority.
  if (from === 0 || from >= limit.position) return 0;
  fillScratch(files.log, from, limit.position);
  const leadsAstray = scratchTo - scratchFrom < HEADER_BYTE_LENGTH || readInt64(scratchView, 0) > offset;
  return leadsAstray ? 0 : from;
}

/**
 * Whole batches from `position` on, at most `maxBytes` of them but at least one. "unanchored": nothing near tells what offset
 * must stand there, or what stands there is not what was asked for; the caller walks up to it with `scanBatches`, hints what
 * it found, and asks again, for whatever stands there: an `offset` of NaN.
 */
export function readFrom(
  segment: Segment,
  files: SegmentFiles,
  position: number,
  offset: number,
  maxBytes: number,
  limit: ReadLimit,
  checks: ReadChecks,
  memory: MemoryFor = fresh,
): Bytes | "unanchored" {
  try {
    return readBatches(segment, files, position, offset, maxBytes, limit, checks, memory);
  } finally {
    scratchFile = null;
  }
}

/** A batch as it was when it was read and checked, from which byte on it is wanted again, and where it was found. */
export interface CheckedBatch {
  readonly baseOffset: number;
  readonly byteLength: number;
  readonly checksum: number;
  readonly from: number;
  /** A `BatchPlace`; null: it has not been looked for. */
  place: object | null;
}

/** Where a checked batch begins. What a segment has shown stays where it is for as long as there is the segment. */
class BatchPlace {
  readonly segment: Segment;
  readonly position: number;

  constructor(segment: Segment, position: number) {
    this.segment = segment;
    this.position = position;
  }
}

/** Made anew by every `readPart` that reads a header. */
const partHeader = new Uint8Array(HEADER_BYTE_LENGTH);
const partHeaderView = viewOf(partHeader);

/** Fills `into` with what is wanted of the batch; false: this process has not checked that very batch there. */
export function readPart(segment: Segment, files: SegmentFiles, batch: CheckedBatch, limit: ReadLimit, into: Uint8Array): boolean {
  const { place, from, byteLength } = batch;
  if (from + into.length > byteLength) return false;
  let position = -1;
  if (place instanceof BatchPlace && place.segment === segment) position = place.position;
  else {
    position = findChecked(segment, files, batch, limit);
    batch.place = position < 0 ? null : new BatchPlace(segment, position);
  }
  if (position < 0 || position + byteLength > limit.position) return false;
  return files.log.readAt(into, position + from) === into.length;
}

/** Where that very batch begins, which this process has checked there; -1: it has not. */
function findChecked(segment: Segment, files: SegmentFiles, batch: CheckedBatch, limit: ReadLimit): number {
  const { baseOffset, byteLength, checksum } = batch;
  try {
    const position = locate(segment, files, baseOffset, limit);
    if (position < 0 || position + byteLength > limit.position || !segment.verified.covers(position, position + byteLength)) return -1;
    if (readThrough(files.log, partHeader, position) < HEADER_BYTE_LENGTH) return -1;
    const isIt =
      readInt64(partHeaderView, 0) === baseOffset &&
      batchByteLengthAt(partHeaderView, 0) === byteLength &&
      partHeaderView.getInt32(CRC_AT) === checksum;
    return isIt ? position : -1;
  } finally {
    scratchFile = null;
  }
}

function fresh(byteLength: number): Bytes {
  return new Uint8Array(byteLength);
}

function readBatches(
  segment: Segment,
  files: SegmentFiles,
  position: number,
  offset: number,
  maxBytes: number,
  limit: ReadLimit,
  checks: ReadChecks,
  memory: MemoryFor,
): Bytes | "unanchored" {
  const available = limit.position - position;
  const wantedByteLength = Math.min(available, Math.max(maxBytes, HEADER_BYTE_LENGTH));
  // Room for the first batch at least, where its header is to be had; the fence gives fewer bytes only where the file ends.
  const bytes = memory(wholeByteLength(files.log, position, wantedByteLength, limit.position));
  const byteLength = readThrough(files.log, bytes, position);
  const view = viewOf(bytes);
  const firstByteLength = byteLength < HEADER_BYTE_LENGTH ? Number.NaN : batchByteLengthAt(view, 0);
  if (!(firstByteLength <= available))
    throw new Damage(position, limit.position, `length: it says ${firstByteLength} bytes, ${available} are left`);
  if (view.getUint8(MAGIC_AT) !== 2)
    throw new Damage(position, limit.position, `magic ${view.getUint8(MAGIC_AT)}`, view.getUint8(MAGIC_AT) < 2);
  if (firstByteLength > byteLength)
    throw new Damage(position, limit.position, `length: the file ends after ${byteLength} of its ${firstByteLength} bytes`);
  // A batch that begins behind what was asked for: one before it may have been passed over, by its own wrong length or last offset. Where
  // offsets may lack, the first batch of a segment passes over none.
  const isAhead = readInt64(view, 0) > Math.max(offset, segment.baseOffset) && segment.hints.positionOf(offset) !== position;
  if (isAhead && (segment.contiguous || position > 0)) return "unanchored";
  let end = wholeBatchesEnd(view, byteLength);
  if (!segment.verified.covers(position, position + end)) {
    const checked = check(segment, files.log, bytes.subarray(0, end), position, limit, checks);
    if (checked === "unanchored") return checked;
    end = checked;
  }
  const nextOffset = nextOffsetBefore(view, end);
  segment.hints.add(nextOffset, position + end);
  return end === bytes.length ? bytes : bytes.subarray(0, end);
}

/** Answers how many of the bytes are good: whole batches, at least one. */
function check(
  segment: Segment,
  log: StorageFile,
  bytes: Bytes,
  position: number,
  limit: ReadLimit,
  checks: ReadChecks,
): number | "unanchored" {
  const sealed = segment.knownChecksums;
  let trusted = 0;
  if (sealed !== null && position < sealed.byteLength) {
    const end = Math.min(position + bytes.length, sealed.byteLength);
    const badBlock = findBadBlock(checks.core, log, sealed, position, end);
    const blocksStart = position - (position % SEAL_BLOCK_BYTE_LENGTH);
    const goodTo = badBlock < 0 ? Math.min(alignUp(end), sealed.byteLength) : badBlock * SEAL_BLOCK_BYTE_LENGTH;
    if (goodTo > blocksStart) segment.verified.add(blocksStart, goodTo);
    trusted = wholeBatchesEnd(viewOf(bytes), Math.max(0, Math.min(goodTo - position, bytes.length)));
    if (trusted > 0 && (trusted === bytes.length || badBlock >= 0)) return trusted;
    // In a block that does not match, batches can still be told good one by one, but only where no offset may be missing.
    if (badBlock >= 0 && !segment.contiguous) {
      throw new Damage(position, limit.position, `checksum: block ${badBlock} of ${SEAL_BLOCK_BYTE_LENGTH} bytes is not what was sealed`);
    }
  }
  const view = viewOf(bytes);
  const expected = trusted > 0 ? nextOffsetBefore(view, trusted) : expectedOffsetAt(segment, position);
  const result = checkBatches(checks, bytes.subarray(trusted), expected, segment.contiguous, limit.offset);
  if (result.goodByteLength === 0 && trusted === 0) {
    throw new Damage(position, position + batchByteLengthAt(view, 0), `${result.reason}: ${result.detail}`);
  }
  const end = trusted + result.goodByteLength;
  // A first batch of which nothing told the offset must meet the one behind it.
  if (expected === null && segment.contiguous && !meetsNext(log, view, bytes.length, position, limit)) return "unanchored";
  segment.verified.add(position + trusted, position + end);
  return end;
}

function alignUp(position: number): number {
  return Math.ceil(position / SEAL_BLOCK_BYTE_LENGTH) * SEAL_BLOCK_BYTE_LENGTH;
}

/** What offset must stand at `position`, as far as it is known without reading; null: it is not. */
function expectedOffsetAt(segment: Segment, position: number): number | null {
  return position === 0 ? segment.baseOffset : segment.hints.offsetAt(position);
}

/** Whether the first batch's end is the beginning of what follows it. */
function meetsNext(log: StorageFile, view: DataView, byteLength: number, position: number, limit: ReadLimit): boolean {
  const firstByteLength = batchByteLengthAt(view, 0);
  const nextOffset = lastOffsetAt(view, 0) + 1;
  const nextPosition = position + firstByteLength;
  if (nextPosition === limit.position) return nextOffset === limit.offset;
  if (firstByteLength + 8 <= byteLength) return readInt64(view, firstByteLength) === nextOffset;
  return readThrough(log, nextBase, nextPosition) === nextBase.length && readInt64(nextBaseView, 0) === nextOffset;
}

/**
 * How much to read for `wanted` bytes, so that neither a batch is read that the end cuts off nor the first one twice: its length where
 * that is more than wanted. Small batches are not worth a look at each; where nothing can be told, the answer is `wanted`.
 */
function wholeByteLength(log: StorageFile, position: number, wanted: number, limitPosition: number): number {
  let end = 0;
  let lastByteLength = PEEKED_BYTE_LENGTH_MIN;
  for (;;) {
    const at = position + end;
    if (at + HEADER_BYTE_LENGTH > limitPosition) return wanted;
    if (scratchFile !== log || at < scratchFrom || at + HEADER_BYTE_LENGTH > scratchTo) {
      if (lastByteLength < PEEKED_BYTE_LENGTH_MIN) return wanted;
      fillScratch(log, at, limitPosition);
      if (at + HEADER_BYTE_LENGTH > scratchTo) return wanted;
    }
    const byteLength = batchByteLengthAt(scratchView, at - scratchFrom);
    if (!(at + byteLength <= limitPosition) || scratchView.getUint8(at - scratchFrom + MAGIC_AT) !== 2) return wanted;
    if (end + byteLength > wanted) {
      if (end > 0) return end;
      // The scratch may begin before this batch, and end within it: then one more look gives all of it, and what follows.
      if (at + byteLength > scratchTo && byteLength < SCRATCH_BYTE_LENGTH) fillScratch(log, at, limitPosition);
      return byteLength;
    }
    end += byteLength;
    lastByteLength = byteLength;
  }
}

/** Walks headers from a batch boundary. */
function walkTo(log: StorageFile, from: number, offset: number, limit: ReadLimit): number {
  let position = from;
  while (position < limit.position) {
    if (scratchFile !== log || position < scratchFrom || position + HEADER_BYTE_LENGTH > scratchTo) {
      fillScratch(log, position, limit.position);
      if (scratchTo - scratchFrom < HEADER_BYTE_LENGTH)
        throw new Damage(position, limit.position, `length: the file ends within a batch's header`);
    }
    const at = position - scratchFrom;
    const byteLength = batchByteLengthAt(scratchView, at);
    if (!(position + byteLength <= limit.position)) throw new Damage(position, limit.position, `length: it says ${byteLength} bytes`);
    if (scratchView.getUint8(at + MAGIC_AT) !== 2)
      throw new Damage(position, limit.position, `magic ${scratchView.getUint8(at + MAGIC_AT)}`, scratchView.getUint8(at + MAGIC_AT) < 2);
    const lastOffset = lastOffsetAt(scratchView, at);
    if (lastOffset >= offset) return position;
    position += byteLength;
  }
  return -1;
}

/** The end of the last whole batch within the first `byteLength` bytes. */
export function wholeBatchesEnd(view: DataView, byteLength: number): number {
  let end = 0;
  while (end + HEADER_BYTE_LENGTH <= byteLength) {
    const batchByteLength = batchByteLengthAt(view, end);
    if (!(end + batchByteLength <= byteLength) || view.getUint8(end + MAGIC_AT) !== 2) break;
    end += batchByteLength;
  }
  return end;
}

/** The offset after the batch that ends at `end`. */
function nextOffsetBefore(view: DataView, end: number): number {
  let position = 0;
  let nextOffset = 0;
  while (position < end) {
    nextOffset = lastOffsetAt(view, position) + 1;
    position += batchByteLengthAt(view, position);
  }
  return nextOffset;
}
