/**
 * LZ4 blocks. Source of the format: lz4_Block_format.md of the LZ4 project.
 *
 *   ├ token: literals (4 bits), match (4 bits) ┼ more of the literals' length ┼ literals ┼ distance, little-endian ┼ more of the match's length ┤ ...
 *
 * The last sequence ends behind its literals.
 */
import { Fault, must } from "../panic/fault";
import { Status } from "../panic/status";
import { alikeLength, copyApart, copyRepeat, mustHaveRoom } from "./copying";
import { beginSearch, findMatch, MATCH_MIN, matchBefore, matchFollows } from "./match-search";

/** A position in the block fits into the table's 16 bits. */
export const LZ4_BLOCK_BYTE_LENGTH_MAX: i32 = 65536;
const COMPRESSED_BYTE_LENGTH_MAX: i32 = 1 << 23;
/** The format's own: the last five bytes are literals, and no match begins in the last twelve. */
const LAST_LITERALS: usize = 5;
const LAST_MATCH: usize = 12;
const PATIENCE: u32 = 6;
const NIBBLE_MAX: i32 = 15;

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
    beginSearch();
    for (let place = findMatch(at + 1, anchor, at, searchEnd, PATIENCE); place <= searchEnd; ) {
      let token = out;
      out = putLiterals(out, anchor, <i32>(place - anchor));
      while (true) {
        store<u16>(out, <u16>(place - matchBefore));
        out += 2;
        const length = alikeLength(place + MATCH_MIN, matchBefore + MATCH_MIN, matchEnd);
        place += <usize>(length + MATCH_MIN);
        if (length >= NIBBLE_MAX) {
          store<u8>(token, load<u8>(token) | <u8>NIBBLE_MAX);
          out = putLength(out, length - NIBBLE_MAX);
        } else store<u8>(token, load<u8>(token) | <u8>length);
        anchor = place;
        if (place > searchEnd || !matchFollows(place, at, 2)) break;
        token = out++;
        store<u8>(token, 0);
      }
      place = findMatch(place + 1, anchor, at, searchEnd, PATIENCE);
    }
  }
  out = putLiterals(out, anchor, <i32>(end - anchor));
  const compressed = <i32>(out - into);
  must(compressed <= boundOf(byteLength), Fault.OUTPUT_FULL);
  return compressed;
}

/** What of a length did not fit into the token: bytes of 255, of which there are as many as go into it, and one of less. -1: it has no end. */
// @ts-ignore: decorator
@inline
function lengthBehind(at: usize, end: usize): i32 {
  let length = 0;
  while (at < end) {
    const more = <i32>load<u8>(at++);
    length += more;
    if (more != 255) return length;
  }
  return -1;
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
      const more = lengthBehind(at, end);
      if (more < 0) return Status.MALFORMED;
      length += more;
      at += <usize>(more / 255 + 1);
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
      const more = lengthBehind(at, end);
      if (more < 0) return Status.MALFORMED;
      length += more;
      at += <usize>(more / 255 + 1);
    }
    length += MATCH_MIN;
    if (<usize>length > outEnd - out) return Status.TOO_LONG;
    copyRepeat(out, distance, length);
    out += <usize>length;
  }
  return Status.MALFORMED;
}
