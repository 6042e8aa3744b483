/** A clock that stands still until it is told to go on. */
import type { Clock, Timer } from "../base/clock.ts";

/** So many timers may fire in one `advance`; more is a timer that sets itself again without end. */
const FIRINGS_MAX = 1_000_000;

interface Alarm {
  readonly dueAt: number;
  readonly order: number;
  readonly call: () => void;
}

/** Starts at `startMs` on the wall, at 0 on the monotonic side. Timers fire within `advance` alone, in the order they are due. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #alarms = new Map<number, Alarm>();
  #order = 0;

  constructor(startMs: number = Date.UTC(2020, 0, 1)) {
    this.#wallMs = startMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, call: () => void): Timer {
    const order = this.#order++;
    if (delayMs !== Number.POSITIVE_INFINITY) this.#alarms.set(order, { dueAt: this.#monotonicMs + Math.max(0, delayMs), order, call });
    return { cancel: () => void this.#alarms.delete(order) };
  }

  /** Timers that have not fired. */
  get pendingCount(): number {
    return this.#alarms.size;
  }

  /** Milliseconds until the next timer is due; `Infinity` where none is set. */
  get nextDelayMs(): number {
    const next = this.#next();
    return next === null ? Number.POSITIVE_INFINITY : next.dueAt - this.#monotonicMs;
  }

  /**
   * Lets `ms` pass. Each timer due fires at its own time, and what it set off has run (promises, not I/O) before the next one does.
   * Timers set meanwhile fire too when they are due within the same stretch.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#monotonicMs + ms;
    await settled();
    for (let firings = 0; ; firings++) {
      const next = this.#next();
      if (next === null || next.dueAt > until) break;
      if (firings >= FIRINGS_MAX)
        throw new Error(`ManualClock.advance(${ms}): more than ${FIRINGS_MAX} timers fired; does one set itself again after 0 ms?`);
      this.#goTo(next.dueAt);
      this.#alarms.delete(next.order);
      next.call();
      await settled();
    }
    this.#goTo(until);
  }

  /** Moves the wall clock alone, either way, as an operator or a time server does. No timer cares. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }

  #goTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }

  #next(): Alarm | null {
    let next: Alarm | null = null;
    for (const alarm of this.#alarms.values()) {
      if (next === null || alarm.dueAt < next.dueAt || (alarm.dueAt === next.dueAt && alarm.order < next.order)) next = alarm;
    }
    return next;
  }
}

const { setImmediate: immediate } = globalThis as { setImmediate?: (call: () => void) => void };

/** Resolves from a macrotask: every promise that could settle without I/O has. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    if (immediate === undefined) setTimeout(resolve, 0);
    else immediate(resolve);
  });
}
