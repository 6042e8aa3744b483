/** How many bytes a record takes in a batch, to the byte, before it is written: what a limit can be held against. */
import { HEADER_BYTE_LENGTH } from "../base/record-batch.ts";

export type WireHeaders = readonly (readonly [name: Uint8Array, value: Uint8Array | null])[];

/** `null` is announced as a length of -1, in one byte. */
const NULL_LENGTH = -1;
const ATTRIBUTES_BYTE_LENGTH = 1;
/** The record's length, attributes, both deltas, the lengths of key and value. */
const FRAME_BYTE_LENGTH_MAX: number = 5 + ATTRIBUTES_BYTE_LENGTH + 10 + 5 + 5 + 5;

/** Zigzag: a sign and seven bits to a byte. For any whole number that is safe. */
export function varintByteLength(value: number): number {
  if (value >= -(2 ** 30) && value < 2 ** 30) {
    const raw = (value << 1) ^ (value >> 31);
    return ((38 - Math.clz32(raw | 1)) / 7) | 0;
  }
  let byteLength = 1;
  for (let left = value >= 0 ? value * 2 : value * -2 - 1; left >= 0x80; left = Math.floor(left / 0x80)) byteLength += 1;
  return byteLength;
}

/** All headers with their count. */
export function headersByteLength(headers: WireHeaders | null): number {
  if (headers === null) return 1;
  let byteLength = varintByteLength(headers.length);
  for (const [name, value] of headers)
    byteLength += fieldByteLength(name.length) + fieldByteLength(value === null ? NULL_LENGTH : value.length);
  return byteLength;
}

/** A length -1 means null. */
function fieldByteLength(length: number): number {
  return length < 0 ? 1 : varintByteLength(length) + length;
}

/** The whole record, its own length included. Lengths of -1 mean null; deltas are to the batch's first record. */
export function recordByteLength(
  offsetDelta: number,
  timestampDelta: number,
  keyLength: number,
  valueLength: number,
  headerBytes: number,
): number {
  const body =
    ATTRIBUTES_BYTE_LENGTH +
    varintByteLength(timestampDelta) +
    varintByteLength(offsetDelta) +
    fieldByteLength(keyLength) +
    fieldByteLength(valueLength) +
    headerBytes;
  return varintByteLength(body) + body;
}

/** No less than `recordByteLength`, whatever the deltas; quicker, and up to 30 bytes more. */
export function recordByteLengthMax(keyLength: number, valueLength: number, headerBytes: number): number {
  return FRAME_BYTE_LENGTH_MAX + keyLength + valueLength + headerBytes;
}

/** A batch of this record alone: the least that must be under the topic's `maxMessageBytes`. */
export function loneBatchByteLength(keyLength: number, valueLength: number, headerBytes: number): number {
  return HEADER_BYTE_LENGTH + recordByteLength(0, 0, keyLength, valueLength, headerBytes);
}
