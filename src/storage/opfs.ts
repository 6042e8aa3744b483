/** The storage driver for a browser's dedicated worker: files in the origin's private file system, by synchronous access handles. */
import type { LockHolder, LockOptions, StorageDriver, StorageEntry, StorageFile, StorageLock } from "../api/storage-driver.ts";
import { CorruptionError, StorageError, UsageError } from "../base/errors.ts";
import { errnoError } from "./errno.ts";
import { BOOK_FILES, OpfsBook } from "./opfs-book.ts";
import type { NameChange } from "./opfs-book-line.ts";
import { noFileSystem, webError, webErrorName } from "./opfs-errors.ts";
import { OpfsFile } from "./opfs-file.ts";
import { lockOrigin } from "./opfs-lock.ts";
import { OpfsSlots, syncHandle } from "./opfs-slots.ts";
import { type WebDirectory, webScope } from "./opfs-web.ts";
import { checkDirectoryName, parseFileName, parseRename } from "./storage-name.ts";

/** How a log in the origin private file system is opened. */
export interface OpfsOptions {
  /**
   * false: there must be a log already. A browser that evicts a site's data leaves no trace of it, so that an evicted log and one
   * that never was look the same; a program that knows it had one says so, and is told. Default true.
   */
  readonly create?: boolean | undefined;
  /** A `FileSystemDirectoryHandle` to keep it in; default the origin's own root. */
  readonly directory?: object | undefined;
}

/**
 * The log `name` of this origin: 1 to 100 of `A-Z a-z 0-9 . _ -`. For a dedicated worker: pages, shared and service workers have no
 * synchronous handles. Calls reject with a `StorageError` that says what is missing where there is no such file system.
 * `durability` is "process": a flush reaches the disk for the bytes of a file, but browsers do not flush the names of new files.
 */
export function opfs(name: string, options: OpfsOptions = {}): StorageDriver {
  if (typeof name !== "string" || !/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/.test(name)) {
    throw new UsageError(
      "INVALID_ARGUMENT",
      `opfs(name): expected 1 to 100 of A-Z a-z 0-9 . _ - (no leading dot), found ${JSON.stringify(name)}`,
    );
  }
  return new OpfsStorage(name, options);
}

/** The Web Lock that the writer of the log `name` holds. */
export function opfsLockName(name: string): string {
  return `odradek:${name}`;
}

interface Loaded {
  readonly book: OpfsBook;
  readonly slots: OpfsSlots;
}

class OpfsStorage implements StorageDriver {
  readonly durability = "process";
  readonly atomicReplace = true;
  readonly directorySync = true;
  // A handle is exclusive: who reads beside a writer goes through the writer.
  readonly sharedReaders = false;
  readonly #name: string;
  readonly #options: OpfsOptions;
  #loading: Promise<Loaded> | null = null;
  /** Changes of names, one after another. Never rejects. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(name: string, options: OpfsOptions) {
    this.#name = name;
    this.#options = options;
  }

  async open(name: string, options: { readonly create: "no" | "if-missing" | "new"; readonly readOnly?: boolean }): Promise<StorageFile> {
    parseFileName(name);
    const { book, slots } = await this.#loaded();
    const readOnly = options.readOnly === true;
    const existing = (): Promise<StorageFile> | null => {
      const number = book.names.find(name, "open");
      if (number === undefined) return null;
      if (options.create === "new") throw errnoError("EEXIST", "open", name);
      return slots.open(number, name).then((slot) => new OpfsFile(name, slots, slot, readOnly));
    };
    const found = existing();
    if (found !== null) return found;
    if (options.create === "no") throw errnoError("ENOENT", "open", name);
    return this.#inTurn(async () => {
      const made = existing();
      if (made !== null) return made;
      // The file before its name: a name never stands for a file that is not there.
      const slot = await slots.create(name);
      try {
        this.#write({ book, slots }, ["name", name, slot.number]);
        return new OpfsFile(name, slots, slot, readOnly);
      } catch (error) {
        slots.unname(slot.number);
        slots.release(slot);
        throw error;
      }
    });
  }

  async list(directory: string): Promise<StorageEntry[]> {
    checkDirectoryName(directory, true);
    return (await this.#loaded()).book.names.list(directory);
  }

  async createDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    if ((await this.#loaded()).book.names.hasDirectory(directory)) return;
    await this.#change(["mkdir", directory]);
  }

  async removeDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    await this.#change(["rmdir", directory]);
  }

  async replace(from: string, to: string): Promise<void> {
    parseRename(from, to);
    await this.#change(["rename", from, to]);
  }

  async renameDirectory(from: string, to: string): Promise<void> {
    checkDirectoryName(from, false);
    checkDirectoryName(to, false);
    await this.#change(["renameDirectory", from, to]);
  }

  async remove(name: string): Promise<void> {
    parseFileName(name);
    await this.#change(["remove", name]);
  }

  /** One book holds all names: flushing it serves every directory. */
  async syncDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, true);
    const { book, slots } = await this.#loaded();
    book.names.files(directory, "syncDirectory", directory);
    try {
      book.flush();
    } catch (error) {
      throw webError(error, "syncDirectory", directory);
    }
    slots.sweep();
  }

  lock(holder: LockHolder, options: LockOptions): Promise<StorageLock> {
    return lockOrigin(webScope().navigator?.locks, opfsLockName(this.#name), holder, options);
  }

  async close(): Promise<void> {
    const loading = this.#loading;
    this.#loading = null;
    if (loading === null) return;
    await this.#turn;
    const loaded = await loading.catch(() => null);
    loaded?.book.close();
  }

  #change(change: NameChange): Promise<void> {
    return this.#inTurn(async () => this.#write(await this.#loaded(), change));
  }

  #write({ book, slots }: Loaded, change: NameChange): void {
    const nameless = book.write(change);
    if (nameless !== null) slots.unname(nameless);
  }

  #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(body);
    this.#turn = done.catch(() => {});
    return done;
  }

  #loaded(): Promise<Loaded> {
    if (this.#loading !== null) return this.#loading;
    const loading = this.#load();
    this.#loading = loading;
    loading.catch(() => {
      if (this.#loading === loading) this.#loading = null;
    });
    return loading;
  }

  async #load(): Promise<Loaded> {
    const directory = await this.#directory();
    const handles = await bookHandles(directory);
    try {
      const numbers: number[] = [];
      for await (const { name } of directory.values()) if (/^[1-9]\d*$/.test(name)) numbers.push(Number(name));
      const book = new OpfsBook(this.#name, handles, numbers.length);
      if (book.isNew) {
        if (this.#options.create === false) throw evicted(this.#name);
        if (numbers.length > 0) throw bookless(this.#name, numbers.length);
      }
      const named = new Set<number>();
      for (const change of book.names.changes()) if (change[0] === "name") named.add(change[2]);
      const there = new Set(numbers);
      const lost = [...named].filter((number) => !there.has(number));
      if (lost.length > 0 && lost.length === named.size) throw evicted(this.#name);
      const slots = new OpfsSlots(directory, Math.max(0, ...named, ...numbers) + 1);
      // Made and never named, or removed and not yet gone, when the tab died.
      for (const number of numbers) if (!named.has(number)) slots.unname(number);
      slots.sweep();
      return { book, slots };
    } catch (error) {
      for (const handle of handles) handle.close();
      throw error;
    }
  }

  async #directory(): Promise<WebDirectory> {
    const scope = webScope();
    let root = this.#options.directory as WebDirectory | undefined;
    if (root === undefined) {
      const storage = scope.navigator?.storage;
      if (storage?.getDirectory === undefined) throw noFileSystem(scope);
      try {
        root = await storage.getDirectory();
      } catch (error) {
        throw noFileSystem(scope, error);
      }
    }
    try {
      return await root.getDirectoryHandle(this.#name, { create: this.#options.create !== false });
    } catch (error) {
      if (webErrorName(error) === "NotFoundError") throw evicted(this.#name);
      throw webError(error, "open", this.#name);
    }
  }
}

/** Handles of both books: whoever has them is the only one here, whatever became of the lock. */
async function bookHandles(
  directory: WebDirectory,
): Promise<readonly [Awaited<ReturnType<typeof syncHandle>>, Awaited<ReturnType<typeof syncHandle>>]> {
  const first = await syncHandle(await directory.getFileHandle(BOOK_FILES[0], { create: true }));
  try {
    return [first, await syncHandle(await directory.getFileHandle(BOOK_FILES[1], { create: true }))];
  } catch (error) {
    first.close();
    throw error;
  }
}

function evicted(name: string): StorageError {
  return new StorageError(
    // Not a missing file: that would be an empty log to whoever opens it.
    "STORAGE_FAILED",
    `opfs: there is no log ${name} in this origin's storage, though there must be one (create: false). The browser evicted the site's data, which it may do unless navigator.storage.persist() was granted, or the user cleared it: restore it from where its records went, or begin a new one with create: true`,
  );
}

function bookless(name: string, fileCount: number): CorruptionError {
  return new CorruptionError(
    `opfs: the log ${name} has ${fileCount} files and no book of names: part of the site's storage was lost. Nothing was changed; remove the directory ${name} from the origin's file system to begin anew`,
    { code: "BOOK_CORRUPT", file: `${name}/${BOOK_FILES[0]}`, byteRange: [0, 0], offsetRange: [0, 0], nextReadableOffset: null },
  );
}
