/** Time and chance as things that are given, so that a simulation owns them. */
import type { Bytes } from "../api/bytes.ts";

export interface Timer {
  /** Idempotent; a timer that has fired is not woken again. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970; may jump either way. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonic(): number;
  /** Calls once, after at least `delayMs`. `keepAlive`: whether waiting for it keeps the process from ending (false unless said). */
  after(delayMs: number, call: () => void, keepAlive?: boolean): Timer;
}

export interface Random {
  /** At least 0, less than 1. */
  next(): number;
  /** `count` fresh bytes. */
  bytes(count: number): Bytes;
}

/** Node and browsers cut longer delays to 1 ms: a timer further away is set in stages. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, call, keepAlive = false) {
    let handle: ReturnType<typeof setTimeout>;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, LONGEST_DELAY_MS);
      handle = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : call()), stepMs);
      if (!keepAlive) (handle as { unref?: () => void }).unref?.();
    };
    if (delayMs === Number.POSITIVE_INFINITY) return { cancel: () => {} };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(handle) };
  },
};

export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};
