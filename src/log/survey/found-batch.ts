/** Batches where the order of a file is lost: the next one that is whole, and the right place of one whose header claims another. */
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
import { readBytes, readInto } from "../files/file-bytes.ts";

const WINDOW_BYTE_LENGTH = 1024 * 1024;
/** A record takes seven bytes at least. */
const RECORD_BYTE_LENGTH_MIN = 7;

/** Where a batch may lie, and which offsets it may have: none below `offsetMin`, none from `offsetEnd` on. */
export interface BatchBounds {
  readonly fileEnd: number;
  readonly offsetMin: number;
  readonly offsetEnd: number;
}

export interface FoundBatch {
  readonly position: number;
  readonly baseOffset: number;
}

/**
 * The next batch that is whole, whose offsets may stand there. First by the damaged batch's own length, when what follows fits its
 * offsets to the number; else byte by byte, so that no readable record is passed over.
 */
export async function findNextBatch(core: Core, file: StorageFile, from: number, bounds: BatchBounds): Promise<FoundBatch | null> {
  const { fileEnd } = bounds;
  const header = viewOf(readBytes(file, from, HEADER_BYTE_LENGTH));
  if (header.byteLength === HEADER_BYTE_LENGTH) {
    const claimed = from + batchByteLengthAt(header, 0);
    const found = claimed < fileEnd ? wholeBatchAt(core, file, claimed, bounds) : null;
    if (found !== null && found.baseOffset === lastOffsetAt(header, 0) + 1) return found;
  }
  const window = new Uint8Array(WINDOW_BYTE_LENGTH + HEADER_BYTE_LENGTH);
  for (let at = from + 1; at + HEADER_BYTE_LENGTH <= fileEnd; at += WINDOW_BYTE_LENGTH) {
    await file.readAhead(at, window.byteLength);
    const byteLength = readInto(file, window.subarray(0, Math.min(window.byteLength, fileEnd - at)), at);
    const last = Math.min(WINDOW_BYTE_LENGTH - 1, byteLength - HEADER_BYTE_LENGTH);
    for (let index = 0; index <= last; index += 1) {
      if (window[index + MAGIC_AT] !== 2) continue;
      const found = wholeBatchAt(core, file, at + index, bounds, window.subarray(index, index + HEADER_BYTE_LENGTH));
      if (found !== null) return found;
    }
  }
  return null;
}

/** null: what stands there is no whole batch that could be there. */
export function wholeBatchAt(
  core: Core,
  file: StorageFile,
  position: number,
  { fileEnd, offsetMin, offsetEnd }: BatchBounds,
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

/** What stands around a range: the offset that comes next before it, and the one that begins behind it; null: that is not known. */
export interface Surroundings {
  readonly order: "exact" | "rising";
  readonly nextOffset: number;
  readonly behind: number | null;
}

/**
 * Base offset, length and epoch stand outside the checksum. Where it holds over the range, what the base offset must be follows from what
 * stands around it. null: it does not hold, or there is more than one place.
 */
export function baseOffsetBetween(
  core: Core,
  file: StorageFile,
  position: number,
  end: number,
  { order, nextOffset, behind }: Surroundings,
): number | null {
  if (end - position < HEADER_BYTE_LENGTH || end - position - LENGTH_OVERHEAD > 2 ** 31 - 1) return null;
  const batch = readBytes(file, position, end - position);
  if (batch.byteLength < end - position || !checksumHolds(core, batch)) return null;
  const view = viewOf(batch);
  const offsetCount = view.getInt32(LAST_OFFSET_DELTA_AT) + 1;
  if (offsetCount < 1) return null;
  const claimed = readInt64(view, 0);
  const fits = (baseOffset: number): boolean => baseOffset >= nextOffset && (behind === null || baseOffset + offsetCount <= behind);
  // As many offsets as are missing: there is one place alone. Elsewhere what it claims stands, if it can.
  const mustFollow = behind === null ? order === "exact" : nextOffset + offsetCount === behind;
  if (mustFollow) return nextOffset;
  return order === "rising" && fits(claimed) ? claimed : null;
}
