/** What one fetch brought of one partition: its batches in order, without those that no reader may see. */
import type { FetchedPartition } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import { readInt16, readInt32, readInt64 } from "../base/big-endian.ts";
import { CorruptionError, errorFromFault, type OdradekError } from "../base/errors.ts";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  batchByteLengthAt,
  codecNumber,
  HEADER_BYTE_LENGTH,
  isControl,
  LAST_OFFSET_DELTA_AT,
  offsetsAreSafe,
  RECORD_COUNT_AT,
} from "../base/record-batch.ts";
import type { Compression } from "../compression/compression.ts";
import { AbortedFilter } from "./aborted-filter.ts";
import type { BatchSlice } from "./batch-slice.ts";
import { openBatch } from "./opened-batch.ts";
import type { PartitionState } from "./partition-state.ts";

export interface RunOptions {
  /** Where the fetch began. */
  readonly fetchOffset: number;
  readonly readCommitted: boolean;
  readonly compression: Compression;
}

export class FetchedRun {
  readonly state: PartitionState;
  readonly epoch: number;
  /** What the fetch answered in place of data: met when everything before it was delivered. */
  readonly error: OdradekError | null;
  /** The offset behind the last batch: where the fetch after this one begins. */
  readonly endOffset: number;
  readonly #compression: Compression;
  readonly #bytes: Bytes;
  readonly #end: number;
  readonly #filter: AbortedFilter | null;
  #at = 0;
  #givenCount = 0;

  constructor(state: PartitionState, answer: FetchedPartition, { fetchOffset, readCommitted, compression }: RunOptions) {
    this.#compression = compression;
    this.state = state;
    this.epoch = state.epoch;
    this.error = answer.fault === null ? null : errorFromFault(answer.fault);
    this.#bytes = answer.batches;
    this.#filter = readCommitted && answer.abortedTransactions.length > 0 ? new AbortedFilter(answer.abortedTransactions) : null;
    [this.#end, this.endOffset] = wholeBatches(answer.batches, fetchOffset);
  }

  /** Whether it has neither batches nor an error. */
  get isEmpty(): boolean {
    return this.error === null && this.#end === 0;
  }

  /** Whether its first batch has been followed by another, or was its only one: the time to fetch more. */
  get isUnderWay(): boolean {
    return this.#givenCount > 1 || this.#at >= this.#end;
  }

  /** Whether a seek, pause or rebalance has made it worthless. */
  get isStale(): boolean {
    return this.epoch !== this.state.epoch;
  }

  /** The next batch with something to deliver; null at the end. Moves the state's position past what is never delivered. */
  next(): BatchSlice | null {
    const { state } = this;
    const bytes = this.#bytes;
    while (this.#at < this.#end) {
      const at = this.#at;
      const byteLength = batchByteLengthAt(bytes, at);
      this.#at = at + byteLength;
      const baseOffset = readInt64(bytes, at + BASE_OFFSET_AT);
      const lastOffsetDelta = readInt32(bytes, at + LAST_OFFSET_DELTA_AT);
      const lastOffset = baseOffset + lastOffsetDelta;
      if (!offsetsAreSafe({ baseOffset, lastOffset, lastOffsetDelta })) throw this.#unsafeOffsets(at, byteLength);
      const attributes = readInt16(bytes, at + ATTRIBUTES_AT);
      const recordCount = readInt32(bytes, at + RECORD_COUNT_AT);
      const dropped = this.#filter?.drops(bytes, at, attributes, lastOffset) ?? false;
      if (lastOffset < (state.position as number)) continue;
      if (dropped || isControl(attributes) || recordCount === 0) {
        state.position = lastOffset + 1;
        continue;
      }
      this.#givenCount += 1;
      if (codecNumber(attributes) !== 0) {
        // Opened when it is its turn and not before: what is fetched ahead stays as small as it was stored.
        const opened = openBatch(this.#compression, state, bytes.subarray(at, at + byteLength), { baseOffset, lastOffset, at });
        return { state, epoch: this.epoch, bytes: opened, at: 0, byteLength: opened.length, baseOffset, lastOffset, recordCount };
      }
      return { state, epoch: this.epoch, bytes, at, byteLength, baseOffset, lastOffset, recordCount };
    }
    return null;
  }

  #unsafeOffsets(at: number, byteLength: number): CorruptionError {
    return new CorruptionError(`${this.state}: expected offsets from 0 to 2^53-1, found a batch with others`, {
      file: `${this.state}`,
      byteRange: [at, at + byteLength],
      offsetRange: [this.state.position as number, this.endOffset],
      nextReadableOffset: null,
    });
  }
}

/** Where the whole batches end, and the offset behind the last: a batch that the answer cuts off is not there, as in Kafka. */
function wholeBatches(bytes: Bytes, fetchOffset: number): [end: number, endOffset: number] {
  let at = 0;
  let endOffset = fetchOffset;
  while (bytes.byteLength - at >= HEADER_BYTE_LENGTH) {
    const byteLength = batchByteLengthAt(bytes, at);
    if (byteLength < HEADER_BYTE_LENGTH || at + byteLength > bytes.byteLength) break;
    endOffset = readInt64(bytes, at + BASE_OFFSET_AT) + readInt32(bytes, at + LAST_OFFSET_DELTA_AT) + 1;
    at += byteLength;
  }
  return [at, endOffset];
}
