/**
 * Reads one whole uncompressed batch, record by record, and finds the first record from an offset and a time on.
 * Compaction walks with it. As in the log's own reader, offsets rise and stay within what the header says; no checksum is computed.
 */
import { loadI32, loadI64 } from "../memory/bytes";
import { answer32, answerNumber } from "../memory/mailbox";
import { readVarint, varintEnd } from "../memory/varint";
import { mustBeInMemory } from "../panic/fault";
import { Status } from "../panic/status";
import { CODEC_MASK, LOG_APPEND_TIME } from "./attributes";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_TIMESTAMP_AT,
  HEADER_BYTE_LENGTH,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  MAGIC_AT,
  MAGIC_V2,
  MAX_TIMESTAMP_AT,
  RECORD_BYTE_LENGTH_MIN,
  RECORD_COUNT_AT,
  SAFE_INTEGER_MAX,
} from "./layout";
import { keyAt, keyLength, offsetDelta, readRecord, recordEnd, timestampDelta, valueAt, valueLength } from "./record";

const OFFSET_SLOT = 0;
const TIMESTAMP_SLOT = 1;
/** From here on places in the batch, counted from its first byte, and lengths. */
const START_SLOT = 2;
const END_SLOT = 3;
const KEY_SLOT = 4;
const KEY_LENGTH_SLOT = 5;
const VALUE_SLOT = 6;
const VALUE_LENGTH_SLOT = 7;
const HEADERS_SLOT = 8;
const HEADER_COUNT_SLOT = 9;

// One batch at a time. Of the record read last, the rest is in record.ts.
let place: usize = 0;
let batchEnd: usize = 0;
let baseOffset: i64 = 0;
let lastOffsetDelta: i32 = 0;
let previousDelta: i32 = -1;

/** Begins before the first record of the batch at `at`. Answers how many it says it has; or a status, if it cannot be walked. */
export function openBatch(at: usize, byteLength: i32): i32 {
  mustBeInMemory(at, byteLength);
  if (byteLength < <i32>HEADER_BYTE_LENGTH) return Status.MALFORMED;
  if (load<u8>(at + MAGIC_AT) != MAGIC_V2 || loadI32(at + LENGTH_AT) != byteLength - <i32>LENGTH_OVERHEAD) return Status.MALFORMED;
  baseOffset = loadI64(at + BASE_OFFSET_AT);
  lastOffsetDelta = loadI32(at + LAST_OFFSET_DELTA_AT);
  if (baseOffset < 0 || lastOffsetDelta < 0 || baseOffset > SAFE_INTEGER_MAX - <i64>lastOffsetDelta) return Status.MALFORMED;
  const recordCount = loadI32(at + RECORD_COUNT_AT);
  if (recordCount < 0) return Status.MALFORMED;
  // A batch that compaction emptied has no records, whatever it says of its codec.
  if (recordCount > 0 && <i32>load<u8>(at + ATTRIBUTES_AT + 1) & CODEC_MASK) return Status.COMPRESSED;
  if (recordCount > (byteLength - <i32>HEADER_BYTE_LENGTH) / RECORD_BYTE_LENGTH_MIN) return Status.MALFORMED;
  place = at + HEADER_BYTE_LENGTH;
  batchEnd = at + <usize>byteLength;
  previousDelta = -1;
  return recordCount;
}

/** Reads the next record: its fields are in record.ts. False: its bytes do not add up, or its offset cannot be. */
export function nextRecord(): bool {
  // Offsets of a batch's records rise, and none is above what the header says: else what is found or kept would be nonsense.
  if (!readRecord(place, batchEnd) || offsetDelta <= previousDelta || offsetDelta > lastOffsetDelta) return false;
  previousDelta = offsetDelta;
  place = recordEnd;
  return true;
}

export function recordOffset(): i64 {
  return baseOffset + <i64>offsetDelta;
}

/** Whether the records read so far are all of the batch's bytes. */
export function isAtEnd(): bool {
  return place == batchEnd;
}

/**
 * The first record whose offset is at least `offsetMin` and whose timestamp is at least `timestampMin`. Answers 1, its fields being
 * in the mailbox; 0 when there is none; or a status. Records behind the one found are not looked at.
 */
export function find(at: usize, byteLength: i32, offsetMin: f64, timestampMin: f64): i32 {
  const recordCount = openBatch(at, byteLength);
  if (recordCount < 0) return recordCount;
  // With LogAppendTime all records have the batch's.
  const isLogAppendTime = (<i32>load<u8>(at + ATTRIBUTES_AT + 1) & LOG_APPEND_TIME) != 0;
  const baseTimestamp = loadI64(at + (isLogAppendTime ? MAX_TIMESTAMP_AT : BASE_TIMESTAMP_AT));
  for (let i = 0; i < recordCount; i++) {
    const start = place;
    if (!nextRecord()) return Status.MALFORMED;
    const timestamp = <f64>(isLogAppendTime ? baseTimestamp : baseTimestamp + timestampDelta);
    if (<f64>recordOffset() < offsetMin || timestamp < timestampMin) continue;

    const headerCount = readVarint(valueLength > 0 ? valueAt + <usize>valueLength : valueAt, recordEnd);
    const headersAt = varintEnd;
    const room = <i32>(recordEnd - headersAt);
    // A header takes two bytes at least; without any, nothing is left.
    if (headersAt == 0 || headerCount < 0 || headerCount > room >> 1 || (headerCount == 0 && room > 0)) return Status.MALFORMED;
    answerNumber(OFFSET_SLOT, <f64>recordOffset());
    answerNumber(TIMESTAMP_SLOT, timestamp);
    answer32(START_SLOT, <i32>(start - at));
    answer32(END_SLOT, <i32>(recordEnd - at));
    answer32(KEY_SLOT, <i32>(keyAt - at));
    answer32(KEY_LENGTH_SLOT, keyLength);
    answer32(VALUE_SLOT, <i32>(valueAt - at));
    answer32(VALUE_LENGTH_SLOT, valueLength);
    answer32(HEADERS_SLOT, <i32>(headersAt - at));
    answer32(HEADER_COUNT_SLOT, headerCount);
    return 1;
  }
  return isAtEnd() ? 0 : <i32>Status.MALFORMED;
}
