/** The storage driver for a SQLite-backed Durable Object: a row for each range of bytes, as it was written. */
import type { LockHolder, LockOptions, StorageDriver, StorageEntry, StorageFile, StorageLock } from "../api/storage-driver.ts";
import { systemClock } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { DurableObjectFile, FileRows } from "./durable-object-file.ts";
import { type DurableStorage, RowStore } from "./durable-object-rows.ts";
import { errnoError } from "./errno.ts";
import { lockInProcess } from "./process-locks.ts";
import { checkDirectoryName, parseFileName, parseRename } from "./storage-name.ts";

/**
 * The log in the storage of a Durable Object: give it the `ctx` that the object's constructor got; the class must be one of
 * `new_sqlite_classes`. Its tables begin with `odradek_`; others may stand beside them. One object, one log.
 * `durability` is "power", as Cloudflare's output gates have it: `sync` waits until the object's storage says that the writes stand.
 */
export function durableObject(ctx: { readonly storage: object }): StorageDriver {
  const storage = ctx?.storage as DurableStorage | undefined;
  if (typeof storage?.sql?.exec !== "function") {
    throw new UsageError(
      "INVALID_ARGUMENT",
      "durableObject(ctx): expected the ctx of a SQLite-backed Durable Object; ctx.storage.sql is not there. List its class under new_sqlite_classes in the migrations (a class that was made with the older key-value storage cannot be changed)",
    );
  }
  return new DurableObjectStorage(storage);
}

class DurableObjectStorage implements StorageDriver {
  readonly durability = "power";
  // Changes of one turn are one transaction.
  readonly atomicReplace = true;
  readonly directorySync = true;
  readonly sharedReaders = false;
  readonly #storage: DurableStorage;
  readonly #rows: RowStore;
  /** Open files by number: all who have one open share what is known of it. */
  readonly #open = new Map<number, FileRows>();

  constructor(storage: DurableStorage) {
    this.#storage = storage;
    this.#rows = new RowStore(storage);
  }

  async open(name: string, options: { readonly create: "no" | "if-missing" | "new"; readonly readOnly?: boolean }): Promise<StorageFile> {
    const { directory, base } = parseFileName(name);
    this.#require(directory, "open", name);
    let number = this.#rows.find(directory, base);
    if (number === null) {
      if (directory === "" && this.#rows.hasDirectory(base)) throw errnoError("EISDIR", "open", name);
      if (options.create === "no") throw errnoError("ENOENT", "open", name);
      number = this.#rows.create(directory, base);
    } else if (options.create === "new") throw errnoError("EEXIST", "open", name);
    let file = this.#open.get(number);
    if (file === undefined) {
      file = new FileRows(this.#rows, number, systemClock);
      this.#open.set(number, file);
    }
    file.openCount++;
    return new DurableObjectFile(name, file, this.#storage, options.readOnly === true, (closed) => this.#closed(closed));
  }

  async list(directory: string): Promise<StorageEntry[]> {
    checkDirectoryName(directory, true);
    if (directory !== "" && this.#rows.find("", directory) !== null) throw errnoError("ENOTDIR", "list", directory);
    const entries: StorageEntry[] = this.#rows.files(directory).map((name) => ({ name, kind: "file" }));
    if (directory === "") for (const name of this.#rows.directories()) entries.push({ name, kind: "directory" });
    return entries;
  }

  async createDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    if (this.#rows.find("", directory) !== null) throw errnoError("EEXIST", "createDirectory", directory);
    this.#rows.createDirectory(directory);
  }

  async removeDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    this.#require(directory, "removeDirectory", directory);
    if (this.#rows.files(directory).length > 0) throw errnoError("ENOTEMPTY", "removeDirectory", directory);
    this.#rows.removeDirectory(directory);
  }

  async replace(from: string, to: string): Promise<void> {
    const { directory, fromBase, toBase } = parseRename(from, to);
    this.#require(directory, "replace", from);
    const number = this.#rows.find(directory, fromBase);
    if (number === null) throw errnoError("ENOENT", "replace", from);
    if (directory === "" && this.#rows.hasDirectory(toBase)) throw errnoError("EISDIR", "replace", to);
    if (fromBase === toBase) return;
    const before = this.#rows.find(directory, toBase);
    this.#storage.transactionSync(() => {
      if (before !== null) this.#unname(before);
      this.#rows.rename(number, toBase);
    });
  }

  async renameDirectory(from: string, to: string): Promise<void> {
    checkDirectoryName(from, false);
    checkDirectoryName(to, false);
    this.#require(from, "renameDirectory", from);
    if (this.#rows.hasDirectory(to) || this.#rows.find("", to) !== null) throw errnoError("EEXIST", "renameDirectory", to);
    this.#storage.transactionSync(() => this.#rows.renameDirectory(from, to));
  }

  async remove(name: string): Promise<void> {
    const { directory, base } = parseFileName(name);
    this.#require(directory, "remove", name);
    const number = this.#rows.find(directory, base);
    if (number === null) throw errnoError(directory === "" && this.#rows.hasDirectory(base) ? "EISDIR" : "ENOENT", "remove", name);
    this.#storage.transactionSync(() => this.#unname(number));
  }

  async syncDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, true);
    this.#require(directory, "syncDirectory", directory);
    await this.#storage.sync();
  }

  /** The platform runs one instance of an object, and refuses the writes of one that it has replaced: within it, one driver at a time. */
  lock(_holder: LockHolder, options: LockOptions): Promise<StorageLock> {
    return lockInProcess(this.#storage, "the log of this Durable Object", options);
  }

  async close(): Promise<void> {}

  #require(directory: string, call: string, name: string): void {
    if (directory === "" || this.#rows.hasDirectory(directory)) return;
    throw errnoError(this.#rows.find("", directory) === null ? "ENOENT" : "ENOTDIR", call, name);
  }

  /** Its bytes stay while it is open; what an object that died left so is removed by the next one. */
  #unname(number: number): void {
    if (this.#open.has(number)) this.#rows.unname(number);
    else this.#rows.remove(number);
  }

  #closed(file: FileRows): void {
    if (--file.openCount > 0) return;
    this.#open.delete(file.number);
    if (this.#rows.isNameless(file.number)) this.#storage.transactionSync(() => this.#rows.remove(file.number));
  }
}
