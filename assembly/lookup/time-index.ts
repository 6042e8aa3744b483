/** The entries of a `.timeindex`: which is the last at or before a time, and what a further one looks like. */
import { loadI32, loadI64, storeI32, storeI64 } from "../memory/bytes";
import { Fault, must, mustBeInMemory } from "../panic/fault";
import { Status } from "../panic/status";
import { SAFE_INTEGER_MAX } from "../record/layout";
import { isField } from "./offset-index";
import { lastAtMost64 } from "./search";

//  0           8                 12
//  ├ timestamp ┼ relative offset ┤     big-endian
const OFFSET_AT: usize = 8;
const ENTRY_BYTE_LENGTH: i32 = 12;

/** The number of the last entry whose timestamp is at most `timestamp`, or -1. */
export function findTime(at: usize, byteLength: i32, timestamp: f64): i32 {
  mustBeInMemory(at, byteLength);
  return lastAtMost64(at, ENTRY_BYTE_LENGTH, byteLength / ENTRY_BYTE_LENGTH, timestamp);
}

/** Writes an entry behind the `count` that stand at `at`: later than all of them, its offset no lower. Answers the new count. */
export function appendTime(at: usize, count: i32, timestamp: f64, relativeOffset: f64): i32 {
  must(count >= 0 && count < i32.MAX_VALUE / ENTRY_BYTE_LENGTH, Fault.RANGE);
  mustBeInMemory(at, (count + 1) * ENTRY_BYTE_LENGTH);
  if (!isField(relativeOffset)) return Status.ENTRY_ORDER;
  if (!(timestamp >= -1 && timestamp <= <f64>SAFE_INTEGER_MAX && floor(timestamp) == timestamp)) return Status.ENTRY_ORDER;
  const into = at + <usize>(count * ENTRY_BYTE_LENGTH);
  if (count > 0) {
    const last = into - ENTRY_BYTE_LENGTH;
    if (<i64>timestamp <= loadI64(last) || relativeOffset < <f64>loadI32(last + OFFSET_AT)) return Status.ENTRY_ORDER;
  }
  storeI64(into, <i64>timestamp);
  storeI32(into + OFFSET_AT, <i32>relativeOffset);
  return count + 1;
}
