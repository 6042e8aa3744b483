/** One partition's log, as the engine sees it: it coordinates; writing, reading, opening, recovery and retention stand beside it. */
import type { IsolationLevel, MemoryFor } from "../api/broker.ts";
import type { Bytes, Durability, Watermarks } from "../api/bytes.ts";
import { type OdradekError, UsageError } from "../base/errors.ts";
import type { AppendVerdict } from "./append/append-queue.ts";
import type { Appended } from "./append/appended.ts";
import { LogWriter } from "./append/log-writer.ts";
import { markerBatch, type TransactionMarker } from "./batch/marker-batch.ts";
import { batchesBelow } from "./batch/stable-batches.ts";
import type { LeaderEpoch } from "./books/leader-epochs.ts";
import { Compaction, type CompactionOptions, type CompactionResult } from "./compaction/compaction.ts";
import type { CompactionNeed } from "./compaction/compaction-need.ts";
import type { LogContext } from "./context/log-context.ts";
import type { PartitionSpec } from "./context/partition-spec.ts";
import { leaveInOrder } from "./opening/clean-end.ts";
import { createLog } from "./opening/create-log.ts";
import { openLog } from "./opening/open-log.ts";
import type { LogPosition, OpenedLog } from "./opening/opened-log.ts";
import { openSteadily } from "./opening/steady-opening.ts";
import type { ProducerStates } from "./producers/producer-states.ts";
import type { AbortedTransaction } from "./producers/transaction-index.ts";
import { LogFollower } from "./read/log-follower.ts";
import { knownDurable } from "./read/log-following.ts";
import { LogReader } from "./read/log-reader.ts";
import { isHeldBack, stableBeyond } from "./read/stable-reads.ts";
import { offsetForTime } from "./read/time-lookup.ts";
import type { CheckedBatch } from "./segment/segment-reader.ts";
import { type LogSnapshot, takeSnapshot } from "./upkeep/log-snapshot.ts";
import { deleteBefore } from "./upkeep/log-start.ts";
import { type SealingResult, sealUnsealed } from "./upkeep/seal-backlog.ts";
import { type RetentionResult, removeExpired } from "./upkeep/segment-removal.ts";

export type { Appended } from "./append/appended.ts";
export type { TransactionMarker } from "./batch/marker-batch.ts";
export type { PartitionSpec } from "./context/partition-spec.ts";

/** What one call of `sealUnsealed` reads, or the one segment it began. */
const SEALED_PER_CALL_BYTE_LENGTH = 256 * 1024 * 1024;
const NOTHING: Bytes = new Uint8Array(0);

export class PartitionLog {
  readonly spec: PartitionSpec;
  /** Of a log that is only read: how it keeps up with who writes it. */
  readonly follower: LogFollower;
  readonly #context: LogContext;
  readonly #listeners: Set<() => void> = new Set();
  #log: OpenedLog;
  #writer: LogWriter;
  #reader: LogReader;
  #compaction: Compaction;
  /** Made when a compaction asks for it. */
  #stopping: AbortController | null = null;
  #closing: Promise<void> | null = null;
  /** Calls that change which segments there are: one after another. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(context: LogContext, log: OpenedLog) {
    this.#context = context;
    this.spec = log.spec;
    this.#log = log;
    this.#writer = this.#newWriter(log, context.isFollowing === true ? knownDurable(log) : null);
    this.#reader = new LogReader(log, () => this.#writer.visible);
    this.#compaction = this.#newCompaction(log.spec.checkpoint.firstDirtyOffset ?? null);
    this.follower = new LogFollower({
      context,
      opened: () => {
        this.#assertOpen();
        return this.#log;
      },
      showUpTo: (end) => this.#writer.showUpTo(end),
      replaceBy: (next) => {
        this.#writer.stop(new UsageError("LOG_CLOSED", `${this.spec.directory}: the log was opened anew`));
        this.#goOnWith(next, knownDurable(next), null);
      },
    });
  }

  /** The directory, `partition.metadata`, `leader-epoch-checkpoint`, the first segment and the state, all durable when it resolves. */
  static async create(context: LogContext, spec: PartitionSpec): Promise<PartitionLog> {
    return new PartitionLog(context, await createLog(context, spec));
  }

  /** Recovers by C9 when the directory was not left in order. */
  static async open(context: LogContext, spec: PartitionSpec): Promise<PartitionLog> {
    return new PartitionLog(context, await (context.isFollowing === true ? openSteadily(context, spec, true) : openLog(context, spec)));
  }

  get watermarks(): Watermarks {
    const highWatermark = this.#writer.visible.offset;
    const { logStartOffset, producers } = this.#log;
    const lastStableOffset = Math.min(highWatermark, Math.max(logStartOffset, producers.transactions.firstUnstableOffset));
    return { logStartOffset, lastStableOffset, highWatermark, logEndOffset: this.#writer.logEndOffset };
  }

  get logStartOffset(): number {
    return this.#log.logStartOffset;
  }

  /** The producers that have written here, as of what was written last. */
  get producers(): ProducerStates {
    return this.#log.producers;
  }

  /** What batches carry from here on, or will once the next is appended. */
  get leaderEpoch(): number {
    // Where nothing has begun one, there is one to begin.
    return this.#log.nextEpoch ?? (this.#log.epochs.latest() as LeaderEpoch).epoch;
  }

  get byteLength(): number {
    return this.#log.segments.byteLength;
  }

  get failure(): OdradekError | null {
    return this.#writer.failure;
  }

  get recoveryPoint(): number {
    return this.#log.recoveryPoint;
  }

  /**
   * Stamps offset and epoch (and the time, with LogAppendTime) into `batch` in place and writes it: at once when nothing is in
   * the way, else a copy waits its turn, in call order. `signal` ends the wait, not a write. A batch that its producer has sent
   * before is answered with the offsets it got then; one out of its sequence, or of a stale epoch, is a `ProducerStateError`.
   */
  append(batch: Uint8Array, verdict: AppendVerdict, signal?: AbortSignal): Appended | Promise<Appended> {
    this.#assertChangeable();
    return this.#writer.append(batch, verdict, signal);
  }

  /** Ends a producer's transaction in this partition. Written when it resolves, and not yet durable: `flush` follows. */
  async appendMarker(marker: TransactionMarker): Promise<Appended> {
    this.#assertChangeable();
    const timestamp = this.#context.clock.now();
    return await this.#writer.append(
      markerBatch(this.#context.core, marker, timestamp),
      { recordCount: 1, maxTimestamp: timestamp },
      undefined,
    );
  }

  /** Resolves with what was achieved once everything below `offset` is flushed and below the high watermark ("os" topics: once written). */
  flushed(offset: number): Promise<Durability> {
    return this.#writer.flushed(offset);
  }

  /** Makes everything written so far durable, whatever the topic's level. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /** To be called before settings are kept by which the log is compacted: a gap must not be what a loss of power leaves. */
  prepareForCompaction(): Promise<void> {
    return this.#writer.prepareForCompaction();
  }

  /** To be called when the topic's settings have changed: what is not flushed yet goes by the new ones. */
  settingsChanged(): void {
    this.#writer.settingsChanged();
  }

  /**
   * Whole batches from the one that holds `offset`, in memory of their own: at most `maxBytes` but at least one, up to the high
   * watermark ("readCommitted": up to the last stable offset), never across the end of a segment; empty at the end. Throws
   * `OffsetError` out of range, `CorruptionError` on damage.
   */
  async read(offset: number, maxBytes: number, isolation: IsolationLevel = "readUncommitted"): Promise<Bytes> {
    this.#assertOpen();
    const marks = this.watermarks;
    this.#reader.assertInRange(offset, marks);
    if (isolation === "readUncommitted") return await this.#reader.read(offset, maxBytes);
    if (isHeldBack(offset, marks)) return NOTHING;
    return this.#stable(await this.#reader.read(offset, maxBytes));
  }

  /** As `read`, or null when it cannot be answered without waiting. `memory`: what is read to. */
  readSync(offset: number, maxBytes: number, isolation: IsolationLevel = "readUncommitted", memory?: MemoryFor): Bytes | null {
    this.#assertOpen();
    const marks = this.watermarks;
    this.#reader.assertInRange(offset, marks);
    if (isolation === "readUncommitted") return this.#reader.readSync(offset, maxBytes, memory);
    if (isHeldBack(offset, marks)) return NOTHING;
    const bytes = this.#reader.readSync(offset, maxBytes, memory);
    return bytes === null ? null : this.#stable(bytes);
  }

  /** Of a batch that `read` gave before; false: it must be read whole. */
  readPartSync(batch: CheckedBatch, into: Uint8Array): boolean {
    this.#assertOpen();
    return this.#reader.readPartSync(batch, into);
  }

  /**
   * The aborted transactions of which something may lie in [fromOffset, endOffset), in order of their markers: what a reader of
   * batches from there must drop, as far as they lie below the last stable offset.
   */
  async abortedTransactions(fromOffset: number, endOffset: number): Promise<readonly AbortedTransaction[]> {
    this.#assertOpen();
    return await this.#log.abortedTransactions.find(fromOffset, endOffset);
  }

  /** As `abortedTransactions`, or null when it cannot be answered without waiting. */
  abortedTransactionsSync(fromOffset: number, endOffset: number): readonly AbortedTransaction[] | null {
    this.#assertOpen();
    return this.#log.abortedTransactions.findSync(fromOffset, endOffset);
  }

  /** Resolves when the last stable offset has passed `offset`; rejects when the log fails or closes before that. */
  stableBeyond(offset: number): Promise<void> {
    return stableBeyond(this, offset);
  }

  /** The first record at or behind the log start whose timestamp is at least this; null when there is none. */
  async offsetForTime(timestamp: number): Promise<{ offset: number; timestamp: number } | null> {
    this.#assertOpen();
    return await offsetForTime(this.#log, this.#reader, this.watermarks, timestamp);
  }

  /** Called after the high watermark moves, and with it perhaps the last stable offset, or the log fails or closes. Answers how to stop it. */
  onProgress(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Moves the log start up to `offset`; resolves with the new one when that is durable. Segments below it go with retention. */
  deleteRecordsBefore(offset: number): Promise<number> {
    return this.#inTurn(() => deleteBefore(this.#log, this.#writer, this.#reader, this.watermarks, offset));
  }

  applyRetention(): Promise<RetentionResult> {
    return this.#inTurn(async () => {
      // Files that stay under names of a swap all the same are removed by the next opening: they lie below the log start.
      await this.#compaction.settle().catch(() => {});
      return await removeExpired(this.#log, this.#writer, this.#reader, this.watermarks);
    });
  }

  /** Where the last compaction ended; null: there was none, or another writer's book that told of it was not found. */
  get firstDirtyOffset(): number | null {
    return this.#compaction.firstDirtyOffset;
  }

  /** Why the partition is not compacted until it is reopened; null: nothing is known against it. */
  get compactionProblem(): OdradekError | null {
    return this.#compaction.problem;
  }

  /** How much could be compacted now, and whether a pass is due. Rejects with what keeps it from being compacted. */
  compactionNeed(nowMs: number): Promise<CompactionNeed> {
    return this.#inTurn(() => this.#compaction.need(nowMs));
  }

  /**
   * Compacts whole sealed segments up to where the topic's lags allow, whatever the dirty ratio. Readers, appends and flushes go on;
   * retention and deletions wait. A close, or `signal`, ends it: what was put in place by then stays, and nothing is lost.
   */
  compact(options: CompactionOptions): Promise<CompactionResult> {
    return this.#inTurn(() => this.#compaction.run(options));
  }

  /**
   * Seals segments that have no seal to believe: another writer's, rewritten ones, those whose sealing met a full disk. Begins no
   * further one once it has read `byteLengthMax`; the next call goes on there.
   */
  sealUnsealed(byteLengthMax: number = SEALED_PER_CALL_BYTE_LENGTH): Promise<SealingResult> {
    return this.#inTurn(() =>
      this.#writer.settling.afterwards(async () => {
        // What a failed partition holds is for recovery to judge first.
        if (this.#writer.failure !== null) return { segmentsSealed: 0, segmentsRefused: 0, byteLength: 0, isComplete: false };
        return await sealUnsealed(this.#log, byteLengthMax);
      }),
    );
  }

  /** After a failure: recovery, then it is writable again. Readers go on. */
  reopen(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#release();
      const opened = await openLog(this.#context, { ...this.spec, cleanShutdown: false });
      this.#goOnWith(opened, null, this.#compaction.firstDirtyOffset);
    });
  }

  /** What to copy for a backup, as of now: consistent while open, and durable. Retention and compaction must wait until it is copied. */
  async snapshot(): Promise<LogSnapshot> {
    await this.settleCompaction();
    return await takeSnapshot(this.#log, this.#writer.durableEnd);
  }

  /** Ends what a compaction was held up in: a snapshot must find no segment half replaced. */
  async settleCompaction(): Promise<void> {
    this.#assertOpen();
    if (this.#compaction.isHeldUp) await this.#inTurn(() => this.#compaction.settle());
  }

  /**
   * As `snapshot`, of all that is written at the moment of the call, and durable when it resolves; of a log that has failed, what is
   * durable. Logs whose snapshots are taken in one turn are of one moment. `settleCompaction` goes before it.
   */
  snapshotOfWritten(): Promise<LogSnapshot> {
    this.#assertOpen();
    const writer = this.#writer;
    const taken = takeSnapshot(this.#log, writer.failure === null ? writer.writtenEnd : writer.durableEnd);
    if (writer.failure !== null) return taken;
    return Promise.all([taken, writer.flush()]).then(([snapshot]) => snapshot);
  }

  /** `clean`: everything flushed, the files as Kafka leaves them after a clean stop. Idempotent. */
  close(clean: boolean): Promise<void> {
    this.#stopping?.abort(new UsageError("LOG_CLOSED", `${this.spec.directory}: the log was closed`));
    this.#closing ??= this.#close(clean);
    return this.#closing;
  }

  /** Closes, and removes the directory with all it holds. */
  async destroy(): Promise<void> {
    await this.close(false);
    const { storage } = this.#context;
    const { directory } = this.spec;
    for (const { name } of await storage.list(directory)) await storage.remove(`${directory}/${name}`);
    await storage.removeDirectory(directory);
    await storage.syncDirectory("");
  }

  async #close(clean: boolean): Promise<void> {
    await this.#turn;
    let problem: unknown = null;
    try {
      if (this.#isChangeable()) {
        await this.#writer.drain();
        if (clean && this.#writer.failure === null) await leaveInOrder(this.#log, this.#writer.visible.offset);
      }
    } catch (error) {
      problem = error;
    }
    // What failed first is told: the bytes before the handles.
    await this.#release().catch((error: unknown) => {
      problem ??= error;
    });
    this.#notify();
    if (problem !== null) throw problem;
  }

  /** Stops the writer and gives the handles back. */
  async #release(): Promise<void> {
    const closed = new UsageError("LOG_CLOSED", `${this.spec.directory}: the log was closed`);
    // Asked before the writer stops, which it does with a failure of its own.
    const hadFailed = this.#writer.failure !== null;
    this.#writer.stop(closed);
    await this.#writer.drain();
    this.#log.segments.releaseActive();
    const results = await Promise.allSettled([...this.#log.segments.all().map((segment) => segment.close()), this.#log.state.close()]);
    for (const result of results) if (result.status === "rejected" && !hadFailed) throw result.reason;
  }

  /** A log that was opened anew takes the place of what was. `visible`: where readers stop, when that is not its end. */
  #goOnWith(log: OpenedLog, visible: LogPosition | null, firstDirtyOffset: number | null): void {
    this.#log = log;
    this.#writer = this.#newWriter(log, visible);
    this.#reader = new LogReader(log, () => this.#writer.visible);
    this.#compaction = this.#newCompaction(firstDirtyOffset);
    this.#notify();
  }

  #newCompaction(firstDirtyOffset: number | null): Compaction {
    const { producers, abortedTransactions } = this.#log;
    const stopping = (): AbortSignal => {
      this.#stopping ??= new AbortController();
      return this.#stopping.signal;
    };
    const host = {
      log: this.#log,
      reader: this.#reader,
      writer: this.#writer,
      watermarks: () => this.watermarks,
      lastEntries: () => producers.lastEntries(),
      aborted: (fromOffset: number, endOffset: number) => abortedTransactions.find(fromOffset, endOffset),
      get closing(): AbortSignal {
        return stopping();
      },
    };
    return new Compaction(host, firstDirtyOffset);
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const run = this.#turn.then(async () => {
      this.#assertChangeable();
      return await work();
    });
    this.#turn = run.catch(() => {});
    return run;
  }

  /** What has become readable since the bytes were read may be unstable. */
  #stable(bytes: Bytes): Bytes {
    const { lastStableOffset, highWatermark } = this.watermarks;
    return lastStableOffset === highWatermark ? bytes : batchesBelow(bytes, lastStableOffset);
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new UsageError("LOG_CLOSED", `${this.spec.directory}: the log was closed`);
  }

  #isChangeable(): boolean {
    return !this.spec.frozen && !this.#context.readOnly;
  }

  #assertChangeable(): void {
    this.#assertOpen();
    if (this.#context.readOnly) throw new UsageError("READ_ONLY", `${this.spec.directory}: the log was opened with readOnly`);
    if (this.spec.frozen)
      throw new UsageError("TOPIC_NOT_ADOPTED", `${this.spec.directory}: another writer left it; adoptTopic names its settings first`);
  }

  #newWriter(log: OpenedLog, visible: LogPosition | null): LogWriter {
    return new LogWriter(
      log,
      () => this.#notify(),
      (end, batch, baseOffset) => this.#reader.written(end, batch, baseOffset),
      visible,
    );
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
