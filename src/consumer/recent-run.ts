/** One batch that was read lately by offset, or some small ones in a row; where its bytes were given up, where its records begin. */
import type { AtHand } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import { readInt16, readInt32, readInt64 } from "../base/big-endian.ts";
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
import { type RecordCursor, RecordFramingError } from "../base/record-decoder.ts";
import type { BatchMemory } from "./batch-memory.ts";
import { BatchOutline } from "./batch-outline.ts";
import type { BatchSlice } from "./batch-slice.ts";
import { sliceError } from "./batch-view.ts";
import type { PieceRoom } from "./piece-room.ts";

/** A batch of less is walked as quickly as looked up, and read as quickly as a piece of it. */
const OUTLINED_BYTE_LENGTH_MIN = 8192;

export class RecentRun {
  readonly topicId: string;
  readonly baseOffset: number;
  /** Whether the log has it as it lies here: then a piece of it can be read. */
  readonly isStored: boolean;
  /** Asked for since it last came to the front of the queue. */
  isWanted = false;
  /** Whether a program may hold a view of its bytes. */
  isShown = false;
  /** The first batch. */
  #slice: BatchSlice;
  #lastOffset: number;
  /** Where in the bytes the run begins and ends. null: the bytes were given up. */
  #bytes: Bytes | null;
  #at: number;
  #end: number;
  /** Of a run of several batches, where each begins. */
  #starts: number[] | null = null;
  /** Whether each of them holds one offset. */
  #isOfSingles = false;
  #outline: BatchOutline | null = null;

  /** `isAlone`: what stands behind it in the same bytes is not to be kept. */
  constructor(topicId: string, slice: BatchSlice, isStored: boolean, isAlone: boolean) {
    this.topicId = topicId;
    this.baseOffset = slice.baseOffset;
    this.isStored = isStored;
    this.#slice = slice;
    this.#bytes = slice.bytes;
    this.#at = slice.at;
    this.#end = slice.at + slice.byteLength;
    this.#lastOffset = slice.lastOffset;
    if (isStored && !isAlone) this.#takeFollowing();
    if (isDense(slice) && slice.byteLength >= OUTLINED_BYTE_LENGTH_MIN && this.#isOneBatch) this.#outline = BatchOutline.of(slice);
  }

  get topic(): string {
    return this.#slice.state.topic;
  }

  get partition(): number {
    return this.#slice.state.partition;
  }

  get lastOffset(): number {
    return this.#lastOffset;
  }

  get holdsOneRecord(): boolean {
    return this.#isOneBatch && this.#slice.recordCount === 1;
  }

  get isWhole(): boolean {
    return this.#bytes !== null;
  }

  /** The bytes that it keeps from being freed. */
  get heldByteLength(): number {
    return (this.#bytes?.byteLength ?? 0) + (this.#outline?.heldByteLength ?? 0) + (this.#starts?.length ?? 0) * 8;
  }

  /** Another run begins at `offset`: this one answers for what lies before it. */
  endBefore(offset: number): void {
    this.#lastOffset = Math.min(this.#lastOffset, offset - 1);
  }

  /** Keeps none of the bytes that it does not answer for. Not for a run whose bytes are counted already. */
  trim(): void {
    const bytes = this.#bytes;
    if (bytes === null || this.#isOneBatch) return;
    let end = this.#at;
    while (end < this.#end && readInt64(bytes, end + BASE_OFFSET_AT) <= this.#lastOffset) end += batchByteLengthAt(bytes, end);
    if (2 * (end - this.#at) > bytes.byteLength) return;
    const from = this.#at;
    this.#bytes = bytes.slice(from, end);
    this.#starts = (this.#starts ?? []).filter((start) => start < end).map((start) => start - from);
    this.#end = end - from;
    this.#at = 0;
    this.#slice = this.#sliceAt(this.#bytes, 0);
  }

  /** Gives its bytes up, for others to be read to the same memory. False: nothing is left then that would be worth keeping. */
  giveUpBytes(memory?: BatchMemory): boolean {
    if (!this.isStored || this.#outline === null) return false;
    if (this.#bytes !== null && !this.isShown) memory?.giveBack(this.#bytes);
    this.#bytes = null;
    this.#slice = { ...this.#slice, bytes: NO_BYTES };
    return true;
  }

  /** The record at an offset that the run answers for, by the room's cursor; null: there is none. `undefined`: it must be read. */
  record(offset: number, atHand: AtHand | undefined, room: PieceRoom): RecordCursor | null | undefined {
    const bytes = this.#bytes;
    if (bytes === null) return atHand?.part === undefined ? undefined : this.#fromPiece(offset, atHand, room);
    if (offset < this.baseOffset) return null;
    const at = this.#starts === null ? this.#at : this.#startOf(offset, bytes, this.#starts);
    // In a gap, perhaps at its end: what comes behind it was cut off.
    if (lastOffsetAt(bytes, at) < offset || isControl(readInt16(bytes, at + ATTRIBUTES_AT))) return null;
    try {
      const cursor = room.cursorAt(bytes, at);
      if (this.#outline !== null) {
        const index = offset - this.baseOffset;
        const { firstIndex, from } = this.#outline.pieceOf(index);
        cursor.goTo(firstIndex, at + from);
        cursor.skip(index - firstIndex);
        if (cursor.next() && cursor.offset === offset) return cursor;
        cursor.goTo(0, at + HEADER_BYTE_LENGTH);
      }
      while (cursor.next()) {
        if (cursor.offset >= offset) return cursor.offset === offset ? cursor : null;
      }
      return null;
    } catch (cause) {
      throw sliceError(this.#sliceAt(bytes, at), cause);
    }
  }

  get #isOneBatch(): boolean {
    return this.#end - this.#at === this.#slice.byteLength;
  }

  /** Where the last batch begins whose base offset is not above the offset. */
  #startOf(offset: number, bytes: Bytes, starts: readonly number[]): number {
    let low = this.#isOfSingles ? Math.min(offset - this.baseOffset, starts.length - 1) : 0;
    let high = this.#isOfSingles ? low : starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (readInt64(bytes, (starts[middle] as number) + BASE_OFFSET_AT) <= offset) low = middle;
      else high = middle - 1;
    }
    return starts[low] as number;
  }

  #sliceAt(bytes: Bytes, at: number): BatchSlice {
    return {
      state: this.#slice.state,
      epoch: this.#slice.epoch,
      bytes,
      at,
      byteLength: batchByteLengthAt(bytes, at),
      baseOffset: readInt64(bytes, at + BASE_OFFSET_AT),
      lastOffset: lastOffsetAt(bytes, at),
      recordCount: readInt32(bytes, at + RECORD_COUNT_AT),
    };
  }

  #fromPiece(offset: number, atHand: AtHand, room: PieceRoom): RecordCursor | undefined {
    const outline = this.#outline as BatchOutline;
    const piece = outline.pieceOf(offset - this.baseOffset);
    const bytes = room.batchOf(outline, piece, atHand);
    if (bytes === null) return undefined;
    try {
      const cursor = room.cursorAt(bytes, 0);
      cursor.skip(offset - this.baseOffset - piece.firstIndex);
      if (cursor.next() && cursor.offset === offset) return cursor;
    } catch (error) {
      if (!(error instanceof RecordFramingError)) throw error;
    }
    // What is wrong with it is told better by the whole batch.
    room.forget();
    return undefined;
  }

  /** As many of the batches behind the first as lie in the same bytes and need nothing done to be read. */
  #takeFollowing(): void {
    const { bytes } = this.#slice;
    let at = this.#end;
    const starts = [this.#at];
    while (bytes.byteLength - at >= HEADER_BYTE_LENGTH) {
      const byteLength = batchByteLengthAt(bytes, at);
      if (byteLength < HEADER_BYTE_LENGTH || at + byteLength > bytes.byteLength) break;
      const baseOffset = readInt64(bytes, at + BASE_OFFSET_AT);
      const lastOffsetDelta = readInt32(bytes, at + LAST_OFFSET_DELTA_AT);
      const lastOffset = baseOffset + lastOffsetDelta;
      const isSafe = offsetsAreSafe({ baseOffset, lastOffset, lastOffsetDelta }) && baseOffset > this.#lastOffset;
      if (!isSafe || codecNumber(readInt16(bytes, at + ATTRIBUTES_AT)) !== 0) break;
      starts.push(at);
      at += byteLength;
      this.#lastOffset = lastOffset;
    }
    this.#end = at;
    if (starts.length === 1) return;
    this.#starts = starts;
    this.#isOfSingles = starts.length === this.#lastOffset - this.baseOffset + 1;
  }
}

const NO_BYTES: Bytes = new Uint8Array(0);

/** No offset lacks its record. */
function isDense({ baseOffset, lastOffset, recordCount }: BatchSlice): boolean {
  return recordCount === lastOffset - baseOffset + 1;
}

function lastOffsetAt(bytes: Bytes, at: number): number {
  return readInt64(bytes, at + BASE_OFFSET_AT) + readInt32(bytes, at + LAST_OFFSET_DELTA_AT);
}
