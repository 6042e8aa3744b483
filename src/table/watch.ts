/** One `watch()`: the changes that its reader has not asked for yet, bounded, and the wait for the next one. */
import type { ConsumerRecord } from "../api/consumer.ts";
import { UsageError } from "../base/errors.ts";
import type { Turn } from "../base/turn.ts";
import { decodedRecord, type Entry, type TableSerdes } from "./entry.ts";

/** Up to here every change is kept; beyond it the newest of each key. */
const EVERY_CHANGE_MAX = 1024;
/** Of so many keys the newest change is kept; beyond, the watch ends with an error. They are references into the table, but for deletions. */
const KEYS_MAX = 65_536;

type Waiting<T> = { readonly resolve: (result: IteratorResult<T>) => void; readonly reject: (error: unknown) => void };

export class Watch<K, V> implements AsyncIterableIterator<ConsumerRecord<K, V>> {
  readonly #topic: string;
  readonly #serdes: TableSerdes<K, V>;
  readonly #turn: Turn;
  readonly #signal: AbortSignal | undefined;
  readonly #onLeave: (watch: Watch<K, V>) => void;
  #changes: Entry[] = [];
  /** Of `#changes`, the first not given yet. */
  #at = 0;
  #countMax = EVERY_CHANGE_MAX;
  #waiting: Waiting<ConsumerRecord<K, V>> | null = null;
  #isBusy = false;
  #isOver = false;
  #failure: { readonly error: unknown } | null = null;
  readonly #onAbort = (): void => this.fail(this.#signal?.reason);

  constructor(parts: {
    readonly topic: string;
    readonly serdes: TableSerdes<K, V>;
    readonly turn: Turn;
    readonly signal: AbortSignal | undefined;
    readonly onLeave: (watch: Watch<K, V>) => void;
  }) {
    this.#topic = parts.topic;
    this.#serdes = parts.serdes;
    this.#turn = parts.turn;
    this.#signal = parts.signal;
    this.#onLeave = parts.onLeave;
    if (this.#signal?.aborted === true) this.#onAbort();
    else this.#signal?.addEventListener("abort", this.#onAbort);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Rejects with the `SerdeError` of a change that does not deserialize; the call after it goes on behind that one. */
  next(): Promise<IteratorResult<ConsumerRecord<K, V>>> {
    if (this.#isBusy) {
      const message = "watch(): expected next() to be called after the one before has settled, found it still waiting";
      return Promise.reject(new UsageError("CONCURRENT_CALL", message));
    }
    this.#isBusy = true;
    return this.#next().finally(() => {
      this.#isBusy = false;
    });
  }

  return(value?: unknown): Promise<IteratorResult<ConsumerRecord<K, V>>> {
    this.end();
    return Promise.resolve({ done: true, value: value as undefined });
  }

  throw(error?: unknown): Promise<IteratorResult<ConsumerRecord<K, V>>> {
    this.end();
    return Promise.reject(error);
  }

  /** One more change. */
  push(entry: Entry): void {
    if (this.#isOver) return;
    this.#changes.push(entry);
    const count = this.#changes.length - this.#at;
    if (count > this.#countMax) this.#condense();
    this.#wake();
  }

  /** What was not asked for is not given any more; the loop ends normally. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#changes = [];
    this.#at = 0;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onLeave(this);
    this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = null;
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) this.#failure = { error };
    this.end();
    waiting?.reject(error);
  }

  async #next(): Promise<IteratorResult<ConsumerRecord<K, V>>> {
    if (this.#turn.isSpent()) await this.#turn.next();
    if (this.#failure !== null) {
      const { error } = this.#failure;
      this.#failure = null;
      throw error;
    }
    if (this.#isOver) return { done: true, value: undefined };
    const entry = this.#take();
    if (entry !== undefined) return { done: false, value: decodedRecord(this.#topic, entry, this.#serdes) };
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #take(): Entry | undefined {
    const entry = this.#changes[this.#at];
    if (entry === undefined) return undefined;
    this.#at += 1;
    if (this.#at === this.#changes.length) {
      this.#changes = [];
      this.#at = 0;
      this.#countMax = EVERY_CHANGE_MAX;
    } else if (this.#at >= EVERY_CHANGE_MAX) {
      this.#changes.splice(0, this.#at);
      this.#at = 0;
    }
    return entry;
  }

  #wake(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    // Who waits has seen all that came before.
    const entry = this.#take() as Entry;
    this.#waiting = null;
    try {
      waiting.resolve({ done: false, value: decodedRecord(this.#topic, entry, this.#serdes) });
    } catch (error) {
      waiting.reject(error);
    }
  }

  /** Keeps the newest change of each key, in the order of those. Twice as many may come before it is done again. */
  #condense(): void {
    const newest = new Map<string, Entry>();
    for (let at = this.#at; at < this.#changes.length; at += 1) {
      const entry = this.#changes[at] as Entry;
      newest.delete(entry.key);
      newest.set(entry.key, entry);
    }
    this.#changes = [...newest.values()];
    this.#at = 0;
    this.#countMax = Math.max(EVERY_CHANGE_MAX, 2 * newest.size);
    if (newest.size <= KEYS_MAX) return;
    const message = `watch(): expected its changes to be asked for; found ${newest.size} keys of topic "${this.#topic}" with a change that waits`;
    this.fail(new UsageError("BUFFER_EXHAUSTED", message));
  }
}
