/** What `records()` gives: an iterator by hand, whose `next()` costs one promise while records are at hand. */
import type { ConsumerRecord } from "../api/consumer.ts";
import { SerdeError, UsageError } from "../base/errors.ts";
import type { DeserializePolicy } from "./deserialize-policy.ts";
import type { Hand } from "./hand.ts";
import type { PlainDecoder } from "./plain-record.ts";
import type { Reader } from "./reader.ts";
import type { Session } from "./session.ts";

/** What all iterators of a consumer share. */
export interface IteratorParts<K, V> {
  readonly reader: Reader;
  readonly hand: Hand;
  readonly decoder: PlainDecoder<K, V>;
  readonly policy: DeserializePolicy;
  /** Throws when a new iteration may not begin. */
  readonly begin: (call: string) => void;
}

/** The rules of an iteration, whatever it gives: begun by the first `next()`, over with the last, left by `return()`. */
export abstract class ReadIterator<T, K, V> implements AsyncIterableIterator<T> {
  protected readonly parts: IteratorParts<K, V>;
  protected readonly session: Session;
  #phase: "new" | "open" | "over" = "new";
  #waiting = false;

  constructor(parts: IteratorParts<K, V>, session: Session) {
    this.parts = parts;
    this.session = session;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    const { reader, hand } = this.parts;
    if (this.#phase !== "open" || this.#waiting) return this.#begin();
    hand.moveOn();
    if (reader.interrupted || reader.turn.isSpent()) return this.#wait(null);
    try {
      const value = this.take() ?? (reader.isReady(this.session) ? this.take() : null);
      return value === null ? this.#wait(null) : Promise.resolve({ done: false, value });
    } catch (error) {
      return this.#wait(error);
    }
  }

  /** Leaves the iteration: what is in hand is not moved past. */
  return(value?: unknown): Promise<IteratorResult<T>> {
    this.#leave();
    return Promise.resolve({ done: true, value: value as undefined });
  }

  throw(error?: unknown): Promise<IteratorResult<T>> {
    this.#leave();
    return Promise.reject(error);
  }

  /** The next, delivered, if it is here; null when there is none here. Throws what it met, and has then not moved. */
  protected abstract take(): T | null;
  /** What to do about an error that `take` threw: it returns when reading goes on, else throws. */
  protected abstract recover(error: unknown): Promise<void>;
  /** As `take`, where there is time. */
  protected takeSlowly(): T | null | Promise<T | null> {
    return this.take();
  }

  #begin(): Promise<IteratorResult<T>> {
    if (this.#waiting) {
      return Promise.reject(
        new UsageError(
          "CONCURRENT_CALL",
          `${this.session.call}: expected next() to be called after the one before has settled, found it still waiting`,
        ),
      );
    }
    if (this.#phase === "over") return Promise.resolve({ done: true, value: undefined });
    try {
      this.parts.begin(this.session.call);
      this.parts.reader.enter(this.session);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#phase = "open";
    this.parts.hand.moveOn();
    return this.#wait(null);
  }

  async #wait(met: unknown): Promise<IteratorResult<T>> {
    this.#waiting = true;
    let error = met;
    try {
      for (;;) {
        if (error !== null) {
          const problem = error;
          error = null;
          await this.recover(problem);
        }
        if (!(await this.parts.reader.advance(this.session))) {
          this.#leave();
          return { done: true, value: undefined };
        }
        try {
          const taken = this.takeSlowly();
          const value = taken instanceof Promise ? await taken : taken;
          if (value !== null) return { done: false, value };
        } catch (problem) {
          error = problem;
        }
      }
    } catch (problem) {
      this.#leave();
      throw problem;
    } finally {
      this.#waiting = false;
    }
  }

  #leave(): void {
    if (this.#phase === "over") return;
    const wasOpen = this.#phase === "open";
    this.#phase = "over";
    if (!wasOpen) return;
    this.parts.hand.giveBack();
    this.parts.reader.leave(this.session);
    if (this.#waiting) this.parts.reader.end(this.session);
  }
}

export class RecordIterator<K, V> extends ReadIterator<ConsumerRecord<K, V>, K, V> {
  protected take(): ConsumerRecord<K, V> | null {
    const { reader, decoder } = this.parts;
    const cursor = reader.peek();
    if (cursor === null || reader.slice === null) return null;
    const record = decoder.decode(cursor, reader.slice.state);
    reader.deliver();
    return record;
  }

  protected async recover(error: unknown): Promise<void> {
    if (!(error instanceof SerdeError)) throw error;
    await skipOrThrow(this.parts, error);
  }
}

/** Asks the policy: returns having skipped the record that `peek` shows, or throws having left it where it is. */
export async function skipOrThrow<K, V>({ reader, policy }: IteratorParts<K, V>, error: SerdeError): Promise<void> {
  let skips = false;
  try {
    skips = await policy.skips(error);
  } finally {
    if (!skips) reader.refuse();
  }
  if (!skips) throw error;
  // A seek may have come while the caller's function was asked.
  if (reader.peek()?.offset === error.record?.offset) reader.skip();
}
