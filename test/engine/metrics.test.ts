/** The figures that `metrics()` tells: each counts its own, and what has failed counts once. */
import { expect, it } from "vitest";
import { Events } from "../../src/engine/events.ts";
import type { House } from "../../src/engine/house.ts";
import { collectMetrics } from "../../src/engine/metrics.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

it("every figure is what it is named for", () => {
  const open = (byteLength: number, failure: Error | null = null) => ({ state: "open", log: { byteLength, failure } }) as const;
  const topics: readonly { readonly slots: readonly (ReturnType<typeof open> | { readonly state: "empty" | "failed" })[] }[] = [
    { slots: [open(100), open(20, new Error("a flush failed")), { state: "failed" }] },
    { slots: [open(3), { state: "empty" }, { state: "failed" }] },
  ];
  const events = new Events(new ManualClock(), {});
  for (const type of ["storage.failed", "storage.failed", "log.compacted"]) events.emit(type, {});
  const house = {
    events,
    topics: {
      all: () => topics,
      openLogs: () => topics.flatMap(({ slots }) => slots.flatMap((slot) => (slot.state === "open" ? [slot.log] : []))),
    },
  } as unknown as House;
  const metrics = collectMetrics(
    house,
    { batches: 1, records: 2, bytes: 30 } as never,
    { fetches: 4, bytes: 50 } as never,
    { count: 6 } as never,
    { metrics: () => ({ "transactions.begun": 7 }) } as never,
    { metrics: () => ({ "quota.producerByteRate.throttledMs": 8 }) } as never,
    { metrics: () => ({ compactions: 9 }) } as never,
  );
  expect(metrics).toEqual({
    topics: 2,
    partitions: 3,
    partitionsFailed: 3,
    byteLength: 123,
    groups: 6,
    produceBatches: 1,
    produceRecords: 2,
    produceBytes: 30,
    fetches: 4,
    fetchBytes: 50,
    "transactions.begun": 7,
    "quota.producerByteRate.throttledMs": 8,
    compactions: 9,
    "events.storage.failed": 2,
    "events.log.compacted": 1,
  });
  expect(Object.isFrozen(metrics)).toBe(true);
});
