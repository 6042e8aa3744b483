/** Kafka's `.index`: for some batches of a segment, the last offset and where the batch begins. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import { OdradekError } from "../../base/errors.ts";
import type { Core } from "../../core/core.ts";
import { OFFSET_ENTRY_BYTE_LENGTH, offsetEntryPosition, offsetEntryRelativeOffset } from "../../core/index-entries.ts";
import { type EntryOrder, IndexFile, type IndexOptions } from "./index-file.ts";

export interface OffsetEntry {
  /** The LAST offset of the batch. */
  readonly offset: number;
  /** Where that batch begins in the `.log`. */
  readonly position: number;
}

const INT32_MAX = 2 ** 31 - 1;

/** Offsets and positions rise strictly. The first batch of a segment never has an entry, so no entry is all zeros. */
const ORDER: EntryOrder = {
  entryByteLength: OFFSET_ENTRY_BYTE_LENGTH,
  follows(entries, index) {
    const relativeOffset = offsetEntryRelativeOffset(entries, index);
    const position = offsetEntryPosition(entries, index);
    if (relativeOffset < 0 || position < 0) return false;
    if (index === 0) return relativeOffset > 0 || position > 0;
    return relativeOffset > offsetEntryRelativeOffset(entries, index - 1) && position > offsetEntryPosition(entries, index - 1);
  },
};

/** When an entry is due is the segment's business. Derived from the log: nothing is durable unless `sync` says so. */
export class OffsetIndex {
  readonly baseOffset: number;
  readonly #index: IndexFile;
  readonly #core: Core;

  private constructor(index: IndexFile, baseOffset: number, core: Core) {
    this.#index = index;
    this.baseOffset = baseOffset;
    this.#core = core;
  }

  /** Opens an existing file; its entries are read at the first use. */
  static async open(storage: StorageDriver, name: string, baseOffset: number, options: IndexOptions): Promise<OffsetIndex> {
    return new OffsetIndex(await IndexFile.open(storage, name, ORDER, options), baseOffset, options.core);
  }

  /** Begins an empty one, whatever stood under the name. */
  static async create(storage: StorageDriver, name: string, baseOffset: number, options: IndexOptions): Promise<OffsetIndex> {
    return new OffsetIndex(await IndexFile.create(storage, name, ORDER, options), baseOffset, options.core);
  }

  get entryCount(): number {
    return this.#index.count;
  }

  get byteLength(): number {
    return this.#index.byteLength;
  }

  /** Why the file should be rebuilt, or null. */
  get problem(): string | null {
    return this.#index.problem;
  }

  /** Adds an entry, in memory and now and then to the file. Both numbers must rise; if the file refuses, nothing was added. */
  append(lastOffset: number, position: number): void {
    const last = this.lastEntry();
    const relativeOffset = lastOffset - this.baseOffset;
    const rises = last === null || (lastOffset > last.offset && position > last.position);
    if (!rises || !isInt32(relativeOffset) || !isInt32(position) || relativeOffset + position === 0) {
      const after = last === null ? "an empty index" : `offset ${last.offset} at ${last.position}`;
      throw new OdradekError(
        "UNKNOWN_SERVER_ERROR",
        `${this.#index.name}: expected an entry that rises from ${after}, base offset ${this.baseOffset}; found offset ${lastOffset} at ${position}`,
      );
    }
    this.#index.append((page, count) => this.#core.appendOffsetEntry(page, count, relativeOffset, position));
  }

  /** Where to start scanning for the batch that holds `targetOffset`: 0 when no entry is at or below it. */
  lookup(targetOffset: number): number {
    const relativeOffset = targetOffset - this.baseOffset;
    const page = this.#core.findOffsetEntry(this.#index.fences(), relativeOffset);
    if (page < 0) return 0;
    const entries = this.#index.page(page);
    return offsetEntryPosition(entries, this.#core.findOffsetEntry(entries, relativeOffset));
  }

  lastEntry(): OffsetEntry | null {
    const last = this.#index.last();
    return last === null ? null : { offset: this.baseOffset + offsetEntryRelativeOffset(last, 0), position: offsetEntryPosition(last, 0) };
  }

  /** Kafka's rule: a segment whose index is full rolls. */
  isFull(segmentIndexBytes: number): boolean {
    return this.entryCount >= Math.floor(segmentIndexBytes / OFFSET_ENTRY_BYTE_LENGTH);
  }

  /** Drops all entries with an offset of `offset` or more. */
  truncateTo(offset: number): void {
    const relativeOffset = offset - this.baseOffset - 1;
    const page = this.#core.findOffsetEntry(this.#index.fences(), relativeOffset);
    if (page < 0) {
      this.#index.clear();
      return;
    }
    const inPage = this.#core.findOffsetEntry(this.#index.page(page), relativeOffset) + 1;
    this.#index.keep(page * this.#index.entriesPerPage + inPage);
  }

  /** To rebuild it: drops everything. */
  clear(): void {
    this.#index.clear();
  }

  flush(): void {
    this.#index.flush();
  }

  /** At a roll or a clean close: all entries in the file, and nothing else. */
  finish(): void {
    this.#index.finish();
  }

  checksum(): number {
    return this.#index.checksum();
  }

  sync(): Promise<void> {
    return this.#index.sync();
  }

  close(): Promise<void> {
    return this.#index.close();
  }
}

function isInt32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= INT32_MAX;
}
