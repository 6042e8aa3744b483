/** A storage driver that holds one file, whatever it is asked for, and lets nothing be changed. */
import type { StorageDriver, StorageEntry, StorageFile, StorageLock } from "../../../src/api/storage-driver.ts";
import { errnoError } from "../../../src/storage/errno.ts";

export class BytesFile implements StorageFile {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  readAt(into: Uint8Array, position: number): number {
    if (!Number.isSafeInteger(position) || position < 0) throw errnoError("EINVAL", `readAt at ${position}`, "file");
    const found = this.#bytes.subarray(position, position + into.length);
    into.set(found);
    return found.length;
  }
  writeAt(): number {
    throw errnoError("EROFS", "writeAt", "file");
  }
  truncate(): void {
    throw errnoError("EROFS", "truncate", "file");
  }
  byteLength(): number {
    return this.#bytes.length;
  }
  modifiedAt(): number {
    return 0;
  }
  async sync(): Promise<void> {}
  async readAhead(): Promise<void> {}
  async close(): Promise<void> {}
}

const refused = (call: string): Promise<never> => Promise.reject(errnoError("EROFS", call, "file"));

export class BytesStorage implements StorageDriver {
  readonly durability = "none";
  readonly atomicReplace = true;
  readonly directorySync = false;
  readonly sharedReaders = true;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  async open(): Promise<StorageFile> {
    return new BytesFile(this.#bytes);
  }
  async list(): Promise<StorageEntry[]> {
    return [];
  }
  createDirectory(): Promise<void> {
    return refused("createDirectory");
  }
  removeDirectory(): Promise<void> {
    return refused("removeDirectory");
  }
  replace(): Promise<void> {
    return refused("replace");
  }
  renameDirectory(): Promise<void> {
    return refused("renameDirectory");
  }
  remove(): Promise<void> {
    return refused("remove");
  }
  syncDirectory(): Promise<void> {
    return refused("syncDirectory");
  }
  lock(): Promise<StorageLock> {
    return refused("lock");
  }
  async close(): Promise<void> {}
}
