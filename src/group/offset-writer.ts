/** Changes on their way into `__consumer_offsets`: those of one turn, or made while a write is under way, share one append per partition. */
import type { ProducerIdentity } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";

export interface OffsetAppender {
  /**
   * Resolves when the records are written to that partition of `__consumer_offsets`, in this order; with `durable`, when they are
   * durable. With a `transaction` they belong to the one that this producer has open.
   */
  append(
    partitionOf50: number,
    records: readonly { readonly key: Bytes; readonly value: Bytes | null }[],
    durable: boolean,
    transaction: ProducerIdentity | null,
  ): Promise<void>;
}

export interface Change {
  /** Of two changes with one id the later counts, and it alone is written. */
  readonly id: string;
  readonly key: Bytes;
  readonly value: Bytes | null;
}

interface Batch<C extends Change> {
  readonly changes: Map<string, C>;
  /** Records of a batch belong to one transaction, or to none. */
  readonly transaction: ProducerIdentity | null;
  durable: boolean;
  readonly written: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Queue<C extends Change> {
  /** In the order of the calls; the last one still gathers. */
  readonly waiting: Batch<C>[];
  writing: Batch<C> | null;
}

export class OffsetWriter<C extends Change> {
  readonly #appender: OffsetAppender;
  readonly #onWritten: (change: C, transaction: ProducerIdentity | null) => void;
  readonly #queues = new Map<number, Queue<C>>();

  /** `onWritten` is told each change in order, once its append has resolved. */
  constructor(appender: OffsetAppender, onWritten: (change: C, transaction: ProducerIdentity | null) => void) {
    this.#appender = appender;
    this.#onWritten = onWritten;
  }

  /** Rejects with what the append rejected with; the changes are then not made. */
  write(partitionOf50: number, changes: readonly C[], durable: boolean, transaction: ProducerIdentity | null = null): Promise<void> {
    if (changes.length === 0) return Promise.resolve();
    let queue = this.#queues.get(partitionOf50);
    if (queue === undefined) {
      queue = { waiting: [], writing: null };
      this.#queues.set(partitionOf50, queue);
      void this.#run(partitionOf50, queue);
    }
    let batch = queue.waiting.at(-1);
    if (batch === undefined || !isSame(batch.transaction, transaction)) {
      batch = newBatch(transaction);
      queue.waiting.push(batch);
    }
    for (const change of changes) {
      batch.changes.delete(change.id);
      batch.changes.set(change.id, change);
    }
    batch.durable ||= durable;
    return batch.written;
  }

  /** Whether a change of this id waits or is being written, so that what is known of it is about to pass. */
  isChanging(partitionOf50: number, id: string): boolean {
    return this.#batches(partitionOf50).some((batch) => batch.changes.has(id));
  }

  isBusy(partitionOf50: number): boolean {
    return this.#queues.has(partitionOf50);
  }

  /** Resolves when everything given so far has been written, or has failed (which its own caller is told). */
  async settled(partitionOf50?: number): Promise<void> {
    const partitions = partitionOf50 === undefined ? [...this.#queues.keys()] : [partitionOf50];
    const batches = partitions.flatMap((partition) => this.#batches(partition));
    await Promise.allSettled(batches.map((batch) => batch.written));
  }

  #batches(partitionOf50: number): Batch<C>[] {
    const queue = this.#queues.get(partitionOf50);
    if (queue === undefined) return [];
    return queue.writing === null ? queue.waiting : [queue.writing, ...queue.waiting];
  }

  async #run(partitionOf50: number, queue: Queue<C>): Promise<void> {
    // The rest of the turn joins in.
    await Promise.resolve();
    // One append at a time: the order of two could be lost below.
    for (let batch = queue.waiting.shift(); batch !== undefined; batch = queue.waiting.shift()) {
      queue.writing = batch;
      const changes = [...batch.changes.values()];
      try {
        await this.#appender.append(partitionOf50, changes, batch.durable, batch.transaction);
        for (const change of changes) this.#onWritten(change, batch.transaction);
        batch.resolve();
      } catch (error) {
        batch.reject(error);
      }
      queue.writing = null;
    }
    this.#queues.delete(partitionOf50);
  }
}

function isSame(left: ProducerIdentity | null, right: ProducerIdentity | null): boolean {
  return left?.producerId === right?.producerId && left?.producerEpoch === right?.producerEpoch;
}

function newBatch<C extends Change>(transaction: ProducerIdentity | null): Batch<C> {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const written = new Promise<void>((onWritten, onError) => {
    resolve = onWritten;
    reject = onError;
  });
  return { changes: new Map(), transaction, durable: false, written, resolve, reject };
}
