/** One open file of the system, by node:fs. */
import { fstatSync, ftruncateSync, readSync, writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { StorageFile } from "../api/storage-driver.ts";
import { errnoError } from "./errno.ts";
import { Gate } from "./gate.ts";

/** A throwaway read takes this much at once, so that a close need not wait long for it. */
const READ_AHEAD_CHUNK_BYTES = 256 * 1024;
/** More than this is not read ahead in one call: it would push out of the cache what is needed sooner. */
const READ_AHEAD_BYTES_MAX = 8 * 1024 * 1024;
/** Throwaway reads in this process at once; they wait on the same four threads as flushes. */
const readAheadGate = new Gate(1);
/** Nobody looks at what is read here. */
let throwaway: Uint8Array | null = null;

/**
 * The descriptor is used in synchronous calls alone, each within one turn and only while `#closed` is false; what is asynchronous
 * goes through the FileHandle, which closes itself only when its calls have come back. So no call ever meets a number that the
 * system has given to another file.
 */
export class NodeFile implements StorageFile {
  readonly #name: string;
  readonly #handle: FileHandle;
  readonly #readOnly: boolean;
  /** Whether the next flush has more to make durable than bytes: fdatasync may leave a new inode's or a cut file's facts for later. */
  #metadataChanged: boolean;
  #closed = false;
  #closing: Promise<void> | null = null;

  constructor(name: string, handle: FileHandle, readOnly: boolean, isNew: boolean) {
    this.#name = name;
    this.#handle = handle;
    this.#readOnly = readOnly;
    this.#metadataChanged = isNew;
  }

  readAt(into: Uint8Array, position: number): number {
    const fd = this.#descriptor("readAt", position, false);
    return into.length === 0 ? 0 : readSync(fd, into, 0, into.length, position);
  }

  writeAt(bytes: Uint8Array, position: number): number {
    const fd = this.#descriptor("writeAt", position, true);
    return bytes.length === 0 ? 0 : writeSync(fd, bytes, 0, bytes.length, position);
  }

  truncate(byteLength: number): void {
    const fd = this.#descriptor("truncate", byteLength, true);
    this.#metadataChanged = true;
    ftruncateSync(fd, byteLength);
  }

  byteLength(): number {
    return fstatSync(this.#descriptor("byteLength", 0, false)).size;
  }

  modifiedAt(): number {
    return fstatSync(this.#descriptor("modifiedAt", 0, false)).mtimeMs;
  }

  sync(): Promise<void> {
    if (this.#closed) return Promise.reject(errnoError("EBADF", "sync", this.#name));
    if (!this.#metadataChanged) return this.#handle.datasync();
    // Set back before the call: a truncate during it needs another. A flush that fails is never repeated on this file anyway.
    this.#metadataChanged = false;
    return this.#handle.sync();
  }

  async readAhead(position: number, byteLength: number): Promise<void> {
    const end = position + Math.min(byteLength, READ_AHEAD_BYTES_MAX);
    await readAheadGate.enter();
    try {
      throwaway ??= new Uint8Array(READ_AHEAD_CHUNK_BYTES);
      for (let at = position; at < end && !this.#closed; ) {
        const { bytesRead } = await this.#handle.read(throwaway, 0, Math.min(READ_AHEAD_CHUNK_BYTES, end - at), at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
    } catch {
      // Advice only: the read that was to come meets the same error, and tells it.
      return;
    } finally {
      readAheadGate.leave();
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#closing ??= this.#handle.close();
    return this.#closing;
  }

  #descriptor(call: string, position: number, writes: boolean): number {
    if (this.#closed || (writes && this.#readOnly)) throw errnoError("EBADF", call, this.#name);
    if (!Number.isSafeInteger(position) || position < 0) throw errnoError("EINVAL", `${call} at ${position}`, this.#name);
    return this.#handle.fd;
  }
}
