/** The entries of a `.index`: which is the last at or below an offset, and what a further one looks like. */
import { loadI32, storeI32 } from "../memory/bytes";
import { Fault, must, mustBeInMemory } from "../panic/fault";
import { Status } from "../panic/status";
import { lastAtMost32 } from "./search";

//  0                 4               8
//  ├ relative offset ┼ file position ┤     both 0 to 2^31-1, big-endian
const POSITION_AT: usize = 4;
const ENTRY_BYTE_LENGTH: i32 = 8;

/** The number of the last entry at or below `relativeOffset`, or -1. */
export function findOffset(at: usize, byteLength: i32, relativeOffset: f64): i32 {
  mustBeInMemory(at, byteLength);
  return lastAtMost32(at, ENTRY_BYTE_LENGTH, byteLength / ENTRY_BYTE_LENGTH, relativeOffset);
}

/** Writes an entry behind the `count` that stand at `at`, above all of which it must be in both its numbers. Answers the new count. */
export function appendOffset(at: usize, count: i32, relativeOffset: f64, position: f64): i32 {
  must(count >= 0 && count < i32.MAX_VALUE / ENTRY_BYTE_LENGTH, Fault.RANGE);
  mustBeInMemory(at, (count + 1) * ENTRY_BYTE_LENGTH);
  if (!isField(relativeOffset) || !isField(position)) return Status.ENTRY_ORDER;
  const into = at + <usize>(count * ENTRY_BYTE_LENGTH);
  if (count > 0) {
    const last = into - ENTRY_BYTE_LENGTH;
    if (relativeOffset <= <f64>loadI32(last) || position <= <f64>loadI32(last + POSITION_AT)) return Status.ENTRY_ORDER;
  }
  storeI32(into, <i32>relativeOffset);
  storeI32(into + POSITION_AT, <i32>position);
  return count + 1;
}

export function isField(value: f64): bool {
  return value >= 0 && value <= <f64>i32.MAX_VALUE && floor(value) == value;
}
