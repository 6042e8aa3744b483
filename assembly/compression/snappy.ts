/**
 * Snappy blocks. Source of the format: format_description.txt of the Snappy project.
 *
 *   ├ uncompressed length, varint ┼ tag: kind (2 bits), length ... ┼ literals, or a distance ┤ ...
 */
import { Fault, must } from "../panic/fault";
import { Status } from "../panic/status";
import { alikeLength, copyApart, copyRepeat, mustHaveRoom } from "./copying";
import { beginSearch, findMatch, MATCH_MIN, matchBefore, matchFollows } from "./match-search";

/** What the table is made for; a position in the block fits into its 16 bits. */
export const SNAPPY_BLOCK_BYTE_LENGTH_MAX: i32 = 32768;
/** No match begins so near the end: what is read of it then needs no look at where the block ends. */
const LAST_MATCH: usize = 15;
const PATIENCE: u32 = 5;

const LITERAL: i32 = 0;
const NEAR: i32 = 1;
const FAR: i32 = 2;

// @ts-ignore: decorator
@inline
function boundOf(byteLength: i32): i32 {
  return 32 + byteLength + byteLength / 6;
}

// @ts-ignore: decorator
@inline
function putLiterals(out: usize, from: usize, byteLength: i32): usize {
  if (byteLength == 0) return out;
  const less = byteLength - 1;
  if (less < 60) {
    store<u8>(out, <u8>((less << 2) | LITERAL));
    out += 1;
  } else if (less < 256) {
    store<u8>(out, <u8>((60 << 2) | LITERAL));
    store<u8>(out, <u8>less, 1);
    out += 2;
  } else {
    store<u8>(out, <u8>((61 << 2) | LITERAL));
    store<u16>(out, <u16>less, 1);
    out += 3;
  }
  copyApart(out, from, byteLength);
  return out + <usize>byteLength;
}

// @ts-ignore: decorator
@inline
function putFar(out: usize, distance: usize, length: i32): usize {
  store<u8>(out, <u8>(((length - 1) << 2) | FAR));
  store<u16>(out, <u16>distance, 1);
  return out + 3;
}

// @ts-ignore: decorator
@inline
function putMatch(out: usize, distance: usize, length: i32): usize {
  // 64 at a time, and never less than 4 left: a short copy can then say it.
  while (length >= 68) {
    out = putFar(out, distance, 64);
    length -= 64;
  }
  if (length > 64) {
    out = putFar(out, distance, 60);
    length -= 60;
  }
  if (length >= 12 || distance >= 2048) return putFar(out, distance, length);
  store<u8>(out, <u8>((<i32>(distance >> 8) << 5) | ((length - 4) << 2) | NEAR));
  store<u8>(out, <u8>distance, 1);
  return out + 2;
}

/** Compresses a block of at most 32 KiB. Answers how many bytes it takes. */
export function snappyCompressBlock(at: usize, byteLength: i32, into: usize): i32 {
  mustHaveRoom(at, byteLength);
  must(byteLength > 0 && byteLength <= SNAPPY_BLOCK_BYTE_LENGTH_MAX, Fault.RANGE);
  mustHaveRoom(into, boundOf(byteLength));
  const end = at + <usize>byteLength;
  let out = into;
  let left = byteLength;
  while (left >= 0x80) {
    store<u8>(out++, <u8>(left | 0x80));
    left >>= 7;
  }
  store<u8>(out++, <u8>left);
  let anchor = at;
  if (<usize>byteLength > LAST_MATCH) {
    const searchEnd = end - LAST_MATCH;
    beginSearch();
    for (let place = findMatch(at + 1, anchor, at, searchEnd, PATIENCE); place <= searchEnd; ) {
      out = putLiterals(out, anchor, <i32>(place - anchor));
      do {
        const length = MATCH_MIN + alikeLength(place + MATCH_MIN, matchBefore + MATCH_MIN, end);
        out = putMatch(out, place - matchBefore, length);
        place += <usize>length;
        anchor = place;
      } while (place <= searchEnd && matchFollows(place, at, 1));
      place = findMatch(place + 1, anchor, at, searchEnd, PATIENCE);
    }
  }
  out = putLiterals(out, anchor, <i32>(end - anchor));
  const compressed = <i32>(out - into);
  must(compressed <= boundOf(byteLength), Fault.OUTPUT_FULL);
  return compressed;
}

/** Decompresses the elements behind a block's length, which must come to exactly `intoByteLength` bytes. Answers that. */
export function snappyDecompressBlock(at: usize, byteLength: i32, into: usize, intoByteLength: i32): i32 {
  mustHaveRoom(at, byteLength);
  mustHaveRoom(into, intoByteLength);
  const end = at + <usize>byteLength;
  const outEnd = into + <usize>intoByteLength;
  let out = into;
  while (at < end) {
    const tag = <i32>load<u8>(at++);
    const kind = tag & 3;
    let length = tag >> 2;
    if (kind == LITERAL) {
      if (length >= 60) {
        const width = <usize>(length - 59);
        if (width > end - at) return Status.MALFORMED;
        // Up to three bytes too many are read, and cut off.
        const less = load<u32>(at) & (<u32>0xffffffff >> (32 - 8 * <u32>width));
        if (less >= <u32>i32.MAX_VALUE) return Status.MALFORMED;
        length = <i32>less;
        at += width;
      }
      length++;
      if (<usize>length > end - at) return Status.MALFORMED;
      if (<usize>length > outEnd - out) return Status.TOO_LONG;
      copyApart(out, at, length);
      at += <usize>length;
      out += <usize>length;
      continue;
    }
    let distance: usize;
    if (kind == NEAR) {
      if (at >= end) return Status.MALFORMED;
      distance = (<usize>(tag >> 5) << 8) | <usize>load<u8>(at++);
      length = 4 + (length & 7);
    } else if (kind == FAR) {
      if (end - at < 2) return Status.MALFORMED;
      distance = <usize>load<u16>(at);
      at += 2;
      length++;
    } else {
      if (end - at < 4) return Status.MALFORMED;
      distance = <usize>load<u32>(at);
      at += 4;
      length++;
    }
    if (distance == 0 || distance > out - into) return Status.MALFORMED;
    if (<usize>length > outEnd - out) return Status.TOO_LONG;
    copyRepeat(out, distance, length);
    out += <usize>length;
  }
  return out == outEnd ? intoByteLength : Status.MALFORMED;
}
