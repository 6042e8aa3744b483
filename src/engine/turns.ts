/** Calls about one thing, one after another, in the order they came; calls about different things do not wait for each other. */

export class Turns<Key> {
  readonly #last: Map<Key, Promise<unknown>> = new Map();

  take<Result>(key: Key, call: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key);
    const run = before === undefined ? call() : before.then(call, call);
    this.#last.set(key, run);
    const done = (): void => {
      if (this.#last.get(key) === run) this.#last.delete(key);
    };
    run.then(done, done);
    return run;
  }

  /** Resolves when nothing is under way, whatever came of it. */
  async settled(): Promise<void> {
    while (this.#last.size > 0) await Promise.allSettled(this.#last.values());
  }
}
