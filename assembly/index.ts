/** The export table of the core, and nothing else. Every export answers an i32: zero or more is the answer, more answers are in the mailbox. */
import {
  ARENA_END,
  MAILBOX_AT,
  READ_WINDOW_AT,
  SCAN_TABLE_AT,
  STAGING_AT,
  STAGING_BYTE_LENGTH,
  WINDOW_BYTE_LENGTH,
  WRITE_WINDOW_AT,
} from "./memory/arena";
import { answer32 } from "./memory/mailbox";
import { Fault, must, mustBeInMemory } from "./panic/fault";
import { extend } from "./checksum/crc32c";
import { buildTables } from "./checksum/tables";
import { filterRecords, mapRecords } from "./compaction/batch-filter";
import { hashHigh, hashKey, hashLow, setSecret } from "./compaction/key-hash";
import { mappedKeyCount, openMap } from "./compaction/offset-map";
import { beginValidation, continueValidation } from "./record/batch-validator";
import { scanWindow } from "./scan/scanner";

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
  return <i32>MAILBOX_AT;
}

/** The checksum goes to slot 0: all 32 bits of it are answer. */
export function crc32c(at: usize, byteLength: i32, seed: i32): i32 {
  mustBeInMemory(at, byteLength);
  answer32(0, <i32>extend(<u32>seed, at, byteLength));
  return 0;
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

/** An empty offset map of `byteLength` bytes at `at`, its hashes under the 16 bytes at `secretAt`. Answers how many keys it takes. */
export function openOffsetMap(at: usize, byteLength: i32, secretAt: usize): i32 {
  mustBeInMemory(secretAt, 16);
  setSecret(secretAt);
  return openMap(at, byteLength);
}

export function offsetMapKeyCount(): i32 {
  return mappedKeyCount();
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

/** The hash of a key, 16 bytes, written to `into`: so that it can be compared with its published vectors. */
export function keyHash(at: usize, byteLength: i32, into: usize): i32 {
  mustBeInMemory(at, byteLength);
  mustBeInMemory(into, 16);
  hashKey(at, byteLength);
  store<u64>(into, hashLow);
  store<u64>(into, hashHigh, 8);
  return 16;
}
