/** Kafka's `.timeindex`: the largest timestamp so far, and the last offset of the batch that first reached it. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import { OdradekError } from "../../base/errors.ts";
import type { Core } from "../../core/core.ts";
import { TIME_ENTRY_BYTE_LENGTH, timeEntryRelativeOffset, timeEntryTimestamp, writeForeignTimeEntry } from "../../core/index-entries.ts";
import { type EntryOrder, IndexFile, type IndexOptions } from "./index-file.ts";

/** No record at or before `offset` has a larger timestamp. */
export interface TimeEntry {
  readonly timestamp: number;
  readonly offset: number;
}

const INT32_MAX = 2 ** 31 - 1;
/** The largest number below 2^63: foreign timestamps in nanoseconds are kept as the nearest number. */
const TIMESTAMP_MAX = 2 ** 63 - 1024;

/** Timestamps rise strictly, offsets never fall. */
const ORDER: EntryOrder = {
  entryByteLength: TIME_ENTRY_BYTE_LENGTH,
  follows(entries, index) {
    const timestamp = timeEntryTimestamp(entries, index);
    const relativeOffset = timeEntryRelativeOffset(entries, index);
    if (timestamp < 0 || relativeOffset < 0) return false;
    if (index > 0)
      return timestamp > timeEntryTimestamp(entries, index - 1) && relativeOffset >= timeEntryRelativeOffset(entries, index - 1);
    if (timestamp > 0 || relativeOffset > 0) return true;
    // All zeros: a record of 1970 at the base offset, or the unwritten space of a broker that crashed. A second such entry decides.
    return entries.byteLength === TIME_ENTRY_BYTE_LENGTH || timeEntryTimestamp(entries, 1) > 0;
  },
};

/** Derived from the log: nothing is durable unless `sync` says so. */
export class TimeIndex {
  readonly baseOffset: number;
  readonly #index: IndexFile;
  readonly #core: Core;

  private constructor(index: IndexFile, baseOffset: number, core: Core) {
    this.#index = index;
    this.baseOffset = baseOffset;
    this.#core = core;
  }

  /** Opens an existing file; its entries are read at the first use. */
  static async open(storage: StorageDriver, name: string, baseOffset: number, options: IndexOptions): Promise<TimeIndex> {
    return new TimeIndex(await IndexFile.open(storage, name, ORDER, options), baseOffset, options.core);
  }

  /** Begins an empty one, whatever stood under the name. */
  static async create(storage: StorageDriver, name: string, baseOffset: number, options: IndexOptions): Promise<TimeIndex> {
    return new TimeIndex(await IndexFile.create(storage, name, ORDER, options), baseOffset, options.core);
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

  /**
   * Adds an entry if its timestamp is larger than the last one's; answers whether it did. Also the final entry of a roll or
   * close, for which Kafka keeps a slot: fullness is not looked at here. If the file refuses, nothing was added.
   */
  maybeAppend(timestamp: number, offset: number): boolean {
    const last = this.lastEntry();
    if (timestamp < 0 || (last !== null && timestamp <= last.timestamp)) return false;
    const relativeOffset = offset - this.baseOffset;
    if (!Number.isInteger(relativeOffset) || relativeOffset < 0 || relativeOffset > INT32_MAX || (last !== null && offset < last.offset)) {
      throw new OdradekError(
        "UNKNOWN_SERVER_ERROR",
        `${this.#index.name}: expected an offset from ${last?.offset ?? this.baseOffset} on, base offset ${this.baseOffset}; found ${offset}`,
      );
    }
    this.#index.append((page, count) =>
      Number.isSafeInteger(timestamp)
        ? this.#core.appendTimeEntry(page, count, timestamp, relativeOffset)
        : writeForeignTimeEntry(page, count, Math.min(timestamp, TIMESTAMP_MAX), relativeOffset),
    );
    return true;
  }

  /** The largest entry whose timestamp is at most `timestamp`: nothing at or before its offset is later. null when there is none. */
  lookup(timestamp: number): TimeEntry | null {
    const page = this.#core.findTimeEntry(this.#index.fences(), timestamp);
    if (page < 0) return null;
    const entries = this.#index.page(page);
    return this.#entry(entries, this.#core.findTimeEntry(entries, timestamp));
  }

  lastEntry(): TimeEntry | null {
    const last = this.#index.last();
    return last === null ? null : this.#entry(last, 0);
  }

  /** Kafka's rule: a segment whose time index is full rolls; one slot is kept for the final entry. */
  isFull(segmentIndexBytes: number): boolean {
    return this.entryCount >= Math.floor(segmentIndexBytes / TIME_ENTRY_BYTE_LENGTH) - 1;
  }

  /** Drops all entries with an offset of `offset` or more. */
  truncateTo(offset: number): void {
    const relativeOffset = offset - this.baseOffset;
    const fences = this.#index.fences();
    let page = fences.byteLength / TIME_ENTRY_BYTE_LENGTH - 1;
    while (page >= 0 && timeEntryRelativeOffset(fences, page) >= relativeOffset) page -= 1;
    if (page < 0) {
      this.#index.clear();
      return;
    }
    const entries = this.#index.page(page);
    let inPage = entries.byteLength / TIME_ENTRY_BYTE_LENGTH;
    while (timeEntryRelativeOffset(entries, inPage - 1) >= relativeOffset) inPage -= 1;
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

  #entry(entries: Uint8Array, index: number): TimeEntry {
    return { timestamp: timeEntryTimestamp(entries, index), offset: this.baseOffset + timeEntryRelativeOffset(entries, index) };
  }
}
