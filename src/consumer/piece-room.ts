/**
 * What one read of a record works in, and the next one again. Pieces of batches are read to the same memory, unless one is larger than it, and
 * the last one stays till the next. One cursor walks batch after batch: one for each batch kept would outlive V8's young generation.
 */
import type { AtHand } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import { HEADER_BYTE_LENGTH } from "../base/record-batch.ts";
import { RecordCursor } from "../base/record-decoder.ts";
import type { BatchOutline, BatchPiece } from "./batch-outline.ts";

/** A piece is as long as several of its records are: more than this is met where a few are much longer than the others. */
const ROOM_BYTE_LENGTH = 16 * 1024;

export class PieceRoom {
  readonly #lent: Bytes = new Uint8Array(HEADER_BYTE_LENGTH + ROOM_BYTE_LENGTH);
  readonly #buffer: ArrayBuffer = this.#lent.buffer;
  #outline: BatchOutline | null = null;
  #from = 0;
  #cursor: RecordCursor | null = null;

  /** Before the first record of the batch that begins there: always the same cursor. Throws as `RecordCursor.begin` does. */
  cursorAt(bytes: Uint8Array, at: number): RecordCursor {
    if (this.#cursor === null) this.#cursor = new RecordCursor(bytes, at);
    else this.#cursor.begin(bytes, at);
    return this.#cursor;
  }

  /** Lets go of the batch that the cursor stands in: it may be large, and kept nowhere else. */
  leave(): void {
    this.#cursor = null;
  }

  /** Whether the next piece overwrites these bytes. */
  isLent(bytes: Uint8Array): boolean {
    return bytes === this.#lent;
  }

  /** What was read last is not what it should be: it is read again when it is asked for again. */
  forget(): void {
    this.#outline = null;
  }

  /** A piece as a batch of its own, read unless it was the last one; null: the batch must be read whole. */
  batchOf(outline: BatchOutline, piece: BatchPiece, atHand: AtHand): Bytes | null {
    const { from, until } = piece;
    if (this.#outline === outline && this.#from === from) return this.#lent;
    const byteLength = until - from;
    const isLent = byteLength <= ROOM_BYTE_LENGTH;
    const bytes = isLent ? this.#lent : new Uint8Array(HEADER_BYTE_LENGTH + byteLength);
    if (isLent) this.#outline = null;
    outline.part.from = from;
    const into = new Uint8Array(isLent ? this.#buffer : bytes.buffer, HEADER_BYTE_LENGTH, byteLength);
    if (atHand.part?.(outline.part, into) !== true) return null;
    outline.putHeader(bytes, piece);
    if (isLent) {
      this.#outline = outline;
      this.#from = from;
    }
    return bytes;
  }
}
