/** What a task that took too much waits, and when it need not. */
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Throttle } from "../../src/engine/throttle.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

describe("a throttle", () => {
  it("lets small debts gather, and makes their sum wait", async () => {
    const clock = new ManualClock();
    const throttle = new Throttle(clock, 1000);
    const { signal } = new AbortController();
    await throttle.take(4, signal);
    let isPaid = false;
    const taken = throttle.take(4, signal).then(() => {
      isPaid = true;
    });
    await Promise.resolve();
    expect(isPaid).toBe(false);
    await clock.advance(8);
    await taken;
  });

  it("keeps nobody who was told to stop, before or while waiting", async () => {
    const clock = new ManualClock();
    const throttle = new Throttle(clock, 1);
    const stop = new AbortController();
    const waiting = throttle.take(1_000_000, stop.signal);
    stop.abort();
    await waiting;
    await throttle.take(1_000_000, stop.signal);
    expect(clock.pendingCount).toBe(0);
  });

  it.each([
    [1000, 1000, 1000],
    [500, 1000, 500],
    [3000, 2000, 1500],
    // The least that is worth a timer, and what is not.
    [5, 1000, 5],
    [4, 1000, Number.POSITIVE_INFINITY],
    [1e12, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])("of %d bytes at %d a second waits %d ms", async (byteLength, bytesPerSecond, waitMs) => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    const taken = new Throttle(clock, bytesPerSecond).take(byteLength, signal);
    expect(clock.nextDelayMs).toBe(waitMs);
    if (waitMs !== Number.POSITIVE_INFINITY) await clock.advance(waitMs);
    await taken;
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("saves nothing up while nothing is taken, and adds to a debt that is not paid yet", async () => {
    const clock = new ManualClock();
    const throttle = new Throttle(clock, 1000);
    const { signal } = new AbortController();
    await clock.advance(60_000);
    const first = throttle.take(300, signal);
    expect(clock.nextDelayMs).toBe(300);
    await clock.advance(100);
    const second = throttle.take(500, signal);
    await clock.advance(200);
    await first;
    expect(clock.nextDelayMs).toBe(500);
    await clock.advance(500);
    await second;
  });
});
