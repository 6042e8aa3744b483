/** The fixed head of a record batch (magic 2) as the log sees it: where its fields lie, and how they are read and stamped. */
import type { Core } from "../core/core.ts";

//  0             8        12       16      17    21           23           27         35         43   51      53    57     61
//  ├ base offset ┼ length ┼ epoch ┼ magic ┼ crc ┼ attributes ┼ last delta ┼ base time ┼ max time ┼ pid ┼ epoch ┼ seq ┼ count ┤
export const LENGTH_AT = 8;
export const EPOCH_AT = 12;
export const MAGIC_AT = 16;
export const CRC_AT = 17;
export const ATTRIBUTES_AT = 21;
export const LAST_OFFSET_DELTA_AT = 23;
export const BASE_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
export const RECORD_COUNT_AT = 57;
export const HEADER_BYTE_LENGTH = 61;
/** The bytes that `length` does not count: the base offset and itself. */
export const LENGTH_OVERHEAD = 12;

export const TIMESTAMP_TYPE_BIT: number = 1 << 3;
const TWO_TO_32 = 4294967296;

/** A signed 64-bit number, as the nearest double. */
export function readInt64(view: DataView, position: number): number {
  return view.getInt32(position) * TWO_TO_32 + view.getUint32(position + 4);
}

function putUint32(bytes: Uint8Array, position: number, value: number): void {
  bytes[position] = value >>> 24;
  bytes[position + 1] = value >>> 16;
  bytes[position + 2] = value >>> 8;
  bytes[position + 3] = value;
}

function putUint64(bytes: Uint8Array, position: number, value: number): void {
  putUint32(bytes, position, Math.floor(value / TWO_TO_32));
  putUint32(bytes, position + 4, value >>> 0);
}

/** Gives a batch its place. Neither field is under the batch's checksum. By hand: a DataView would be made for every batch. */
export function stampPlace(batch: Uint8Array, baseOffset: number, leaderEpoch: number): void {
  putUint64(batch, 0, baseOffset);
  putUint32(batch, EPOCH_AT, leaderEpoch);
}

/** Makes `timestamp` the time of every record (LogAppendTime), which the checksum covers. */
export function stampAppendTime(core: Core, batch: Uint8Array, timestamp: number): void {
  batch[ATTRIBUTES_AT + 1] = (batch[ATTRIBUTES_AT + 1] as number) | TIMESTAMP_TYPE_BIT;
  putUint64(batch, MAX_TIMESTAMP_AT, timestamp);
  putUint32(batch, CRC_AT, core.crc32c(batch.subarray(ATTRIBUTES_AT)));
}

/** How long the batch at `position` is, its first 12 bytes included; NaN when no batch can have that length. */
export function batchByteLengthAt(view: DataView, position: number): number {
  const byteLength = view.getInt32(position + LENGTH_AT) + LENGTH_OVERHEAD;
  return byteLength >= HEADER_BYTE_LENGTH ? byteLength : Number.NaN;
}

/** The last offset of the batch at `position`. */
export function lastOffsetAt(view: DataView, position: number): number {
  return readInt64(view, position) + view.getInt32(position + LAST_OFFSET_DELTA_AT);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
