/** The aborted transactions of a whole log, over the `.txnindex` of its segments: read when they are asked for, and kept within a bound. */

import { writeBytes } from "./file-bytes.ts";
import { segmentFileName } from "./file-names.ts";
import type { LogContext } from "./log-context.ts";
import { inDirectory, isNotFound } from "./replace-file.ts";
import type { Segment } from "./segment.ts";
import type { SegmentList } from "./segment-list.ts";
import { TransactionEntries } from "./transaction-entries.ts";
import type { AbortedTransaction } from "./transaction-index.ts";

/** What is kept in memory of indexes that are on disk as well. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
const NONE: readonly AbortedTransaction[] = [];

/** How much of which segment's index is durable, and its CRC-32C: what recovery may believe without walking the segment. */
export interface DurableTransactionIndex {
  readonly baseOffset: number;
  readonly byteLength: number;
  readonly checksum: number;
}

export class AbortedTransactions {
  readonly #context: LogContext;
  readonly #directory: string;
  readonly #segments: SegmentList;
  /** The entries of a segment of which nothing is known yet: read and held against what is known, or made again. */
  readonly #load: (segment: Segment) => Promise<TransactionEntries>;
  /** By base offset. */
  readonly #entries: Map<number, TransactionEntries> = new Map();
  readonly #unread: Set<number>;
  /** Base offsets of those that have entries or may have, ascending; null: to be made again. */
  #interesting: readonly number[] | null = null;

  /** `unread`: base offsets of segments that may have an index. */
  constructor(
    context: LogContext,
    directory: string,
    segments: SegmentList,
    unread: Iterable<number>,
    load: (segment: Segment) => Promise<TransactionEntries>,
  ) {
    this.#context = context;
    this.#directory = directory;
    this.#segments = segments;
    this.#unread = new Set(unread);
    this.#load = load;
  }

  /** What recovery or opening has read or made of a segment's index. */
  put(baseOffset: number, entries: TransactionEntries): void {
    this.#unread.delete(baseOffset);
    if (entries.byteLength > 0 || entries.durableByteLength !== 0) this.#entries.set(baseOffset, entries);
    this.#interesting = null;
  }

  /** The marker was written to this segment, behind all others. */
  add(segment: Segment, transaction: AbortedTransaction): void {
    let entries = this.#entries.get(segment.baseOffset);
    if (entries === undefined) {
      entries = new TransactionEntries();
      this.#entries.set(segment.baseOffset, entries);
      this.#interesting = null;
    }
    entries.add(transaction);
  }

  /** Its index was replaced: it is read again when it is asked for. */
  reread(baseOffset: number): void {
    this.#entries.delete(baseOffset);
    this.#unread.add(baseOffset);
    this.#interesting = null;
  }

  /** The segment is gone. */
  forget(baseOffset: number): void {
    this.#entries.delete(baseOffset);
    this.#unread.delete(baseOffset);
    this.#interesting = null;
  }

  /** Those that overlap [from, end), in order of their markers; null: an index must be read first. */
  findSync(from: number, end: number): readonly AbortedTransaction[] | null {
    if (this.#entries.size === 0 && this.#unread.size === 0) return NONE;
    const found: AbortedTransaction[] = [];
    for (const baseOffset of this.#from(from)) {
      const entries = this.#entries.get(baseOffset);
      if (entries === undefined) return null;
      if (entries.collect(from, end, found)) break;
    }
    return found;
  }

  async find(from: number, end: number): Promise<readonly AbortedTransaction[]> {
    for (;;) {
      const found = this.findSync(from, end);
      if (found !== null) return found;
      await this.#readNext(from);
    }
  }

  /** Writes what is not durable yet of all indexes; durable when it resolves. What fails stays to be written. */
  async persist(): Promise<void> {
    let isNew = false;
    for (const [baseOffset, entries] of this.#entries) {
      if (entries.byteLength === entries.durableByteLength) continue;
      isNew = (await this.#write(baseOffset, entries)) || isNew;
    }
    if (isNew) await this.#context.storage.syncDirectory(this.#directory);
    this.#trim();
  }

  /** null: the segment has no entries that are durable. */
  durable(baseOffset: number): DurableTransactionIndex | null {
    const entries = this.#entries.get(baseOffset);
    if (entries === undefined || entries.durableByteLength <= 0) return null;
    const byteLength = entries.durableByteLength;
    return { baseOffset, byteLength, checksum: this.#context.core.crc32c(entries.bytes().subarray(0, byteLength)) >>> 0 };
  }

  /** Answers whether the directory must be flushed. */
  async #write(baseOffset: number, entries: TransactionEntries): Promise<boolean> {
    const { storage } = this.#context;
    const name = inDirectory(this.#directory, segmentFileName(baseOffset, "txnindex"));
    // More may be added meanwhile, behind what is written here.
    const { byteLength } = entries;
    if (byteLength === 0) {
      await storage.remove(name).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
      entries.durableByteLength = 0;
      return true;
    }
    const from = Math.max(0, entries.durableByteLength);
    const file = await storage.open(name, { create: "if-missing" });
    try {
      writeBytes(file, entries.bytes().subarray(from, byteLength), from);
      if (file.byteLength() > byteLength) file.truncate(byteLength);
      await file.sync();
    } finally {
      await file.close();
    }
    entries.durableByteLength = byteLength;
    return from === 0;
  }

  async #readNext(from: number): Promise<void> {
    const baseOffset = this.#from(from).find((each) => !this.#entries.has(each));
    if (baseOffset === undefined) return;
    const segment = this.#segments.all().find((each) => each.baseOffset === baseOffset);
    if (segment === undefined) return this.forget(baseOffset);
    const entries = await this.#load(segment);
    if (!this.#unread.has(baseOffset)) return;
    this.put(baseOffset, entries);
    this.#trim(baseOffset);
  }

  #from(offset: number): readonly number[] {
    this.#interesting ??= [...new Set([...this.#entries.keys(), ...this.#unread])].sort((left, right) => left - right);
    const holding = this.#segments.holding(offset).baseOffset;
    const index = this.#interesting.findIndex((baseOffset) => baseOffset >= holding);
    return index < 0 ? [] : index === 0 ? this.#interesting : this.#interesting.slice(index);
  }

  /** Forgets those read longest ago that are on disk; the active segment's and `kept` stay. */
  #trim(kept = -1): void {
    let byteLength = 0;
    for (const entries of this.#entries.values()) byteLength += entries.byteLength;
    const active = this.#segments.active.baseOffset;
    for (const [baseOffset, entries] of this.#entries) {
      if (byteLength <= KEPT_BYTES_MAX) return;
      if (baseOffset === active || baseOffset === kept || entries.byteLength !== entries.durableByteLength) continue;
      byteLength -= entries.byteLength;
      this.reread(baseOffset);
    }
  }
}
