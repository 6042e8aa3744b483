import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/base/clock.ts";

describe("the system's clock", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  // Node and browsers take a delay beyond 2^31-1 ms for 1 ms: a retention of a month would have run at once.
  it("calls after a delay of any length, once, and not a millisecond sooner", () => {
    const delayMs = 3 * 2 ** 31;
    const call = vi.fn();
    systemClock.after(delayMs, call);
    vi.advanceTimersByTime(delayMs - 1);
    expect(call).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(call).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(delayMs);
    expect(call).toHaveBeenCalledTimes(1);
  });

  it("does not call when that was cancelled, also in a later stage of a long delay, nor ever after an endless one", () => {
    const call = vi.fn();
    const long = systemClock.after(3 * 2 ** 31, call);
    vi.advanceTimersByTime(2 ** 32);
    long.cancel();
    const endless = systemClock.after(Number.POSITIVE_INFINITY, call);
    vi.advanceTimersByTime(2 ** 40);
    endless.cancel();
    expect(call).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("calls on the next turn for a delay that is over already", () => {
    const call = vi.fn();
    systemClock.after(-5, call, true);
    expect(call).not.toHaveBeenCalled();
    vi.advanceTimersByTime(0);
    expect(call).toHaveBeenCalledTimes(1);
  });
});
