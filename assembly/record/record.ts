/** Where the fields of one whole record lie, for code that looks at keys and values. */
import { readShortVarint, readVarlong, varintEnd } from "../memory/varint";
import { RECORD_BYTE_LENGTH_MIN } from "./layout";

// The record read last. A function has one result; these are read right after `readRecord`.
export let recordEnd: usize = 0;
/** The one byte of attributes, unused by Kafka. */
export let attributesAt: usize = 0;
export let timestampDelta: i64 = 0;
/** Behind the timestamp: from here to its end a record does not depend on the batch's base timestamp. */
export let offsetDeltaAt: usize = 0;
export let offsetDelta: i32 = 0;
export let keyAt: usize = 0;
/** -1: null. */
export let keyLength: i32 = -1;
export let valueAt: usize = 0;
/** -1: null. */
export let valueLength: i32 = -1;

/** Reads the record at `at` in a batch that ends at `end`. False: its bytes do not add up. Headers are left to the record's length. */
export function readRecord(at: usize, end: usize): bool {
  const length = readShortVarint(at, end);
  attributesAt = varintEnd;
  if (attributesAt == 0 || length < RECORD_BYTE_LENGTH_MIN - 1 || length > <i32>(end - attributesAt)) return false;
  recordEnd = attributesAt + <usize>length;
  timestampDelta = readVarlong(attributesAt + 1, recordEnd);
  offsetDeltaAt = varintEnd;
  if (offsetDeltaAt == 0) return false;
  offsetDelta = readShortVarint(offsetDeltaAt, recordEnd);
  if (varintEnd == 0) return false;
  keyLength = readShortVarint(varintEnd, recordEnd);
  keyAt = varintEnd;
  if (keyAt == 0 || keyLength < -1 || keyLength > <i32>(recordEnd - keyAt)) return false;
  valueLength = readShortVarint(keyLength > 0 ? keyAt + <usize>keyLength : keyAt, recordEnd);
  valueAt = varintEnd;
  return valueAt != 0 && valueLength >= -1 && valueLength <= <i32>(recordEnd - valueAt);
}
