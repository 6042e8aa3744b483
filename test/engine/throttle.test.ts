/** What a task that took too much waits, and when it need not. */
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
  });
});
