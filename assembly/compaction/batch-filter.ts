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
import {
  addWaiting,
  forgetWaiting,
  offsetOfWaiting,
  putWaiting,
  touchWaiting,
  WAITING_MAX,
  waitingCount,
  waitingOffset,
  waitingTag,
} from "./offset-map";

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

/** Beside the place of a record's attributes, which has 32 bits. */
const TOMBSTONE_TAG: u64 = 1 << 32;
const COPIED_HERE_MAX: usize = 1024;

/** Puts the keys of records from `startOffset` on into the map. Answers 1 when all are in, 0 when the map is full; the latest offset put is in the mailbox. */
export function mapRecords(at: usize, byteLength: i32, startOffset: i64): i32 {
  const recordCount = openBatch(at, byteLength);
  if (recordCount < 0) return recordCount;
  latestPut = -1;
  forgetWaiting();
  let isFull = false;
  let latestUnkeyed: i64 = -1;
  for (let i = 0; i < recordCount; i++) {
    if (!nextRecord()) return Status.MALFORMED;
    const offset = recordOffset();
    if (offset < startOffset) continue;
    if (keyLength < 0) {
      latestUnkeyed = offset;
      continue;
    }
    addWaiting(keyAt, keyLength, offset, 0);
    if (waitingCount < WAITING_MAX) continue;
    isFull = !putAllWaiting();
    if (isFull) break;
  }
  if (!isFull && !isAtEnd()) return Status.MALFORMED;
  if (!isFull) isFull = !putAllWaiting();
  answerNumber(LATEST_OFFSET_SLOT, <f64>(isFull ? latestPut : max(latestPut, latestUnkeyed)));
  return isFull ? 0 : 1;
}

let latestPut: i64 = -1;

/** False: the map is full; the rest waits no more. */
function putAllWaiting(): bool {
  touchWaiting();
  const count = waitingCount;
  forgetWaiting();
  for (let i = 0; i < count; i++) {
    if (!putWaiting(i)) return false;
    latestPut = waitingOffset(i);
  }
  return true;
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

  keptCount = 0;
  keptTombstone = false;
  forgetWaiting();
  for (let i = 0; i < recordCount; i++) {
    if (!nextRecord()) return Status.MALFORMED;
    let stays = false;
    if (!(flags & DISCARD_RECORDS)) {
      stays = isControl || recordOffset() > latestOffset;
      if (!stays && keyLength >= 0 && (valueLength >= 0 || keepsTombstones)) {
        addWaiting(keyAt, keyLength, recordOffset(), <u64>attributesAt | (valueLength < 0 ? TOMBSTONE_TAG : 0));
        if (waitingCount == WAITING_MAX) judgeAllWaiting();
        continue;
      }
    }
    mark(attributesAt, stays, valueLength < 0);
  }
  judgeAllWaiting();
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

/** Of the batch that is being filtered. */
let keptCount = 0;
let keptTombstone = false;

// @ts-ignore: decorator
@inline
function mark(attributes: usize, stays: bool, isTombstone: bool): void {
  store<u8>(attributes, stays ? KEPT : LOST);
  if (stays) {
    keptCount++;
    if (isTombstone) keptTombstone = true;
  }
}

function judgeAllWaiting(): void {
  touchWaiting();
  for (let i = 0; i < waitingCount; i++) {
    const tag = waitingTag(i);
    mark(<usize>(tag & ~TOMBSTONE_TAG), waitingOffset(i) >= offsetOfWaiting(i), (tag & TOMBSTONE_TAG) != 0);
  }
  forgetWaiting();
}

/** As `memory.copy`, which asks the runtime each time: for a record that takes longer than its bytes. The two do not overlap. */
// @ts-ignore: decorator
@inline
function copyRecord(to: usize, from: usize, byteLength: usize): void {
  if (byteLength < 16 || byteLength > COPIED_HERE_MAX) {
    memory.copy(to, from, byteLength);
  } else {
    const last = byteLength - 16;
    for (let at: usize = 0; at < last; at += 16) v128.store(to + at, v128.load(from + at));
    v128.store(to + last, v128.load(from + last));
  }
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
    copyRecord(out, offsetDeltaAt, rest);
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
