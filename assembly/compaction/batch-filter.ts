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
import { noteMapped, Verdict, verdictOn } from "./verdicts";
import {
  addWaiting,
  forgetWaiting,
  Kind,
  latestOfWaiting,
  prepareWaiting,
  putWaiting,
  waitingCount,
  waitingEnd,
  waitingKind,
  WAITING_MAX,
  waitingOffset,
  waitingStart,
  waitingTimestampDelta,
} from "./waiting-records";

export const enum Outcome {
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

//  ├ start ┼ end ┤     of records that stay and stand side by side; behind the place for what is left of the batch
export const RUN_BYTE_LENGTH: usize = 8;
const COPIED_HERE_MAX: usize = 1024;
/** A record grows by no more when its timestamp is counted from another base: 9 bytes of delta, 1 of length. */
export const RECORD_GROWTH_MAX: i64 = 10;

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
    addWaiting(keyAt, keyLength, offset, 0, 0, 0, Kind.ASKS);
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
  prepareWaiting();
  const count = waitingCount;
  forgetWaiting();
  for (let i = 0; i < count; i++) {
    if (!putWaiting(i)) return false;
    latestPut = waitingOffset(i);
    noteMapped(latestPut);
  }
  return true;
}

/**
 * Filters the batch at `at`, which stays as it is; what is left of it, if it must be written anew, goes to `into`. Behind the
 * `intoByteLength` bytes there 8 are needed for every two records, and 16 more. Answers the outcome.
 */
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
  runsAt = (into + <usize>intoByteLength + 7) & ~7;
  mustBeInMemory(runsAt, ((recordCount + 1) >> 1) * <i32>RUN_BYTE_LENGTH);
  const attributes = <i32>load<u8>(at + ATTRIBUTES_AT + 1);
  const isControl = (attributes & CONTROL) != 0;
  const hasHorizon = (attributes & DELETE_HORIZON) != 0;
  const baseTimestamp = loadI64(at + BASE_TIMESTAMP_AT);
  const keepsTombstones = !hasHorizon || now < baseTimestamp;
  const discards = (flags & DISCARD_RECORDS) != 0;

  keptCount = 0;
  keptTombstone = false;
  runCount = 0;
  runStart = runEnd = at + HEADER_BYTE_LENGTH;
  forgetWaiting();
  let recordAttributes: i32 = 0;
  let start = at + HEADER_BYTE_LENGTH;
  for (let i = 0; i < recordCount; i++) {
    if (!nextRecord()) return Status.MALFORMED;
    const isTombstone = <i32>(valueLength < 0);
    let kind: i32 = Kind.GOES;
    if (!discards) {
      if (isControl || recordOffset() > latestOffset) kind = Kind.STAYS | isTombstone;
      else if (keyLength >= 0 && (!isTombstone || keepsTombstones)) {
        const verdict = verdictOn(recordOffset());
        if (verdict == Verdict.UNKNOWN) kind = Kind.ASKS | isTombstone;
        else if (verdict == Verdict.STAYS) kind = Kind.STAYS | isTombstone;
      }
    }
    recordAttributes |= <i32>load<u8>(attributesAt);
    if (kind >= Kind.STAYS && waitingCount == 0) {
      if (kind != Kind.GOES) keep(start, recordEnd, timestampDelta, isTombstone);
      start = recordEnd;
      continue;
    }
    addWaiting(keyAt, keyLength, recordOffset(), timestampDelta, start, recordEnd, kind);
    start = recordEnd;
    if (waitingCount == WAITING_MAX) judgeAllWaiting();
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
  closeRun();
  // Records whose timestamps are counted from where they were go over byte by byte, neighbours at once.
  const areAsTheyWere =
    !getsHorizon && (hasHorizon || firstKeptDelta == 0) && !(attributes & LOG_APPEND_TIME) && recordAttributes == 0;
  if (areAsTheyWere) return copyRuns(at, into, intoByteLength, attributes, baseTimestamp);
  return rewriteRuns(at, into, intoByteLength, attributes | (getsHorizon ? DELETE_HORIZON : 0), getsHorizon ? newDeleteHorizon : baseTimestamp);
}

/** Of the batch that is being filtered. */
export let keptCount = 0;
/** Of what was written anew. */
export let keptByteLength = 0;
let keptTombstone = false;
let firstKeptDelta: i64 = 0;
let maxKeptDelta: i64 = 0;
let runsAt: usize = 0;
let runCount = 0;
/** The run that still grows; empty before the first one. */
let runStart: usize = 0;
let runEnd: usize = 0;

function closeRun(): void {
  if (runStart == runEnd) return;
  const run = runsAt + <usize>runCount * RUN_BYTE_LENGTH;
  store<u32>(run, <u32>runStart);
  store<u32>(run, <u32>runEnd, 4);
  runCount++;
}

// @ts-ignore: decorator
@inline
function keep(start: usize, end: usize, delta: i64, isTombstone: i32): void {
  if (keptCount == 0) firstKeptDelta = maxKeptDelta = delta;
  else if (delta > maxKeptDelta) maxKeptDelta = delta;
  keptCount++;
  if (isTombstone) keptTombstone = true;
  if (start != runEnd) {
    closeRun();
    runStart = start;
  }
  runEnd = end;
}

function judgeAllWaiting(): void {
  prepareWaiting();
  for (let i = 0; i < waitingCount; i++) {
    const kind = waitingKind(i);
    if (kind == Kind.GOES || (kind < Kind.STAYS && waitingOffset(i) < latestOfWaiting(i))) continue;
    keep(waitingStart(i), waitingEnd(i), waitingTimestampDelta(i), kind & 1);
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

/** The records that stay, byte for byte. */
function copyRuns(at: usize, into: usize, intoByteLength: i32, attributes: i32, baseTimestamp: i64): i32 {
  const intoEnd = into + <usize>intoByteLength;
  must(into + HEADER_BYTE_LENGTH <= intoEnd, Fault.OUTPUT_FULL);
  memory.copy(into, at, HEADER_BYTE_LENGTH);
  let out = into + HEADER_BYTE_LENGTH;
  for (let i = 0; i < runCount; i++) {
    const run = runsAt + <usize>i * RUN_BYTE_LENGTH;
    const start = <usize>load<u32>(run);
    const byteLength = <usize>load<u32>(run, 4) - start;
    must(<u64>out + <u64>byteLength <= <u64>intoEnd, Fault.OUTPUT_FULL);
    copyRecord(out, start, byteLength);
    out += byteLength;
  }
  return finishBatch(into, <i32>(out - into), attributes, baseTimestamp, baseTimestamp + maxKeptDelta);
}

/** The records that stay, their timestamps counted from the new base. */
function rewriteRuns(at: usize, into: usize, intoByteLength: i32, attributes: i32, horizon: i64): i32 {
  const intoEnd = into + <usize>intoByteLength;
  const baseTimestamp = loadI64(at + BASE_TIMESTAMP_AT);
  const oldMaxTimestamp = loadI64(at + MAX_TIMESTAMP_AT);
  const isLogAppendTime = (attributes & LOG_APPEND_TIME) != 0;
  const hasHorizon = (attributes & DELETE_HORIZON) != 0;
  const newBase = hasHorizon ? horizon : isLogAppendTime ? oldMaxTimestamp : baseTimestamp + firstKeptDelta;
  must(into + HEADER_BYTE_LENGTH <= intoEnd, Fault.OUTPUT_FULL);
  memory.copy(into, at, HEADER_BYTE_LENGTH);
  let out = into + HEADER_BYTE_LENGTH;
  for (let i = 0; i < runCount; i++) {
    const run = runsAt + <usize>i * RUN_BYTE_LENGTH;
    const end = <usize>load<u32>(run, 4);
    for (let place = <usize>load<u32>(run); place < end; place = recordEnd) {
      must(readRecord(place, end), Fault.RECORD_LENGTH);
      const timestamp = isLogAppendTime ? oldMaxTimestamp : baseTimestamp + timestampDelta;
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
  }
  return finishBatch(into, <i32>(out - into), attributes, newBase, isLogAppendTime ? oldMaxTimestamp : baseTimestamp + maxKeptDelta);
}

function finishBatch(into: usize, byteLength: i32, attributes: i32, baseTimestamp: i64, maxTimestamp: i64): i32 {
  finishHeader(into, byteLength, attributes, baseTimestamp, maxTimestamp, keptCount);
  answer32(BYTE_LENGTH_SLOT, (keptByteLength = byteLength));
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
