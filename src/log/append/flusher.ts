/** Group commit: one flush serves all who wait for it, and while one is under way the next gathers. Never two at once. */

/** A place in the log up to which something holds. Offsets order marks. */
export interface OffsetMark {
  readonly offset: number;
}

export interface FlushHost<Mark extends OffsetMark> {
  /** The end of what is written now. */
  readonly written: () => Mark;
  /** Makes everything below the mark durable. A rejection is final: the same pages are never flushed again. */
  readonly sync: (mark: Mark) => Promise<void>;
  /** Called before those who wait for it are told. */
  readonly onDurable: (mark: Mark) => void;
  readonly onFailure: (error: unknown) => void;
}

interface Waiter {
  readonly offset: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Flusher<Mark extends OffsetMark> {
  readonly #host: FlushHost<Mark>;
  #waiters: Waiter[] = [];
  #durableOffset: number;
  #wantedOffset = 0;
  #running: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(host: FlushHost<Mark>, durableOffset: number) {
    this.#host = host;
    this.#durableOffset = durableOffset;
  }

  /** Flushes what is written by the end of this turn: the sends of one turn share a flush. */
  request(): void {
    this.#wantedOffset = this.#host.written().offset;
    if (this.#running === null && this.#failure === null && this.#wantedOffset > this.#durableOffset) this.#running = this.#run();
  }

  /** Resolves once everything below `offset` is durable. */
  flushed(offset: number): Promise<void> {
    if (offset <= this.#durableOffset) return Promise.resolve();
    if (this.#failure !== null) return Promise.reject(this.#failure.error);
    return new Promise<void>((resolve, reject) => {
      this.#waiters.push({ offset, resolve, reject });
      this.request();
    });
  }

  /** Resolves when no flush is under way, whatever came of it. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** Nobody is waiting any more, and nothing is flushed again. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(error);
  }

  async #run(): Promise<void> {
    await null;
    try {
      while (this.#failure === null && this.#wantedOffset > this.#durableOffset) {
        const mark = this.#host.written();
        await this.#host.sync(mark);
        if (this.#failure !== null) break;
        this.#durableOffset = mark.offset;
        this.#host.onDurable(mark);
        this.#release();
      }
    } catch (error) {
      this.#host.onFailure(error);
      this.fail(error);
    } finally {
      this.#running = null;
    }
  }

  #release(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.offset <= this.#durableOffset) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }
}
