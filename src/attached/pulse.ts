/** Whether the other side is alive: both say so from time to time, and a channel that was silent for too long is given up. */
import type { Clock, Timer } from "../base/clock.ts";

export interface PulseTimes {
  readonly everyMs: number;
  readonly silentMs: number;
}

export class Pulse {
  readonly #clock: Clock;
  readonly #times: PulseTimes;
  readonly #beat: () => void;
  readonly #onSilent: () => void;
  #heardMs: number;
  #timer: Timer | null = null;

  constructor(clock: Clock, times: PulseTimes, beat: () => void, onSilent: () => void) {
    this.#clock = clock;
    this.#times = times;
    this.#beat = beat;
    this.#onSilent = onSilent;
    this.#heardMs = clock.monotonic();
    this.#arm();
  }

  heard(): void {
    this.#heardMs = this.#clock.monotonic();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    const askedMs = this.#clock.monotonic();
    this.#timer = this.#clock.after(this.#times.everyMs, () => {
      const nowMs = this.#clock.monotonic();
      // Who slept itself has heard nothing: what came meanwhile is read first.
      const sleptMs = nowMs - askedMs - this.#times.everyMs;
      if (sleptMs > this.#times.everyMs) this.#heardMs += sleptMs;
      if (nowMs - this.#heardMs > this.#times.silentMs) return this.#onSilent();
      this.#beat();
      this.#arm();
    });
  }
}
