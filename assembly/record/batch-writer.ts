/**
 * Frames one record batch in the write window: lengths, deltas, counts, at last header and checksum. The bytes of keys,
 * values and headers are TypeScript's to copy, once, into the gaps left for them.
 *
 * A batch longer than the window is written window by window: TypeScript takes a full one away, and framing goes on at its
 * start. A record longer than the whole window is framed *apart*: without gaps, what stands between its bytes one after another.
 */
import { STAGING_AT, STAGING_BYTE_LENGTH, WINDOW_BYTE_LENGTH, WRITE_WINDOW_AT } from "../memory/arena";
import { storeI16, storeI32, storeI64 } from "../memory/bytes";
import { answer32 } from "../memory/mailbox";
import { varintByteLength, varlongByteLength, writeVarint, writeVarlong } from "../memory/varint";
import { Fault, must } from "../panic/fault";
import { Status } from "../panic/status";
import { extend } from "../checksum/crc32c";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  CRC_AT,
  HEADER_BYTE_LENGTH,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  MAGIC_AT,
  MAGIC_V2,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  SAFE_INTEGER_MAX,
} from "./layout";

const VALUE_SLOT = 0;
const HEADERS_SLOT = 1;

const WINDOW_END: usize = WRITE_WINDOW_AT + WINDOW_BYTE_LENGTH;
/** A header is announced by two 32-bit lengths in the staging window, the value's being -1 for null. */
const HEADER_SLOT_BYTE_LENGTH: i32 = 8;

let isOpen: bool = false;
/** Where the next record begins. */
let place: usize = 0;
/** Bytes of this batch that are no longer in the window. */
let takenByteLength: i32 = 0;
let recordCount: i32 = 0;
let baseTimestamp: i64 = -1;
let maxTimestamp: i64 = -1;
/** Of the record framed last: its headers that have not been framed yet, and where they go on. */
let headersLeft: i32 = 0;
let headersPlace: usize = 0;
let isApart: bool = false;

/** Where the record framed last begins, and what the latest timestamp was before it. 0: there is none that may be taken back. */
let lastPlace: usize = 0;
let maxTimestampBefore: i64 = -1;

export function beginBatch(): void {
  isOpen = true;
  place = WRITE_WINDOW_AT + HEADER_BYTE_LENGTH;
  takenByteLength = recordCount = headersLeft = 0;
  baseTimestamp = maxTimestamp = -1;
  lastPlace = 0;
}

export function batchByteLength(): i32 {
  return takenByteLength + <i32>(place - WRITE_WINDOW_AT);
}

export function batchRecordCount(): i32 {
  return recordCount;
}

/** The window has been copied elsewhere: it is free. Answers how many bytes of it were used. */
export function takeWindow(): i32 {
  must(isOpen && headersLeft == 0, Fault.FRAME_ORDER);
  const byteLength = <i32>(place - WRITE_WINDOW_AT);
  takenByteLength += byteLength;
  place = WRITE_WINDOW_AT;
  lastPlace = 0;
  return byteLength;
}

/** Bytes that the headers take whose lengths stand in the staging window. */
export function headersByteLength(count: i32): i32 {
  must(<u32>count <= <u32>(<i32>STAGING_BYTE_LENGTH / HEADER_SLOT_BYTE_LENGTH), Fault.RANGE);
  let byteLength: i64 = 0;
  let at = STAGING_AT;
  for (let i = 0; i < count; i++, at += HEADER_SLOT_BYTE_LENGTH) {
    const nameLength = load<i32>(at);
    const valueLength = load<i32>(at, 4);
    must(nameLength >= 0 && valueLength >= -1, Fault.RANGE);
    byteLength += <i64>varintByteLength(nameLength) + <i64>nameLength + <i64>varintByteLength(valueLength) + <i64>max(valueLength, 0);
  }
  return byteLength > i32.MAX_VALUE ? <i32>Status.BATCH_TOO_LONG : <i32>byteLength;
}

/**
 * Frames the next record. -1 is the length of null; `headersLength` is what its `headerCount` headers take together.
 * Answers where the key goes; where the value and the headers go is in the mailbox. A status: nothing was written.
 */
// @ts-ignore: decorator
@inline
export function frameRecord(keyLength: i32, valueLength: i32, timestamp: f64, headerCount: i32, headersLength: i32, apart: bool): i32 {
  must(isOpen && headersLeft == 0, Fault.FRAME_ORDER);
  must(keyLength >= -1 && valueLength >= -1 && headerCount >= 0 && headersLength >= 0, Fault.RANGE);
  if (!(timestamp >= -1 && timestamp <= <f64>SAFE_INTEGER_MAX && floor(timestamp) == timestamp)) return Status.TIMESTAMP;
  const exact = <i64>timestamp;
  const delta = recordCount == 0 ? 0 : exact - baseTimestamp;

  const keyByteLength = max(keyLength, 0);
  const valueByteLength = max(valueLength, 0);
  // attributes, both deltas, both lengths with what they announce, headers: at most 4 * 2^31 and a little, so in 64 bits.
  const longLength =
    <i64>(1 + varlongByteLength(delta) + varintByteLength(recordCount) + varintByteLength(keyLength) + varintByteLength(valueLength) + varintByteLength(headerCount)) +
    <i64>keyByteLength +
    <i64>valueByteLength +
    <i64>headersLength;
  if (longLength + 5 + <i64>batchByteLength() > <i64>i32.MAX_VALUE) return Status.BATCH_TOO_LONG;
  const length = <i32>longLength;
  const end = place + <usize>(varintByteLength(length) + length);
  if (apart) must(place == WRITE_WINDOW_AT, Fault.FRAME_ORDER);
  else if (end > WINDOW_END) return Status.WINDOW_FULL;

  maxTimestampBefore = maxTimestamp;
  if (recordCount == 0) baseTimestamp = maxTimestamp = exact;
  else if (exact > maxTimestamp) maxTimestamp = exact;
  let at = writeVarint(place, length);
  store<u8>(at++, 0);
  at = writeVarlong(at, delta);
  at = writeVarint(at, recordCount);
  const keyAt = writeVarint(at, keyLength);
  const valueAt = writeVarint(apart ? keyAt : keyAt + <usize>keyByteLength, valueLength);
  const headersAt = writeVarint(apart ? valueAt : valueAt + <usize>valueByteLength, headerCount);
  if (apart) {
    takenByteLength += <i32>(end - place);
    lastPlace = 0;
  } else {
    must(headersAt + <usize>headersLength == end, Fault.RECORD_LENGTH);
    lastPlace = place;
    place = end;
  }
  recordCount++;
  headersLeft = headerCount;
  headersPlace = headersAt;
  isApart = apart;
  answer32(VALUE_SLOT, <i32>valueAt);
  answer32(HEADERS_SLOT, <i32>headersAt);
  return <i32>keyAt;
}

/** The record framed last was not to be: the next one is framed in its place, as if it had never been. */
export function takeRecordBack(): void {
  must(isOpen && headersLeft == 0 && lastPlace != 0, Fault.FRAME_ORDER);
  place = lastPlace;
  lastPlace = 0;
  maxTimestamp = maxTimestampBefore;
  recordCount--;
}

/**
 * Frames the next headers of the record framed last; their lengths stand in the staging window, and are replaced there by the
 * places where name and value go. Of a record apart: by where what announces each of them ends, from the window's start on.
 */
export function frameHeaders(count: i32): i32 {
  must(isOpen && <u32>count <= <u32>(<i32>STAGING_BYTE_LENGTH / HEADER_SLOT_BYTE_LENGTH) && count <= headersLeft, Fault.FRAME_ORDER);
  let at = isApart ? WRITE_WINDOW_AT : headersPlace;
  let slot = STAGING_AT;
  for (let i = 0; i < count; i++, slot += HEADER_SLOT_BYTE_LENGTH) {
    const nameLength = load<i32>(slot);
    const valueLength = load<i32>(slot, 4);
    must(nameLength >= 0 && valueLength >= -1, Fault.RANGE);
    const gaps = isApart ? 0 : <i64>nameLength + <i64>max(valueLength, 0);
    const end = <i64>at + gaps + <i64>(varintByteLength(nameLength) + varintByteLength(valueLength));
    must(end <= <i64>(isApart ? WINDOW_END : place), Fault.RECORD_LENGTH);
    at = writeVarint(at, nameLength);
    store<i32>(slot, <i32>at);
    if (!isApart) at += <usize>nameLength;
    at = writeVarint(at, valueLength);
    store<i32>(slot, <i32>at, 4);
    if (!isApart) at += <usize>max(valueLength, 0);
  }
  headersLeft -= count;
  headersPlace = at;
  if (headersLeft == 0 && !isApart) must(at == place, Fault.RECORD_LENGTH);
  return count;
}

/** Writes the header at the window's start, and its checksum if the whole batch stands there. Answers the batch's length. */
export function finishBatch(attributes: i32, producerId: i64, producerEpoch: i32, baseSequence: i32): i32 {
  must(isOpen && headersLeft == 0, Fault.FRAME_ORDER);
  const isTaken = takenByteLength > 0;
  must(!isTaken || place == WRITE_WINDOW_AT, Fault.FRAME_ORDER);
  isOpen = false;
  const byteLength = batchByteLength();
  const at = WRITE_WINDOW_AT;
  storeI64(at + BASE_OFFSET_AT, 0);
  storeI32(at + LENGTH_AT, byteLength - <i32>LENGTH_OVERHEAD);
  storeI32(at + LEADER_EPOCH_AT, -1);
  store<u8>(at + MAGIC_AT, MAGIC_V2);
  storeI16(at + ATTRIBUTES_AT, attributes);
  storeI32(at + LAST_OFFSET_DELTA_AT, recordCount - 1);
  storeI64(at + BASE_TIMESTAMP_AT, baseTimestamp);
  storeI64(at + MAX_TIMESTAMP_AT, maxTimestamp);
  storeI64(at + PRODUCER_ID_AT, producerId);
  storeI16(at + PRODUCER_EPOCH_AT, producerEpoch);
  storeI32(at + BASE_SEQUENCE_AT, baseSequence);
  storeI32(at + RECORD_COUNT_AT, recordCount);
  storeI32(at + CRC_AT, isTaken ? 0 : <i32>extend(0, at + ATTRIBUTES_AT, byteLength - <i32>ATTRIBUTES_AT));
  return byteLength;
}
