/** The writing side of a partition: append, roll, group commit, back-pressure, and what becomes of a write that fails. */
import type { Durability } from "../../api/bytes.ts";
import { type OdradekError, ProducerStateError, StorageError, UsageError } from "../../base/errors.ts";
import { reasonOf } from "../../base/reason.ts";
import { stampBatch, stampChecksum, stampLogAppendTime } from "../../base/record-batch.ts";
import { errnoOf } from "../../storage/errno.ts";
import type { LogPosition, OpenedLog } from "../opening/opened-log.ts";
import { syncSegments } from "../opening/segment-sync.ts";
import type { Segment, SegmentFiles } from "../segment/segment.ts";
import { retriable } from "./append-failure.ts";
import { AppendQueue, type AppendVerdict } from "./append-queue.ts";
import { type Appended, noteProducer, repeated } from "./appended.ts";
import { beginDurability } from "./changed-durability.ts";
import { FlushRequests } from "./flush-requests.ts";
import { Flusher } from "./flusher.ts";
import { nextSegment } from "./next-segment.ts";
import { rollReason } from "./roll-policy.ts";
import { Settling } from "./settling.ts";

interface WrittenMark extends LogPosition {
  /** All bytes this process had written by then. */
  readonly byteTotal: number;
}

/** What stands between a batch and the file. */
type Obstacle = "epoch" | "durability" | "roll" | "room";

export class LogWriter {
  readonly #log: OpenedLog;
  readonly #notify: () => void;
  readonly #onWritten: (end: LogPosition, batch: Uint8Array, baseOffset: number) => void;
  readonly #flusher: Flusher<WrittenMark>;
  readonly #flushRequests: FlushRequests;
  readonly #queue: AppendQueue<Appended> = new AppendQueue();
  #durable: WrittenMark;
  #visible: LogPosition;
  #byteTotal = 0;
  #epoch: number;
  /** A roll, an epoch or a cut is under way: whoever comes waits. */
  #busy: Promise<void> | null = null;
  /** A roll has begun and its files may be there: the log goes on in them or not at all, else they would stand in its middle. */
  #rollIsDue = false;
  readonly settling: Settling;
  /** The topic is about to be compacted, and its settings do not say so yet. */
  #willBeCompacted = false;
  #failure: OdradekError | null;

  /**
   * `notify`: the high watermark has moved, or the log has failed. `onWritten`: a batch was written, up to `end`; it is lent.
   * `visible`: where readers stop, when that is not the end.
   */
  constructor(
    log: OpenedLog,
    notify: () => void,
    onWritten: (end: LogPosition, batch: Uint8Array, baseOffset: number) => void,
    visible: LogPosition | null = null,
  ) {
    this.#log = log;
    this.#notify = notify;
    this.#onWritten = onWritten;
    this.#failure = log.endProblem;
    this.#epoch = log.epochs.latest()?.epoch ?? 0;
    const { active } = log.segments;
    this.#durable = { segment: active, position: active.byteLength, offset: active.nextOffset, byteTotal: 0 };
    this.#visible = visible ?? this.#durable;
    log.producers.transactions.moveHighWatermark(this.#visible.offset);
    this.settling = new Settling({
      log,
      durable: () => this.#durable,
      highWatermark: () => this.#visible.offset,
      flushed: (offset) => this.#flusher.flushed(offset),
      failure: () => this.#failure,
      fail: (error) => this.fail(error),
      emit: (type, fields) => this.#emit(type, fields),
    });
    this.#flusher = new Flusher<WrittenMark>(
      {
        written: () => this.writtenEnd,
        sync: (mark) => syncSegments(log, this.#durable.segment, mark.segment),
        onDurable: (mark) => this.#onDurable(mark),
        onFailure: (error) => this.fail(error),
      },
      active.nextOffset,
    );
    this.#flushRequests = new FlushRequests({
      clock: log.context.clock,
      config: log.spec.config,
      unflushed: () => ({ byteLength: this.#byteTotal - this.#durable.byteTotal, recordCount: this.logEndOffset - this.#durable.offset }),
      request: () => this.#flusher.request(),
    });
  }

  get failure(): OdradekError | null {
    return this.#failure;
  }

  get logEndOffset(): number {
    return this.#log.segments.active.nextOffset;
  }

  /** Up to where readers may read. */
  get visible(): LogPosition {
    return this.#visible;
  }

  /** The end of what is written, durable or not. */
  get writtenEnd(): WrittenMark {
    const { active } = this.#log.segments;
    return { segment: active, position: active.byteLength, offset: active.nextOffset, byteTotal: this.#byteTotal };
  }

  get durableEnd(): LogPosition {
    return this.#durable;
  }

  /** Of a log that another process writes: readers may read up to there. */
  showUpTo(visible: LogPosition): void {
    this.#show(visible);
  }

  append(batch: Uint8Array, verdict: AppendVerdict, signal: AbortSignal | undefined): Appended | Promise<Appended> {
    this.#assertWritable(batch);
    if (this.#busy === null && this.#queue.length === 0) {
      const duplicate = this.#repeated(batch);
      if (duplicate !== null) return duplicate;
      if (this.#obstacle(batch, verdict) === null) return this.#write(batch, verdict);
    }
    const waiting = this.#queue.add(batch, verdict, signal, this.#log.spec.directory);
    this.#pump();
    return waiting;
  }

  async flushed(offset: number): Promise<Durability> {
    const { durability } = this.#log.context.storage;
    // What readers of an "os" topic do not see yet was written while it was "sync".
    if (!this.#isSync() && offset <= this.#visible.offset) return durability === "none" ? "none" : "process";
    await this.#flusher.flushed(offset);
    return durability;
  }

  /** The topic's settings have changed: what is written and not flushed goes by the new ones from now on. */
  settingsChanged(): void {
    this.#willBeCompacted = false;
    this.#flushRequests.cancel();
    if (this.#failure === null && this.#byteTotal > this.#durable.byteTotal) this.#flushRequests.consider();
  }

  /** Makes everything written so far durable, whatever the topic's level. */
  async flush(): Promise<void> {
    await this.#flusher.flushed(this.logEndOffset);
  }

  /** To be called before settings are kept by which the log is compacted. From when it resolves on, only the active segment is ever unflushed. */
  async prepareForCompaction(): Promise<void> {
    this.#willBeCompacted = true;
    await this.flush();
  }

  /** Begins a new segment and waits until the old one is sealed. For retention, which may want the active segment gone. */
  async rollNow(): Promise<void> {
    while (this.#busy !== null) await this.#busy;
    this.#throwIfFailed();
    this.#begin(this.#roll());
    await this.#busy;
    this.#throwIfFailed();
    await this.settling.done();
  }

  /** Everything that waits is done or has failed, nothing is under way, and what was written is durable unless the log has failed. */
  async drain(): Promise<void> {
    while (this.#failure === null && (this.#queue.length > 0 || this.#busy !== null)) {
      if (this.#busy !== null) await this.#busy;
      else await this.flush();
    }
    if (this.#failure === null) await this.flush().catch(() => {});
    // A roll that was under way when the log failed makes files, and puts them away again: not behind the back of who closes.
    while (this.#busy !== null) await this.#busy;
    await this.#flusher.idle();
    await this.settling.done();
  }

  /** Whoever still waits is told `error`; nothing is written from now on. */
  stop(error: OdradekError): void {
    this.#failure ??= error;
    this.#flushRequests.cancel();
    this.#flusher.fail(error);
    this.#queue.rejectAll(error);
  }

  /** Sticky: nothing is appended any more, all who wait are told. What is durable stays readable. */
  fail(error: unknown): void {
    if (this.#failure !== null) return;
    const { directory } = this.#log.spec;
    const reason = reasonOf(error);
    const message = `${directory}: the partition has failed and takes no appends until it is reopened: ${reason}`;
    this.#failure = new StorageError("PARTITION_FAILED", message, { cause: error });
    this.#flusher.fail(this.#failure);
    this.#queue.rejectAll(this.#failure);
    this.#emit("storage.failed", { error: this.#failure });
    this.#notify();
  }

  #assertWritable(batch: Uint8Array): void {
    this.#throwIfFailed();
    const { segmentBytes } = this.#log.spec.config();
    if (batch.length > segmentBytes) {
      const message = `${this.#log.spec.directory}: expected a batch of at most segmentBytes ${segmentBytes} bytes, found ${batch.length}`;
      throw new UsageError("RECORD_LIST_TOO_LARGE", message);
    }
  }

  #throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  #isSync(): boolean {
    return this.#log.spec.config().durability === "sync";
  }

  #obstacle(batch: Uint8Array, verdict: AppendVerdict): Obstacle | null {
    const { context, spec, segments, nextEpoch } = this.#log;
    if (nextEpoch !== null) return "epoch";
    const config = spec.config();
    if (config.durability !== this.#log.writtenAs) return "durability";
    if (this.#rollIsDue) return "roll";
    const { active } = segments;
    const unflushedBytes = this.#byteTotal - this.#durable.byteTotal;
    if (unflushedBytes > 0 && unflushedBytes + batch.length > context.maxUnflushedBytes && config.durability === "sync") return "room";
    const lastOffset = active.nextOffset + verdict.recordCount - 1;
    return rollReason(active, batch.length, lastOffset, verdict.maxTimestamp, config, context.clock) === null ? null : "roll";
  }

  #repeated(batch: Uint8Array): Appended | null {
    return repeated(batch, this.#log.producers, this.#log.spec.config().messageTimestampType === "LogAppendTime");
  }

  /** Of a batch that is in order. Its producer's state changes only when all of it was written. */
  #write(batch: Uint8Array, verdict: AppendVerdict): Appended | Promise<never> {
    const { context, spec, segments } = this.#log;
    const { active } = segments;
    // Held open for as long as it is the active one.
    const files = active.files as SegmentFiles;
    const config = spec.config();
    const baseOffset = active.nextOffset;
    const lastOffset = baseOffset + verdict.recordCount - 1;
    if (lastOffset > Number.MAX_SAFE_INTEGER - 1)
      throw new UsageError("INVALID_RECORD", `${spec.directory}: offsets end at 2^53-1, the log at ${baseOffset}`);
    let { maxTimestamp } = verdict;
    let logAppendTime = -1;
    stampBatch(batch, baseOffset, this.#epoch);
    if (config.messageTimestampType === "LogAppendTime") {
      logAppendTime = context.clock.now();
      maxTimestamp = logAppendTime;
      stampLogAppendTime(batch, logAppendTime);
      stampChecksum(batch, context.core);
    }
    try {
      active.write(files.log, batch, config);
    } catch (error) {
      return this.#undo(active, error);
    }
    active.admit(files, batch.length, lastOffset, maxTimestamp, config.indexIntervalBytes);
    noteProducer(this.#log, batch, baseOffset, lastOffset, maxTimestamp);
    if (this.#byteTotal === this.#durable.byteTotal) this.#flushRequests.beginAge();
    this.#byteTotal += batch.length;
    const end = { segment: active, position: active.byteLength, offset: lastOffset + 1 };
    this.#onWritten(end, batch, baseOffset);
    if (config.durability === "os") this.#show(end);
    this.#flushRequests.consider();
    return { baseOffset, lastOffset, logAppendTime, byteLength: batch.length, isDuplicate: false };
  }

  /** Cuts what part of a batch was written. A full disk is routine: the partition lives if the cut is durable. */
  #undo(active: Segment, error: unknown): Promise<never> {
    const log = active.files?.log;
    if (errnoOf(error) === "EIO" || log === undefined) {
      this.fail(error);
      return Promise.reject(this.#failure);
    }
    try {
      log.truncate(active.byteLength);
    } catch (cutError) {
      this.fail(cutError);
      return Promise.reject(this.#failure);
    }
    const cut = log.sync().catch((syncError: unknown) => this.fail(syncError));
    this.#begin(cut);
    return cut.then(() => {
      this.#throwIfFailed();
      throw retriable(error, this.#log.spec.directory);
    });
  }

  /** Runs one thing that appends must wait for, then lets them go on. */
  #begin(work: Promise<void>): void {
    const busy = work.then(
      () => {
        this.#busy = null;
        this.#pump();
      },
      (error: unknown) => {
        this.#busy = null;
        // The one that wanted it is told; the next tries again.
        this.#queue.take()?.reject(this.#failure ?? retriable(error, this.#log.spec.directory));
        this.#pump();
      },
    );
    this.#busy = busy;
  }

  /** Appends those who wait, in order, as far as nothing is in the way. */
  #pump(): void {
    while (this.#busy === null && this.#failure === null) {
      const next = this.#queue.peek();
      if (next === undefined) return;
      try {
        const duplicate = this.#repeated(next.batch);
        if (duplicate !== null) {
          this.#queue.take()?.resolve(duplicate);
          continue;
        }
        const obstacle = this.#obstacle(next.batch, next.verdict);
        if (obstacle !== null) {
          if (obstacle === "room") this.#flusher.request();
          else this.#begin(this.#clear(obstacle));
          return;
        }
        this.#queue.take();
        const appended = this.#write(next.batch, next.verdict);
        if (appended instanceof Promise) appended.catch(next.reject);
        else next.resolve(appended);
      } catch (error) {
        // A read that the roll rule needed may fail as well: the one it was for is told, and the next tries again.
        if (this.#queue.peek() === next) this.#queue.take();
        const isTheirs = error instanceof UsageError || error instanceof ProducerStateError;
        next.reject(isTheirs ? error : retriable(error, this.#log.spec.directory));
      }
    }
  }

  #clear(obstacle: Exclude<Obstacle, "room">): Promise<void> {
    if (obstacle === "epoch") return this.#beginEpoch();
    return obstacle === "durability" ? this.#beginDurability() : this.#roll();
  }

  async #beginDurability(): Promise<void> {
    await this.flush();
    try {
      await beginDurability(this.#log, () => this.settling.save());
    } catch (error) {
      this.#failIfBroken(error);
      throw error;
    }
  }

  /** A cut that the disk itself refuses (C8): nobody knows how long the file is now. */
  #failIfBroken(error: unknown): void {
    if (errnoOf(error) === "EIO") this.fail(error);
  }

  /** Its line in the checkpoint is durable before a batch carries it. */
  async #beginEpoch(): Promise<void> {
    const { epochs } = this.#log;
    // An obstacle only while there is one to begin.
    const nextEpoch = this.#log.nextEpoch as number;
    await epochs.assign(nextEpoch, this.logEndOffset);
    this.#epoch = nextEpoch;
    this.#log.nextEpoch = null;
  }

  async #roll(): Promise<void> {
    // At most one segment behind the active one is not sealed yet.
    await this.settling.done();
    this.#throwIfFailed();
    const { spec, segments } = this.#log;
    // Where offsets may be missing, nothing would tell the end that a loss of power took of one segment when it left the next.
    if (this.#willBeCompacted || spec.config().cleanupPolicy !== "delete") await this.flush();
    const old = segments.active;
    // Whoever finds a segment behind this one finds it as it stays, a death of the process between them or not.
    try {
      old.cutUnwritten(old.openFiles);
    } catch (error) {
      this.#failIfBroken(error);
      throw error;
    }
    this.#rollIsDue = true;
    const { next, snapshot } = await nextSegment(
      this.#log,
      () => this.#failure,
      (type, fields) => this.#emit(type, fields),
    );
    segments.add(next);
    this.#rollIsDue = false;
    if (this.#durable.offset === next.baseOffset) this.#durable = { ...this.#durable, segment: next, position: 0 };
    if (this.#visible.offset === next.baseOffset) this.#visible = { segment: next, position: 0, offset: next.baseOffset };
    this.settling.seal(old, next, snapshot);
  }

  #onDurable(mark: WrittenMark): void {
    // The mark may name a segment that was rolled meanwhile and ends there.
    const { active } = this.#log.segments;
    const moved = mark.segment !== active && mark.offset === active.baseOffset ? { ...mark, segment: active, position: 0 } : mark;
    const flushedByteLength = mark.byteTotal - this.#durable.byteTotal;
    this.#durable = moved;
    this.#flushRequests.beginAge();
    this.settling.noteDurable(flushedByteLength);
    if (moved.offset > this.#visible.offset || (moved.offset === this.#visible.offset && moved.segment !== this.#visible.segment))
      this.#show(moved);
    if (this.#queue.length > 0) this.#pump();
  }

  #show(visible: LogPosition): void {
    this.#visible = visible;
    this.#log.producers.transactions.moveHighWatermark(visible.offset);
    this.#notify();
  }

  #emit(type: string, fields: Readonly<Record<string, unknown>>): void {
    const { topic, partition } = this.#log.spec;
    this.#log.context.emit(type, { partition: { topic, partition }, ...fields });
  }
}
