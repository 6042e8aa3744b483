/** Records as bytes of our own, side by side in one array, until a batch is written from them. */
import type { BatchWriter } from "../core/core.ts";
import { headersByteLength, loneBatchByteLength, recordByteLength, type WireHeaders } from "./record-size.ts";

const NULL_LENGTH = -1;
const ARENA_BYTE_LENGTH_MIN = 1024;
/** Larger arrays are not kept for the next stage. */
const ARENA_BYTE_LENGTH_KEPT = 64 * 1024;
const ARENAS_KEPT = 8;

/** Arrays between two uses, of all producers. */
const arenas: Uint8Array<ArrayBuffer>[] = [];

const NO_ARENA = new Uint8Array(0);
const NO_VIEW = new DataView(NO_ARENA.buffer);

export class RecordStage {
  #arena: Uint8Array<ArrayBuffer> = NO_ARENA;
  #view: DataView<ArrayBuffer> = NO_VIEW;
  #end = 0;
  readonly #starts: number[] = [];
  readonly #keyLengths: number[] = [];
  readonly #valueLengths: number[] = [];
  /** Of the records in it, from the front; what stands behind them is of an earlier use. */
  readonly timestamps: number[] = [];
  /** Only records that have headers are in it; null while none has. */
  #headers: Map<number, WireHeaders> | null = null;
  count = 0;

  add(key: Uint8Array | null, value: Uint8Array | null, headers: WireHeaders | null, timestamp: number): void {
    const keyLength = key === null ? 0 : key.length;
    const valueLength = value === null ? 0 : value.length;
    const start = this.#end;
    const end = start + keyLength + valueLength;
    if (end > this.#arena.length) this.#grow(end);
    if (key !== null) copy(key, this.#arena, start);
    if (value !== null) copy(value, this.#arena, start + keyLength);
    const { count } = this;
    if (headers !== null) {
      this.#headers ??= new Map();
      this.#headers.set(count, headers);
    }
    this.#starts[count] = start;
    this.#keyLengths[count] = key === null ? NULL_LENGTH : keyLength;
    this.#valueLengths[count] = value === null ? NULL_LENGTH : valueLength;
    this.timestamps[count] = timestamp;
    this.count = count + 1;
    this.#end = end;
  }

  key(index: number): Uint8Array<ArrayBuffer> | null {
    const length = this.#keyLengths[index] as number;
    const start = this.#starts[index] as number;
    return length < 0 ? null : this.#arena.subarray(start, start + length);
  }

  value(index: number): Uint8Array<ArrayBuffer> | null {
    const length = this.#valueLengths[index] as number;
    const start = (this.#starts[index] as number) + Math.max(0, this.#keyLengths[index] as number);
    return length < 0 ? null : this.#arena.subarray(start, start + length);
  }

  headers(index: number): WireHeaders | null {
    return this.#headers?.get(index) ?? null;
  }

  /** The record's bytes in a batch, at this place in it. */
  recordByteLength(index: number, offsetDelta: number, timestampDelta: number): number {
    return recordByteLength(
      offsetDelta,
      timestampDelta,
      this.#keyLengths[index] as number,
      this.#valueLengths[index] as number,
      headersByteLength(this.headers(index)),
    );
  }

  loneBatchByteLength(index: number): number {
    return loneBatchByteLength(
      this.#keyLengths[index] as number,
      this.#valueLengths[index] as number,
      headersByteLength(this.headers(index)),
    );
  }

  writeTo(writer: BatchWriter, index: number): void {
    const headers = this.headers(index);
    const timestamp = this.timestamps[index] as number;
    if (headers !== null) {
      writer.append(this.key(index), this.value(index), headers, timestamp);
      return;
    }
    // Views are made anew when the array has grown: not for each record.
    if (this.#view.buffer !== this.#arena.buffer) this.#view = new DataView(this.#arena.buffer);
    const start = this.#starts[index] as number;
    writer.appendFrom(this.#view, start, this.#keyLengths[index] as number, this.#valueLengths[index] as number, timestamp);
  }

  /** Gives the array away: no view of it may be in use. What is known of the records without their bytes stays. */
  release(): void {
    const arena = this.#arena;
    this.#arena = NO_ARENA;
    if (arena.length > ARENA_BYTE_LENGTH_KEPT) this.#view = NO_VIEW;
    else if (arena !== NO_ARENA && arenas.length < ARENAS_KEPT) arenas.push(arena);
  }

  /** After `release`: empty, for another batch. */
  reset(): void {
    this.count = 0;
    this.#end = 0;
    this.#headers = null;
  }

  #grow(byteLengthMin: number): void {
    const spare = this.#arena === NO_ARENA ? arenas.pop() : undefined;
    if (spare !== undefined && spare.length >= byteLengthMin) {
      this.#arena = spare;
      return;
    }
    const larger = new Uint8Array(Math.max(byteLengthMin, ARENA_BYTE_LENGTH_MIN, this.#arena.length * 2));
    larger.set(this.#arena.subarray(0, this.#end));
    this.#arena = larger;
  }
}

/** Up to this length a loop is cheaper than the call of `set`. */
const LOOP_BYTE_LENGTH_MAX = 24;

function copy(from: Uint8Array, to: Uint8Array, at: number): void {
  const { length } = from;
  if (length > LOOP_BYTE_LENGTH_MAX) to.set(from, at);
  else for (let i = 0; i < length; i += 1) to[at + i] = from[i] as number;
}
