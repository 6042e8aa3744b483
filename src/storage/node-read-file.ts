/** One open file of the system that is only read, by its number alone: a FileHandle comes and goes by way of a thread. */
import { close, closeSync, fstatSync, fsync, read, readSync } from "node:fs";
import type { StorageFile } from "../api/storage-driver.ts";
import { errnoError } from "./errno.ts";
import { NodeCalls } from "./node-calls.ts";
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
  readonly #calls: NodeCalls = new NodeCalls();
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
    await this.#calls.make((done) => fsync(fd, done));
  }

  readAhead(position: number, byteLength: number): Promise<void> {
    const readInto = (into: Uint8Array, length: number, at: number): Promise<number> =>
      this.#calls.make((done) => read(this.#fd, into, 0, length, at, done));
    return readAheadBy(readInto, () => this.#closed, position, byteLength);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#calls.over();
    // The last number of a file without a name frees all its blocks, and that takes its time.
    if (fstatSync(this.#fd).nlink > 0) closeSync(this.#fd);
    else await this.#calls.make((done) => close(this.#fd, done));
  }

  #descriptor(call: string, position: number): number {
    if (this.#closed) throw errnoError("EBADF", call, this.#name);
    if (!Number.isSafeInteger(position) || position < 0) throw errnoError("EINVAL", `${call} at ${position}`, this.#name);
    return this.#fd;
  }
}
