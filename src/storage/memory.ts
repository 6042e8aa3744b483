/** A storage driver that keeps its files in memory: as fast as can be, and gone with the process. */
import type { LockHolder, LockOptions, StorageDriver, StorageEntry, StorageFile, StorageLock } from "../api/storage-driver.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { errnoError } from "./errno.ts";
import { lockInProcess } from "./process-locks.ts";
import { checkDirectoryName, parseFileName, parseRename } from "./storage-name.ts";

/** A first write makes room for this much; from there on the room doubles. */
const CAPACITY_MIN = 4096;
/** As far as a file may grow: an ArrayBuffer larger than this is not to be had everywhere. */
const FILE_BYTES_MAX = 2 ** 32 - 1;

/** The bytes of a file, whoever has it open and whatever it is called. */
interface Content {
  bytes: Uint8Array;
  length: number;
  modifiedAt: number;
}

type Directory = Map<string, Content>;

/**
 * Files in memory. They live as long as the driver: a log may be closed and opened again on it. `durability` is "none",
 * so acknowledgements say that nothing outlives the process.
 */
export function memory(options: { readonly clock?: Clock } = {}): StorageDriver {
  return new MemoryStorage(options.clock ?? systemClock);
}

class MemoryStorage implements StorageDriver {
  readonly durability = "none";
  readonly atomicReplace = true;
  readonly directorySync = false;
  readonly sharedReaders = false;
  readonly #clock: Clock;
  readonly #root: Directory = new Map();
  readonly #directories = new Map<string, Directory>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async open(name: string, options: { readonly create: "no" | "if-missing" | "new"; readonly readOnly?: boolean }): Promise<StorageFile> {
    const { directory, base } = parseFileName(name);
    const entries = this.#entries(directory, "open", name);
    let content = entries.get(base);
    if (content === undefined) {
      if (directory === "" && this.#directories.has(base)) throw errnoError("EISDIR", "open", name);
      if (options.create === "no") throw errnoError("ENOENT", "open", name);
      content = { bytes: new Uint8Array(0), length: 0, modifiedAt: this.#clock.now() };
      entries.set(base, content);
    } else if (options.create === "new") throw errnoError("EEXIST", "open", name);
    return new MemoryFile(name, content, options.readOnly === true, this.#clock);
  }

  async list(directory: string): Promise<StorageEntry[]> {
    checkDirectoryName(directory, true);
    if (directory !== "" && this.#root.has(directory)) throw errnoError("ENOTDIR", "list", directory);
    const files = directory === "" ? this.#root : this.#directories.get(directory);
    const entries: StorageEntry[] = [];
    for (const name of files?.keys() ?? []) entries.push({ name, kind: "file" });
    if (directory === "") for (const name of this.#directories.keys()) entries.push({ name, kind: "directory" });
    return entries;
  }

  async createDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    if (this.#root.has(directory)) throw errnoError("EEXIST", "createDirectory", directory);
    if (!this.#directories.has(directory)) this.#directories.set(directory, new Map());
  }

  async removeDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    if (this.#entries(directory, "removeDirectory", directory).size > 0) throw errnoError("ENOTEMPTY", "removeDirectory", directory);
    this.#directories.delete(directory);
  }

  async replace(from: string, to: string): Promise<void> {
    const { directory, fromBase, toBase } = parseRename(from, to);
    const entries = this.#entries(directory, "replace", from);
    const content = entries.get(fromBase);
    if (content === undefined) throw errnoError("ENOENT", "replace", from);
    if (directory === "" && this.#directories.has(toBase)) throw errnoError("EISDIR", "replace", to);
    if (fromBase === toBase) return;
    entries.delete(fromBase);
    entries.set(toBase, content);
  }

  async renameDirectory(from: string, to: string): Promise<void> {
    checkDirectoryName(from, false);
    checkDirectoryName(to, false);
    const entries = this.#entries(from, "renameDirectory", from);
    if (this.#root.has(to) || this.#directories.has(to)) throw errnoError("EEXIST", "renameDirectory", to);
    this.#directories.delete(from);
    this.#directories.set(to, entries);
  }

  async remove(name: string): Promise<void> {
    const { directory, base } = parseFileName(name);
    if (this.#entries(directory, "remove", name).delete(base)) return;
    throw errnoError(directory === "" && this.#directories.has(base) ? "EISDIR" : "ENOENT", "remove", name);
  }

  async syncDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, true);
    this.#entries(directory, "syncDirectory", directory);
  }

  lock(_holder: LockHolder, options: LockOptions): Promise<StorageLock> {
    return lockInProcess(this, "this memory storage", options);
  }

  async close(): Promise<void> {}

  #entries(directory: string, call: string, name: string): Directory {
    if (directory === "") return this.#root;
    const entries = this.#directories.get(directory);
    if (entries === undefined) throw errnoError(this.#root.has(directory) ? "ENOTDIR" : "ENOENT", call, name);
    return entries;
  }
}

class MemoryFile implements StorageFile {
  readonly #name: string;
  readonly #content: Content;
  readonly #readOnly: boolean;
  readonly #clock: Clock;
  #closed = false;

  constructor(name: string, content: Content, readOnly: boolean, clock: Clock) {
    this.#name = name;
    this.#content = content;
    this.#readOnly = readOnly;
    this.#clock = clock;
  }

  readAt(into: Uint8Array, position: number): number {
    this.#check("readAt", position, false);
    const { bytes, length } = this.#content;
    const count = Math.min(into.length, length - position);
    if (count <= 0) return 0;
    into.set(bytes.subarray(position, position + count));
    return count;
  }

  writeAt(bytes: Uint8Array, position: number): number {
    this.#check("writeAt", position, true);
    if (bytes.length === 0) return 0;
    const end = position + bytes.length;
    const content = this.#content;
    this.#reserve(end, "writeAt");
    content.bytes.set(bytes, position);
    if (end > content.length) content.length = end;
    content.modifiedAt = this.#clock.now();
    return bytes.length;
  }

  truncate(byteLength: number): void {
    this.#check("truncate", byteLength, true);
    const content = this.#content;
    if (byteLength > content.length) this.#reserve(byteLength, "truncate");
    // Most of the room is empty now: give it back. Else wipe what is cut, because a later gap must read as zeros.
    else if (byteLength < content.bytes.length / 4) content.bytes = content.bytes.slice(0, byteLength);
    else content.bytes.fill(0, byteLength, content.length);
    content.length = byteLength;
    content.modifiedAt = this.#clock.now();
  }

  byteLength(): number {
    this.#check("byteLength", 0, false);
    return this.#content.length;
  }

  modifiedAt(): number {
    this.#check("modifiedAt", 0, false);
    return this.#content.modifiedAt;
  }

  async sync(): Promise<void> {
    this.#check("sync", 0, false);
  }

  async readAhead(_position: number, _byteLength: number): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
  }

  #reserve(byteLength: number, call: string): void {
    const content = this.#content;
    if (byteLength <= content.bytes.length) return;
    if (byteLength > FILE_BYTES_MAX) throw errnoError("EFBIG", call, this.#name);
    let grown: Uint8Array;
    try {
      grown = new Uint8Array(Math.min(FILE_BYTES_MAX, Math.max(CAPACITY_MIN, byteLength, content.bytes.length * 2)));
    } catch {
      throw errnoError("ENOSPC", call, this.#name);
    }
    grown.set(content.bytes.subarray(0, content.length));
    content.bytes = grown;
  }

  #check(call: string, position: number, writes: boolean): void {
    if (this.#closed || (writes && this.#readOnly)) throw errnoError("EBADF", call, this.#name);
    if (!Number.isSafeInteger(position) || position < 0) throw errnoError("EINVAL", `${call} at ${position}`, this.#name);
  }
}
