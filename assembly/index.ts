/** The export table of the core, and nothing else. Every export answers an i32: zero or more is the answer, more answers are in the mailbox. */
import {
  ARENA_END,
  CODEC_INPUT_AT,
  CODEC_OUTPUT_AT,
  CODEC_WINDOW_BYTE_LENGTH,
  MAILBOX_AT,
  READ_WINDOW_AT,
  SCAN_TABLE_AT,
  STAGING_AT,
  STAGING_BYTE_LENGTH,
  WINDOW_BYTE_LENGTH,
  WRITE_WINDOW_AT,
} from "./memory/arena";
import { answer32 } from "./memory/mailbox";
import { readVarint, readVarlong, varintByteLength, varintEnd, varlongByteLength, writeVarint, writeVarlong } from "./memory/varint";
import { Fault, must, mustBeInMemory } from "./panic/fault";
import { Status } from "./panic/status";
import { extend } from "./checksum/crc32c";
import { murmur2Of } from "./checksum/murmur2";
import { buildTables } from "./checksum/tables";
import { beginXxh32, extendXxh32, finishXxh32 } from "./checksum/xxh32";
import { lz4CompressBlock as compressLz4, lz4DecompressBlock as decompressLz4 } from "./compression/lz4";
import { snappyCompressBlock as compressSnappy, snappyDecompressBlock as decompressSnappy } from "./compression/snappy";
import { filterRecords, mapRecords } from "./compaction/batch-filter";
import { hashHigh, hashKey, hashLow, setSecret } from "./compaction/key-hash";
import { mappedKeyCount, openMap } from "./compaction/offset-map";
import { openVerdicts, settle } from "./compaction/verdicts";
import { filterWindow as filterBatches, mapWindow as mapBatches } from "./compaction/window-pass";
import { appendOffset, findOffset } from "./lookup/offset-index";
import { appendTime, findTime } from "./lookup/time-index";
import { find } from "./record/batch-reader";
import { beginValidation, continueValidation } from "./record/batch-validator";
import * as writer from "./record/batch-writer";
import { scanWindow } from "./scan/scanner";

/** As many checksums have room in the mailbox. */
const SUMMED_BLOCKS_MAX: i64 = 24;

/** Builds the tables and says where the windows are. Answers the address of the mailbox. */
export function initialize(): i32 {
  must(<u64>memory.size() << 16 >= <u64>ARENA_END, Fault.MEMORY_TOO_SMALL);
  buildTables();
  answer32(0, <i32>STAGING_AT);
  answer32(1, <i32>STAGING_BYTE_LENGTH);
  answer32(2, <i32>SCAN_TABLE_AT);
  answer32(3, <i32>WRITE_WINDOW_AT);
  answer32(4, <i32>READ_WINDOW_AT);
  answer32(5, <i32>WINDOW_BYTE_LENGTH);
  answer32(6, <i32>ARENA_END);
  answer32(7, <i32>CODEC_INPUT_AT);
  answer32(8, <i32>CODEC_OUTPUT_AT);
  answer32(9, <i32>CODEC_WINDOW_BYTE_LENGTH);
  return <i32>MAILBOX_AT;
}

/** The checksum goes to slot 0: all 32 bits of it are answer. */
export function crc32c(at: usize, byteLength: i32, seed: i32): i32 {
  mustBeInMemory(at, byteLength);
  answer32(0, <i32>extend(<u32>seed, at, byteLength));
  return 0;
}

/**
 * Of bytes that go on where blocks of `blockByteLength` stand: the one that was begun has `begunByteLength` bytes and the checksum `open`.
 * Answers how many blocks were ended; the checksum of the one that is open now is in slot 0, theirs are in those behind it.
 */
export function crc32cOfBlocks(at: usize, byteLength: i32, open: i32, begunByteLength: i32, blockByteLength: i32): i32 {
  mustBeInMemory(at, byteLength);
  must(begunByteLength >= 0 && begunByteLength < blockByteLength, Fault.RANGE);
  must((<i64>begunByteLength + <i64>byteLength) / <i64>blockByteLength < SUMMED_BLOCKS_MAX, Fault.RANGE);
  let count = 0;
  while (byteLength > 0) {
    const step = min(byteLength, blockByteLength - begunByteLength);
    open = <i32>extend(<u32>open, at, step);
    at += <usize>step;
    byteLength -= step;
    begunByteLength += step;
    if (begunByteLength == blockByteLength) {
      count++;
      answer32(count, open);
      open = begunByteLength = 0;
    }
  }
  answer32(0, open);
  return count;
}

export function scan(byteLength: i32, verifyChecksums: i32): i32 {
  return scanWindow(byteLength, verifyChecksums != 0);
}

export function validateHeader(at: usize, givenByteLength: i32, wholeByteLength: i32): i32 {
  return beginValidation(at, givenByteLength, wholeByteLength);
}

export function validateRecords(at: usize, start: i32, byteLength: i32): i32 {
  return continueValidation(at, start, byteLength);
}

export function beginBatch(): i32 {
  writer.beginBatch();
  return 0;
}

/** A record without headers. Answers where the key goes; where the value goes is in the mailbox. */
export function frameRecord(keyLength: i32, valueLength: i32, timestamp: f64): i32 {
  return writer.frameRecord(keyLength, valueLength, timestamp, 0, 0, false);
}

/** The record framed last, where its window still is: as if it had never been. */
export function takeRecordBack(): i32 {
  writer.takeRecordBack();
  return 0;
}

export function frameRecordWithHeaders(keyLength: i32, valueLength: i32, timestamp: f64, headerCount: i32, headersByteLength: i32): i32 {
  return writer.frameRecord(keyLength, valueLength, timestamp, headerCount, headersByteLength, false);
}

export function frameRecordApart(keyLength: i32, valueLength: i32, timestamp: f64, headerCount: i32, headersByteLength: i32): i32 {
  return writer.frameRecord(keyLength, valueLength, timestamp, headerCount, headersByteLength, true);
}

export function headersByteLength(count: i32): i32 {
  return writer.headersByteLength(count);
}

export function frameHeaders(count: i32): i32 {
  return writer.frameHeaders(count);
}

export function takeWindow(): i32 {
  return writer.takeWindow();
}

export function batchByteLength(): i32 {
  return writer.batchByteLength();
}

export function batchRecordCount(): i32 {
  return writer.batchRecordCount();
}

export function finishBatch(attributes: i32, producerId: i64, producerEpoch: i32, baseSequence: i32): i32 {
  return writer.finishBatch(attributes, producerId, producerEpoch, baseSequence);
}

export function findRecord(at: usize, byteLength: i32, offsetMin: f64, timestampMin: f64): i32 {
  return find(at, byteLength, offsetMin, timestampMin);
}

export function findOffsetEntry(at: usize, byteLength: i32, relativeOffset: f64): i32 {
  return findOffset(at, byteLength, relativeOffset);
}

export function findTimeEntry(at: usize, byteLength: i32, timestamp: f64): i32 {
  return findTime(at, byteLength, timestamp);
}

export function appendOffsetEntry(at: usize, count: i32, relativeOffset: f64, position: f64): i32 {
  return appendOffset(at, count, relativeOffset, position);
}

export function appendTimeEntry(at: usize, count: i32, timestamp: f64, relativeOffset: f64): i32 {
  return appendTime(at, count, timestamp, relativeOffset);
}

/** The hash goes to slot 0: all 32 bits of it are answer. */
export function murmur2(at: usize, start: i32, byteLength: i32, keyByteLength: i32): i32 {
  return murmur2Of(at, start, byteLength, keyByteLength);
}

/**
 * An empty offset map of `byteLength` bytes at `at`, its hashes under the 16 bytes at `secretAt`; and what is told of offsets in
 * `verdictsByteLength` bytes at `verdictsAt`. Answers how many keys it takes.
 */
export function openOffsetMap(at: usize, byteLength: i32, secretAt: usize, verdictsAt: usize, verdictsByteLength: i32): i32 {
  mustBeInMemory(secretAt, 16);
  setSecret(secretAt);
  openVerdicts(verdictsAt, verdictsByteLength);
  return openMap(at, byteLength);
}

export function offsetMapKeyCount(): i32 {
  return mappedKeyCount();
}

/** Answers 1 while more places of the map are left to be settled. */
export function settleOffsetMap(placeCountMax: i32): i32 {
  return settle(placeCountMax);
}

export function mapBatch(at: usize, byteLength: i32, startOffset: f64): i32 {
  return mapRecords(at, byteLength, <i64>startOffset);
}

export function filterBatch(
  at: usize,
  byteLength: i32,
  into: usize,
  intoByteLength: i32,
  latestOffset: f64,
  now: f64,
  newDeleteHorizon: f64,
  flags: i32,
): i32 {
  return filterRecords(at, byteLength, into, intoByteLength, <i64>latestOffset, <i64>now, <i64>newDeleteHorizon, flags);
}

export function mapWindow(index: i32, end: i32, startOffset: f64, recordCountMax: i32): i32 {
  return mapBatches(index, end, <i64>startOffset, recordCountMax);
}

export function filterWindow(
  index: i32,
  end: i32,
  into: usize,
  intoByteLength: i32,
  latestOffset: f64,
  now: f64,
  newDeleteHorizon: f64,
  recordCountMax: i32,
): i32 {
  return filterBatches(index, end, into, intoByteLength, <i64>latestOffset, <i64>now, <i64>newDeleteHorizon, recordCountMax);
}

/** At most 64 KiB. Answers how many bytes were written to `into`: more than there were, when they do not shrink. */
export function lz4CompressBlock(at: usize, byteLength: i32, into: usize): i32 {
  return compressLz4(at, byteLength, into);
}

/** Answers how many bytes came out. `historyByteLength` bytes before `into` may be repeated. */
export function lz4DecompressBlock(at: usize, byteLength: i32, into: usize, intoByteLength: i32, historyByteLength: i32): i32 {
  return decompressLz4(at, byteLength, into, intoByteLength, historyByteLength);
}

/** At most 32 KiB. Answers how many bytes were written to `into`. */
export function snappyCompressBlock(at: usize, byteLength: i32, into: usize): i32 {
  return compressSnappy(at, byteLength, into);
}

/** What stands behind the block's length, which is `intoByteLength`. */
export function snappyDecompressBlock(at: usize, byteLength: i32, into: usize, intoByteLength: i32): i32 {
  return decompressSnappy(at, byteLength, into, intoByteLength);
}

export function xxh32Begin(): i32 {
  beginXxh32();
  return 0;
}

export function xxh32Extend(at: usize, byteLength: i32): i32 {
  mustBeInMemory(at, byteLength);
  extendXxh32(at, byteLength);
  return 0;
}

/** The hash goes to slot 0: all 32 bits of it are answer. */
export function xxh32Finish(): i32 {
  answer32(0, <i32>finishXxh32());
  return 0;
}

// What follows is called by tests alone, so that published vectors can be held against it.

/** Answers how many bytes were written. */
export function encodeVarint(at: usize, value: i32): i32 {
  mustBeInMemory(at, 5);
  const byteLength = <i32>(writeVarint(at, value) - at);
  must(byteLength == varintByteLength(value), Fault.RECORD_LENGTH);
  return byteLength;
}

export function encodeVarlong(at: usize, value: i64): i32 {
  mustBeInMemory(at, 10);
  const byteLength = <i32>(writeVarlong(at, value) - at);
  must(byteLength == varlongByteLength(value), Fault.RECORD_LENGTH);
  return byteLength;
}

/** Answers how many bytes were read, the value being in slot 0. */
export function decodeVarint(at: usize, byteLength: i32): i32 {
  mustBeInMemory(at, byteLength);
  const value = readVarint(at, at + <usize>byteLength);
  if (varintEnd == 0) return Status.MALFORMED;
  answer32(0, value);
  return <i32>(varintEnd - at);
}

/** The low half of the value is in slot 0, the high one in slot 1. */
export function decodeVarlong(at: usize, byteLength: i32): i32 {
  mustBeInMemory(at, byteLength);
  const value = readVarlong(at, at + <usize>byteLength);
  if (varintEnd == 0) return Status.MALFORMED;
  answer32(0, <i32>value);
  answer32(1, <i32>(value >> 32));
  return <i32>(varintEnd - at);
}

/** The hash of a key, 16 bytes, written to `into`. */
export function keyHash(at: usize, byteLength: i32, into: usize): i32 {
  mustBeInMemory(at, byteLength);
  mustBeInMemory(into, 16);
  hashKey(at, byteLength);
  store<u64>(into, hashLow);
  store<u64>(into, hashHigh, 8);
  return 16;
}
