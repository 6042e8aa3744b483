/**
 * Which of the records that were mapped are their keys' newest, a bit for each offset: when all are mapped the map itself says so, slot
 * by slot. So a record that was mapped is neither hashed nor looked up again when its batch is filtered.
 */
import { Fault, must, mustBeInMemory } from "../panic/fault";
import { offsetInPlace, placeCount } from "./offset-map";

export const enum Verdict {
  GOES = 0,
  STAYS = 1,
  /** The map must be asked. */
  UNKNOWN = 2,
}

//  ├ was it mapped? ┼ is it its key's newest? ┤     as long as one another; both count from the first offset that was mapped
let mappedAt: usize = 0;
let newestAt: usize = 0;
let bytesEach: i32 = 0;
let offsetCount: u64 = 0;
let firstOffset: i64 = -1;
/** Places of the map that were looked at. */
let settledCount: i32 = 0;
let isSettled: bool = false;

/** Forgets all; from now on there are `byteLength` bytes at `at`, which decide how many offsets can be told of. */
export function openVerdicts(at: usize, byteLength: i32): void {
  mustBeInMemory(at, byteLength);
  bytesEach = byteLength >> 1;
  offsetCount = <u64>bytesEach << 3;
  mappedAt = at;
  newestAt = at + <usize>bytesEach;
  firstOffset = -1;
  isSettled = false;
  settledCount = 0;
  memory.fill(mappedAt, 0, bytesEach);
}

// @ts-ignore: decorator
@inline
function setBit(at: usize, index: u64): void {
  const byte = at + <usize>(index >> 3);
  const mask: i32 = 1 << (<i32>index & 7);
  store<u8>(byte, <u8>(<i32>load<u8>(byte) | mask));
}

// @ts-ignore: decorator
@inline
function bit(at: usize, index: u64): i32 {
  return (<i32>load<u8>(at + <usize>(index >> 3)) >> (<i32>index & 7)) & 1;
}

/** A record was mapped. */
// @ts-ignore: decorator
@inline
export function noteMapped(offset: i64): void {
  if (firstOffset < 0) firstOffset = offset;
  const index = <u64>(offset - firstOffset);
  if (index < offsetCount) setBit(mappedAt, index);
  isSettled = false;
  settledCount = 0;
}

/** Looks at `countMax` places of the map more. Answers 1 while there are others; when there are none, verdicts hold until another record is mapped. */
export function settle(countMax: i32): i32 {
  must(countMax > 0, Fault.RANGE);
  if (isSettled) return 0;
  if (settledCount == 0) memory.fill(newestAt, 0, bytesEach);
  const end = min(placeCount(), settledCount + min(countMax, placeCount()));
  for (; settledCount < end; settledCount++) {
    const index = <u64>(offsetInPlace(settledCount) - firstOffset);
    if (index < offsetCount) setBit(newestAt, index);
  }
  isSettled = settledCount == placeCount();
  return isSettled ? 0 : 1;
}

// @ts-ignore: decorator
@inline
export function verdictOn(offset: i64): i32 {
  const index = <u64>(offset - firstOffset);
  if (!isSettled || index >= offsetCount || !bit(mappedAt, index)) return Verdict.UNKNOWN;
  return bit(newestAt, index);
}
