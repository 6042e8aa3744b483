/** Walks a whole `.log`, over damage too: which byte ranges are no good, which offsets they held, and what of them can be told. */
import type { Bytes } from "../../api/bytes.ts";
import type { StorageFile } from "../../api/storage-driver.ts";
import { LAST_OFFSET_DELTA_AT, LENGTH_OVERHEAD } from "../../base/record-batch.ts";
import type { Core } from "../../core/core.ts";
import {
  ATTRIBUTES_AT,
  batchByteLengthAt,
  CRC_AT,
  HEADER_BYTE_LENGTH,
  lastOffsetAt,
  MAGIC_AT,
  RECORD_COUNT_AT,
  readInt64,
  viewOf,
} from "../batch/batch-header.ts";
import { endOfBytes, hasBytesBeyond, type ScanEnd, type ScannedBatch, type ScanStopReason, scanBatches } from "../batch/batch-scan.ts";
import { readBytes, readInto } from "../files/file-bytes.ts";

export interface SegmentExpectation {
  readonly baseOffset: number;
  /** Where the next segment begins: no offset reaches it. null: this is the last one. */
  readonly endOffset: number | null;
  /** The log is known to have reached here; null: nothing tells. */
  readonly durableOffset: number | null;
  readonly order: "exact" | "rising";
  readonly epochFor: (offset: number) => number | null;
}

export interface DamagedRange {
  readonly position: number;
  /** The next readable batch, or the file's end. */
  readonly end: number;
  readonly firstOffset: number;
  /** One more than the last offset lost, where something behind the damage tells. */
  readonly nextOffset: number | null;
  readonly reason: ScanStopReason | "short";
  readonly detail: string;
  /** The checksum says that the records are whole: only the place that the header claims is wrong, and this is the right one. */
  readonly place: { readonly baseOffset: number; readonly leaderEpoch: number } | null;
  /** Nothing readable follows in this file. */
  readonly isTail: boolean;
}

export interface SegmentSurvey {
  readonly ranges: readonly DamagedRange[];
  readonly batchCount: number;
  /** The offset after the last readable batch. */
  readonly nextOffset: number;
  /** The end of the last readable batch. */
  readonly end: number;
  readonly maxTimestamp: number;
  /** Zeros up to the end of the file: space that was never written. */
  readonly zerosFrom: number | null;
  /** Behind the last byte of the file that is not zero, where damage goes on up to the file's end: how far anything was written. */
  readonly writtenEnd: number | null;
}

const WINDOW_BYTE_LENGTH = 1024 * 1024;
/** A record takes seven bytes at least. */
const RECORD_BYTE_LENGTH_MIN = 7;

/** `onBatch` gets one object that is reused, for every readable batch. */
export async function surveySegment(
  core: Core,
  file: StorageFile,
  expected: SegmentExpectation,
  onBatch: (batch: ScannedBatch) => void,
): Promise<SegmentSurvey> {
  let fileEnd = file.byteLength();
  const ranges: DamagedRange[] = [];
  let position = 0;
  let lookedAgainAt = -1;
  let nextOffset = expected.baseOffset;
  let batchCount = 0;
  let maxTimestamp = -1;
  let lastEpoch = -1;
  let zerosFrom: number | null = null;
  let writtenEnd: number | null = null;
  let isBehindDamage = false;
  let before: AcceptedBatch | null = null;
  // A segment ends before its offsets outgrow the 32 bits that its index has for them.
  const offsetEnd = Math.min(expected.endOffset ?? Number.MAX_SAFE_INTEGER, expected.baseOffset + 2 ** 31);
  for (;;) {
    // Behind damage the readable batch that was found tells where offsets go on.
    const order = isBehindDamage ? "rising" : expected.order;
    let outOfLine: Pick<ScanEnd, "position" | "nextOffset" | "detail"> | null = null;
    let acceptedOffset = nextOffset;
    const scanned = await scanBatches(core, file, [position, fileEnd], { nextOffset, order, epochFor: expected.epochFor }, (batch) => {
      if (batch.lastOffset >= offsetEnd) {
        const detail = `expected an offset below ${offsetEnd}, found ${batch.lastOffset}`;
        outOfLine = { position: batch.position, nextOffset: acceptedOffset, detail };
        return "stop";
      }
      before = {
        position: batch.position,
        baseOffset: batch.baseOffset,
        expectedOffset: acceptedOffset,
        batchCount,
        maxTimestamp,
        lastEpoch,
      };
      acceptedOffset = batch.lastOffset + 1;
      batchCount += 1;
      maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp);
      lastEpoch = batch.leaderEpoch;
      onBatch(batch);
      return isBehindDamage ? "stop" : undefined;
    });
    const stopped: ScanEnd = outOfLine === null ? scanned : { ...scanned, reason: "order", ...(outOfLine as object) };
    const hasMoved = stopped.position > position;
    ({ position, nextOffset } = stopped);
    if (position >= fileEnd) break;
    if (isBehindDamage && hasMoved) {
      isBehindDamage = false;
      continue;
    }
    const blamed =
      stopped.reason === "order" || stopped.reason === "offset" ? misplacedBefore(core, file, before, position, fileEnd, offsetEnd) : null;
    if (blamed !== null && before !== null) {
      const { position: from, expectedOffset } = before as AcceptedBatch;
      ({ batchCount, maxTimestamp, lastEpoch } = before as AcceptedBatch);
      const detail = `expected an offset below ${blamed.baseOffset}, found ${(before as AcceptedBatch).baseOffset}`;
      const place = placeOf(core, file, from, position, expectedOffset, blamed.baseOffset, lastEpoch, expected);
      ranges.push({
        position: from,
        end: position,
        firstOffset: expectedOffset,
        nextOffset: blamed.baseOffset,
        reason: "order",
        detail,
        place,
        isTail: false,
      });
      nextOffset = blamed.baseOffset;
      isBehindDamage = true;
      before = null;
      continue;
    }
    if (stopped.reason === "older") {
      ranges.push({
        position,
        end: fileEnd,
        firstOffset: nextOffset,
        nextOffset: null,
        reason: "older",
        detail: stopped.detail,
        place: null,
        isTail: true,
      });
      break;
    }
    if (!(await hasBytesBeyond(file, position))) {
      zerosFrom = position;
      break;
    }
    // A process that writes may have filled the space between the two looks.
    if (stopped.reason === "zero" && lookedAgainAt !== position) {
      lookedAgainAt = position;
      fileEnd = file.byteLength();
      continue;
    }
    const next = await findNextBatch(core, file, position, fileEnd, nextOffset, offsetEnd);
    const end = next?.position ?? fileEnd;
    const behind = next?.baseOffset ?? knownEnd(expected, nextOffset);
    const place = placeOf(core, file, position, end, nextOffset, behind, lastEpoch, expected);
    ranges.push({
      position,
      end,
      firstOffset: nextOffset,
      nextOffset: behind,
      reason: stopped.reason,
      detail: stopped.detail,
      place,
      isTail: next === null,
    });
    position = end;
    if (next === null) {
      writtenEnd = await endOfBytes(file, (ranges.at(-1) as DamagedRange).position);
      break;
    }
    nextOffset = next.baseOffset;
    isBehindDamage = true;
  }
  const end = ranges.at(-1)?.isTail === true ? (ranges.at(-1) as DamagedRange).position : (zerosFrom ?? position);
  // Whole as far as it goes, but it does not go as far as it must.
  const known = expected.order === "exact" || expected.endOffset === null ? knownEnd(expected, nextOffset) : null;
  if (ranges.at(-1)?.isTail !== true && known !== null) {
    const detail = `expected offsets up to ${known - 1}, found none from ${nextOffset} on`;
    ranges.push({
      position: end,
      end: fileEnd,
      firstOffset: nextOffset,
      nextOffset: known,
      reason: "short",
      detail,
      place: null,
      isTail: true,
    });
  }
  return { ranges, batchCount, nextOffset, end, maxTimestamp, zerosFrom, writtenEnd };
}

/** The batch accepted last, and what was known before it. */
interface AcceptedBatch {
  readonly position: number;
  readonly baseOffset: number;
  readonly expectedOffset: number;
  readonly batchCount: number;
  readonly maxTimestamp: number;
  readonly lastEpoch: number;
}

/**
 * Where gaps are legal, a base offset that was made too large shows only at the batch behind it, which then seems to fall back.
 * That one is good if it follows from what stood before the batch in between.
 */
function misplacedBefore(
  core: Core,
  file: StorageFile,
  before: AcceptedBatch | null,
  position: number,
  fileEnd: number,
  offsetEnd: number,
): FoundBatch | null {
  if (before === null || before.baseOffset === before.expectedOffset) return null;
  return wholeBatchAt(core, file, position, fileEnd, before.expectedOffset, offsetEnd);
}

/** Up to where offsets were, from `offset` on; null where that cannot be told, or there were none. */
function knownEnd({ endOffset, durableOffset }: SegmentExpectation, offset: number): number | null {
  const known = endOffset ?? durableOffset;
  return known !== null && known > offset ? known : null;
}

export interface FoundBatch {
  readonly position: number;
  readonly baseOffset: number;
}

/**
 * The next batch that is whole, whose offsets may stand there. First by the damaged batch's own length, when what follows fits its
 * offsets to the number; else byte by byte, so that no readable record is passed over.
 */
export async function findNextBatch(
  core: Core,
  file: StorageFile,
  from: number,
  fileEnd: number,
  offsetMin: number,
  offsetEnd: number,
): Promise<FoundBatch | null> {
  const header = viewOf(readBytes(file, from, HEADER_BYTE_LENGTH));
  if (header.byteLength === HEADER_BYTE_LENGTH) {
    const claimed = from + batchByteLengthAt(header, 0);
    const found = claimed < fileEnd ? wholeBatchAt(core, file, claimed, fileEnd, offsetMin, offsetEnd) : null;
    if (found !== null && found.baseOffset === lastOffsetAt(header, 0) + 1) return found;
  }
  const window = new Uint8Array(WINDOW_BYTE_LENGTH + HEADER_BYTE_LENGTH);
  for (let at = from + 1; at + HEADER_BYTE_LENGTH <= fileEnd; at += WINDOW_BYTE_LENGTH) {
    await file.readAhead(at, window.byteLength);
    const byteLength = readInto(file, window.subarray(0, Math.min(window.byteLength, fileEnd - at)), at);
    const last = Math.min(WINDOW_BYTE_LENGTH - 1, byteLength - HEADER_BYTE_LENGTH);
    for (let index = 0; index <= last; index += 1) {
      if (window[index + MAGIC_AT] !== 2) continue;
      const found = wholeBatchAt(core, file, at + index, fileEnd, offsetMin, offsetEnd, window.subarray(index, index + HEADER_BYTE_LENGTH));
      if (found !== null) return found;
    }
  }
  return null;
}

function wholeBatchAt(
  core: Core,
  file: StorageFile,
  position: number,
  fileEnd: number,
  offsetMin: number,
  offsetEnd: number,
  headerBytes: Uint8Array = readBytes(file, position, HEADER_BYTE_LENGTH),
): FoundBatch | null {
  if (headerBytes.byteLength < HEADER_BYTE_LENGTH) return null;
  const header = viewOf(headerBytes);
  const byteLength = batchByteLengthAt(header, 0);
  const baseOffset = readInt64(header, 0);
  const lastOffset = lastOffsetAt(header, 0);
  const recordCount = header.getInt32(RECORD_COUNT_AT);
  const isPlausible =
    header.getUint8(MAGIC_AT) === 2 &&
    position + byteLength <= fileEnd &&
    baseOffset >= offsetMin &&
    lastOffset >= baseOffset &&
    lastOffset < offsetEnd &&
    recordCount >= 0 &&
    recordCount <= (byteLength - HEADER_BYTE_LENGTH) / (isCompressed(header) ? 0 : RECORD_BYTE_LENGTH_MIN);
  if (!isPlausible) return null;
  return checksumHolds(core, readBytes(file, position, byteLength)) ? { position, baseOffset } : null;
}

function isCompressed(header: DataView): boolean {
  return (header.getUint8(ATTRIBUTES_AT + 1) & 7) !== 0;
}

function checksumHolds(core: Core, batch: Bytes): boolean {
  return core.crc32c(batch.subarray(ATTRIBUTES_AT)) >>> 0 === viewOf(batch).getUint32(CRC_AT);
}

/** Base offset, length and epoch stand outside the checksum. Where it holds over the range, what they must be follows from what stands around it. */
function placeOf(
  core: Core,
  file: StorageFile,
  position: number,
  end: number,
  nextOffset: number,
  behind: number | null,
  lastEpoch: number,
  expected: SegmentExpectation,
): DamagedRange["place"] {
  if (end - position < HEADER_BYTE_LENGTH || end - position - LENGTH_OVERHEAD > 2 ** 31 - 1) return null;
  const batch = readBytes(file, position, end - position);
  if (batch.byteLength < end - position || !checksumHolds(core, batch)) return null;
  const view = viewOf(batch);
  const offsetCount = view.getInt32(LAST_OFFSET_DELTA_AT) + 1;
  if (offsetCount < 1) return null;
  const claimed = readInt64(view, 0);
  const fits = (baseOffset: number): boolean => baseOffset >= nextOffset && (behind === null || baseOffset + offsetCount <= behind);
  // As many offsets as are missing: there is one place alone. Elsewhere what it claims stands, if it can.
  const mustFollow = behind === null ? expected.order === "exact" : nextOffset + offsetCount === behind;
  const baseOffset = mustFollow ? nextOffset : expected.order === "rising" && fits(claimed) ? claimed : null;
  if (baseOffset === null) return null;
  return { baseOffset, leaderEpoch: expected.epochFor(baseOffset) ?? Math.max(lastEpoch, 0) };
}
