/** The 2 ms rule: no loop over records keeps timers, sockets and the screen waiting. */
import { describe, expect, it } from "vitest";
import { bytes } from "../../src/base/serdes/bytes.ts";
import { macrotask, Turn } from "../../src/base/turn.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { bed, orders } from "./bed.ts";

const MILLION = 1_000_000;
const TRIES = 10;

async function million(): Promise<Awaited<ReturnType<typeof bed>>> {
  const found = await bed();
  const value = new Uint8Array(100);
  const records = Array.from({ length: 1000 }, () => ({ key: value.subarray(0, 16), value }));
  for (let batch = 0; batch < MILLION / 1000; batch++) found.broker.append(orders, records);
  return found;
}

/** When the timer fired and the loop had ended, from the timer's being set. */
async function timed({ consumer }: Awaited<ReturnType<typeof bed>>, whose: "the consumer's signal" | "the call's signal") {
  const controller = new AbortController();
  const { signal } = controller;
  const reader = consumer({ key: bytes, value: bytes, signal: whose === "the consumer's signal" ? signal : undefined });
  await reader.assign([orders]);
  let count = 0;
  const startMs = performance.now();
  let firedMs = 0;
  setTimeout(() => {
    firedMs = performance.now() - startMs;
    controller.abort();
  }, 5);
  try {
    for await (const _ of reader.records(whose === "the call's signal" ? { signal } : {})) count += 1;
  } catch (error) {
    expect(error).toBe(signal.reason);
  }
  const endedMs = performance.now() - startMs;
  expect(count).toBeLessThan(MILLION);
  return { firedMs, endedMs };
}

describe("with a million records waiting", () => {
  it.each(["the consumer's signal", "the call's signal"] as const)(
    "a 5 ms timer that aborts %s ends the loop within 20 ms",
    async (whose) => {
      const found = await million();
      // Cold code and other processes take their share of a small machine: the rule must be seen to hold once.
      let best = { firedMs: Number.POSITIVE_INFINITY, endedMs: Number.POSITIVE_INFINITY };
      for (let attempt = 0; attempt < TRIES && best.endedMs >= 20; attempt++) {
        const timing = await timed(found, whose);
        if (timing.endedMs < best.endedMs) best = timing;
      }
      expect(best.firedMs).toBeLessThan(20);
      expect(best.endedMs).toBeLessThan(20);
    },
  );

  it.each(["poll", "batches"] as const)("%s lets the event loop go round too", async (way) => {
    const { consumer } = await million();
    const reader = consumer({ key: bytes, value: bytes });
    await reader.assign([orders]);
    const batches = reader.batches();
    const read = {
      poll: async () => (await reader.poll({ timeoutMs: 0 })).length,
      batches: async () => (await batches.next()).value?.length ?? 0,
    };
    let stop = false;
    setTimeout(() => {
      stop = true;
    }, 2);
    let count = 0;
    while (!stop && count < MILLION) {
      for (const startMs = performance.now(); performance.now() - startMs < 0.1; );
      count += await read[way]();
    }
    expect(stop).toBe(true);
  });
});

describe("a turn", () => {
  it("is spent before 2 ms are over, and ends by itself where the loop goes round in between", async () => {
    const clock = new ManualClock();
    const calls: (() => void)[] = [];
    const turn = new Turn(clock, (call) => void calls.push(call));
    expect(turn.isSpent()).toBe(false);
    await clock.advance(1);
    expect(turn.isSpent()).toBe(false);
    await clock.advance(1);
    expect(turn.isSpent()).toBe(true);
    let went = false;
    void turn.next().then(() => {
      went = true;
    });
    await Promise.resolve();
    expect(went).toBe(false);
    calls.shift()?.();
    await turn.next();
    expect(went).toBe(true);
    expect(turn.isSpent()).toBe(false);
    expect(calls.length).toBe(1);
    calls.shift()?.();
    await clock.advance(100);
    expect(turn.isSpent()).toBe(false);
  });

  it("hops by a message where there is no setImmediate, and by a timer where there is neither", async () => {
    const { setImmediate, MessageChannel } = globalThis;
    const clock = new ManualClock();
    try {
      Object.assign(globalThis, { setImmediate: undefined, MessageChannel: FakeChannel });
      const order: string[] = [];
      const later = macrotask(clock);
      later(() => order.push("one"));
      later(() => order.push("two"));
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(order).toEqual(["one", "two"]);
      Object.assign(globalThis, { MessageChannel: undefined });
      macrotask(clock)(() => order.push("three"));
      expect(order.length).toBe(2);
      expect(clock.pendingCount).toBe(1);
    } finally {
      Object.assign(globalThis, { setImmediate, MessageChannel });
    }
  });
});

/** Node's own would keep the process alive. */
class FakeChannel {
  readonly port1: { onmessage: (() => void) | null } = { onmessage: null };
  readonly port2: { postMessage: () => void } = { postMessage: () => void setTimeout(() => this.port1.onmessage?.(), 0) };
}
