/** The 2 ms rule: how long microtasks have run since the event loop last went round, and the way into its next round. */
import type { Clock } from "./clock.ts";

/** Longer than this, and timers, sockets and the screen wait for a loop over records. */
const TURN_MS_MAX = 2;

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
 * One serves all producers and consumers of a clock, since their microtasks share one loop. A macrotask is asked for at the
 * first look in each turn and marks its end: so a loop that waits for real I/O anyway is never made to wait again.
 */
export class Turn {
  readonly #clock: Clock;
  readonly #later: Later;
  #over = true;
  #beganMs = 0;
  #ended: Promise<void> = Promise.resolve();

  constructor(clock: Clock, later: Later = macrotask(clock)) {
    this.#clock = clock;
    this.#later = later;
  }

  /** Whether this turn has lasted long enough: then await `next()` before going on. */
  isSpent(): boolean {
    const nowMs = this.#clock.monotonic();
    if (!this.#over) return nowMs - this.#beganMs > TURN_MS_MAX;
    this.#over = false;
    this.#beganMs = nowMs;
    this.#ended = new Promise((resolve) => {
      this.#later(() => {
        this.#over = true;
        resolve();
      });
    });
    return false;
  }

  /** Resolves in the next turn. */
  next(): Promise<void> {
    return this.#ended;
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
