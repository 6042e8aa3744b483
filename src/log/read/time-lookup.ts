/** Finds the first record that is at least so late: by segment, by time index, by batch, then record by record. */
import type { Watermarks } from "../../api/bytes.ts";
import { UsageError } from "../../base/errors.ts";
import { RecordCursor } from "../../base/record-decoder.ts";
import type { Compression } from "../../compression/compression.ts";
import { CorruptBatchError } from "../../core/corrupt-batch-error.ts";
import { BASE_TIMESTAMP_AT, batchByteLengthAt, lastOffsetAt, MAX_TIMESTAMP_AT, readInt64, viewOf } from "../batch/batch-header.ts";
import { Damage } from "../batch/damage.ts";
import type { OpenedLog } from "../opening/opened-log.ts";
import type { Segment, SegmentFiles } from "../segment/segment.ts";
import type { LogReader } from "./log-reader.ts";

/** Batches looked at in one read. */
const READ_BYTE_LENGTH = 64 * 1024;

export interface FoundTime {
  readonly offset: number;
  readonly timestamp: number;
}

export async function offsetForTime(log: OpenedLog, reader: LogReader, marks: Watermarks, timestamp: number): Promise<FoundTime | null> {
  const { segments } = log;
  for (let segment: Segment | null = segments.holding(marks.logStartOffset); segment !== null; segment = segments.after(segment)) {
    const searched = segment;
    const start = await reader.withSegment(searched, marks.logStartOffset, (files) => startOfSearch(reader, searched, files, timestamp));
    const found = start === null ? null : await search(log, reader, searched, Math.max(start, marks.logStartOffset), marks, timestamp);
    if (found !== null) return found;
  }
  return null;
}

/** An offset before which, in this segment, no record is late enough; null: none in it is. */
async function startOfSearch(reader: LogReader, segment: Segment, files: SegmentFiles, timestamp: number): Promise<number | null> {
  if (segment.maxTimestamp >= 0 && segment.maxTimestamp < timestamp) return null;
  // The entry's own batch is the first that reached its timestamp, and may be the one wanted.
  const entry = segment.indexIsBelieved ? (files.timeIndex?.lookup(timestamp - 1) ?? null) : null;
  if (entry === null) return segment.baseOffset;
  // No authority: it must agree with the batch it names.
  try {
    return (await reader.maxTimestampAt(segment, files, entry.offset)) === entry.timestamp ? entry.offset : segment.baseOffset;
  } catch (error) {
    // Whether that batch, or one before it, is of any concern is for the search to say.
    if (!(error instanceof Damage)) throw error;
    return segment.baseOffset;
  }
}

async function search(
  log: OpenedLog,
  reader: LogReader,
  segment: Segment,
  from: number,
  marks: Watermarks,
  timestamp: number,
): Promise<FoundTime | null> {
  const { compression } = log.context;
  const { offset: end } = reader.limitOf(segment);
  for (let offset = from; offset < end; ) {
    const bytes = await reader.read(offset, READ_BYTE_LENGTH);
    if (bytes.length === 0) return null;
    const view = viewOf(bytes);
    for (let position = 0; position < bytes.length; position += batchByteLengthAt(view, position)) {
      const lastOffset = lastOffsetAt(view, position);
      offset = lastOffset + 1;
      if (readInt64(view, position) >= marks.highWatermark) return null;
      if (readInt64(view, position + MAX_TIMESTAMP_AT) < timestamp || lastOffset < marks.logStartOffset) continue;
      const found = searchBatch(compression, bytes.subarray(position), marks.logStartOffset, timestamp);
      if (found !== null) return found;
    }
  }
  return null;
}

function searchBatch(compression: Compression, bytes: Uint8Array, logStartOffset: number, timestamp: number): FoundTime | null {
  const batch = bytes.subarray(0, batchByteLengthAt(viewOf(bytes), 0));
  let opened: Uint8Array;
  try {
    opened = compression.decompressBatch(batch);
  } catch (error) {
    if (!(error instanceof CorruptBatchError || error instanceof UsageError)) throw error;
    // Not passed over: whoever reads from its beginning on learns what is wrong with it.
    const view = viewOf(batch);
    return {
      offset: Math.max(logStartOffset, readInt64(view, 0)),
      timestamp: Math.max(timestamp, readInt64(view, BASE_TIMESTAMP_AT)),
    };
  }
  const cursor = new RecordCursor(opened);
  while (cursor.next())
    if (cursor.timestamp >= timestamp && cursor.offset >= logStartOffset) return { offset: cursor.offset, timestamp: cursor.timestamp };
  return null;
}
