/** How a fetch that found too little waits: for a move of one of its logs, its time, or a signal. */
import type { Clock, Timer } from "../base/clock.ts";
import type { PartitionLog } from "../log/partition-log.ts";

/** Whether any of some logs has moved since a look was begun, and the wait for it. */
export class Progress {
  readonly #watched: Map<PartitionLog, () => void> = new Map();
  #moved = false;
  #resolve: (() => void) | null = null;
  #timer: Timer | null = null;
  #signals: readonly (AbortSignal | undefined)[] = [];
  readonly wake = (): void => {
    this.#moved = true;
    this.#resolve?.();
  };

  begin(): void {
    this.#moved = false;
  }

  watch(log: PartitionLog): void {
    this.#watched.set(log, log.onProgress(this.wake));
  }

  /** Resolves when woken, when `leftMs` as of the first call have passed, or when a signal says so. `stop` follows. */
  wait(clock: Clock, leftMs: number, signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    if (this.#moved || signals.some((signal) => signal?.aborted)) return Promise.resolve();
    if (this.#timer === null) {
      // A reader that waits keeps the process alive: it was asked for records that may still come.
      this.#timer = clock.after(leftMs, this.wake, true);
      this.#signals = signals;
      for (const signal of signals) if (signal !== undefined) wakesOf(signal).add(this.wake);
    }
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  stop(): void {
    this.#timer?.cancel();
    for (const signal of this.#signals) if (signal !== undefined) wakesOf(signal).delete(this.wake);
    for (const off of this.#watched.values()) off();
  }
}

/** Who waits under a signal. It has one listener for all of them: to take one of its own away from it takes longer than the read that follows. */
const WAKES = new WeakMap<AbortSignal, Set<() => void>>();

function wakesOf(signal: AbortSignal): Set<() => void> {
  let wakes = WAKES.get(signal);
  if (wakes === undefined) {
    const made = new Set<() => void>();
    wakes = made;
    WAKES.set(signal, made);
    signal.addEventListener("abort", () => {
      for (const wake of made) wake();
    });
  }
  return wakes;
}
