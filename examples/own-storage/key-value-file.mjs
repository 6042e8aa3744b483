/** A file of the storage: its bytes in memory, and which of its pieces the store does not have yet. */
import { errno } from "./names.mjs";

export const PIECE = 64 * 1024;

/** The bytes, whoever has them open and whatever they are called. */
export class Content {
  bytes = new Uint8Array(0);
  changed = new Set();

  constructor(number, byteLength, modifiedAt) {
    this.number = number;
    this.byteLength = byteLength;
    this.syncedLength = byteLength;
    this.modifiedAt = modifiedAt;
    this.#makeRoom(byteLength);
  }

  /** From the store: what lies behind the file's end was cut off, or never synced. */
  put(bytes, position) {
    if (bytes !== undefined && position < this.byteLength) this.bytes.set(bytes.subarray(0, this.byteLength - position), position);
  }

  write(bytes, position) {
    this.#makeRoom(position + bytes.length);
    this.bytes.set(bytes, position);
    this.resize(Math.max(this.byteLength, position + bytes.length));
    this.#touch(position, position + bytes.length);
  }

  resize(byteLength) {
    this.#makeRoom(byteLength);
    const [from, to] = [Math.min(byteLength, this.byteLength), Math.max(byteLength, this.byteLength)];
    this.bytes.fill(0, byteLength, Math.max(byteLength, this.byteLength));
    this.byteLength = byteLength;
    this.modifiedAt = Date.now();
    this.#touch(from, to);
  }

  #touch(from, to) {
    for (let piece = Math.floor(from / PIECE); piece * PIECE < to; piece += 1) this.changed.add(piece);
  }

  #makeRoom(byteLength) {
    if (byteLength <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(byteLength, this.bytes.length * 2, 4096));
    grown.set(this.bytes);
    this.bytes = grown;
  }
}

/** The bytes as one who opened them has them. */
export class KeyValueFile {
  #storage;
  #name;
  #content;
  #readOnly;
  #isClosed = false;
  #syncing = Promise.resolve();

  constructor(storage, name, content, readOnly) {
    this.#storage = storage;
    this.#name = name;
    this.#content = content;
    this.#readOnly = readOnly;
  }

  readAt(into, position) {
    const { bytes, byteLength } = this.#at(position);
    const found = bytes.subarray(position, Math.max(position, Math.min(position + into.length, byteLength)));
    into.set(found);
    return found.length;
  }

  writeAt(bytes, position) {
    const content = this.#at(position, "writes");
    if (bytes.length > 0) content.write(bytes, position);
    return bytes.length;
  }

  truncate(byteLength) {
    this.#at(byteLength, "writes").resize(byteLength);
  }

  byteLength() {
    return this.#at(0).byteLength;
  }

  modifiedAt() {
    return this.#at(0).modifiedAt;
  }

  async sync() {
    const content = this.#at(0);
    const sync = this.#storage.inTurn(async () => {
      const { byteLength, changed } = content;
      content.changed = new Set();
      try {
        const pieces = [...changed].filter((piece) => piece * PIECE < byteLength);
        await Promise.all(
          pieces.map((piece) => {
            const bytes = content.bytes.slice(piece * PIECE, Math.min((piece + 1) * PIECE, byteLength));
            return this.#storage.store.set(`${content.number}.${piece}`, bytes);
          }),
        );
        content.syncedLength = byteLength;
        await this.#storage.saveBook();
      } catch (error) {
        for (const piece of changed) content.changed.add(piece);
        throw error;
      }
    });
    this.#syncing = sync.catch(() => {});
    await sync;
  }

  async readAhead() {}

  async close() {
    this.#isClosed = true;
    await this.#syncing;
  }

  #at(position, writes) {
    if (this.#isClosed || (writes && this.#readOnly)) throw errno("EBADF", this.#name);
    if (!Number.isSafeInteger(position) || position < 0) throw errno("EINVAL", `${this.#name} at ${position}`);
    return this.#content;
  }
}
