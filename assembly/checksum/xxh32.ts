/** xxHash32, by which LZ4 frames check themselves; of a message in one piece or in several. Source: xxhash_spec.md of the xxHash project. */
import { XXH_TAIL_AT } from "../memory/arena";
import { Fault, must } from "../panic/fault";

const PRIME_1: u32 = 2654435761;
const PRIME_2: u32 = 2246822519;
const PRIME_3: u32 = 3266489917;
const PRIME_4: u32 = 668265263;
const PRIME_5: u32 = 374761393;
const STRIPE: i32 = 16;

// One message at a time, its seed being 0.
let first: u32 = 0;
let second: u32 = 0;
let third: u32 = 0;
let fourth: u32 = 0;
let total: u32 = 0;
let isLong: bool = false;
/** Bytes of a stripe that is not full, kept at XXH_TAIL_AT. */
let tailByteLength: i32 = 0;

export function beginXxh32(): void {
  first = PRIME_1 + PRIME_2;
  second = PRIME_2;
  third = 0;
  fourth = 0 - PRIME_1;
  total = 0;
  isLong = false;
  tailByteLength = 0;
}

// @ts-ignore: decorator
@inline
function round(lane: u32, word: u32): u32 {
  return rotl<u32>(lane + word * PRIME_2, 13) * PRIME_1;
}

function stripes(at: usize, end: usize): void {
  let a = first;
  let b = second;
  let c = third;
  let d = fourth;
  for (; at < end; at += STRIPE) {
    a = round(a, load<u32>(at));
    b = round(b, load<u32>(at, 4));
    c = round(c, load<u32>(at, 8));
    d = round(d, load<u32>(at, 12));
  }
  first = a;
  second = b;
  third = c;
  fourth = d;
  isLong = true;
}

export function extendXxh32(at: usize, byteLength: i32): void {
  total += <u32>byteLength;
  if (tailByteLength > 0) {
    const missing = min(STRIPE - tailByteLength, byteLength);
    memory.copy(XXH_TAIL_AT + <usize>tailByteLength, at, missing);
    tailByteLength += missing;
    at += <usize>missing;
    byteLength -= missing;
    if (tailByteLength < STRIPE) return;
    stripes(XXH_TAIL_AT, XXH_TAIL_AT + STRIPE);
  }
  const whole = byteLength & ~(STRIPE - 1);
  if (whole > 0) stripes(at, at + <usize>whole);
  tailByteLength = byteLength - whole;
  memory.copy(XXH_TAIL_AT, at + <usize>whole, tailByteLength);
}

export function finishXxh32(): u32 {
  must(tailByteLength >= 0 && tailByteLength < STRIPE, Fault.RANGE);
  let hash = total + (isLong ? rotl<u32>(first, 1) + rotl<u32>(second, 7) + rotl<u32>(third, 12) + rotl<u32>(fourth, 18) : PRIME_5);
  let at = XXH_TAIL_AT;
  const end = XXH_TAIL_AT + <usize>tailByteLength;
  for (; at + 4 <= end; at += 4) hash = rotl<u32>(hash + load<u32>(at) * PRIME_3, 17) * PRIME_4;
  for (; at < end; at++) hash = rotl<u32>(hash + <u32>load<u8>(at) * PRIME_5, 11) * PRIME_1;
  hash = (hash ^ (hash >> 15)) * PRIME_2;
  hash = (hash ^ (hash >> 13)) * PRIME_3;
  return hash ^ (hash >> 16);
}
