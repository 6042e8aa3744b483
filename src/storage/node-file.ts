/** One open file of the system that may be written, by node:fs. */
import { fdatasync, fstatSync, ftruncateSync, readSync, writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { StorageFile } from "../api/storage-driver.ts";
import { errnoError } from "./errno.ts";
import { NodeCalls } from "./node-calls.ts";
import { readAheadBy } from "./node-read-ahead.ts";

/** Node's permission model takes the flush of a number away, and leaves a FileHandle its own. */
const HANDLES_ALONE_FLUSH = (process as { readonly permission?: unknown }).permission !== undefined;

/**
 * The descriptor is used in synchronous calls, each within one turn and only while `#closed` is false, and in flushes of bytes, which
 * `close` waits for: the handle's own takes twice as long to be called, 8 microseconds more before each flush. What else is asynchronous
 * goes through the FileHandle, which closes itself only when its calls have come back. So no call ever meets a number that the system has
 * given to another file.
 */
export class NodeFile implements StorageFile {
  readonly #name: string;
  readonly #handle: FileHandle;
  /** Whether the next flush has more to make durable than bytes: fdatasync may leave a new inode's or a cut file's facts for later. */
  #metadataChanged: boolean;
  #closed = false;
  #closing: Promise<void> | null = null;
  readonly #flushes: NodeCalls = new NodeCalls();

  constructor(name: string, handle: FileHandle, isNew: boolean) {
    this.#name = name;
    this.#handle = handle;
    this.#metadataChanged = isNew;
  }

  readAt(into: Uint8Array, position: number): number {
    const fd = this.#descriptor("readAt", position);
    return into.length === 0 ? 0 : readSync(fd, into, 0, into.length, position);
  }

  writeAt(bytes: Uint8Array, position: number): number {
    const fd = this.#descriptor("writeAt", position);
    return bytes.length === 0 ? 0 : writeSync(fd, bytes, 0, bytes.length, position);
  }

  truncate(byteLength: number): void {
    const fd = this.#descriptor("truncate", byteLength);
    this.#metadataChanged = true;
    ftruncateSync(fd, byteLength);
  }

  byteLength(): number {
    return fstatSync(this.#descriptor("byteLength", 0)).size;
  }

  modifiedAt(): number {
    return fstatSync(this.#descriptor("modifiedAt", 0)).mtimeMs;
  }

  sync(): Promise<void> {
    if (this.#closed) return Promise.reject(errnoError("EBADF", "sync", this.#name));
    if (!this.#metadataChanged)
      return HANDLES_ALONE_FLUSH ? this.#handle.datasync() : this.#flushes.make((done) => fdatasync(this.#handle.fd, done));
    // Set back before the call: a truncate during it needs another. A flush that fails is never repeated on this file anyway.
    this.#metadataChanged = false;
    return this.#handle.sync();
  }

  readAhead(position: number, byteLength: number): Promise<void> {
    const readInto = async (into: Uint8Array, length: number, at: number): Promise<number> =>
      (await this.#handle.read(into, 0, length, at)).bytesRead;
    return readAheadBy(readInto, () => this.#closed, position, byteLength);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#closing ??= this.#flushes.over().then(() => this.#handle.close());
    return this.#closing;
  }

  #descriptor(call: string, position: number): number {
    if (this.#closed) throw errnoError("EBADF", call, this.#name);
    if (!Number.isSafeInteger(position) || position < 0) throw errnoError("EINVAL", `${call} at ${position}`, this.#name);
    return this.#handle.fd;
  }
}
