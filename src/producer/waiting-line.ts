/** Calls that cannot go on yet, for want of memory or of a topic's metadata: first come, first served, so that call order holds. */
import type { Clock, Timer } from "../base/clock.ts";

export interface WaitingCall {
  /** Goes on as far as it can; true when it is through, well or badly. Never throws. */
  advance(): boolean;
  /** It has waited for `maxBlockMs`, and is told so. Never throws; it is not asked again. */
  expire(): void;
}

interface Place {
  readonly call: WaitingCall;
  readonly deadlineMs: number;
}

/** So many calls that went are kept in the array before it is cut. */
const GONE_KEPT_MAX = 1024;

export class WaitingLine {
  readonly #clock: Clock;
  readonly #maxBlockMs: number;
  #places: Place[] = [];
  #head = 0;
  #advancing = false;
  #askedAgain = false;
  #timer: Timer | null = null;
  #timerDeadlineMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, maxBlockMs: number) {
    this.#clock = clock;
    this.#maxBlockMs = maxBlockMs;
  }

  get isEmpty(): boolean {
    return this.#head === this.#places.length;
  }

  /** Goes on at once when nobody waits before it. */
  add(call: WaitingCall): void {
    this.#places.push({ call, deadlineMs: this.#clock.monotonic() + this.#maxBlockMs });
    this.advance();
  }

  /** To be called whenever what somebody waits for may have come. */
  advance(): void {
    if (this.#advancing) {
      this.#askedAgain = true;
      return;
    }
    this.#advancing = true;
    do {
      this.#askedAgain = false;
      while (!this.isEmpty && (this.#places[this.#head] as Place).call.advance()) this.#leave();
      // Something came free while the first in the line was being asked: it may have been what that one wants.
    } while (this.#askedAgain && !this.isEmpty);
    this.#advancing = false;
    this.#watchHead();
  }

  #leave(): void {
    this.#head += 1;
    if (this.#head < GONE_KEPT_MAX && this.#head < this.#places.length) return;
    this.#places = this.#places.slice(this.#head);
    this.#head = 0;
  }

  #watchHead(): void {
    const deadlineMs = this.isEmpty ? Number.POSITIVE_INFINITY : (this.#places[this.#head] as Place).deadlineMs;
    if (deadlineMs === this.#timerDeadlineMs) return;
    this.#timer?.cancel();
    this.#timerDeadlineMs = deadlineMs;
    this.#timer = deadlineMs === Number.POSITIVE_INFINITY ? null : this.#arm(deadlineMs);
  }

  #arm(deadlineMs: number): Timer {
    return this.#clock.after(
      Math.max(0, deadlineMs - this.#clock.monotonic()),
      () => {
        this.#timer = null;
        this.#timerDeadlineMs = Number.POSITIVE_INFINITY;
        this.#expire();
      },
      true,
    );
  }

  #expire(): void {
    const nowMs = this.#clock.monotonic();
    while (!this.isEmpty && (this.#places[this.#head] as Place).deadlineMs <= nowMs) {
      const { call } = this.#places[this.#head] as Place;
      this.#leave();
      call.expire();
    }
    this.advance();
  }
}
