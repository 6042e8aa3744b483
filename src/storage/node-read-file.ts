/** One open file of the system that is only read, by its number alone: a FileHandle comes and goes by way of a thread. */
import { close, closeSync, fstatSync, fsync, read, readSync } from "node:fs";
import type { StorageFile } from "../api/storage-driver.ts";
import { errnoError } from "./errno.ts";
import { readAheadBy } from "./node-read-ahead.ts";

/**
 * An opening reads a dozen small files, one after another: a thread for the open and one for the close of each took four of its nine
 * milliseconds (two cores, 2026-11). What is written keeps its FileHandle: under --permission nothing else may be flushed.
 *
 * The number is given back only when no call is under way with it, so that none meets another file under it.
 */
export class NodeReadFile implements StorageFile {
  readonly #name: string;
  readonly #fd: number;
  #closed = false;
  #inFlight = 0;
  #drained: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(name: string, fd: number) {
    this.#name = name;
    this.#fd = fd;
  }

  readAt(into: Uint8Array, position: number): number {
    const fd = this.#descriptor("readAt", position);
    return into.length === 0 ? 0 : readSync(fd, into, 0, into.length, position);
  }

  writeAt(): number {
    throw errnoError("EBADF", "writeAt", this.#name);
  }

  truncate(): void {
    throw errnoError("EBADF", "truncate", this.#name);
  }

  byteLength(): number {
    return fstatSync(this.#descriptor("byteLength", 0)).size;
  }

  modifiedAt(): number {
    return fstatSync(this.#descriptor("modifiedAt", 0)).mtimeMs;
  }

  async sync(): Promise<void> {
    const fd = this.#descriptor("sync", 0);
    await this.#called<void>((done) => fsync(fd, done));
  }

  readAhead(position: number, byteLength: number): Promise<void> {
    const readInto = (into: Uint8Array, length: number, at: number): Promise<number> =>
      this.#called((done) => read(this.#fd, into, 0, length, at, done));
    return readAheadBy(readInto, () => this.#closed, position, byteLength);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    // The last number of a file without a name frees all its blocks, and that takes its time.
    if (fstatSync(this.#fd).nlink > 0) closeSync(this.#fd);
    else await this.#called<void>((done) => close(this.#fd, done));
  }

  async #called<Result>(call: (done: (error: Error | null, result?: Result) => void) => void): Promise<Result> {
    this.#inFlight += 1;
    try {
      return await new Promise((resolve, reject) => {
        call((error, result) => (error === null ? resolve(result as Result) : reject(error)));
      });
    } finally {
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#drained?.();
    }
  }

  #descriptor(call: string, position: number): number {
    if (this.#closed) throw errnoError("EBADF", call, this.#name);
    if (!Number.isSafeInteger(position) || position < 0) throw errnoError("EINVAL", `${call} at ${position}`, this.#name);
    return this.#fd;
  }
}
