/** Member ids that were given out by `MEMBER_ID_REQUIRED` and have not come back yet. */
import type { Clock, Timer } from "../base/clock.ts";

export class PendingIds {
  readonly #clock: Clock;
  readonly #timers = new Map<string, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#timers.size;
  }

  /** `onForgotten` when the id has not come back in time. */
  expect(memberId: string, timeoutMs: number, onForgotten: () => void): void {
    const timer = this.#clock.after(timeoutMs, () => {
      this.#timers.delete(memberId);
      onForgotten();
    });
    this.#timers.set(memberId, timer);
  }

  /** Whether it was awaited; it no longer is. */
  take(memberId: string): boolean {
    this.#timers.get(memberId)?.cancel();
    return this.#timers.delete(memberId);
  }

  clear(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
