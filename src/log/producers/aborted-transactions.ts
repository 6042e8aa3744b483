/** The aborted transactions of a whole log, over the `.txnindex` of its segments: read when they are asked for, and kept within a bound. */

import type { LogContext } from "../context/log-context.ts";
import type { Segment } from "../segment/segment.ts";
import type { SegmentList } from "../segment/segment-list.ts";
import type { DurableTransactionIndex } from "../state/state-slot.ts";
import { TransactionEntries } from "./transaction-entries.ts";
import type { AbortedTransaction } from "./transaction-index.ts";
import { writeTransactionEntries } from "./transaction-index-file.ts";

/** What is kept in memory of indexes that are on disk as well. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
const NONE: readonly AbortedTransaction[] = [];

export class AbortedTransactions {
  readonly #context: LogContext;
  readonly #directory: string;
  readonly #segments: SegmentList;
  /** The entries of a segment of which nothing is known yet: read and held against what is known, or made again. */
  readonly #load: (segment: Segment) => Promise<TransactionEntries>;
  /** By base offset. */
  readonly #entries: Map<number, TransactionEntries> = new Map();
  readonly #unread: Set<number>;
  readonly #reading: Map<number, Promise<TransactionEntries | null>> = new Map();
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
    const found: AbortedTransaction[] = [];
    // What is read for it may push out what was read before: each is asked in its turn.
    for (const baseOffset of this.#from(from)) {
      const entries = this.#entries.get(baseOffset) ?? (await this.#read(baseOffset));
      if (entries?.collect(from, end, found) === true) break;
    }
    return found;
  }

  /** Writes what is not durable yet of all indexes; durable when it resolves. What fails stays to be written. */
  async persist(): Promise<void> {
    let isNew = false;
    for (const [baseOffset, entries] of this.#entries) {
      if (entries.byteLength === entries.durableByteLength) continue;
      isNew = (await writeTransactionEntries(this.#context.storage, this.#directory, baseOffset, entries)) || isNew;
    }
    if (isNew) await this.#context.storage.syncDirectory(this.#directory);
    this.#trim();
  }

  /** How much of a segment's index is durable of the transactions that ended below `offset`; null: nothing. */
  durable(baseOffset: number, offset: number): DurableTransactionIndex | null {
    const entries = this.#entries.get(baseOffset);
    const byteLength = Math.min(entries?.durableByteLength ?? 0, entries?.byteLengthBelow(offset) ?? 0);
    if (entries === undefined || byteLength <= 0) return null;
    return { baseOffset, byteLength, checksum: this.#context.core.crc32c(entries.bytes().subarray(0, byteLength)) >>> 0 };
  }

  /** null: the segment is gone. */
  #read(baseOffset: number): Promise<TransactionEntries | null> {
    const under = this.#reading.get(baseOffset);
    if (under !== undefined) return under;
    const reading = this.#readAlone(baseOffset).finally(() => this.#reading.delete(baseOffset));
    this.#reading.set(baseOffset, reading);
    return reading;
  }

  async #readAlone(baseOffset: number): Promise<TransactionEntries | null> {
    const segment = this.#segments.all().find((each) => each.baseOffset === baseOffset);
    if (segment === undefined) {
      this.forget(baseOffset);
      return null;
    }
    const entries = await this.#load(segment);
    if (this.#unread.has(baseOffset)) {
      this.put(baseOffset, entries);
      this.#trim(baseOffset);
    }
    return entries;
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
      if (byteLength <= (this.#context.keptTransactionBytesMax ?? KEPT_BYTES_MAX)) return;
      if (baseOffset === active || baseOffset === kept || entries.byteLength !== entries.durableByteLength) continue;
      byteLength -= entries.byteLength;
      this.reread(baseOffset);
    }
  }
}
