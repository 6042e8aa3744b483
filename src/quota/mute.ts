/** A client whose requests are held back for a while: who waits, in the order they came, and when they go on. */
import type { Clock, Timer } from "../base/clock.ts";
import { turnOf } from "../base/turn.ts";

export interface Waiter {
  /** Its turn has come. It may mute the client again: then the next one waits on. */
  readonly go: () => void;
  /** Its turn will not come. */
  readonly cancel: (error: unknown) => void;
}

export class Mute {
  readonly clock: Clock;
  #untilMs = 0;
  readonly #waiting: Set<Waiter> = new Set();
  #timer: Timer | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Whole milliseconds until the client is heard again; 0: it is heard. */
  get leftMs(): number {
    return Math.max(0, Math.ceil(this.#untilMs - this.clock.monotonic()));
  }

  /** Whether a request that comes now must stand in line. */
  get isHolding(): boolean {
    return this.#waiting.size > 0 || this.leftMs > 0;
  }

  begin(throttleTimeMs: number): void {
    this.#untilMs = Math.max(this.#untilMs, this.clock.monotonic() + throttleTimeMs);
  }

  /** `Infinity` is never waited for: the requests of a client are bounded by its own memory, not here. */
  add(waiter: Waiter): void {
    this.#waiting.add(waiter);
    this.#arm();
  }

  remove(waiter: Waiter): void {
    this.#waiting.delete(waiter);
    if (this.#waiting.size === 0) this.#disarm();
  }

  /** Before its time. */
  lift(): void {
    this.#untilMs = 0;
    this.#disarm();
    this.#drain();
  }

  cancelAll(error: unknown): void {
    this.#disarm();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiting) waiter.cancel(error);
  }

  /** What waits keeps the process alive: it was promised an answer. */
  #arm(): void {
    this.#timer ??= this.clock.after(this.leftMs, () => this.#drain(), true);
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #drain(): void {
    this.#timer = null;
    const turn = turnOf(this.clock);
    for (const waiter of this.#waiting) {
      if (this.leftMs > 0) break;
      if (turn.isSpent()) {
        void turn.next().then(() => this.#drain());
        return;
      }
      this.#waiting.delete(waiter);
      waiter.go();
    }
    if (this.#waiting.size > 0) this.#arm();
  }
}

/** Calls when the client is heard again, after all who came before; or, muted or not, when `waitMs` are over. Rejects with the signal's reason. */
export function inLine<T>(
  mute: Mute,
  call: () => Promise<T>,
  { signal, waitMs = Number.POSITIVE_INFINITY }: { readonly signal: AbortSignal | undefined; readonly waitMs?: number },
): Promise<T> {
  if (signal?.aborted === true) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      timer.cancel();
      mute.remove(waiter);
      signal?.removeEventListener("abort", onAbort);
    };
    const onAbort = (): void => waiter.cancel(signal?.reason);
    const waiter: Waiter = {
      go: () => {
        leave();
        resolve(call());
      },
      cancel: (error) => {
        leave();
        reject(error);
      },
    };
    const timer = mute.clock.after(waitMs, waiter.go, true);
    signal?.addEventListener("abort", onAbort);
    mute.add(waiter);
  });
}
