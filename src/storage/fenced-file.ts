/** The discipline round one open file: whole writes, no call after close, no close under a flush, no second try of a failed flush. */
import type { StorageFile } from "../api/storage-driver.ts";
import type { OdradekError } from "../base/errors.ts";
import { errnoError, storageClosed, storageError, storageReadOnly } from "./errno.ts";
import type { Gate } from "./gate.ts";

/** The most a driver is asked to write in one call, so that the loop breathes and no driver needs more room than this. */
const WRITE_BYTES_MAX = 1 << 20;

/** In the middle of a file, one after another. */
const READS_OF_NOTHING_MAX = 3;

export class FencedFile implements StorageFile {
  readonly #name: string;
  readonly #file: StorageFile;
  readonly #readOnly: boolean;
  readonly #syncGate: Gate;
  readonly #storageClosed: () => boolean;
  /** The flush that runs, and the one that waits for it and covers whatever was written until it begins. */
  #syncing: Promise<void> | null = null;
  #nextSync: Promise<void> | null = null;
  /** Once set, writes and flushes are refused for good: what the system holds after a failed flush is not known. */
  #failure: OdradekError | null = null;
  #inFlight = 0;
  #drained: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(name: string, file: StorageFile, readOnly: boolean, syncGate: Gate, storageIsClosed: () => boolean) {
    this.#name = name;
    this.#file = file;
    this.#readOnly = readOnly;
    this.#syncGate = syncGate;
    this.#storageClosed = storageIsClosed;
  }

  readAt(into: Uint8Array, position: number): number {
    this.#admit("read");
    try {
      let done = this.#file.readAt(into, position);
      let nothing = done === 0 ? 1 : 0;
      while (done < into.length) {
        const count = this.#file.readAt(into.subarray(done), position + done);
        done += count;
        nothing = count === 0 ? nothing + 1 : 0;
        if (count > 0) continue;
        if (position + done >= this.#file.byteLength()) break;
        // Another process may have made it longer just now; a file that gives nothing again is not one whose end may be believed.
        if (nothing > READS_OF_NOTHING_MAX)
          throw errnoError("EIO", `0 of ${into.length - done} bytes were given at ${position + done}, read of`, this.#name);
      }
      return done;
    } catch (error) {
      throw storageError(error, `read at ${position}`, this.#name);
    }
  }

  /** Answers `bytes.length`, always: a write that cannot be finished throws, and what part of it stands is not known. */
  writeAt(bytes: Uint8Array, position: number): number {
    this.#admitChange("write");
    let done = 0;
    try {
      while (done < bytes.length) {
        const whole = done === 0 && bytes.length <= WRITE_BYTES_MAX;
        const count = this.#file.writeAt(whole ? bytes : bytes.subarray(done, done + WRITE_BYTES_MAX), position + done);
        // A system that takes nothing and says nothing is out of room; asking again without end would hang the loop.
        if (count === 0)
          throw errnoError("ENOSPC", `0 of ${bytes.length - done} bytes were taken at ${position + done}, write of`, this.#name);
        done += count;
      }
      return done;
    } catch (error) {
      throw storageError(error, `write at ${position + done}`, this.#name);
    }
  }

  truncate(byteLength: number): void {
    this.#admitChange("truncate");
    try {
      this.#file.truncate(byteLength);
    } catch (error) {
      throw storageError(error, `truncate to ${byteLength}`, this.#name);
    }
  }

  byteLength(): number {
    this.#admit("byteLength");
    try {
      return this.#file.byteLength();
    } catch (error) {
      throw storageError(error, "byteLength", this.#name);
    }
  }

  modifiedAt(): number {
    this.#admit("modifiedAt");
    try {
      return this.#file.modifiedAt();
    } catch (error) {
      throw storageError(error, "modifiedAt", this.#name);
    }
  }

  /**
   * One flush of a file runs at a time, and one waits: calls made before it begins share it. So a busy file never takes more
   * than its turn at the door.
   */
  sync(): Promise<void> {
    try {
      this.#admit("sync");
      if (this.#failure !== null) throw this.#failure;
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#nextSync !== null) return this.#nextSync;
    this.#inFlight++;
    if (this.#syncing === null && this.#syncGate.tryEnter()) return this.#runSync();
    const next = this.#waitAndSync();
    this.#nextSync = next;
    return next;
  }

  readAhead(position: number, byteLength: number): Promise<void> {
    if (this.#closing !== null || this.#storageClosed()) return Promise.resolve();
    this.#inFlight++;
    // Advice: whatever went wrong is met again, and told, by the read itself.
    const done = (): void => this.#leave();
    return this.#file.readAhead(position, byteLength).then(done, done);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #waitAndSync(): Promise<void> {
    // The one before us has told its own callers what became of it; ours are told by the check below.
    if (this.#syncing !== null) await this.#syncing.catch(() => {});
    await this.#syncGate.enter();
    this.#nextSync = null;
    if (this.#failure !== null) {
      this.#syncGate.leave();
      this.#leave();
      throw this.#failure;
    }
    await this.#runSync();
  }

  /** With a place at the door in hand, given back here. */
  #runSync(): Promise<void> {
    const syncing = this.#sync();
    this.#syncing = syncing;
    return syncing;
  }

  async #sync(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      this.#failure = storageError(error, "sync", this.#name);
      throw this.#failure;
    } finally {
      this.#syncing = null;
      this.#syncGate.leave();
      this.#leave();
    }
  }

  async #close(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    try {
      await this.#file.close();
    } catch (error) {
      throw storageError(error, "close", this.#name);
    }
  }

  #leave(): void {
    if (--this.#inFlight === 0) this.#drained?.();
  }

  #admit(call: string): void {
    if (this.#closing !== null || this.#storageClosed()) throw storageClosed(call, this.#name);
  }

  #admitChange(call: string): void {
    this.#admit(call);
    if (this.#readOnly) throw storageReadOnly(call, this.#name);
    if (this.#failure !== null) throw this.#failure;
  }
}
