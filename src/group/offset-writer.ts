/** Changes on their way into `__consumer_offsets`: those of one turn, or made while a write is under way, share one append per partition. */
import type { Bytes } from "../api/bytes.ts";

export interface OffsetAppender {
  /** Resolves when the records are written to that partition of `__consumer_offsets`, in this order; with `durable`, when they are durable. */
  append(partitionOf50: number, records: readonly { readonly key: Bytes; readonly value: Bytes | null }[], durable: boolean): Promise<void>;
}

export interface Change {
  /** Of two changes with one id the later counts, and it alone is written. */
  readonly id: string;
  readonly key: Bytes;
  readonly value: Bytes | null;
}

interface Batch<C extends Change> {
  readonly changes: Map<string, C>;
  durable: boolean;
  readonly written: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Queue<C extends Change> {
  gathering: Batch<C> | null;
  writing: Batch<C> | null;
}

export class OffsetWriter<C extends Change> {
  readonly #appender: OffsetAppender;
  readonly #onWritten: (change: C) => void;
  readonly #queues = new Map<number, Queue<C>>();

  /** `onWritten` is told each change in order, once its append has resolved. */
  constructor(appender: OffsetAppender, onWritten: (change: C) => void) {
    this.#appender = appender;
    this.#onWritten = onWritten;
  }

  /** Rejects with what the append rejected with; the changes are then not made. */
  write(partitionOf50: number, changes: readonly C[], durable: boolean): Promise<void> {
    if (changes.length === 0) return Promise.resolve();
    let queue = this.#queues.get(partitionOf50);
    if (queue === undefined) {
      queue = { gathering: newBatch(), writing: null };
      this.#queues.set(partitionOf50, queue);
      void this.#run(partitionOf50, queue);
    }
    queue.gathering ??= newBatch();
    for (const change of changes) {
      queue.gathering.changes.delete(change.id);
      queue.gathering.changes.set(change.id, change);
    }
    queue.gathering.durable ||= durable;
    return queue.gathering.written;
  }

  /** Whether a change of this id waits or is being written, so that what is known of it is about to pass. */
  isChanging(partitionOf50: number, id: string): boolean {
    const queue = this.#queues.get(partitionOf50);
    return queue?.gathering?.changes.has(id) === true || queue?.writing?.changes.has(id) === true;
  }

  isBusy(partitionOf50: number): boolean {
    return this.#queues.has(partitionOf50);
  }

  /** Resolves when everything given so far has been written, or has failed (which its own caller is told). */
  async settled(partitionOf50?: number): Promise<void> {
    const queues = partitionOf50 === undefined ? [...this.#queues.values()] : [this.#queues.get(partitionOf50)];
    const batches = queues.flatMap((queue) => [queue?.writing, queue?.gathering]);
    await Promise.allSettled(batches.map((batch) => batch?.written));
  }

  async #run(partitionOf50: number, queue: Queue<C>): Promise<void> {
    // The rest of the turn joins in.
    await Promise.resolve();
    // One append at a time: the order of two could be lost below.
    for (let batch = queue.gathering; batch !== null; batch = queue.gathering) {
      queue.gathering = null;
      queue.writing = batch;
      const changes = [...batch.changes.values()];
      try {
        await this.#appender.append(partitionOf50, changes, batch.durable);
        for (const change of changes) this.#onWritten(change);
        batch.resolve();
      } catch (error) {
        batch.reject(error);
      }
      queue.writing = null;
    }
    this.#queues.delete(partitionOf50);
  }
}

function newBatch<C extends Change>(): Batch<C> {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const written = new Promise<void>((onWritten, onError) => {
    resolve = onWritten;
    reject = onError;
  });
  return { changes: new Map(), durable: false, written, resolve, reject };
}
