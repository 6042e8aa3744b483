/** What a reader of committed records alone may have of whole batches that were read. */
import type { Bytes } from "../../api/bytes.ts";
import { readInt16, readInt32, readInt64 } from "../../base/big-endian.ts";
import { ATTRIBUTES_AT, batchByteLengthAt, isControl, isTransactional, LAST_OFFSET_DELTA_AT } from "../../base/record-batch.ts";

/** The batches that begin below `offset`: a transaction begins with a batch, so none is cut in two. */
export function batchesBelow(bytes: Bytes, offset: number): Bytes {
  let end = 0;
  while (end < bytes.byteLength && readInt64(bytes, end) < offset) end += batchByteLengthAt(bytes, end);
  return end >= bytes.byteLength ? bytes : bytes.subarray(0, end);
}

/** The offset behind the last batch that belongs to a transaction; -1: none does, and no aborted one concerns any of them. */
export function transactionsEnd(bytes: Uint8Array): number {
  let end = -1;
  for (let at = 0; at < bytes.byteLength; at += batchByteLengthAt(bytes, at)) {
    const attributes = readInt16(bytes, at + ATTRIBUTES_AT);
    if (isTransactional(attributes) && !isControl(attributes)) end = readInt64(bytes, at) + readInt32(bytes, at + LAST_OFFSET_DELTA_AT) + 1;
  }
  return end;
}
