/** A call that waits: a promise that the state machine settles later, or the caller's signal before it. */

export class Waiter<T> {
  readonly promise: Promise<T>;
  #resolve: (value: T) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  readonly #release: () => void;
  #settled = false;

  /** `onEnd` runs once, before the promise settles: with true when it was the signal. An aborted signal must be refused before. */
  constructor(signal: AbortSignal | undefined, onEnd: (aborted: boolean) => void) {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const onAbort = (): void => {
      // Heard once, and not at all once the waiting has ended.
      this.#end(true);
      this.#reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#release = () => signal?.removeEventListener("abort", onAbort);
    this.#onEnd = onEnd;
  }

  readonly #onEnd: (aborted: boolean) => void;

  resolve(value: T): void {
    if (this.#end(false)) this.#resolve(value);
  }

  reject(error: unknown): void {
    if (this.#end(false)) this.#reject(error);
  }

  #end(aborted: boolean): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#release();
    this.#onEnd(aborted);
    return true;
  }
}
