/** The 2 ms rule: how long microtasks have run since the event loop last went round, and the way into its next round. */
import type { Clock } from "./clock.ts";

/**
 * Longer than 2 ms, and timers, sockets and the screen wait for a loop over records. What is under way at a look ends after it, a large
 * batch say: half of the 2 ms is left to that (decision 10).
 */
const TURN_MS_MAX = 1;

/** The clock is looked at for every so many questions at most, and only while they pass quickly. */
const STRIDE_MAX = 8;
/** Passing quickly: at this pace even the longest stride ends well within the 2 ms. */
const QUICK_STRIDE_MS = 0.25;

/** Calls once, from a macrotask. */
export type Later = (call: () => void) => void;

interface Macrotasks {
  readonly setImmediate?: (call: () => void) => unknown;
  readonly MessageChannel?: new () => { port1: { onmessage: (() => void) | null }; port2: { postMessage(message: null): void } };
}

/** `setImmediate` where there is one, else a message to ourselves: a timer of 0 ms is really 4 in browsers. */
export function macrotask(clock: Clock): Later {
  const { setImmediate, MessageChannel } = globalThis as unknown as Macrotasks;
  if (typeof setImmediate === "function") return (call) => void setImmediate(call);
  if (typeof MessageChannel !== "function") return (call) => void clock.after(0, call, true);
  const calls: (() => void)[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => calls.shift()?.();
  return (call) => {
    calls.push(call);
    port2.postMessage(null);
  };
}

/**
 * One serves all producers and consumers of a clock, since their microtasks share one loop. A macrotask is asked for at the first look in
 * each turn and marks its end: so a loop that waits for real I/O anyway is never made to wait again.
 */
export class Turn {
  readonly #clock: Clock;
  readonly #later: Later;
  #over = true;
  #beganMs = 0;
  #lookedMs = 0;
  /** Questions until the clock is looked at again, and how many there were between the last two looks. */
  #left = 0;
  #stride = 1;
  /** The end of this turn, once somebody waits for it. */
  #ended: Promise<void> | null = null;
  #end: () => void = () => {};

  constructor(clock: Clock, later: Later = macrotask(clock)) {
    this.#clock = clock;
    this.#later = later;
  }

  /** Whether this turn has lasted long enough: then await `next()` before going on. */
  isSpent(): boolean {
    if (!this.#over && --this.#left > 0) return false;
    const nowMs = this.#clock.monotonic();
    if (!this.#over) return this.#look(nowMs);
    this.#begin(nowMs);
    return false;
  }

  #begin(nowMs: number): void {
    this.#over = false;
    this.#beganMs = nowMs;
    this.#lookedMs = nowMs;
    this.#left = this.#stride = 1;
    this.#later(this.#goRound);
  }

  readonly #goRound = (): void => {
    this.#over = true;
    this.#ended = null;
    this.#end();
  };

  #look(nowMs: number): boolean {
    if (nowMs - this.#beganMs > TURN_MS_MAX) return true;
    const isQuick = nowMs - this.#lookedMs < QUICK_STRIDE_MS / 2;
    this.#stride = isQuick ? Math.min(STRIDE_MAX, this.#stride * 2) : 1;
    this.#left = this.#stride;
    this.#lookedMs = nowMs;
    return false;
  }

  /** Resolves in the next turn; at once, where nobody has looked at this one. */
  next(): Promise<void> {
    if (this.#over) return Promise.resolve();
    this.#ended ??= new Promise((resolve) => {
      this.#end = resolve;
    });
    return this.#ended;
  }

  /** Resolves in the next turn, whether this one was looked at before or not. */
  ending(): Promise<void> {
    if (this.#over) this.#begin(this.#clock.monotonic());
    return this.next();
  }
}

const TURNS = new WeakMap<Clock, Turn>();

export function turnOf(clock: Clock): Turn {
  let turn = TURNS.get(clock);
  if (turn === undefined) {
    turn = new Turn(clock);
    TURNS.set(clock, turn);
  }
  return turn;
}
