/**
 * Maps or filters the plain batches of the read window, one after another, in one call. It stops before each one that others have a say
 * in (transactions, codecs, producers), that does not add up, or that finds no room: those are looked at one by one.
 */
import { SCAN_TABLE_AT, SCAN_TABLE_BYTE_LENGTH, READ_WINDOW_AT } from "../memory/arena";
import { loadI32, loadI64 } from "../memory/bytes";
import { answer32, answerNumber } from "../memory/mailbox";
import { Fault, must, mustBeInMemory } from "../panic/fault";
import { CODEC_MASK, CONTROL, TRANSACTIONAL } from "../record/attributes";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  HEADER_BYTE_LENGTH,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
} from "../record/layout";
import { filterRecords, keptByteLength, keptCount, mapRecords, Outcome, RECORD_GROWTH_MAX, RUN_BYTE_LENGTH } from "./batch-filter";

const BYTE_LENGTH_SLOT = 0;
const RECORDS_BEFORE_SLOT = 1;
const RECORDS_AFTER_SLOT = 2;
const STOPPED_AT_DROPPED_SLOT = 3;
const COVERED_SLOT = 4;

// @ts-ignore: decorator
@inline
function batchAt(index: i32): usize {
  return READ_WINDOW_AT + <usize>load<i32>(SCAN_TABLE_AT + (<usize>index << 2));
}

// @ts-ignore: decorator
@inline
function isPlain(at: usize): bool {
  return (<i32>load<u8>(at + ATTRIBUTES_AT + 1) & (CODEC_MASK | CONTROL | TRANSACTIONAL)) == 0;
}

function mustBeScanned(index: i32, end: i32): void {
  must(index >= 0 && index <= end && <usize>end <= SCAN_TABLE_BYTE_LENGTH >> 2, Fault.RANGE);
}

/** Batches `index` to `end` of the last scan. Answers how many were mapped, or hold nothing from `startOffset` on; up to where is in the mailbox. */
export function mapWindow(index: i32, end: i32, startOffset: i64, recordCountMax: i32): i32 {
  mustBeScanned(index, end);
  const begin = index;
  let covered: i64 = -1;
  let recordCount = 0;
  for (; index < end && recordCount < recordCountMax; index++) {
    const at = batchAt(index);
    if (!isPlain(at)) break;
    const lastOffset = loadI64(at + BASE_OFFSET_AT) + <i64>loadI32(at + LAST_OFFSET_DELTA_AT);
    if (lastOffset < startOffset) continue;
    if (mapRecords(at, loadI32(at + LENGTH_AT) + <i32>LENGTH_OVERHEAD, startOffset) != 1) break;
    covered = lastOffset;
    recordCount += loadI32(at + RECORD_COUNT_AT);
  }
  answerNumber(COVERED_SLOT, <f64>covered);
  return index - begin;
}

/** What is left of batches `index` to `end` of the last scan goes to `into`, one behind another. Answers how many were filtered; of what is in the mailbox. */
export function filterWindow(
  index: i32,
  end: i32,
  into: usize,
  intoByteLength: i32,
  latestOffset: i64,
  now: i64,
  newDeleteHorizon: i64,
  recordCountMax: i32,
): i32 {
  mustBeScanned(index, end);
  mustBeInMemory(into, intoByteLength);
  const begin = index;
  let out: i32 = 0;
  let recordsBefore = 0;
  let recordsAfter = 0;
  let isDropped = 0;
  for (; index < end && recordsBefore < recordCountMax; index++) {
    const at = batchAt(index);
    if (!isPlain(at)) break;
    const byteLength = loadI32(at + LENGTH_AT) + <i32>LENGTH_OVERHEAD;
    const recordCount = loadI32(at + RECORD_COUNT_AT);
    const filteredMax = <i64>byteLength + <i64>HEADER_BYTE_LENGTH + RECORD_GROWTH_MAX * <i64>recordCount;
    if (filteredMax + <i64>RUN_BYTE_LENGTH * (2 + (<i64>recordCount >> 1)) > <i64>(intoByteLength - out)) break;
    const outcome = filterRecords(at, byteLength, into + <usize>out, <i32>filteredMax, latestOffset, now, newDeleteHorizon, 0);
    if (outcome < 0) break;
    if (outcome == Outcome.DROPPED) {
      // Whether its header stays, its producer says.
      if (loadI64(at + PRODUCER_ID_AT) >= 0) {
        isDropped = 1;
        break;
      }
    } else {
      if (outcome == Outcome.UNCHANGED) memory.copy(into + <usize>out, at, byteLength);
      out += outcome == Outcome.UNCHANGED ? byteLength : keptByteLength;
      recordsAfter += keptCount;
    }
    recordsBefore += recordCount;
  }
  answer32(BYTE_LENGTH_SLOT, out);
  answer32(RECORDS_BEFORE_SLOT, recordsBefore);
  answer32(RECORDS_AFTER_SLOT, recordsAfter);
  answer32(STOPPED_AT_DROPPED_SLOT, isDropped);
  return index - begin;
}
