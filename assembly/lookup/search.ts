/** Where a target stands in sorted numbers: the one search that both indexes share. */
import { loadI32, loadI64 } from "../memory/bytes";

/** The last of `count` 32-bit keys, one every `stride` bytes, that is at most `target`; -1 when there is none. */
export function lastAtMost32(at: usize, stride: i32, count: i32, target: f64): i32 {
  let low = 0;
  let high = count;
  // Keys below `low` are at most the target, keys from `high` on are above it.
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (<f64>loadI32(at + <usize>middle * stride) <= target) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The same of 64-bit keys, each taken as the nearest number, which is what a target is. */
export function lastAtMost64(at: usize, stride: i32, count: i32, target: f64): i32 {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (<f64>loadI64(at + <usize>middle * stride) <= target) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
