/** When a flush is asked for that nobody waits for: at once, at its hour, or not at all. */
import { describe, expect, it } from "vitest";
import { FLUSH_BEHIND_BYTES, flushIsDue, RECOVERY_POINT_INTERVAL_BYTES } from "../../../src/log/append/flush-policy.ts";
import { FlushRequests } from "../../../src/log/append/flush-requests.ts";
import { ManualClock } from "../../../src/testing/index.ts";

const NEVER = { durability: "os" as const, flushMessages: Number.POSITIVE_INFINITY, flushMs: Number.POSITIVE_INFINITY };

describe("a flush is due", () => {
  it("of nothing never, of a sync topic at once", () => {
    for (const byteLength of [0, 1]) {
      const facts = { byteLength, recordCount: 5, ageMs: 5 };
      expect(flushIsDue(facts, { ...NEVER, durability: "sync" })).toBe(byteLength === 1);
      expect(flushIsDue(facts, { durability: "os", flushMessages: 1, flushMs: 0 })).toBe(byteLength === 1);
    }
  });

  it("from flushMessages, flushMs and the piece that follows the writer on, and not before any of them", () => {
    const due = (facts: object, config: object): boolean =>
      flushIsDue({ byteLength: 1, recordCount: 1, ageMs: 0, ...facts }, { ...NEVER, ...config });
    expect([due({ recordCount: 9 }, { flushMessages: 10 }), due({ recordCount: 10 }, { flushMessages: 10 })]).toEqual([false, true]);
    expect([due({ ageMs: 99 }, { flushMs: 100 }), due({ ageMs: 100 }, { flushMs: 100 })]).toEqual([false, true]);
    expect([FLUSH_BEHIND_BYTES, FLUSH_BEHIND_BYTES - 1].map((byteLength) => due({ byteLength }, {}))).toEqual([true, false]);
  });

  it("in pieces of which many go to a recovery point: it costs more flushes than its own", () => {
    expect(FLUSH_BEHIND_BYTES * 8).toBeLessThanOrEqual(RECOVERY_POINT_INTERVAL_BYTES);
  });
});

describe("requests for flushes", () => {
  async function bed(config: Partial<typeof NEVER>) {
    const clock = new ManualClock();
    // A process is older than its logs: an age counted from its start would be one from the first hour on.
    await clock.advance(5_000_000);
    const seen = { requests: 0, byteLength: 10, recordCount: 1 };
    const requests = new FlushRequests({
      clock,
      config: () => ({ ...NEVER, ...config }),
      unflushed: () => ({ byteLength: seen.byteLength, recordCount: seen.recordCount }),
      request: () => {
        seen.requests++;
      },
    });
    requests.beginAge();
    return { clock, seen, requests };
  }

  it("come at once when the flush is due, without waiting for an hour as well", async () => {
    const { clock, seen, requests } = await bed({ flushMessages: 2, flushMs: 100 });
    seen.recordCount = 2;
    requests.consider();
    expect(seen.requests).toBe(1);
    await clock.advance(1000);
    expect(seen.requests).toBe(1);
  });

  it("come at once on a sync topic, and of nothing never", async () => {
    const { clock, seen, requests } = await bed({ durability: "sync" as "os", flushMs: 100 });
    seen.byteLength = 0;
    requests.consider();
    await clock.advance(1000);
    expect(seen.requests).toBe(0);
    seen.byteLength = 1;
    requests.consider();
    expect(seen.requests).toBe(1);
  });

  it("come once when flushMs have passed since the oldest append, however many were made", async () => {
    const { clock, seen, requests } = await bed({ flushMs: 100 });
    await clock.advance(30);
    requests.consider();
    await clock.advance(30);
    requests.consider();
    await clock.advance(39);
    expect(seen.requests).toBe(0);
    await clock.advance(1);
    expect(seen.requests).toBe(1);
    await clock.advance(1000);
    expect(seen.requests).toBe(1);
    // The hour that has come is no reason against another.
    requests.beginAge();
    requests.consider();
    await clock.advance(100);
    expect(seen.requests).toBe(2);
  });

  it("never come by the hour where flushMs is infinite, nor after they are cancelled", async () => {
    for (const flushMs of [Number.POSITIVE_INFINITY, 100]) {
      const { clock, seen, requests } = await bed({ flushMs });
      requests.consider();
      if (flushMs === 100) requests.cancel();
      expect(clock.pendingCount, "no timer is left to wait").toBe(0);
      await clock.advance(10_000_000);
      expect(seen.requests).toBe(0);
      requests.cancel();
    }
    const { clock, seen, requests } = await bed({ flushMs: 100 });
    requests.consider();
    requests.cancel();
    requests.consider();
    await clock.advance(100);
    expect(seen.requests).toBe(1);
  });
});
