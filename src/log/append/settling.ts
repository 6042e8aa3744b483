/** What follows appends at leisure: the segment before the active one is sealed, the recovery point moves, the facts are noted. */
import type { Bytes } from "../../api/bytes.ts";
import type { OdradekError } from "../../base/errors.ts";
import { errnoOf } from "../../storage/errno.ts";
import type { LogPosition, OpenedLog } from "../opening/opened-log.ts";
import { durableFacts } from "../opening/state-facts.ts";
import { sealSegment } from "../seal/sealing.ts";
import type { Segment } from "../segment/segment.ts";
import { RECOVERY_POINT_INTERVAL_BYTES } from "./flush-policy.ts";

export interface SettlingHost {
  readonly log: OpenedLog;
  readonly durable: () => LogPosition;
  readonly highWatermark: () => number;
  /** Resolves once everything below the offset is durable. */
  readonly flushed: (offset: number) => Promise<void>;
  readonly failure: () => OdradekError | null;
  readonly fail: (error: unknown) => void;
  readonly emit: (type: string, fields: Readonly<Record<string, unknown>>) => void;
}

const ROUTINE_ERRNOS: ReadonlySet<string | null> = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EMFILE", "ENFILE"]);

export class Settling {
  readonly #host: SettlingHost;
  #bytesSinceRecoveryPoint = 0;
  #current: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(host: SettlingHost) {
    this.#host = host;
  }

  /** Resolves when nothing is under way, whatever came of it. */
  async done(): Promise<void> {
    while (this.#isRunning) await this.#current;
  }

  /** Does it when nothing is under way: what it does before it first waits finds every segment but the active one settled. */
  async afterwards<Result>(work: () => Promise<Result>): Promise<Result> {
    while (this.#isRunning) await this.#current;
    return await work();
  }

  /** After a roll. `snapshot`: of the producers at its offset, null where none was known. Gives back the hold on the old segment's handles. */
  seal(old: Segment, next: Segment, snapshot: Bytes | null): void {
    this.#run(() => this.#seal(old, next, snapshot));
  }

  /** After a flush: notes how far it came, and moves the recovery point when enough has passed it (C7). */
  noteDurable(byteLength: number): void {
    this.note();
    this.#bytesSinceRecoveryPoint += byteLength;
    const intervalBytes = this.#host.log.context.recoveryPointIntervalBytes ?? RECOVERY_POINT_INTERVAL_BYTES;
    if (this.#bytesSinceRecoveryPoint >= intervalBytes && !this.#isRunning) this.#run(() => this.#advance());
  }

  /** Durable when it resolves. */
  async save(): Promise<void> {
    const { log, durable, highWatermark } = this.#host;
    await log.state.writeDurably(durableFacts(log, durable(), highWatermark()));
  }

  /** Without a flush: lost in a crash at worst. */
  note(): void {
    const { log, durable, highWatermark, emit } = this.#host;
    try {
      log.state.write(durableFacts(log, durable(), highWatermark()));
    } catch (error) {
      // The note is advice for recovery: an older one costs a longer look, and a full disk must not fail what is durable already.
      emit("storage.failed", { error });
    }
  }

  async #seal(old: Segment, next: Segment, snapshot: Bytes | null): Promise<void> {
    const { log, flushed, emit } = this.#host;
    try {
      await flushed(next.baseOffset);
      // Durable before the recovery point passes it: behind that point nobody looks for where a segment's batches end.
      if (old.files !== null && old.cutUnwritten(old.files)) await old.files.log.sync();
      await syncIndexes(old);
      await this.#settleProducers(next.baseOffset, snapshot);
      // Before the recovery point: a segment behind it always has its seal.
      const { epochs, spec } = log;
      const epochFor = (offset: number): number | null => epochs.epochFor(offset);
      await sealSegment(log.context, spec, old, { epochFor, nextBaseOffset: next.baseOffset });
      await this.#moveRecoveryPoint(next, next.baseOffset, snapshot === null);
    } finally {
      old.release();
    }
    await old.closeIdle();
    emit("segment.rolled", { baseOffset: old.baseOffset, nextOffset: next.baseOffset, byteLength: old.byteLength });
  }

  async #advance(): Promise<void> {
    const { log, flushed } = this.#host;
    // No roll comes between: it waits until this is done. But batches may, and the snapshot is of the log's end as it is now.
    const { active } = log.segments;
    const offset = active.nextOffset;
    const snapshot = log.snapshots.take(log.producers);
    await flushed(offset);
    active.files?.offsetIndex?.flush();
    active.files?.timeIndex?.flush();
    await syncIndexes(active);
    await this.#settleProducers(offset, snapshot);
    await this.#moveRecoveryPoint(active, offset, snapshot === null);
  }

  /** Durable before the recovery point passes it: behind that point nobody looks for producers and their transactions. */
  async #settleProducers(offset: number, snapshot: Bytes | null): Promise<void> {
    const { log } = this.#host;
    await log.abortedTransactions.persist();
    if (snapshot !== null) await log.snapshots.write(offset, snapshot);
  }

  /** To `offset` in this segment; durable when it resolves. */
  async #moveRecoveryPoint(segment: Segment, offset: number, withoutProducers: boolean): Promise<void> {
    const { log } = this.#host;
    log.recoveryPoint = offset;
    log.withoutProducers = withoutProducers;
    log.txnIndex = log.abortedTransactions.durable(segment.baseOffset, offset);
    this.#bytesSinceRecoveryPoint = 0;
    await this.save();
    // What stands at no segment's beginning is of use only while it is the newest.
    const bases = new Set(log.segments.all().map(({ baseOffset }) => baseOffset));
    await log.snapshots.keep((each) => each === offset || bases.has(each));
  }

  /** One after another. A flush that fails is final for the partition; a full disk is not: the next roll tries again. */
  #run(work: () => Promise<void>): void {
    this.#isRunning = true;
    const current = this.#current.then(work).catch((error: unknown) => {
      const { failure, fail, emit } = this.#host;
      if (failure() === null && ROUTINE_ERRNOS.has(errnoOf(error))) emit("storage.failed", { error });
      else fail(error);
    });
    this.#current = current;
    void current.then(() => {
      if (this.#current === current) this.#isRunning = false;
    });
  }
}

/** Waits for all, then throws the first failure: no flush is left in flight behind an error. */
async function syncIndexes({ files }: Segment): Promise<void> {
  const results = await Promise.allSettled([files?.offsetIndex?.sync(), files?.timeIndex?.sync()]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
