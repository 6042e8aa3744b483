/** One open file of the origin's private file system. */
import type { StorageFile } from "../api/storage-driver.ts";
import { systemClock } from "../base/clock.ts";
import { errnoError } from "./errno.ts";
import { webError } from "./opfs-errors.ts";
import type { OpfsSlots, Slot } from "./opfs-slots.ts";

export class OpfsFile implements StorageFile {
  readonly #name: string;
  readonly #slots: OpfsSlots;
  readonly #slot: Slot;
  readonly #readOnly: boolean;
  #closed = false;

  constructor(name: string, slots: OpfsSlots, slot: Slot, readOnly: boolean) {
    this.#name = name;
    this.#slots = slots;
    this.#slot = slot;
    this.#readOnly = readOnly;
  }

  readAt(into: Uint8Array, position: number): number {
    this.#check("readAt", position, false);
    try {
      return into.length === 0 ? 0 : this.#slot.handle.read(into, { at: position });
    } catch (error) {
      throw webError(error, "readAt", this.#name);
    }
  }

  writeAt(bytes: Uint8Array, position: number): number {
    this.#check("writeAt", position, true);
    if (bytes.length === 0) return 0;
    try {
      const count = this.#slot.handle.write(bytes, { at: position });
      this.#slot.modifiedAt = systemClock.now();
      return count;
    } catch (error) {
      throw webError(error, "writeAt", this.#name);
    }
  }

  truncate(byteLength: number): void {
    this.#check("truncate", byteLength, true);
    try {
      this.#slot.handle.truncate(byteLength);
      this.#slot.modifiedAt = systemClock.now();
    } catch (error) {
      throw webError(error, "truncate", this.#name);
    }
  }

  byteLength(): number {
    this.#check("byteLength", 0, false);
    try {
      return this.#slot.handle.getSize();
    } catch (error) {
      throw webError(error, "byteLength", this.#name);
    }
  }

  modifiedAt(): number {
    this.#check("modifiedAt", 0, false);
    return this.#slot.modifiedAt;
  }

  /** The browser flushes synchronously and gives no other way: the worker waits for the disk. */
  async sync(): Promise<void> {
    this.#check("sync", 0, false);
    try {
      this.#slot.handle.flush();
    } catch (error) {
      throw webError(error, "sync", this.#name);
    }
  }

  /** There is nothing to ask: a handle reads synchronously or not at all. */
  async readAhead(_position: number, _byteLength: number): Promise<void> {}

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#slots.release(this.#slot);
    } catch (error) {
      throw webError(error, "close", this.#name);
    }
  }

  #check(call: string, position: number, writes: boolean): void {
    if (this.#closed || (writes && this.#readOnly)) throw errnoError("EBADF", call, this.#name);
    if (!Number.isSafeInteger(position) || position < 0) throw errnoError("EINVAL", `${call} at ${position}`, this.#name);
  }
}
