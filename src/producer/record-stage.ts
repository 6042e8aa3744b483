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

const NOTHING = new DataView(new ArrayBuffer(0));

export class RecordStage {
  #arena: Uint8Array<ArrayBuffer> = arenas.pop() ?? new Uint8Array(ARENA_BYTE_LENGTH_MIN);
  #view: DataView<ArrayBuffer> = NOTHING;
  #end = 0;
  readonly #starts: number[] = [];
  readonly #keyLengths: number[] = [];
  readonly #valueLengths: number[] = [];
  readonly timestamps: number[] = [];
  /** Sparse: only records that have headers are in it. */
  readonly #headers = new Map<number, WireHeaders>();

  get count(): number {
    return this.#starts.length;
  }

  add(key: Uint8Array | null, value: Uint8Array | null, headers: WireHeaders | null, timestamp: number): void {
    const keyLength = key === null ? 0 : key.length;
    const valueLength = value === null ? 0 : value.length;
    const start = this.#end;
    const end = start + keyLength + valueLength;
    if (end > this.#arena.length) this.#grow(end);
    if (key !== null) copy(key, this.#arena, start);
    if (value !== null) copy(value, this.#arena, start + keyLength);
    if (headers !== null) this.#headers.set(this.#starts.length, headers);
    this.#starts.push(start);
    this.#keyLengths.push(key === null ? NULL_LENGTH : keyLength);
    this.#valueLengths.push(value === null ? NULL_LENGTH : valueLength);
    this.timestamps.push(timestamp);
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
    return this.#headers.size === 0 ? null : (this.#headers.get(index) ?? null);
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

  /** Gives the array away: no view of it may be in use, and the stage is not used again. */
  release(): void {
    if (this.#arena.length <= ARENA_BYTE_LENGTH_KEPT && arenas.length < ARENAS_KEPT) arenas.push(this.#arena);
    this.#arena = new Uint8Array(0);
  }

  #grow(byteLengthMin: number): void {
    const larger = new Uint8Array(Math.max(byteLengthMin, this.#arena.length * 2));
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
