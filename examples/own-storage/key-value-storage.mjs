/**
 * A place of your own for a log: any store of bytes under keys, such as IndexedDB, Redis or a bucket. The store is asked for
 * `get(key)`, `set(key, bytes)`, `delete(key)` and `keys()`, and may take its time with each. Files live in memory, since reads and writes
 * of a log do not wait; `sync` brings what changed to the store, so an acknowledgement outlives whatever the store outlives.
 *
 *   const log = await open({ storage: await keyValueStorage(store, { durability: "power" }) });
 *
 * In the store: a file is pieces of 64 KiB under `<file number>.<piece>`. Which name belongs to which number, and how long each file was
 * when it was last synced, stands in the book under `book`, one value, so that it changes as one.
 */
import { StorageError } from "odradek";
import { Content, KeyValueFile, PIECE } from "./key-value-file.mjs";
import { errno, parsed } from "./names.mjs";

/** What the store itself outlives is for you to say: "power", "process" or "none". */
export async function keyValueStorage(store, { durability = "none" } = {}) {
  const storage = new KeyValueStorage(store, durability);
  await storage.load();
  return storage;
}

class KeyValueStorage {
  // Names are in the store after `syncDirectory` alone, and change there all at once.
  directorySync = true;
  atomicReplace = true;
  sharedReaders = false;
  directories = new Set();
  files = new Map();
  #removed = new Set();
  #nextNumber = 1;
  #turn = Promise.resolve();
  #isLocked = false;

  constructor(store, durability) {
    this.store = store;
    this.durability = durability;
  }

  async load() {
    const bytes = await this.store.get("book");
    if (bytes === undefined) return;
    const book = JSON.parse(new TextDecoder().decode(bytes));
    this.directories = new Set(book.directories);
    this.#nextNumber = book.nextNumber;
    const byNumber = new Map();
    for (const { name, number, byteLength, modifiedAt } of book.files) {
      const content = new Content(number, byteLength, modifiedAt);
      this.files.set(name, content);
      byNumber.set(number, content);
    }
    for (const key of await this.store.keys()) {
      const [number, piece] = key.split(".").map(Number);
      if (key === "book") continue;
      // Its file was removed, or was never in the book: a number is not given twice.
      if (!byNumber.has(number)) this.#removed.add(number);
      else byNumber.get(number).put(await this.store.get(key), piece * PIECE);
      this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    }
  }

  async open(name, { create, readOnly = false }) {
    const { directory } = parsed(name);
    this.#requireDirectory(directory);
    if (this.directories.has(name)) throw errno("EISDIR", name);
    let content = this.files.get(name);
    if (content === undefined) {
      if (create === "no") throw errno("ENOENT", name);
      content = new Content(this.#nextNumber++, 0, Date.now());
      this.files.set(name, content);
    } else if (create === "new") throw errno("EEXIST", name);
    return new KeyValueFile(this, name, content, readOnly);
  }

  async list(directory) {
    if (directory !== "") parsed(directory, 1);
    if (this.files.has(directory)) throw errno("ENOTDIR", directory);
    const entries = [];
    for (const name of this.files.keys()) {
      const at = parsed(name);
      if (at.directory === directory) entries.push({ name: at.base, kind: "file" });
    }
    if (directory === "") for (const name of this.directories) entries.push({ name, kind: "directory" });
    return entries;
  }

  async createDirectory(name) {
    parsed(name, 1);
    if (this.files.has(name)) throw errno("EEXIST", name);
    this.directories.add(name);
  }

  async removeDirectory(name) {
    parsed(name, 1);
    this.#requireDirectory(name);
    if ((await this.list(name)).length > 0) throw errno("ENOTEMPTY", name);
    this.directories.delete(name);
  }

  async replace(from, to) {
    const content = this.files.get(from);
    if (parsed(from).directory !== parsed(to).directory) throw errno("EXDEV", to);
    if (content === undefined) throw errno("ENOENT", from);
    if (this.directories.has(to)) throw errno("EISDIR", to);
    if (from === to) return;
    this.#forget(to);
    this.files.delete(from);
    this.files.set(to, content);
  }

  async renameDirectory(from, to) {
    parsed(from, 1);
    parsed(to, 1);
    this.#requireDirectory(from);
    if (this.directories.has(to) || this.files.has(to)) throw errno("EEXIST", to);
    this.directories.delete(from);
    this.directories.add(to);
    for (const [name, content] of [...this.files]) {
      const { directory, base } = parsed(name);
      if (directory !== from) continue;
      this.files.delete(name);
      this.files.set(`${to}/${base}`, content);
    }
  }

  async remove(name) {
    parsed(name);
    if (!this.files.has(name)) throw errno(this.directories.has(name) ? "EISDIR" : "ENOENT", name);
    this.#forget(name);
  }

  async syncDirectory(directory) {
    if (directory !== "") parsed(directory, 1);
    this.#requireDirectory(directory);
    await this.inTurn(() => this.saveBook());
  }

  /** For this process. Where two can reach one store, take a lease in it here, and refuse with its holder. */
  async lock(_holder, { signal }) {
    signal?.throwIfAborted();
    if (this.#isLocked) throw new StorageError("DIRECTORY_IN_USE", "this storage is open in this process: close that log first");
    this.#isLocked = true;
    let held = true;
    return {
      stillHeld: () => held,
      release: async () => {
        if (held) this.#isLocked = false;
        held = false;
      },
    };
  }

  async close() {}

  /** One after another: a store may let two writes of one key overtake each other. A failure is told to whoever asked, and to nobody after. */
  inTurn(body) {
    const answer = this.#turn.then(body);
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async saveBook() {
    const files = [...this.files].map(([name, { number, syncedLength, modifiedAt }]) => ({
      name,
      number,
      byteLength: syncedLength,
      modifiedAt,
    }));
    const book = { nextNumber: this.#nextNumber, directories: [...this.directories], files };
    const removed = [...this.#removed];
    await this.store.set("book", new TextEncoder().encode(JSON.stringify(book)));
    // Behind the book: before it, a crash would leave a name without its bytes.
    if (removed.length === 0) return;
    for (const key of await this.store.keys()) {
      if (removed.includes(Number(key.split(".")[0]))) await this.store.delete(key);
    }
    for (const number of removed) this.#removed.delete(number);
  }

  #forget(name) {
    const content = this.files.get(name);
    if (content !== undefined) this.#removed.add(content.number);
    this.files.delete(name);
  }

  #requireDirectory(directory) {
    if (directory !== "" && !this.directories.has(directory)) throw errno("ENOENT", directory);
  }
}
