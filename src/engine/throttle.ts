/** Holds a task to so many bytes a second: whoever took too much waits before it goes on. */
import type { Clock } from "../base/clock.ts";

/** A debt so small is not worth a timer. */
const DEBT_MS_MIN = 5;

export class Throttle {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  /** When all that was taken is paid for. */
  #paidMs = 0;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when the bytes are paid for, or at once when `signal` is aborted. */
  async take(byteLength: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return;
    const nowMs = this.#clock.monotonic();
    this.#paidMs = Math.max(nowMs, this.#paidMs) + (byteLength / this.#bytesPerSecond) * 1000;
    const debtMs = this.#paidMs - nowMs;
    if (debtMs < DEBT_MS_MIN || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const stop = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const timer = this.#clock.after(debtMs, stop);
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}
