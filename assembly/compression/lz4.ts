/**
 * LZ4 blocks. Source of the format: lz4_Block_format.md of the LZ4 project.
 *
 *   ├ token: literals (4 bits), match (4 bits) ┼ more of the literals' length ┼ literals ┼ distance, little-endian ┼ more of the match's length ┤ ...
 *
 * The last sequence ends behind its literals. The compressor is greedy, with one table of positions: the first match found is taken.
 */
import { LZ_TABLE_AT } from "../memory/arena";
import { Fault, must } from "../panic/fault";
import { Status } from "../panic/status";
import { alikeLength, copyApart, copyRepeat, mustHaveRoom } from "./copying";

/** A position in the block fits into the table's 16 bits. */
export const LZ4_BLOCK_BYTE_LENGTH_MAX: i32 = 65536;
const COMPRESSED_BYTE_LENGTH_MAX: i32 = 1 << 23;
const TABLE_BITS: u32 = 13;
const TABLE_BYTE_LENGTH: i32 = 2 << TABLE_BITS;
const MULTIPLIER: u32 = 2654435761;
const MATCH_MIN: i32 = 4;
/** The format's own: the last five bytes are literals, and no match begins in the last twelve. */
const LAST_LITERALS: usize = 5;
const LAST_MATCH: usize = 12;
/** After 64 places without a match every second one is looked at, and so on. */
const PATIENCE: u32 = 6;
const NIBBLE_MAX: i32 = 15;

// @ts-ignore: decorator
@inline
function slotOf(word: u32): usize {
  return LZ_TABLE_AT + (<usize>((word * MULTIPLIER) >> (32 - TABLE_BITS)) << 1);
}

/** How many bytes a block may need at worst. */
// @ts-ignore: decorator
@inline
function boundOf(byteLength: i32): i32 {
  return byteLength + byteLength / 255 + 16;
}

/** What of a length did not fit into the token. Answers the place behind it. */
// @ts-ignore: decorator
@inline
function putLength(out: usize, length: i32): usize {
  while (length >= 255) {
    store<u8>(out++, 255);
    length -= 255;
  }
  store<u8>(out, <u8>length);
  return out + 1;
}

/** Token and literals; the match's half of the token is still empty. Answers the place behind them. */
// @ts-ignore: decorator
@inline
function putLiterals(out: usize, from: usize, byteLength: i32): usize {
  const token = out++;
  if (byteLength >= NIBBLE_MAX) {
    store<u8>(token, <u8>(NIBBLE_MAX << 4));
    out = putLength(out, byteLength - NIBBLE_MAX);
  } else store<u8>(token, <u8>(byteLength << 4));
  copyApart(out, from, byteLength);
  return out + <usize>byteLength;
}

/** Compresses a block of at most 64 KiB. Answers how many bytes it takes: more than it had, when it does not shrink. */
export function lz4CompressBlock(at: usize, byteLength: i32, into: usize): i32 {
  mustHaveRoom(at, byteLength);
  must(byteLength > 0 && byteLength <= LZ4_BLOCK_BYTE_LENGTH_MAX, Fault.RANGE);
  mustHaveRoom(into, boundOf(byteLength));
  const end = at + <usize>byteLength;
  let out = into;
  let anchor = at;
  if (<usize>byteLength > LAST_MATCH) {
    const matchEnd = end - LAST_LITERALS;
    const searchEnd = end - LAST_MATCH;
    // Position 0 in every slot: whether it is alike is looked at like any other.
    memory.fill(LZ_TABLE_AT, 0, TABLE_BYTE_LENGTH);
    let place = at + 1;
    while (place <= searchEnd) {
      let before: usize;
      let word = load<u32>(place);
      let looked: u32 = 1 << PATIENCE;
      while (true) {
        const slot = slotOf(word);
        before = at + <usize>load<u16>(slot);
        store<u16>(slot, <u16>(place - at));
        if (load<u32>(before) == word) break;
        place += <usize>(looked++ >> PATIENCE);
        if (place > searchEnd) break;
        word = load<u32>(place);
      }
      if (place > searchEnd) break;
      while (place > anchor && before > at && load<u8>(place - 1) == load<u8>(before - 1)) {
        place--;
        before--;
      }
      let token = out;
      out = putLiterals(out, anchor, <i32>(place - anchor));
      while (true) {
        store<u16>(out, <u16>(place - before));
        out += 2;
        const length = alikeLength(place + MATCH_MIN, before + MATCH_MIN, matchEnd);
        place += <usize>(length + MATCH_MIN);
        if (length >= NIBBLE_MAX) {
          store<u8>(token, load<u8>(token) | <u8>NIBBLE_MAX);
          out = putLength(out, length - NIBBLE_MAX);
        } else store<u8>(token, load<u8>(token) | <u8>length);
        anchor = place;
        if (place > searchEnd) break;
        store<u16>(slotOf(load<u32>(place - 2)), <u16>(place - 2 - at));
        word = load<u32>(place);
        const slot = slotOf(word);
        before = at + <usize>load<u16>(slot);
        store<u16>(slot, <u16>(place - at));
        if (load<u32>(before) != word) break;
        token = out++;
        store<u8>(token, 0);
      }
      place++;
    }
  }
  out = putLiterals(out, anchor, <i32>(end - anchor));
  const compressed = <i32>(out - into);
  must(compressed <= boundOf(byteLength), Fault.OUTPUT_FULL);
  return compressed;
}

/**
 * Decompresses a block to `into`, before which `historyByteLength` bytes may be repeated. Answers how many bytes came out;
 * `TOO_LONG` when they would be more than `intoByteLength`.
 */
export function lz4DecompressBlock(at: usize, byteLength: i32, into: usize, intoByteLength: i32, historyByteLength: i32): i32 {
  mustHaveRoom(at, byteLength);
  mustHaveRoom(into, intoByteLength);
  must(historyByteLength >= 0 && <usize>historyByteLength <= into, Fault.RANGE);
  // A length is at most 255 times the bytes that say it, and is counted in 31 bits.
  must(byteLength <= COMPRESSED_BYTE_LENGTH_MAX, Fault.RANGE);
  const end = at + <usize>byteLength;
  const outEnd = into + <usize>intoByteLength;
  const first = into - <usize>historyByteLength;
  let out = into;
  while (at < end) {
    const token = <i32>load<u8>(at++);
    let length = token >> 4;
    if (length == NIBBLE_MAX) {
      let more: i32;
      do {
        if (at >= end) return Status.MALFORMED;
        more = <i32>load<u8>(at++);
        length += more;
      } while (more == 255);
    }
    if (<usize>length > end - at) return Status.MALFORMED;
    if (<usize>length > outEnd - out) return Status.TOO_LONG;
    copyApart(out, at, length);
    at += <usize>length;
    out += <usize>length;
    if (at == end) return <i32>(out - into);

    if (end - at < 2) return Status.MALFORMED;
    const distance = <usize>load<u16>(at);
    at += 2;
    if (distance == 0 || distance > out - first) return Status.MALFORMED;
    length = token & NIBBLE_MAX;
    if (length == NIBBLE_MAX) {
      let more: i32;
      do {
        if (at >= end) return Status.MALFORMED;
        more = <i32>load<u8>(at++);
        length += more;
      } while (more == 255);
    }
    length += MATCH_MIN;
    if (<usize>length > outEnd - out) return Status.TOO_LONG;
    copyRepeat(out, distance, length);
    out += <usize>length;
  }
  return Status.MALFORMED;
}
