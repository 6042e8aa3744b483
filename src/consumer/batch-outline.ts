/** Where every so many-th record of a batch begins: enough to reach one of them without what stands before it. */

import type { BatchPart } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import { readInt32, writeInt32 } from "../base/big-endian.ts";
import { CRC_AT, HEADER_BYTE_LENGTH, LENGTH_AT, LENGTH_OVERHEAD, RECORD_BYTE_LENGTH_MIN, RECORD_COUNT_AT } from "../base/record-batch.ts";
import type { BatchSlice } from "./batch-slice.ts";

/** About so much lies between two places that are remembered: a read of it costs no more than the call. */
const PIECE_BYTE_LENGTH = 1024;

/** Some records of a batch that follow one another, and where they lie, from the batch's first byte on. */
export interface BatchPiece {
  readonly firstIndex: number;
  readonly recordCount: number;
  readonly from: number;
  readonly until: number;
}

export class BatchOutline {
  /** What is asked of the log, again and again, with another place to begin. */
  readonly part: BatchPart & { from: number };
  readonly #header: Bytes;
  readonly #recordCount: number;
  readonly #stride: number;
  readonly #starts: Int32Array;

  private constructor({ state, bytes, at, byteLength, baseOffset, recordCount }: BatchSlice, stride: number, starts: Int32Array) {
    const { topic, partition } = state;
    // As its header says: what is read later must be of the very same batch.
    const checksum = readInt32(bytes, at + CRC_AT);
    this.part = { topic, partition, baseOffset, byteLength, checksum, from: 0, place: null };
    this.#header = bytes.slice(at, at + HEADER_BYTE_LENGTH);
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
      until: this.#starts[place + 1] ?? this.part.byteLength,
    };
  }

  /** Makes of a piece a batch of its own, by its header: no longer what its checksum says, and read here alone. */
  putHeader(room: Bytes, { recordCount, from, until }: BatchPiece): void {
    room.set(this.#header);
    writeInt32(room, LENGTH_AT, HEADER_BYTE_LENGTH + until - from - LENGTH_OVERHEAD);
    writeInt32(room, RECORD_COUNT_AT, recordCount);
  }
}
