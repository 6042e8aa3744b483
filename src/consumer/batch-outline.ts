/** Where every so many-th record of a batch begins: enough to reach one of them without what stands before it. */

import type { Bytes } from "../api/bytes.ts";
import { readInt32, writeInt32 } from "../base/big-endian.ts";
import { CRC_AT, HEADER_BYTE_LENGTH, LENGTH_AT, LENGTH_OVERHEAD, RECORD_BYTE_LENGTH_MIN, RECORD_COUNT_AT } from "../base/record-batch.ts";
import type { BatchSlice } from "./batch-slice.ts";

/** About so much lies between two places that are remembered: a read of it costs no more than the call. */
const PIECE_BYTE_LENGTH = 2048;

/** Some records of a batch that follow one another, and where they lie, from the batch's first byte on. */
export interface BatchPiece {
  readonly firstIndex: number;
  readonly recordCount: number;
  readonly from: number;
  readonly until: number;
}

export class BatchOutline {
  /** As the header says: what is read later must be of the very same batch. */
  readonly checksum: number;
  readonly byteLength: number;
  readonly #recordCount: number;
  readonly #stride: number;
  readonly #starts: Int32Array;

  private constructor({ bytes, at, byteLength, recordCount }: BatchSlice, stride: number, starts: Int32Array) {
    this.checksum = readInt32(bytes, at + CRC_AT);
    this.byteLength = byteLength;
    this.#recordCount = recordCount;
    this.#stride = stride;
    this.#starts = starts;
  }

  /** Goes by the records' lengths alone; null where these do not add up. */
  static of(slice: BatchSlice): BatchOutline | null {
    const { bytes, at: batchAt, byteLength, recordCount } = slice;
    const end = batchAt + byteLength;
    const stride = Math.max(1, Math.floor((PIECE_BYTE_LENGTH * recordCount) / byteLength));
    const starts = new Int32Array(Math.ceil(recordCount / stride));
    let at = batchAt + HEADER_BYTE_LENGTH;
    let untilNext = 0;
    for (let index = 0, place = 0; index < recordCount; index++, untilNext--) {
      if (untilNext === 0) {
        starts[place++] = at - batchAt;
        untilNext = stride;
      }
      let raw = 0;
      for (let shift = 0, more = true; more; shift += 7) {
        if (at >= end || shift > 28) return null;
        const byte = bytes[at++] as number;
        raw |= (byte & 0x7f) << shift;
        more = byte >= 0x80;
      }
      const length = (raw >>> 1) ^ -(raw & 1);
      if (length < RECORD_BYTE_LENGTH_MIN - 1 || length > end - at) return null;
      at += length;
    }
    return at === end ? new BatchOutline(slice, stride, starts) : null;
  }

  /** What it takes of memory, near enough. */
  get heldByteLength(): number {
    return this.#starts.byteLength;
  }

  /** The piece that holds the record of this index. */
  pieceOf(index: number): BatchPiece {
    const place = Math.floor(index / this.#stride);
    const firstIndex = place * this.#stride;
    return {
      firstIndex,
      recordCount: Math.min(this.#stride, this.#recordCount - firstIndex),
      from: this.#starts[place] as number,
      until: this.#starts[place + 1] ?? this.byteLength,
    };
  }
}

/** Makes a batch of its own of a stored header and the piece behind it: no longer what its checksum says, and read here alone. */
export function asBatch(headerAndPiece: Bytes, recordCount: number): Bytes {
  writeInt32(headerAndPiece, LENGTH_AT, headerAndPiece.length - LENGTH_OVERHEAD);
  writeInt32(headerAndPiece, RECORD_COUNT_AT, recordCount);
  return headerAndPiece;
}
