/** Kafka's log cleaner: which compacted partition is rewritten next, one after another, in the background and on demand. */
import { isDue } from "../log/compaction/compaction-need.ts";
import type { PartitionLog } from "../log/partition-log.ts";
import type { House } from "./house.ts";
import { Throttle } from "./throttle.ts";

/** Kafka's log.cleaner.backoff.ms: how long it sleeps when nothing was due. */
export const CLEANER_BACKOFF_MS = 15_000;
/** While a disk stays full, each try waits twice as long as the one before it, up to this: it is told of no oftener. */
const RETRY_MS_MAX = 300_000;
const DEDUPE_BUFFER_BYTES = 16 * 1024 * 1024;

export interface CleanerOptions {
  /** Kafka's log.cleaner.dedupe.buffer.size; 16 MiB unless said. */
  readonly logCleanerDedupeBufferSize?: number | undefined;
  /** Kafka's log.cleaner.io.max.bytes.per.second, over what is read and what is written. */
  readonly logCleanerIoMaxBytesPerSecond?: number | undefined;
}

export class Cleaner {
  readonly #house: House;
  readonly #dedupeBufferByteLength: number;
  readonly #throttle: Throttle;
  /** Takes turns with whatever else removes or copies files. */
  readonly #withFiles: <Result>(call: () => Promise<Result>) => Promise<Result>;
  /** The engine closes. */
  readonly #closed: AbortSignal;
  #current: { readonly topic: string; readonly stop: AbortController } | null = null;
  /** Of partitions that could not be compacted: when they are tried again, by the monotonic clock. */
  readonly #heldOff: WeakMap<PartitionLog, { readonly delayMs: number; readonly untilMs: number }> = new WeakMap();
  #passes = 0;
  #bytesReclaimed = 0;
  #recordsRemoved = 0;

  constructor(
    house: House,
    options: CleanerOptions,
    withFiles: <Result>(call: () => Promise<Result>) => Promise<Result>,
    closed: AbortSignal,
  ) {
    this.#house = house;
    this.#dedupeBufferByteLength = options.logCleanerDedupeBufferSize ?? DEDUPE_BUFFER_BYTES;
    this.#throttle = new Throttle(house.context.clock, options.logCleanerIoMaxBytesPerSecond ?? Number.POSITIVE_INFINITY);
    this.#withFiles = withFiles;
    this.#closed = closed;
  }

  /** Passes over what is due, the filthiest first, until nothing is. What fails is told of, and tried again at a later hour. */
  async run(): Promise<void> {
    const failed = new Set<PartitionLog>();
    while (!this.#closed.aborted) {
      const log = await this.#filthiest(failed);
      if (log === null) return;
      // One round, as Kafka: others get their turn with the files in between.
      const isClean = await this.#withFiles(() => this.#pass(log, 1));
      if (!isClean) failed.add(log);
    }
  }

  /** Everything that may be compacted now, however little it is; the lags of the topics hold. Answers the bytes that were reclaimed. */
  async cleanAll(signal?: AbortSignal): Promise<number> {
    const before = this.#bytesReclaimed;
    for (const log of this.#compacted()) {
      if (this.#closed.aborted) break;
      signal?.throwIfAborted();
      await this.#pass(log, Number.POSITIVE_INFINITY, signal);
      signal?.throwIfAborted();
    }
    return this.#bytesReclaimed - before;
  }

  /** The topic is to go: nobody waits for a pass over it. */
  interrupt(topic: string): void {
    if (this.#current !== null && this.#current.topic === topic) this.#current.stop.abort();
  }

  metrics(): Readonly<Record<string, number>> {
    return {
      compactions: this.#passes,
      compactionBytesReclaimed: this.#bytesReclaimed,
      compactionRecordsRemoved: this.#recordsRemoved,
      partitionsUncleanable: this.#logs().filter((log) => log.compactionProblem !== null).length,
    };
  }

  async #filthiest(except: ReadonlySet<PartitionLog>): Promise<PartitionLog | null> {
    let filthiest: { readonly log: PartitionLog; readonly ratio: number } | null = null;
    for (const log of this.#compacted()) {
      if (except.has(log) || this.#house.context.clock.monotonic() < (this.#heldOff.get(log)?.untilMs ?? 0)) continue;
      // Told by the log itself.
      const need = await log.compactionNeed(this.#house.context.clock.now()).catch(() => this.#holdOff(log));
      if (need === null || !isDue(need, log.spec.config()) || need.ratio <= (filthiest?.ratio ?? 0)) continue;
      filthiest = { log, ratio: need.ratio };
    }
    return filthiest?.log ?? null;
  }

  #holdOff(log: PartitionLog): null {
    const delayMs = Math.min(RETRY_MS_MAX, (this.#heldOff.get(log)?.delayMs ?? CLEANER_BACKOFF_MS / 2) * 2);
    this.#heldOff.set(log, { delayMs, untilMs: this.#house.context.clock.monotonic() + delayMs });
    return null;
  }

  /** Answers false when the partition could not be compacted: it has told why, and the others go on. */
  async #pass(log: PartitionLog, roundsMax: number, signal?: AbortSignal): Promise<boolean> {
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    const outer = [this.#closed, ...(signal === undefined ? [] : [signal])];
    for (const each of outer) each.addEventListener("abort", onAbort, { once: true });
    if (outer.some((each) => each.aborted)) stop.abort();
    this.#current = { topic: log.spec.topic, stop };
    try {
      const result = await log.compact({
        dedupeBufferByteLength: this.#dedupeBufferByteLength,
        roundsMax,
        signal: stop.signal,
        throttle: (byteLength) => this.#throttle.take(byteLength, stop.signal),
      });
      this.#heldOff.delete(log);
      if (result.rounds === 0) return false;
      this.#passes += 1;
      this.#bytesReclaimed += Math.max(0, result.bytesBefore - result.bytesAfter);
      this.#recordsRemoved += result.recordsBefore - result.recordsAfter;
      // Without the line the next process compacts more than it must, and loses nothing.
      const { topic, partition } = log.spec;
      const told = (error: unknown): void => this.#house.events.emit("storage.failed", { partition: { topic, partition }, error });
      await this.#house.checkpoints.writeFirstDirty(log).catch(told);
      return true;
    } catch {
      // Told by the log; and a topic that is deleted, or an engine that closes, is no news.
      if (!stop.signal.aborted) this.#holdOff(log);
      return false;
    } finally {
      this.#current = null;
      for (const each of outer) each.removeEventListener("abort", onAbort);
    }
  }

  #compacted(): PartitionLog[] {
    return this.#logs().filter(
      (log) => log.failure === null && log.compactionProblem === null && log.spec.config().cleanupPolicy !== "delete",
    );
  }

  /** Topics of another writer that were not adopted stay as they are. */
  #logs(): PartitionLog[] {
    return this.#house.topics.openLogs().filter((log) => !log.spec.frozen);
  }
}
