/** How long a rebalance waits for members to join: up to a timeout, or, for the first of an empty group, as long as others come. */
import type { Clock, Timer } from "../base/clock.ts";

export class JoinBarrier {
  readonly #clock: Clock;
  readonly #initialDelayMs: number;
  readonly #onFall: () => void;
  #timer: Timer | null = null;
  #first: { leftMs: number; someoneCame: boolean } | null = null;

  constructor(clock: Clock, initialDelayMs: number, onFall: () => void) {
    this.#clock = clock;
    this.#initialDelayMs = initialDelayMs;
    this.#onFall = onFall;
  }

  /** While it holds for others who may come, it does not fall because all who came have joined. */
  get awaitsFirstMembers(): boolean {
    return this.#first !== null;
  }

  /** Falls after `timeoutMs`. Callers wait behind it, so it keeps the process from ending. */
  raise(timeoutMs: number): void {
    this.lower();
    this.#timer = this.#clock.after(timeoutMs, this.#onFall, true);
  }

  /** Falls after a round of the initial delay in which nobody came, or after `timeoutMs`. */
  raiseForFirstMembers(timeoutMs: number): void {
    this.lower();
    this.#first = { leftMs: timeoutMs, someoneCame: true };
    this.#anotherRound(this.#first);
  }

  someoneCame(): void {
    if (this.#first !== null) this.#first.someoneCame = true;
  }

  lower(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#first = null;
  }

  #anotherRound(first: { leftMs: number; someoneCame: boolean }): void {
    const roundMs = Math.min(this.#initialDelayMs, first.leftMs);
    if (!first.someoneCame || roundMs <= 0) {
      this.#onFall();
      return;
    }
    first.leftMs -= roundMs;
    first.someoneCame = false;
    this.#timer = this.#clock.after(roundMs, () => this.#anotherRound(first), true);
  }
}
