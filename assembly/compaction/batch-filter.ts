/**
 * Decides which records of a batch survive compaction, and writes the batch that is left of it.
 * Source of the rules: Apache Kafka, `Cleaner.shouldRetainRecord` and `MemoryRecords.filterTo`.
 *
 * A record stays when the map does not reach its offset; or when it has a key, no later record has the same, and it is no
 * tombstone whose time has come. A batch that loses nothing and needs no delete horizon stays as it is, byte for byte.
 */
import { loadI32, loadI64, storeI16, storeI32, storeI64 } from "../memory/bytes";
import { answer32, answerNumber } from "../memory/mailbox";
import { varlongByteLength, writeVarlong } from "../memory/varint";
import { Fault, must, mustBeInMemory } from "../panic/fault";
import { Status } from "../panic/status";
import { extend } from "../checksum/crc32c";
import { CONTROL, DELETE_HORIZON, LOG_APPEND_TIME, TRANSACTIONAL } from "../record/attributes";
import { isAtEnd, nextRecord, openBatch, recordOffset } from "../record/batch-reader";
import {
  ATTRIBUTES_AT,
  BASE_TIMESTAMP_AT,
  CRC_AT,
  HEADER_BYTE_LENGTH,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  MAX_TIMESTAMP_AT,
  RECORD_COUNT_AT,
} from "../record/layout";
import { attributesAt, keyAt, keyLength, offsetDeltaAt, readRecord, recordEnd, timestampDelta, valueLength } from "../record/record";
import { offsetOf, putOffset } from "./offset-map";

const enum Outcome {
  UNCHANGED = 0,
  REWRITTEN = 1,
  EMPTIED = 2,
  DROPPED = 3,
}

export const DISCARD_RECORDS: i32 = 1;
export const EMPTY_MARKER: i32 = 2;
export const RETAIN_EMPTY: i32 = 4;

const BYTE_LENGTH_SLOT = 0;
const RECORD_COUNT_SLOT = 1;
const MAX_TIMESTAMP_SLOT = 2;
const LATEST_OFFSET_SLOT = 3;

/** What pass one writes over a record's attributes, which nobody uses: the bytes are the instance's own copy. */
const LOST: u8 = 1;
const KEPT: u8 = 0;

/** Puts the keys of records from `startOffset` on into the map. Answers 1 when all are in, 0 when the map is full; the latest offset put is in the mailbox. */
export function mapRecords(at: usize, byteLength: i32, startOffset: i64): i32 {
  const recordCount = openBatch(at, byteLength);
  if (recordCount < 0) return recordCount;
  let latest: i64 = -1;
  let isFull = false;
  for (let i = 0; i < recordCount; i++) {
    if (!nextRecord()) return Status.MALFORMED;
    const offset = recordOffset();
    if (offset < startOffset) continue;
    if (keyLength >= 0 && !putOffset(keyAt, keyLength, offset)) {
      isFull = true;
      break;
    }
    latest = offset;
  }
  if (!isFull && !isAtEnd()) return Status.MALFORMED;
  answerNumber(LATEST_OFFSET_SLOT, <f64>latest);
  return isFull ? 0 : 1;
}

/** Filters the batch at `at`; what is left of it, if it must be written anew, goes to `into`. Answers the outcome. */
export function filterRecords(
  at: usize,
  byteLength: i32,
  into: usize,
  intoByteLength: i32,
  latestOffset: i64,
  now: i64,
  newDeleteHorizon: i64,
  flags: i32,
): i32 {
  const recordCount = openBatch(at, byteLength);
  if (recordCount < 0) return recordCount;
  mustBeInMemory(into, intoByteLength);
  const attributes = <i32>load<u8>(at + ATTRIBUTES_AT + 1);
  const isControl = (attributes & CONTROL) != 0;
  const hasHorizon = (attributes & DELETE_HORIZON) != 0;
  const baseTimestamp = loadI64(at + BASE_TIMESTAMP_AT);
  const keepsTombstones = !hasHorizon || now < baseTimestamp;

  let keptCount = 0;
  let keptTombstone = false;
  for (let i = 0; i < recordCount; i++) {
    if (!nextRecord()) return Status.MALFORMED;
    let stays: bool;
    if (flags & DISCARD_RECORDS) stays = false;
    else if (isControl) stays = true;
    else {
      const offset = recordOffset();
      stays =
        offset > latestOffset || (keyLength >= 0 && (valueLength >= 0 || keepsTombstones) && offset >= offsetOf(keyAt, keyLength));
    }
    store<u8>(attributesAt, stays ? KEPT : LOST);
    if (!stays) continue;
    keptCount++;
    if (valueLength < 0) keptTombstone = true;
  }
  if (!isAtEnd()) return Status.MALFORMED;

  answer32(RECORD_COUNT_SLOT, keptCount);
  answer32(BYTE_LENGTH_SLOT, byteLength);
  answerNumber(MAX_TIMESTAMP_SLOT, <f64>loadI64(at + MAX_TIMESTAMP_AT));
  if (keptCount == 0) {
    answer32(BYTE_LENGTH_SLOT, <i32>HEADER_BYTE_LENGTH);
    if (!(flags & RETAIN_EMPTY)) return Outcome.DROPPED;
    if (recordCount == 0) return Outcome.UNCHANGED;
    must(intoByteLength >= <i32>HEADER_BYTE_LENGTH, Fault.OUTPUT_FULL);
    memory.copy(into, at, HEADER_BYTE_LENGTH);
    finishHeader(into, <i32>HEADER_BYTE_LENGTH, attributes & (LOG_APPEND_TIME | TRANSACTIONAL | CONTROL), -1, loadI64(at + MAX_TIMESTAMP_AT), 0);
    return Outcome.EMPTIED;
  }
  const getsHorizon = (keptTombstone || (flags & EMPTY_MARKER) != 0) && !hasHorizon;
  if (keptCount == recordCount && !getsHorizon) return Outcome.UNCHANGED;
  return rewrite(at, at + <usize>byteLength, into, intoByteLength, keptCount, attributes | (getsHorizon ? DELETE_HORIZON : 0), getsHorizon ? newDeleteHorizon : baseTimestamp);
}

/** Pass two: the marked records without the lost ones, their timestamps counted from the new base. */
function rewrite(at: usize, end: usize, into: usize, intoByteLength: i32, keptCount: i32, attributes: i32, horizon: i64): i32 {
  const intoEnd = into + <usize>intoByteLength;
  const baseTimestamp = loadI64(at + BASE_TIMESTAMP_AT);
  const oldMaxTimestamp = loadI64(at + MAX_TIMESTAMP_AT);
  const isLogAppendTime = (attributes & LOG_APPEND_TIME) != 0;
  let newBase: i64 = horizon;
  let isBaseKnown = (attributes & DELETE_HORIZON) != 0;
  let maxTimestamp: i64 = i64.MIN_VALUE;
  must(into + HEADER_BYTE_LENGTH <= intoEnd, Fault.OUTPUT_FULL);
  memory.copy(into, at, HEADER_BYTE_LENGTH);
  let place = at + HEADER_BYTE_LENGTH;
  let out = into + HEADER_BYTE_LENGTH;
  while (place < end) {
    must(readRecord(place, end), Fault.RECORD_LENGTH);
    place = recordEnd;
    if (load<u8>(attributesAt) == LOST) continue;
    const timestamp = isLogAppendTime ? oldMaxTimestamp : baseTimestamp + timestampDelta;
    if (!isBaseKnown) {
      newBase = timestamp;
      isBaseKnown = true;
    }
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
    const delta = timestamp - newBase;
    const rest = recordEnd - offsetDeltaAt;
    const length = 1 + varlongByteLength(delta) + <i32>rest;
    must(<i64>out + <i64>varlongByteLength(length) + <i64>length <= <i64>intoEnd, Fault.OUTPUT_FULL);
    out = writeVarlong(out, length);
    store<u8>(out++, 0);
    out = writeVarlong(out, delta);
    memory.copy(out, offsetDeltaAt, rest);
    out += rest;
  }
  const byteLength = <i32>(out - into);
  if (isLogAppendTime) maxTimestamp = oldMaxTimestamp;
  finishHeader(into, byteLength, attributes, newBase, maxTimestamp, keptCount);
  answer32(BYTE_LENGTH_SLOT, byteLength);
  answerNumber(MAX_TIMESTAMP_SLOT, <f64>maxTimestamp);
  return Outcome.REWRITTEN;
}

/** Over a copy of the old header: base offset, leader epoch, last offset, producer and sequence stay. */
function finishHeader(into: usize, byteLength: i32, attributes: i32, baseTimestamp: i64, maxTimestamp: i64, recordCount: i32): void {
  storeI32(into + LENGTH_AT, byteLength - <i32>LENGTH_OVERHEAD);
  storeI16(into + ATTRIBUTES_AT, attributes);
  storeI64(into + BASE_TIMESTAMP_AT, baseTimestamp);
  storeI64(into + MAX_TIMESTAMP_AT, maxTimestamp);
  storeI32(into + RECORD_COUNT_AT, recordCount);
  storeI32(into + CRC_AT, <i32>extend(0, into + ATTRIBUTES_AT, byteLength - <i32>ATTRIBUTES_AT));
}
