/** One segment: its `.log` and two indexes, how far they are written, and who still uses the handles. */
import type { StorageDriver, StorageFile } from "../../api/storage-driver.ts";
import type { TopicConfig } from "../../api/topic.ts";
import { CoreFaultError, OdradekError, StorageError } from "../../base/errors.ts";
import { HEADER_BYTE_LENGTH, MAX_TIMESTAMP_AT, readInt64, viewOf } from "../batch/batch-header.ts";
import type { LogContext } from "../context/log-context.ts";
import { ABSENT_FILE } from "../files/absent-file.ts";
import { writeBytes } from "../files/file-bytes.ts";
import { type SegmentFileKind, segmentFileName } from "../files/file-names.ts";
import { inDirectory } from "../files/replace-file.ts";
import type { IndexOptions } from "../index/index-file.ts";
import { OffsetIndex } from "../index/offset-index.ts";
import { TimeIndex } from "../index/time-index.ts";
import { idleSegmentsOf } from "./idle-segments.ts";
import { lengthAhead } from "./length-ahead.ts";
import { PositionHints } from "./position-hints.ts";
import { VerifiedRanges } from "./verified-ranges.ts";

export interface SegmentFiles {
  readonly log: StorageFile;
  /** null: it is missing, and this log may change nothing on disk. */
  readonly offsetIndex: OffsetIndex | null;
  readonly timeIndex: TimeIndex | null;
}

/** Of a segment that may be written: its indexes are there, or were begun anew when it was opened. */
export interface IndexedFiles extends SegmentFiles {
  readonly offsetIndex: OffsetIndex;
  readonly timeIndex: TimeIndex;
}

/** For whoever may write: only a reader meets a segment without indexes. */
export function withIndexes(files: SegmentFiles): IndexedFiles {
  return files as IndexedFiles;
}

/** CRC-32C of every 64 KiB of a file's first bytes, as a roll or a clean close left them. */
export interface SealedBlocks {
  readonly byteLength: number;
  readonly checksums: readonly number[];
}

/** Up to where a seal says that a segment goes. */
export interface SealedEnd {
  readonly nextOffset: number;
  /** No offset was missing in it. */
  readonly isWhole: boolean;
  /** The file is as long as it was when sealed; else another writer may have compacted it since. */
  readonly isOfThisFile: boolean;
  /** Its indexes name what the file has not: whoever compacts a segment writes them anew, so that its end is gone. */
  readonly isCut: boolean;
}

const NO_KINDS: ReadonlySet<SegmentFileKind> = new Set();

export class Segment {
  readonly baseOffset: number;
  readonly directory: string;
  readonly createdAtMs: number;
  /** The end of the last whole batch. */
  byteLength = 0;
  /** The offset after the last batch; of a sealed segment that nobody has read, the next segment's base. */
  nextOffset: number;
  /** The largest timestamp so far and the last offset of the batch that first reached it; -1: none. Known of segments scanned or written here. */
  maxTimestamp = -1;
  maxTimestampOffset = -1;
  /** Bytes appended since the last index entry: Kafka's rule counts them. */
  bytesSinceIndexEntry = 0;
  /** Bytes from here on were written by this process: warm, and checked when they came in. */
  warmFrom = 0;
  /** Whether bytes were written that no flush has covered. */
  unflushed = false;
  /** Whether the directory entry still needs a flush. */
  directoryUnflushed = false;
  /** Whether every offset from the base on is there: written by us alone, never compacted. */
  contiguous = true;
  /** Whether the indexes are those that were sealed, or of a segment without a seal. */
  indexIsBelieved = true;
  /** Checksums of blocks that must match before a byte is believed; null: there are none; "unread": the seal was not looked at yet. */
  checksums: SealedBlocks | null | "unread" = null;
  /** Up to where it went by a seal of ours, whatever it is now; null: none is known. `isWhole`: no offset was missing. */
  sealedEnd: SealedEnd | null = null;
  /** Nothing is left to do about its seal: it has one, was given one, or was found not to deserve one. */
  sealIsSettled = false;
  /** There are no files of it: the log is empty, and whoever reads alone makes none. */
  isAbsent = false;
  /** Its files still stand under the names of a swap that nobody may finish: another writer's, or opened to be read. */
  isInSwap = false;
  /** Those of them that have their final names already: a swap may be held up in the middle. */
  finalKinds: ReadonlySet<SegmentFileKind> = NO_KINDS;
  readonly verified: VerifiedRanges = new VerifiedRanges();
  readonly hints: PositionHints = new PositionHints();
  readonly #context: LogContext;
  readonly #readOnly: boolean;
  #isNew = false;
  #preallocatedByteLength = 0;
  /** How long the file was made, ahead of its batches; `Infinity` once the system refused to: then it grows with them. */
  #aheadTo = 0;
  /** Whether what was not written has been given back, and no flush of it has been waited for that anyone here knows of. */
  #wasCut = false;
  #firstTimestamp: number | null = null;
  #files: SegmentFiles | null = null;
  #opening: Promise<SegmentFiles> | null = null;
  #holderCount = 0;
  #isGivenUp = false;
  #onDrained: (() => void) | null = null;

  constructor(context: LogContext, directory: string, baseOffset: number, readOnly: boolean) {
    this.#context = context;
    this.#readOnly = readOnly;
    this.directory = directory;
    this.baseOffset = baseOffset;
    this.nextOffset = baseOffset;
    this.createdAtMs = context.clock.now();
  }

  /** A new, empty segment, its handles held once by the caller; with `preallocate` its file has its full size. Nothing of it is durable yet. */
  static async create(
    context: LogContext,
    directory: string,
    baseOffset: number,
    config: Pick<TopicConfig, "preallocate" | "segmentBytes">,
  ): Promise<Segment> {
    const segment = new Segment(context, directory, baseOffset, false);
    segment.#preallocatedByteLength = config.preallocate ? config.segmentBytes : 0;
    segment.#aheadTo = segment.#preallocatedByteLength;
    segment.directoryUnflushed = true;
    segment.#isNew = true;
    await segment.acquire();
    return segment;
  }

  get logName(): string {
    return this.#nameOf("log");
  }

  #nameOf(kind: "log" | "index" | "timeindex"): string {
    const isInSwap = this.isInSwap && !this.finalKinds.has(kind);
    return inDirectory(this.directory, `${segmentFileName(this.baseOffset, kind)}${isInSwap ? ".swap" : ""}`);
  }

  /** The handles, held until `release`. */
  async acquire(): Promise<SegmentFiles> {
    this.#holderCount += 1;
    try {
      if (this.#files !== null) return this.#files;
      this.#opening ??= this.#open();
      return await this.#opening;
    } catch (error) {
      this.release();
      throw error;
    }
  }

  release(): void {
    this.#holderCount -= 1;
    if (this.#holderCount > 0) return;
    this.#onDrained?.();
    // Someone read a segment that was given up meanwhile: nobody else will close it, and nothing was written through it.
    if (this.#isGivenUp) this.closeIdle().catch(() => {});
  }

  /** The handles if they are open: for this turn only. */
  get files(): SegmentFiles | null {
    return this.#files;
  }

  /** The handles, for whoever acquired them and knows that nobody has closed them since. */
  get openFiles(): SegmentFiles {
    if (this.#files === null) throw new OdradekError("UNKNOWN_SERVER_ERROR", `${this.logName}: expected its files open, found them closed`);
    return this.#files;
  }

  /** As `checksums`; null as well while nobody has looked at the seal. */
  get knownChecksums(): SealedBlocks | null {
    return this.checksums === "unread" ? null : this.checksums;
  }

  /** A sealed segment was read: closes what stands open for too long already. */
  async touch(): Promise<void> {
    for (const idle of idleSegmentsOf(this.#context).touched(this)) await idle.closeIdle();
  }

  get isHeld(): boolean {
    return this.#holderCount > 0;
  }

  /** Waits until nobody holds the handles, then closes them, for good. */
  async close(): Promise<void> {
    if (this.#holderCount > 0) await new Promise<void>((resolve) => (this.#onDrained = resolve));
    this.#onDrained = null;
    this.#isGivenUp = true;
    await this.closeIdle();
  }

  /** Closes handles that nobody holds. */
  async closeIdle(): Promise<void> {
    const files = this.#files;
    if (files === null || this.#holderCount > 0) return;
    this.#files = null;
    idleSegmentsOf(this.#context).forget(this);
    const closed = await Promise.allSettled([files.log.close(), files.offsetIndex?.close(), files.timeIndex?.close()]);
    for (const result of closed) if (result.status === "rejected") throw result.reason;
  }

  /** Writes whole batches behind the last one, in place, without copies. Throws when not every byte was taken; `byteLength` then stands. */
  write(log: StorageFile, bytes: Uint8Array, config: Pick<TopicConfig, "durability" | "segmentBytes">): void {
    this.unflushed = true;
    if (config.durability === "sync" && this.byteLength + bytes.length > this.#aheadTo) this.#makeLonger(log, bytes.length, config);
    writeBytes(log, bytes, this.byteLength);
  }

  /** Where the storage says that it pays. The flush of the batch makes the length durable as well; until then nothing is said of either. */
  #makeLonger(log: StorageFile, batchByteLength: number, { segmentBytes }: Pick<TopicConfig, "segmentBytes">): void {
    const { aheadByteLength } = this.#context.storage;
    if (aheadByteLength === undefined || aheadByteLength === 0) return;
    const end = this.byteLength + batchByteLength;
    const to = lengthAhead({ end, writtenByteLength: end - this.warmFrom }, segmentBytes, aheadByteLength);
    if (to === end) return;
    try {
      log.truncate(to);
      this.#aheadTo = to;
    } catch {
      // A file of any length takes the batch, or says itself why it does not.
      this.#aheadTo = Number.POSITIVE_INFINITY;
    }
  }

  /** Counts a batch in that stands at the end of the file, and gives it an index entry when Kafka's rule wants one. */
  admit(files: SegmentFiles, batchByteLength: number, lastOffset: number, maxTimestamp: number, indexIntervalBytes: number): void {
    if (this.byteLength === 0) this.#firstTimestamp = maxTimestamp;
    if (maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = maxTimestamp;
      this.maxTimestampOffset = lastOffset;
    }
    if (this.bytesSinceIndexEntry > indexIntervalBytes) {
      this.#index(files, lastOffset);
    }
    this.bytesSinceIndexEntry += batchByteLength;
    this.byteLength += batchByteLength;
    this.nextOffset = lastOffset + 1;
  }

  /** Kafka's roll by time counts from the largest timestamp of the first batch; -1: it has none, or there is no batch. */
  get firstTimestamp(): number {
    if (this.byteLength === 0) return -1;
    this.#firstTimestamp ??= this.#files === null ? -1 : readFirstTimestamp(this.#files.log);
    return this.#firstTimestamp;
  }

  indexIsFull(segmentIndexBytes: number): boolean {
    const files = this.#files;
    return files?.offsetIndex?.isFull(segmentIndexBytes) === true || files?.timeIndex?.isFull(segmentIndexBytes) === true;
  }

  /** Gives back what was made long ahead and never written. Answers whether there was any, now or before; not durable. */
  cutUnwritten({ log }: SegmentFiles): boolean {
    if (log.byteLength() <= this.byteLength) return this.#wasCut;
    log.truncate(this.byteLength);
    this.#aheadTo = 0;
    this.#wasCut = true;
    return true;
  }

  /** At a roll or a clean close: the final time entry, and both indexes cut to what they hold, as Kafka leaves them. Not durable. */
  finishIndexes(files: SegmentFiles): void {
    if (this.maxTimestampOffset >= 0) files.timeIndex?.maybeAppend(this.maxTimestamp, this.maxTimestampOffset);
    files.offsetIndex?.finish();
    files.timeIndex?.finish();
  }

  #index(files: SegmentFiles, lastOffset: number): void {
    try {
      files.offsetIndex?.append(lastOffset, this.byteLength);
      if (this.maxTimestampOffset >= 0) files.timeIndex?.maybeAppend(this.maxTimestamp, this.maxTimestampOffset);
      this.bytesSinceIndexEntry = 0;
    } catch (error) {
      // The batch is in the log already and an index is derived: without this entry a search is longer, and the next batch tries again.
      if (!(error instanceof StorageError || error instanceof CoreFaultError)) throw error;
    }
  }

  async #open(): Promise<SegmentFiles> {
    const { storage } = this.#context;
    const opened: { close(): Promise<void> }[] = [];
    const keep = <File extends { close(): Promise<void> } | null>(file: File): File => {
      if (file !== null) opened.push(file);
      return file;
    };
    try {
      const create = this.#isNew ? "if-missing" : "no";
      const log = keep(await (this.isAbsent ? ABSENT_FILE : storage.open(this.logName, { create, readOnly: this.#readOnly })));
      // What a roll that failed halfway left under this name holds nothing: the segment is in no list yet.
      if (this.#isNew && log.byteLength() > 0) log.truncate(0);
      if (this.#isNew && this.#preallocatedByteLength > 0) log.truncate(this.#preallocatedByteLength);
      // Side by side: each is a way to another thread and back, and such ways are what a first read is made of.
      const indexes = [this.#openIndex(OffsetIndex, "index").then(keep), this.#openIndex(TimeIndex, "timeindex").then(keep)] as const;
      await Promise.allSettled(indexes);
      const [offsetIndex, timeIndex] = await Promise.all(indexes);
      this.#isNew = false;
      this.#files = { log, offsetIndex, timeIndex };
      return this.#files;
    } catch (error) {
      await Promise.allSettled(opened.map((file) => file.close()));
      throw error;
    } finally {
      this.#opening = null;
    }
  }

  /** A missing index is begun anew where that is allowed: whoever opened the log rebuilds it. */
  async #openIndex<Index>(kind: IndexKind<Index>, suffix: "index" | "timeindex"): Promise<Index | null> {
    const { storage, core } = this.#context;
    const name = this.#nameOf(suffix);
    if (this.#isNew) return await kind.create(storage, name, this.baseOffset, { core });
    try {
      return await kind.open(storage, name, this.baseOffset, { core, readOnly: this.#readOnly });
    } catch (error) {
      if (!(error instanceof OdradekError) || error.code !== "FILE_NOT_FOUND") throw error;
      return this.#readOnly ? null : await kind.create(storage, name, this.baseOffset, { core });
    }
  }
}

function readFirstTimestamp(log: StorageFile): number {
  const header = new Uint8Array(HEADER_BYTE_LENGTH);
  return log.readAt(header, 0) < HEADER_BYTE_LENGTH ? -1 : readInt64(viewOf(header), MAX_TIMESTAMP_AT);
}

interface IndexKind<Index> {
  open(storage: StorageDriver, name: string, baseOffset: number, options: IndexOptions): Promise<Index>;
  create(storage: StorageDriver, name: string, baseOffset: number, options: IndexOptions): Promise<Index>;
}
