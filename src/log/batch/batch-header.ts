/** The fixed head of a record batch in a window of a file: fields by position, read through a DataView that many batches share. */
import { HEADER_BYTE_LENGTH, LAST_OFFSET_DELTA_AT, LENGTH_AT, LENGTH_OVERHEAD } from "../../base/record-batch.ts";

export {
  ATTRIBUTES_AT,
  BASE_TIMESTAMP_AT,
  CRC_AT,
  HEADER_BYTE_LENGTH,
  LEADER_EPOCH_AT as EPOCH_AT,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  RECORD_COUNT_AT,
} from "../../base/record-batch.ts";

const TWO_TO_32 = 4294967296;

/** A signed 64-bit number, as the nearest double. */
export function readInt64(view: DataView, position: number): number {
  return view.getInt32(position) * TWO_TO_32 + view.getUint32(position + 4);
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
