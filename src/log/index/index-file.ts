/** A file of sorted entries of one length, appended at the end and searched by pages: what both indexes stand on. */
import type { Bytes } from "../../api/bytes.ts";
import type { StorageDriver, StorageFile } from "../../api/storage-driver.ts";
import { CoreFaultError } from "../../base/errors.ts";
import type { Core } from "../../core/core.ts";
import { readBytes, writeBytes } from "../files/file-bytes.ts";
import { INDEX_PAGE_BYTE_LENGTH, sharedIndexPages } from "./index-pages.ts";

export interface IndexOptions {
  readonly core: Core;
  readonly readOnly?: boolean;
}

/** How the entries of one kind of index are laid out and ordered. */
export interface EntryOrder {
  readonly entryByteLength: number;
  /** Whether entry `index` may stand where it does; `index - 1` is looked at where there is one. */
  readonly follows: (entries: Uint8Array, index: number) => boolean;
}

/** A multiple of both entry lengths, so that a piece never cuts an entry. */
const PIECE_BYTE_LENGTH = 96 * 1024;

/**
 * The last page stays in memory until it is full; of the others the first entry and a checksum are kept, and the page is
 * read when asked for. A page that reads differently than before is not used: its first entry answers for it, which
 * makes a search longer and no answer wrong. The file is derived: nothing here is flushed unless asked, and whoever
 * finds a `problem` rebuilds it from the log.
 */
export class IndexFile {
  readonly name: string;
  readonly #file: StorageFile;
  readonly #core: Core;
  readonly #order: EntryOrder;
  readonly entriesPerPage: number;
  #loaded = false;
  #problem: string | null = null;
  /** The first entry of every page, the last page's too. */
  #fences: Bytes = new Uint8Array(0);
  #pageCount = 0;
  /** One for every page but the last. */
  #pageChecksums: number[] = [];
  /** Of all pages but the last, one after another. */
  #checksumBefore = 0;
  #lastPage: Bytes = new Uint8Array(0);
  #lastPageCount = 0;
  #lastPageWritten = 0;
  #owner: number = sharedIndexPages.newOwner();

  private constructor(name: string, file: StorageFile, order: EntryOrder, core: Core) {
    this.name = name;
    this.#file = file;
    this.#order = order;
    this.#core = core;
    this.entriesPerPage = Math.floor(INDEX_PAGE_BYTE_LENGTH / order.entryByteLength);
  }

  /** The file must be there. It is read at the first use, not now. */
  static async open(storage: StorageDriver, name: string, order: EntryOrder, options: IndexOptions): Promise<IndexFile> {
    const file = await storage.open(name, { create: "no", readOnly: options.readOnly ?? false });
    return new IndexFile(name, file, order, options.core);
  }

  /** Empty, whatever stood under the name. Not durable. */
  static async create(storage: StorageDriver, name: string, order: EntryOrder, options: IndexOptions): Promise<IndexFile> {
    const file = await storage.open(name, { create: "if-missing" });
    try {
      const index = new IndexFile(name, file, order, options.core);
      index.clear();
      return index;
    } catch (error) {
      // Nobody else knows of the handle yet.
      await file.close().catch(() => {});
      throw error;
    }
  }

  get count(): number {
    this.#load();
    return this.#pageChecksums.length * this.entriesPerPage + this.#lastPageCount;
  }

  get byteLength(): number {
    return this.count * this.#order.entryByteLength;
  }

  /** What in the file is no sorted entry, or has changed since it was read; null when all is well. Zeros at the end are no problem. */
  get problem(): string | null {
    this.#load();
    return this.#problem;
  }

  /** The first entry of every page, in order: what is searched first. Valid until the next change. */
  fences(): Uint8Array {
    this.#load();
    return this.#fences.subarray(0, this.#pageCount * this.#order.entryByteLength);
  }

  /** The entries of one page; its first entry alone where the page cannot be believed any more. Valid until the next change. */
  page(page: number): Uint8Array {
    this.#load();
    const { entryByteLength } = this.#order;
    if (page === this.#pageCount - 1) return this.#lastPage.subarray(0, this.#lastPageCount * entryByteLength);
    const cached = sharedIndexPages.find(this.#owner, page);
    if (cached !== undefined) return cached;
    const byteLength = this.entriesPerPage * entryByteLength;
    const bytes = readBytes(this.#file, page * byteLength, byteLength);
    if (bytes.byteLength !== byteLength || this.#core.crc32c(bytes) !== this.#pageChecksums[page]) {
      this.#problem ??= `bytes ${page * byteLength} to ${(page + 1) * byteLength} are not what was read or written there before`;
      return this.#fences.subarray(page * entryByteLength, (page + 1) * entryByteLength);
    }
    sharedIndexPages.put(this.#owner, page, bytes);
    return bytes;
  }

  /** The last entry's bytes, or null. Valid until the next change. */
  last(): Uint8Array | null {
    this.#load();
    const { entryByteLength } = this.#order;
    if (this.#lastPageCount === 0) return null;
    return this.#lastPage.subarray((this.#lastPageCount - 1) * entryByteLength, this.#lastPageCount * entryByteLength);
  }

  /**
   * Adds one entry, which `write` puts behind the `count` that stand in the page; it answers whether the entry follows them.
   * A page that is full is written to the file first; if that throws, nothing was added.
   */
  append(write: (page: Uint8Array, count: number) => boolean): void {
    this.#load();
    if (this.#lastPageCount === this.entriesPerPage) {
      this.flush();
      this.#turnPage();
    }
    if (this.#lastPage.byteLength === 0) this.#lastPage = new Uint8Array(this.entriesPerPage * this.#order.entryByteLength);
    if (!write(this.#lastPage, this.#lastPageCount)) {
      throw new CoreFaultError(
        "CORE_FAULT",
        `${this.name}: an entry that rises was refused behind entry ${this.#lastPageCount} of its page`,
      );
    }
    this.#lastPageCount += 1;
    if (this.#lastPageCount === 1) this.#addFence(this.#lastPage);
  }

  /** Hands what is held in memory to the file. Not durable. */
  flush(): void {
    if (!this.#loaded || this.#lastPageWritten === this.#lastPageCount) return;
    const { entryByteLength } = this.#order;
    const unwritten = this.#lastPage.subarray(this.#lastPageWritten * entryByteLength, this.#lastPageCount * entryByteLength);
    const at = (this.#pageChecksums.length * this.entriesPerPage + this.#lastPageWritten) * entryByteLength;
    writeBytes(this.#file, unwritten, at);
    this.#lastPageWritten = this.#lastPageCount;
  }

  /** Hands all to the file and cuts it to its entries, as Kafka does at a roll and a clean stop. Not durable. */
  finish(): void {
    this.#load();
    this.flush();
    if (this.#file.byteLength() !== this.byteLength) this.#file.truncate(this.byteLength);
  }

  /** Keeps the first `count` entries, in memory and in the file. Not durable. */
  keep(count: number): void {
    if (count >= this.count) return;
    this.flush();
    this.#file.truncate(count * this.#order.entryByteLength);
    this.#forget();
  }

  clear(): void {
    this.#file.truncate(0);
    this.#forget();
  }

  /** CRC-32C of all entries: of the file, when it holds nothing else. */
  checksum(): number {
    this.#load();
    return this.#core.crc32c(this.#lastPage.subarray(0, this.#lastPageCount * this.#order.entryByteLength), this.#checksumBefore);
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  /** What was not handed to the file is dropped with it. */
  close(): Promise<void> {
    return this.#file.close();
  }

  #forget(): void {
    this.#loaded = false;
    this.#problem = null;
    this.#pageCount = 0;
    this.#pageChecksums = [];
    this.#checksumBefore = 0;
    this.#lastPageCount = 0;
    this.#lastPageWritten = 0;
    this.#owner = sharedIndexPages.newOwner();
  }

  /** Takes entries from the file up to the first that does not rise: a crashed broker leaves zeros behind the last one. */
  #load(): void {
    if (this.#loaded) return;
    this.#loaded = true;
    try {
      this.#loadEntries();
    } catch (error) {
      this.#forget(); // half an index would answer wrongly, and be appended to in the wrong place
      throw error;
    }
  }

  #loadEntries(): void {
    const { entryByteLength, follows } = this.#order;
    const fileByteLength = this.#file.byteLength();
    // The piece begins with the entry before it, so that order is seen across the cut.
    const piece = new Uint8Array(Math.min(PIECE_BYTE_LENGTH, fileByteLength) + entryByteLength);
    let before = 0;
    for (let at = 0; at < fileByteLength; at += PIECE_BYTE_LENGTH) {
      const bytes = readBytes(this.#file, at, Math.min(PIECE_BYTE_LENGTH, fileByteLength - at));
      piece.set(bytes, before * entryByteLength);
      const end = before + Math.floor(bytes.byteLength / entryByteLength);
      const entries = piece.subarray(0, end * entryByteLength);
      let rising = before;
      while (rising < end && follows(entries, rising)) rising += 1;
      this.#takeLoaded(entries.subarray(before * entryByteLength, rising * entryByteLength));
      if (rising < end) {
        this.#stopAt(at + (rising - before) * entryByteLength, fileByteLength);
        return;
      }
      if (end > 0) piece.copyWithin(0, (end - 1) * entryByteLength, end * entryByteLength);
      before = 1;
    }
    this.#stopAt(this.byteLength, fileByteLength);
  }

  /** By the page: a segment of 1 GiB has half a million entries, and an object for each was what its first read cost. */
  #takeLoaded(entries: Uint8Array): void {
    const { entryByteLength } = this.#order;
    for (let at = 0; at < entries.byteLength; ) {
      if (this.#lastPageCount === this.entriesPerPage) this.#turnPage();
      if (this.#lastPage.byteLength === 0) this.#lastPage = new Uint8Array(this.entriesPerPage * entryByteLength);
      const room = (this.entriesPerPage - this.#lastPageCount) * entryByteLength;
      const taken = entries.subarray(at, at + room);
      this.#lastPage.set(taken, this.#lastPageCount * entryByteLength);
      if (this.#lastPageCount === 0) this.#addFence(taken);
      this.#lastPageCount += taken.byteLength / entryByteLength;
      this.#lastPageWritten = this.#lastPageCount;
      at += taken.byteLength;
    }
  }

  #stopAt(position: number, fileByteLength: number): void {
    for (let at = position; at < fileByteLength; at += PIECE_BYTE_LENGTH) {
      const bytes = readBytes(this.#file, at, Math.min(PIECE_BYTE_LENGTH, fileByteLength - at));
      const odd = bytes.findIndex((byte) => byte !== 0);
      if (odd < 0) continue;
      this.#problem = `after ${this.count} entries, byte ${at + odd} of ${fileByteLength} is neither a further entry nor zero`;
      return;
    }
  }

  /** The full last page becomes one of the others. */
  #turnPage(): void {
    this.#pageChecksums.push(this.#core.crc32c(this.#lastPage));
    this.#checksumBefore = this.#core.crc32c(this.#lastPage, this.#checksumBefore);
    this.#lastPageCount = 0;
    this.#lastPageWritten = 0;
  }

  #addFence(entry: Uint8Array): void {
    const { entryByteLength } = this.#order;
    const at = this.#pageCount * entryByteLength;
    if (at + entryByteLength > this.#fences.byteLength) {
      const larger = new Uint8Array(Math.max(4 * entryByteLength, this.#fences.byteLength * 2));
      larger.set(this.#fences);
      this.#fences = larger;
    }
    this.#fences.set(entry.subarray(0, entryByteLength), at);
    this.#pageCount += 1;
  }
}
