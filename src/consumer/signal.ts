/** Something that any number of waiters are told of at once, again and again. */

export class Signal {
  #promise: Promise<void> | null = null;
  #resolve: (() => void) | null = null;

  /** Resolves when it is next told. */
  wait(): Promise<void> {
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#promise;
  }

  tell(): void {
    this.#resolve?.();
    this.#promise = null;
    this.#resolve = null;
  }
}
