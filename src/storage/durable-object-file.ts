/** A file as rows of a Durable Object: appended ranges as they were written, changed in place where a write falls into one. */
import type { StorageFile } from "../api/storage-driver.ts";
import type { Clock } from "../base/clock.ts";
import type { DurableStorage, RowStore } from "./durable-object-rows.ts";
import { RANGE_BYTES_MAX } from "./durable-object-rows.ts";
import { errnoError } from "./errno.ts";

/** A last range shorter than this takes what is appended into itself: SQLite writes whole pages of so much, so that a row more costs as much. */
const MERGE_BYTES_MAX = 4096;
const FILE_BYTES_MAX = Number.MAX_SAFE_INTEGER;

/** The bytes of a file, whoever has it open and whatever it is called. */
export class FileRows {
  readonly number: number;
  openCount = 0;
  readonly #rows: RowStore;
  readonly #clock: Clock;
  #byteLength = 0;
  #modifiedAt: number;
  /** Where the last range begins. */
  #lastPosition = 0;

  constructor(rows: RowStore, number: number, clock: Clock) {
    this.number = number;
    this.#rows = rows;
    this.#clock = clock;
    this.#modifiedAt = clock.now();
    this.#recall();
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get modifiedAt(): number {
    return this.#modifiedAt;
  }

  read(into: Uint8Array, position: number): number {
    const count = Math.min(into.length, this.#byteLength - position);
    if (count <= 0) return 0;
    const end = position + count;
    let filled = position;
    for (const range of this.#rows.between(this.number, position, end)) {
      const from = Math.max(range.position, position);
      const to = Math.min(range.position + range.bytes.length, end);
      if (from > filled) into.fill(0, filled - position, from - position);
      into.set(range.bytes.subarray(from - range.position, to - range.position), from - position);
      filled = to;
    }
    if (filled < end) into.fill(0, filled - position, count);
    return count;
  }

  write(bytes: Uint8Array, position: number): void {
    this.#changing(() => {
      if (position >= this.#byteLength) this.#append(bytes, position);
      else this.#overwrite(bytes, position);
    });
  }

  truncate(byteLength: number): void {
    if (byteLength === this.#byteLength) return;
    this.#changing(() => {
      if (byteLength < this.#byteLength) {
        for (const range of this.#rows.between(this.number, byteLength, byteLength + 1)) {
          if (range.position < byteLength) this.#put(range.position, range.bytes.subarray(0, byteLength - range.position));
        }
        this.#rows.drop(this.number, byteLength, FILE_BYTES_MAX);
      }
      const last = this.#rows.last(this.number);
      // Zeros are what no row says; that they are there at all, an empty row at the end does.
      if ((last === null ? 0 : last.position + last.byteLength) < byteLength) this.#put(byteLength, new Uint8Array(0));
    });
  }

  /** All rows or none; what is remembered of the file is read again where the rows were refused. */
  #changing(body: () => void): void {
    this.#modifiedAt = this.#clock.now();
    try {
      this.#rows.transaction(body);
    } finally {
      this.#recall();
    }
  }

  #append(bytes: Uint8Array, position: number): void {
    const lastLength = this.#byteLength - this.#lastPosition;
    if (position === this.#byteLength && lastLength > 0 && lastLength + bytes.length <= MERGE_BYTES_MAX) {
      const merged = new Uint8Array(lastLength + bytes.length);
      this.read(merged.subarray(0, lastLength), this.#lastPosition);
      merged.set(bytes, lastLength);
      this.#put(this.#lastPosition, merged);
      return;
    }
    this.#putAll(bytes, position);
  }

  #overwrite(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    const met = this.#rows.between(this.number, position, end);
    const [first] = met;
    const last = met.at(-1);
    if (first !== undefined && first === last && first.position <= position && first.position + first.bytes.length >= end) {
      first.bytes.set(bytes, position - first.position);
      this.#put(first.position, first.bytes);
      return;
    }
    this.#rows.drop(this.number, position, end);
    if (first !== undefined && first.position < position) this.#put(first.position, first.bytes.subarray(0, position - first.position));
    if (last !== undefined && last.position + last.bytes.length > end) this.#put(end, last.bytes.subarray(end - last.position));
    this.#putAll(bytes, position);
  }

  #putAll(bytes: Uint8Array, position: number): void {
    for (let at = 0; at < bytes.length; at += RANGE_BYTES_MAX) this.#put(position + at, bytes.subarray(at, at + RANGE_BYTES_MAX));
  }

  #put(position: number, bytes: Uint8Array): void {
    // A view of a larger buffer is copied first: what is bound is bytes of its own.
    this.#rows.put(this.number, position, bytes.slice(), this.#modifiedAt);
  }

  #recall(): void {
    const last = this.#rows.last(this.number);
    this.#lastPosition = last?.position ?? 0;
    this.#byteLength = last === null ? 0 : last.position + last.byteLength;
    if (last !== null) this.#modifiedAt = last.writtenAt;
  }
}

export class DurableObjectFile implements StorageFile {
  readonly #name: string;
  readonly #rows: FileRows;
  readonly #storage: DurableStorage;
  readonly #readOnly: boolean;
  readonly #onClose: (rows: FileRows) => void;
  #closed = false;

  constructor(name: string, rows: FileRows, storage: DurableStorage, readOnly: boolean, onClose: (rows: FileRows) => void) {
    this.#name = name;
    this.#rows = rows;
    this.#storage = storage;
    this.#readOnly = readOnly;
    this.#onClose = onClose;
  }

  readAt(into: Uint8Array, position: number): number {
    this.#check("readAt", position, false);
    return this.#rows.read(into, position);
  }

  writeAt(bytes: Uint8Array, position: number): number {
    this.#check("writeAt", position, true);
    if (bytes.length > 0) this.#rows.write(bytes, position);
    return bytes.length;
  }

  truncate(byteLength: number): void {
    this.#check("truncate", byteLength, true);
    this.#rows.truncate(byteLength);
  }

  byteLength(): number {
    this.#check("byteLength", 0, false);
    return this.#rows.byteLength;
  }

  modifiedAt(): number {
    this.#check("modifiedAt", 0, false);
    return this.#rows.modifiedAt;
  }

  async sync(): Promise<void> {
    this.#check("sync", 0, false);
    await this.#storage.sync();
  }

  /** The rows are on the object's own machine, or will be when they are asked for. */
  async readAhead(_position: number, _byteLength: number): Promise<void> {}

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this.#rows);
  }

  #check(call: string, position: number, writes: boolean): void {
    if (this.#closed || (writes && this.#readOnly)) throw errnoError("EBADF", call, this.#name);
    if (!Number.isSafeInteger(position) || position < 0) throw errnoError("EINVAL", `${call} at ${position}`, this.#name);
  }
}
