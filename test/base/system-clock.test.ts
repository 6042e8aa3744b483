/** Whether a timer keeps the process from ending, and that chance is chance. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock, systemRandom } from "../../src/base/clock.ts";

interface Armed {
  readonly call: () => void;
  readonly delayMs: number;
  unrefs: number;
}

/** Every timer that is set, none of which fires by itself. `bare`: as in browsers, where a handle is a number. */
function timers(bare = false): { readonly armed: Armed[]; readonly cleared: unknown[] } {
  const armed: Armed[] = [];
  const cleared: unknown[] = [];
  vi.stubGlobal("setTimeout", (call: () => void, delayMs: number) => {
    const timer: Armed & { unref?: () => void } = { call, delayMs, unrefs: 0 };
    if (!bare)
      timer.unref = () => {
        timer.unrefs += 1;
      };
    armed.push(timer);
    return bare ? armed.length : timer;
  });
  vi.stubGlobal("clearTimeout", (handle: unknown) => cleared.push(handle));
  return { armed, cleared };
}

describe("a timer of the system's", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("lets the process end unless it is asked to keep it, in every stage of a long delay", () => {
    const { armed } = timers();
    const longestMs = 2 ** 31 - 1;
    for (const keepAlive of [undefined, false, true]) {
      armed.length = 0;
      const call = vi.fn();
      if (keepAlive === undefined) systemClock.after(longestMs + 5, call);
      else systemClock.after(longestMs + 5, call, keepAlive);
      armed[0]?.call();
      expect(armed.map(({ delayMs, unrefs }) => [delayMs, unrefs])).toEqual([
        [longestMs, keepAlive === true ? 0 : 1],
        [5, keepAlive === true ? 0 : 1],
      ]);
      expect(call).not.toHaveBeenCalled();
      armed[1]?.call();
      expect(call).toHaveBeenCalledTimes(1);
    }
  });

  it("has one stage up to the longest delay there is, and none for no end of it; one that has passed is due at once", () => {
    const { armed } = timers();
    const call = vi.fn();
    systemClock.after(2 ** 31 - 1, call);
    armed[0]?.call();
    expect([armed.length, call.mock.calls.length]).toEqual([1, 1]);
    systemClock.after(Number.POSITIVE_INFINITY, call).cancel();
    expect(armed).toHaveLength(1);
    systemClock.after(-7, call);
    expect(armed[1]?.delayMs).toBe(0);
  });

  it("is cancelled in the stage that it has come to, also where a handle is a number", () => {
    const { armed, cleared } = timers(true);
    const timer = systemClock.after(2 ** 31 + 5, () => {});
    armed[0]?.call();
    timer.cancel();
    expect(cleared).toEqual([2]);
  });
});

describe("the system's", () => {
  it("time of day is the date's, and its other time never goes back", () => {
    const before = Date.now();
    const nowMs = systemClock.now();
    expect(nowMs).toBeGreaterThanOrEqual(before);
    expect(nowMs).toBeLessThanOrEqual(Date.now());
    const first = systemClock.monotonic();
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first);
    expect(first).toBeLessThan(before);
  });

  it("chance is at least 0 and less than 1, and as many fresh bytes as are asked for", () => {
    const numbers = new Set(Array.from({ length: 100 }, () => systemRandom.next()));
    expect(numbers.size).toBeGreaterThan(90);
    for (const number of numbers) expect(number >= 0 && number < 1).toBe(true);
    expect([0, 1, 16].map((count) => systemRandom.bytes(count).length)).toEqual([0, 1, 16]);
    expect(systemRandom.bytes(16)).not.toEqual(systemRandom.bytes(16));
  });
});
