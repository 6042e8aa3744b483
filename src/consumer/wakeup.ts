/** How the one call that waits in a consumer is woken: by a fetch, a rebalance, a seek, a signal, the end. */
import type { Clock, Timer } from "../base/clock.ts";

/** A waiting reader keeps the process alive, as it was asked for records that may still come. Any length will do: it is renewed. */
const KEEP_ALIVE_MS = 60_000;

/** No wake is lost, since whoever waits looks at everything it waits for before it waits, in the same turn. */
export class Wakeup {
  readonly #clock: Clock;
  #resolve: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer;
      const keepAlive = (): void => {
        timer = this.#clock.after(KEEP_ALIVE_MS, keepAlive, true);
      };
      keepAlive();
      this.#resolve = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** As `wait`, but no longer than so. */
  async waitAtMost(ms: number): Promise<void> {
    const timer = this.#clock.after(ms, () => this.wake());
    await this.wait();
    timer.cancel();
  }

  wake(): void {
    const resolve = this.#resolve;
    this.#resolve = null;
    resolve?.();
  }
}
