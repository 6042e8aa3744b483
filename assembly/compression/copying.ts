/**
 * What both codecs of the LZ77 family do all day: finding how far two places are alike, and copying, sixteen bytes at a time.
 * Copies write up to SLACK bytes too many, and comparisons read so far: every input and every output has that much room behind it.
 */
import { Fault, must, mustBeInMemory } from "../panic/fault";

export const SLACK: i32 = 32;

/** A range that copies may overrun. */
export function mustHaveRoom(at: usize, byteLength: i32): void {
  must(byteLength >= 0 && byteLength <= i32.MAX_VALUE - SLACK, Fault.RANGE);
  mustBeInMemory(at, byteLength + SLACK);
}

/** How many bytes from `at` on equal those from `before` on; looks at none at or behind `end`. */
// @ts-ignore: decorator
@inline
export function alikeLength(at: usize, before: usize, end: usize): i32 {
  const start = at;
  while (at + 8 <= end) {
    const difference = load<u64>(at) ^ load<u64>(before);
    if (difference != 0) return <i32>(at - start + <usize>(ctz(difference) >> 3));
    at += 8;
    before += 8;
  }
  while (at < end && load<u8>(at) == load<u8>(before)) {
    at++;
    before++;
  }
  return <i32>(at - start);
}

/** Bytes that do not overlap, but for what is written too many. */
// @ts-ignore: decorator
@inline
export function copyApart(into: usize, from: usize, byteLength: i32): void {
  const end = into + <usize>byteLength;
  do {
    v128.store(into, v128.load(from));
    into += 16;
    from += 16;
  } while (into < end);
}

/** `byteLength` bytes that repeat those `distance` before: they overlap where the distance is the shorter. */
// @ts-ignore: decorator
@inline
export function copyRepeat(into: usize, distance: usize, byteLength: i32): void {
  if (distance >= 16) copyApart(into, into - distance, byteLength);
  else copyPeriod(into, distance, byteLength);
}

function copyPeriod(into: usize, distance: usize, byteLength: i32): void {
  const end = into + <usize>byteLength;
  if (distance < 8) {
    for (let i: usize = 0; i < 8; i++) store<u8>(into + i, load<u8>(into + i - distance));
    into += 8;
    // What repeats every `distance` bytes repeats every multiple of it, of which one is 8 to 14.
    distance *= (7 + distance) / distance;
  }
  while (into < end) {
    store<u64>(into, load<u64>(into - distance));
    into += 8;
  }
}
