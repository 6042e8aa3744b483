/** Writes what compaction leaves of a group of segments: `.cleaned` files, whole and durable before any of them gets another name. */
import type { StorageDriver, StorageFile } from "../../api/storage-driver.ts";
import type { Compactor } from "../../core/core.ts";
import { batchByteLengthAt, lastOffsetAt, MAX_TIMESTAMP_AT, readInt64, viewOf } from "../batch/batch-header.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { BlockChecksums } from "../files/block-checksums.ts";
import { writeBytes } from "../files/file-bytes.ts";
import { type SegmentFileKind, segmentFileName } from "../files/file-names.ts";
import { inDirectory } from "../files/replace-file.ts";
import { OffsetIndex } from "../index/offset-index.ts";
import { TimeIndex } from "../index/time-index.ts";
import { type AbortedTransaction, encodeTransactionIndex } from "../producers/transaction-index.ts";
import { encodeSeal } from "../seal/seal.ts";

/** One write takes this much. */
const GATHERED_BYTE_LENGTH = 1024 * 1024;
/** Behind so many bytes a flush is begun, and writing goes on: one at the end would hold up everyone else's. */
const FLUSH_INTERVAL_BYTES = 32 * 1024 * 1024;

/** What the files say, for the segment that will stand on them. */
export interface CleanedFacts {
  readonly baseOffset: number;
  readonly byteLength: number;
  readonly nextOffset: number;
  readonly maxTimestamp: number;
  readonly maxTimestampOffset: number;
  readonly checksums: readonly number[];
  readonly kinds: readonly SegmentFileKind[];
  /** What its `.txnindex` holds. */
  readonly aborted: readonly AbortedTransaction[];
}

export class CleanedSegment {
  readonly baseOffset: number;
  readonly #context: LogContext;
  readonly #spec: PartitionSpec;
  readonly #log: StorageFile;
  readonly #offsetIndex: OffsetIndex;
  readonly #timeIndex: TimeIndex;
  readonly #sums: BlockChecksums;
  /** What is to be written next stands in its write window. */
  readonly #compactor: Compactor;
  readonly #aborted: AbortedTransaction[] = [];
  readonly #kinds: SegmentFileKind[] = ["log", "index", "timeindex"];
  #gatheredByteLength = 0;
  #writtenByteLength = 0;
  #flushedByteLength = 0;
  #flush: Promise<void> = Promise.resolve();
  #bytesSinceIndexEntry = 0;
  #maxTimestamp = -1;
  #maxTimestampOffset = -1;
  #nextOffset: number;
  #isClosed = false;

  private constructor(context: LogContext, spec: PartitionSpec, baseOffset: number, compactor: Compactor, files: OpenFiles) {
    this.#context = context;
    this.#spec = spec;
    this.baseOffset = baseOffset;
    this.#log = files.log;
    this.#offsetIndex = files.offsetIndex;
    this.#timeIndex = files.timeIndex;
    this.#compactor = compactor;
    this.#sums = new BlockChecksums(compactor);
    this.#nextOffset = baseOffset;
  }

  /** `compactor`: its write window is this segment's until `drain`. */
  static async create(context: LogContext, spec: PartitionSpec, baseOffset: number, compactor: Compactor): Promise<CleanedSegment> {
    const { storage, core } = context;
    const opened: { close(): Promise<void> }[] = [];
    const keep = <File extends { close(): Promise<void> }>(file: File): File => {
      opened.push(file);
      return file;
    };
    const nameOf = (kind: SegmentFileKind): string => cleanedName(spec.directory, baseOffset, kind);
    try {
      const log = keep(await storage.open(nameOf("log"), { create: "if-missing" }));
      log.truncate(0);
      const offsetIndex = keep(await OffsetIndex.create(storage, nameOf("index"), baseOffset, { core }));
      const timeIndex = keep(await TimeIndex.create(storage, nameOf("timeindex"), baseOffset, { core }));
      return new CleanedSegment(context, spec, baseOffset, compactor, { log, offsetIndex, timeIndex });
    } catch (error) {
      await Promise.allSettled(opened.map((file) => file.close()));
      await removeCleaned(storage, spec.directory, baseOffset);
      throw error;
    }
  }

  get byteLength(): number {
    return this.#writtenByteLength + this.#gatheredByteLength;
  }

  /** Where the bytes of the next batch need not be copied from. A view, as the compactor's window. */
  get room(): Uint8Array {
    return this.#compactor.writeWindow().subarray(this.#gatheredByteLength, GATHERED_BYTE_LENGTH);
  }

  /** Takes a batch, or what is left of one, and gives it an index entry when Kafka's rule wants one. */
  append(bytes: Uint8Array, lastOffset: number, maxTimestamp: number): void {
    this.#note(bytes.byteLength, lastOffset, maxTimestamp);
    if (this.#gatheredByteLength + bytes.byteLength > GATHERED_BYTE_LENGTH) this.drain();
    if (bytes.byteLength > GATHERED_BYTE_LENGTH) {
      this.#put(bytes);
      return;
    }
    const { room } = this;
    if (bytes.buffer !== room.buffer || bytes.byteOffset !== room.byteOffset) room.set(bytes);
    this.#gatheredByteLength += bytes.byteLength;
  }

  /** The same of batches that stand in `room` already, side by side. */
  take(byteLength: number): void {
    const end = this.#gatheredByteLength + byteLength;
    const view = viewOf(this.#compactor.writeWindow());
    while (this.#gatheredByteLength < end) {
      const at = this.#gatheredByteLength;
      const batchByteLength = batchByteLengthAt(view, at);
      this.#note(batchByteLength, lastOffsetAt(view, at), readInt64(view, at + MAX_TIMESTAMP_AT));
      this.#gatheredByteLength += batchByteLength;
    }
  }

  #note(batchByteLength: number, lastOffset: number, maxTimestamp: number): void {
    const { indexIntervalBytes, segmentIndexBytes } = this.#spec.config();
    if (maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = maxTimestamp;
      this.#maxTimestampOffset = lastOffset;
    }
    if (this.#bytesSinceIndexEntry > indexIntervalBytes && !this.#offsetIndex.isFull(segmentIndexBytes)) {
      this.#offsetIndex.append(lastOffset, this.byteLength);
      if (this.#maxTimestampOffset >= 0 && !this.#timeIndex.isFull(segmentIndexBytes))
        this.#timeIndex.maybeAppend(this.#maxTimestamp, this.#maxTimestampOffset);
      this.#bytesSinceIndexEntry = 0;
    }
    this.#bytesSinceIndexEntry += batchByteLength;
    this.#nextOffset = lastOffset + 1;
  }

  /** Writes what was gathered: the window is free for others. */
  drain(): void {
    if (this.#gatheredByteLength === 0) return;
    const gathered = this.#compactor.writeWindow().subarray(0, this.#gatheredByteLength);
    this.#gatheredByteLength = 0;
    this.#put(gathered);
  }

  /** An abort marker that stays in this segment. */
  addAborted(entry: AbortedTransaction): void {
    this.#aborted.push(entry);
  }

  /** Begins to make durable what was written, when it is much. Resolves, or rejects, when the flush before it is done. */
  async flushNowAndThen(): Promise<void> {
    if (this.#writtenByteLength - this.#flushedByteLength < FLUSH_INTERVAL_BYTES) return;
    await this.#flush;
    this.#flushedByteLength = this.#writtenByteLength;
    this.#flush = this.#log.sync();
    // Told by whoever waits for it next.
    this.#flush.catch(() => {});
  }

  /**
   * Every file whole, durable, and closed. The seal is among them: there is no moment in which the new segment has none.
   * `nextBaseOffset`: where the segment behind it begins; what is missing before that is no loss.
   */
  async finish(nextBaseOffset: number): Promise<CleanedFacts> {
    const { core } = this.#context;
    this.drain();
    if (this.#maxTimestampOffset >= 0) this.#timeIndex.maybeAppend(this.#maxTimestamp, this.#maxTimestampOffset);
    this.#offsetIndex.finish();
    this.#timeIndex.finish();
    const checksums = this.#sums.checksums();
    const transactions = encodeTransactionIndex(this.#aborted);
    const txnSums = new BlockChecksums(core);
    txnSums.add(transactions);
    const { topicId, partition } = this.#spec;
    const nextOffset = Math.max(this.#nextOffset, nextBaseOffset);
    const facts = { baseOffset: this.baseOffset, nextOffset, maxTimestamp: this.#maxTimestamp };
    const seal = encodeSeal(
      {
        ...facts,
        topicId,
        partition,
        hasGaps: true,
        logByteLength: this.byteLength,
        logChecksums: checksums,
        txnIndexByteLength: transactions.byteLength,
        txnIndexChecksums: txnSums.checksums(),
        indexByteLength: this.#offsetIndex.byteLength,
        indexChecksum: this.#offsetIndex.checksum(),
        timeIndexByteLength: this.#timeIndex.byteLength,
        timeIndexChecksum: this.#timeIndex.checksum(),
      },
      core,
    );
    await this.#flush;
    // At once: one wait instead of five. All have come back before an error is told, for what goes on would meet a file that is closed.
    await allDone([
      this.#log.sync(),
      this.#offsetIndex.sync(),
      this.#timeIndex.sync(),
      transactions.byteLength > 0 ? this.#writeFile("txnindex", transactions) : Promise.resolve(),
      this.#writeFile("seal", seal),
    ]);
    await this.#close();
    const written = { byteLength: this.byteLength, maxTimestampOffset: this.#maxTimestampOffset, checksums };
    return { ...facts, ...written, kinds: this.#kinds, aborted: this.#aborted };
  }

  /** As if it had never been begun. What cannot be removed now the next opening removes. */
  async discard(): Promise<void> {
    await this.#close().catch(() => {});
    await removeCleaned(this.#context.storage, this.#spec.directory, this.baseOffset);
  }

  #put(bytes: Uint8Array): void {
    writeBytes(this.#log, bytes, this.#writtenByteLength);
    this.#sums.add(bytes);
    this.#writtenByteLength += bytes.byteLength;
  }

  async #writeFile(kind: SegmentFileKind, bytes: Uint8Array): Promise<void> {
    const file = await this.#context.storage.open(cleanedName(this.#spec.directory, this.baseOffset, kind), { create: "if-missing" });
    this.#kinds.push(kind);
    try {
      file.truncate(0);
      writeBytes(file, bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#flush.catch(() => {});
    await allDone([this.#log.close(), this.#offsetIndex.close(), this.#timeIndex.close()]);
  }
}

async function allDone(calls: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(calls)) if (result.status === "rejected") throw result.reason;
}

interface OpenFiles {
  readonly log: StorageFile;
  readonly offsetIndex: OffsetIndex;
  readonly timeIndex: TimeIndex;
}

export function cleanedName(directory: string, baseOffset: number, kind: SegmentFileKind): string {
  return inDirectory(directory, `${segmentFileName(baseOffset, kind)}.cleaned`);
}

/** Best effort: the error that led here is the one to be told. */
export async function removeCleaned(storage: StorageDriver, directory: string, baseOffset: number): Promise<void> {
  for (const kind of ["seal", "txnindex", "timeindex", "index", "log"] as const) {
    await storage.remove(cleanedName(directory, baseOffset, kind)).catch(() => {});
  }
}
