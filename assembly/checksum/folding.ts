/**
 * Makes a long message a short one with the same CRC-32C, by exclusive-or of its bytes with earlier ones, sixteen at a time.
 *
 * If the polynomial P divides x^8A + x^8B + … + 1, a byte may be taken out of a message when it is added to the bytes that
 * stand A-B, A-C, … and A places after it. Read as a gather: the sum R of a message M is
 *     R[j] = M[j] ^ R[j - (A-B)] ^ R[j - (A-C)] ^ … ^ R[j - A]          (R before the start is 0)
 * for every j taken out, and what is left (A to A + 15 bytes) is M with the same gather, in which bytes not taken out count 0.
 *
 *   history: ├ R of the last A bytes ┼ R of this chunk → ┤     `h` slides over it; h + A is where R[j] goes,
 *            h                        h + A                    so h + B, h + C, …, h + 0 are what it is made of.
 *
 * The idea is that of "Chorba" (Russell, 2024), with whole-byte distances for Castagnoli's polynomial. Exponents by search,
 * the shortest of their number of terms: x^8k mod P for all k up to
 * some bound, then sums of them that equal 1 + x^8A. A third stage of eight terms (104, 57, 53, 49, 19, 14, 4, 0) was tried for
 * what six leave: its distances are so short that each vector waits for the one before it, and it gained nothing.
 */
import {
  CRC_FIRST_HISTORY_AT,
  CRC_FIRST_TAIL_AT,
  CRC_SECOND_HISTORY_AT,
  CRC_SECOND_TAIL_AT,
} from "../memory/arena";
import { Fault, must } from "../panic/fault";

const BLOCK: i32 = 16;
const UNROLLED: i32 = 4 * BLOCK;

/** For each number of terms: the largest exponent A, and how many bytes of R are kept before its last A move to the front. */
const FOUR_SPAN: i32 = 5275;
const FOUR_CHUNK: i32 = 16384;
const SIX_SPAN: i32 = 266;
const SIX_CHUNK: i32 = 8192;

// @ts-ignore: decorator
@inline
function gather(terms: i32, h: usize): v128 {
  if (terms == 4) return v128.xor(v128.load(h, 4508), v128.xor(v128.load(h, 2751), v128.load(h)));
  return v128.xor(
    v128.xor(v128.xor(v128.load(h, 143), v128.load(h, 121)), v128.xor(v128.load(h, 88), v128.load(h, 71))),
    v128.load(h),
  );
}

/** Stores R where it belongs: A behind `h`. (The distances of loads and stores must be written out, being part of the instruction.) */
// @ts-ignore: decorator
@inline
function keep(terms: i32, h: usize, sum: v128): void {
  if (terms == 4) v128.store(h, sum, 5275);
  else v128.store(h, sum, 266);
}

// @ts-ignore: decorator
@inline
function take(terms: i32, h: usize, at: usize): void {
  keep(terms, h, v128.xor(v128.load(at), gather(terms, h)));
}

/** Takes `folded` bytes (a multiple of 16, not 0) out of the message. Answers the place of `h` behind them. */
// @ts-ignore: decorator
@inline
function fold(terms: i32, span: i32, chunk: i32, history: usize, register: u32, at: usize, folded: i32): usize {
  memory.fill(history, 0, span);
  keep(terms, history, v128.xor(v128.load(at), i32x4.replace_lane(i32x4.splat(0), 0, <i32>register)));
  let h = history + BLOCK;
  at += BLOCK;
  let left = folded - BLOCK;
  let room = chunk - BLOCK;
  while (left > 0) {
    const step = min(left, room);
    const end = at + step;
    while (at + UNROLLED <= end) {
      take(terms, h, at);
      take(terms, h + BLOCK, at + BLOCK);
      take(terms, h + 2 * BLOCK, at + 2 * BLOCK);
      take(terms, h + 3 * BLOCK, at + 3 * BLOCK);
      at += UNROLLED;
      h += UNROLLED;
    }
    while (at < end) {
      take(terms, h, at);
      at += BLOCK;
      h += BLOCK;
    }
    left -= step;
    if (left > 0) {
      memory.copy(history, h, span);
      h = history;
      room = chunk;
    }
  }
  return h;
}

// @ts-ignore: decorator
@inline
function foldedOf(byteLength: i32, span: i32): i32 {
  const folded = (byteLength - span) & ~(BLOCK - 1);
  must(folded > 0, Fault.RANGE);
  return folded;
}

/** Writes the message to CRC_FIRST_TAIL_AT, shortened to 5275 to 5290 bytes; answers how many. Its register begins with 0. */
export function foldByFour(register: u32, at: usize, byteLength: i32): i32 {
  const folded = foldedOf(byteLength, FOUR_SPAN);
  const h = fold(4, FOUR_SPAN, FOUR_CHUNK, CRC_FIRST_HISTORY_AT, register, at, folded);
  const tail = byteLength - folded;
  const source = at + folded;
  // Bytes not taken out count 0: a distance d gives nothing from place d of the tail on, but for a block that spans it.
  keep(4, h, i64x2.splat(0));
  let place: usize = 0;
  for (; place < 767; place += BLOCK) v128.store(CRC_FIRST_TAIL_AT + place, v128.xor(v128.load(source + place), gather(4, h + place)));
  for (; place < 2524; place += BLOCK) {
    v128.store(CRC_FIRST_TAIL_AT + place, v128.xor(v128.load(source + place), v128.xor(v128.load(h + place, 2751), v128.load(h + place))));
  }
  for (; place <= <usize>(tail - BLOCK); place += BLOCK) {
    v128.store(CRC_FIRST_TAIL_AT + place, v128.xor(v128.load(source + place), v128.load(h + place)));
  }
  // The last block once more, ending where the message ends: nothing behind it is read.
  place = <usize>(tail - BLOCK);
  v128.store(CRC_FIRST_TAIL_AT + place, v128.xor(v128.load(source + place), v128.load(h + place)));
  return tail;
}

/** Writes the message to CRC_SECOND_TAIL_AT, shortened to 266 to 281 bytes; answers how many. Its register begins with 0. */
export function foldBySix(register: u32, at: usize, byteLength: i32): i32 {
  const folded = foldedOf(byteLength, SIX_SPAN);
  const h = fold(6, SIX_SPAN, SIX_CHUNK, CRC_SECOND_HISTORY_AT, register, at, folded);
  const tail = byteLength - folded;
  const source = at + folded;
  memory.fill(h + SIX_SPAN, 0, tail);
  for (let place: usize = 0; place < <usize>(tail - BLOCK); place += BLOCK) {
    v128.store(CRC_SECOND_TAIL_AT + place, v128.xor(v128.load(source + place), gather(6, h + place)));
  }
  const last = <usize>(tail - BLOCK);
  v128.store(CRC_SECOND_TAIL_AT + last, v128.xor(v128.load(source + last), gather(6, h + last)));
  return tail;
}
