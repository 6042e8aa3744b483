import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClientMeter } from "../../src/quota/client-meter.ts";
import { BURST_SECONDS, SampledRate } from "../../src/quota/sampled-rate.ts";

type Step = readonly [afterMs: number, value: number];

function rateOf(...records: readonly (readonly [atMs: number, value: number])[]): SampledRate {
  const rate = new SampledRate();
  for (const [atMs, value] of records) rate.record(value, atMs);
  return rate;
}

describe("a sampled rate", () => {
  // Worked out by hand from Kafka's definition: the sum of the live samples, by the time since the oldest began, filled up to ten whole windows.
  it.each([
    ["a first record counts as if ten seconds had passed", [[0, 1000]], 0, 10_000, 100],
    ["and the part of the window that has", [[0, 1000]], 500, 10_500, 1000 / 10.5],
    ["whose whole windows are of the ten", [[0, 600], [1500, 600]], 1500, 10_500, 1200 / 10.5], // biome-ignore format: pairs
    ["so that two seconds are ten, not twelve", [[0, 1000]], 2000, 10_000, 100],
    ["more than ten seconds are what they are", [[0, 1000], [10_400, 40]], 10_400, 10_400, 100], // biome-ignore format: pairs
    ["a sample lives for eleven seconds after its last record", [[0, 1000], [999, 200]], 11_998, 11_998, 1200 / 11.998], // biome-ignore format: pairs
    ["and not one millisecond longer", [[0, 1000], [999, 200]], 11_999, 10_000, 0], // biome-ignore format: pairs
    ["what is taken back is gone", [[0, 1000], [10, -1000]], 10, 10_010, 0], // biome-ignore format: pairs
  ] as const)("%s", (_, records, nowMs, elapsedMs, perSecond) => {
    const rate = rateOf(...records);
    expect(rate.elapsedMs(nowMs)).toBe(elapsedMs);
    expect(rate.rate(nowMs)).toBeCloseTo(perSecond, 9);
  });

  it.each([
    // (100 - 50) / 50 × 10,000 ms
    [[[0, 1000]], 50, 0, 10_000],
    [[[0, 1000]], 50, 500, 9500],
    // At the limit is not above it.
    [[[0, 1000]], 100, 0, 0],
    // 1200 / 10.5 = 114.2857; 0.142857 × 10,500 ms
    [[[0, 600], [1500, 600]], 100, 1500, 1500], // biome-ignore format: pairs
    // Rounded, not cut off: 100 bytes at this rate are 10.0106 s, of which 10 count as passed.
    [[[0, 100]], 100 / 10.0106, 0, 11],
    [[[0, 100]], 100 / 10.0104, 0, 10],
    [[[0, 1]], 1 / 3600, 0, 3_590_000],
  ] as const)("of %j at a limit of %d is throttled at %d ms for %d ms", (records, limit, nowMs, throttleTimeMs) => {
    expect(rateOf(...records).throttleTimeMs(limit, nowMs)).toBe(throttleTimeMs);
  });

  /** The same, slowly: all that ever happened, gone through again from the start for every answer. */
  function twin(steps: readonly Step[]): { readonly total: number; readonly elapsedMs: number } {
    let nowMs = 0;
    let current = -1;
    const slots: { value: number; from: number; last: number }[] = [];
    const purge = (): void => {
      for (const [index, slot] of slots.entries()) if (nowMs - slot.last >= 11_000) slots[index] = { value: 0, from: nowMs, last: nowMs };
    };
    for (const [afterMs, value] of steps) {
      nowMs += afterMs;
      const slot = slots[current];
      if (slot === undefined || nowMs - slot.from >= 1000) {
        current = slots.length === 0 ? 0 : (current + 1) % 12;
        slots[current] = { value: 0, from: nowMs, last: nowMs };
      }
      const open = slots[current] as { value: number; from: number; last: number };
      open.value += value;
      open.last = nowMs;
      purge();
    }
    const oldest = Math.min(nowMs, ...slots.map(({ from }) => from));
    let elapsedMs = nowMs - oldest;
    for (let whole = Math.floor(elapsedMs / 1000); whole < 10; whole += 1) elapsedMs += 1000;
    return { total: slots.reduce((sum, { value }) => sum + value, 0), elapsedMs: Math.max(1, elapsedMs) };
  }

  it("is what its slow twin says, over any history", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(fc.nat(1500), fc.nat(15_000)), fc.nat(10_000)), { minLength: 1, maxLength: 60 }), (steps) => {
        const rate = new SampledRate();
        let nowMs = 0;
        for (const [index, [afterMs, value]] of steps.entries()) {
          nowMs += afterMs;
          rate.record(value, nowMs);
          const expected = twin(steps.slice(0, index + 1));
          expect(rate.total(nowMs)).toBe(expected.total);
          expect(rate.elapsedMs(nowMs)).toBe(expected.elapsedMs);
        }
      }),
    );
  });
});

describe("a client that waits as long as it is told", () => {
  const limit = 1000;

  it("never gets more over eleven windows than its limit, the burst of one window and its last request", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(fc.constant(0), fc.nat(800), fc.nat(14_000)), fc.integer({ min: 1, max: 12_000 })), {
          minLength: 1,
          maxLength: 80,
        }),
        (requests) => {
          const meter = new ClientMeter();
          const handled: { atMs: number; byteLength: number }[] = [];
          let nowMs = 0;
          let heardAtMs = 0;
          for (const [afterMs, byteLength] of requests) {
            nowMs = Math.max(nowMs + afterMs, heardAtMs);
            handled.push({ atMs: nowMs, byteLength });
            const { throttleTimeMs } = meter.produced(
              (key) => (key === "producerByteRate" ? limit : Number.POSITIVE_INFINITY),
              byteLength,
              0,
              nowMs,
            );
            heardAtMs = nowMs + throttleTimeMs;
          }
          const largest = Math.max(...handled.map(({ byteLength }) => byteLength));
          for (const { atMs } of handled) {
            const within = handled.filter((each) => each.atMs >= atMs && each.atMs < atMs + 11_000);
            const byteLength = within.reduce((sum, each) => sum + each.byteLength, 0);
            // The last one in may be of any size: it is counted after it was taken, as Kafka does. One byte for the rounding of each wait.
            expect(byteLength).toBeLessThanOrEqual((11 + BURST_SECONDS) * limit + largest + within.length);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("gets its limit in the long run, and the burst it began with, however much it asks for", () => {
    const meter = new ClientMeter();
    let nowMs = 0;
    let byteLength = 0;
    while (nowMs < 300_000) {
      byteLength += 100;
      nowMs += 1 + meter.produced((key) => (key === "producerByteRate" ? limit : Number.POSITIVE_INFINITY), 100, 0, nowMs).throttleTimeMs;
    }
    expect(byteLength / limit).toBeGreaterThan(280);
    expect(byteLength / limit).toBeLessThan(300 + 2 * BURST_SECONDS);
  });

  it("gets what it asks for, and is not throttled, while it asks for less than its limit", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 60 }), (sizes) => {
        const meter = new ClientMeter();
        for (const [second, byteLength] of sizes.entries())
          expect(meter.produced(() => limit, byteLength, 0, second * 1000).throttleTimeMs).toBe(0);
      }),
    );
  });
});

describe("a client's meter", () => {
  const only = (wanted: string, limit: number) => (key: string) => (key === wanted ? limit : Number.POSITIVE_INFINITY);

  it("counts time in percent of a thread, and never throttles for more than a window", () => {
    const meter = new ClientMeter();
    // 2 s of work in the first 10 s are 20 %; the limit is 10 %.
    expect(meter.produced(only("requestPercentage", 10), 0, 2000, 0)).toEqual({ throttleTimeMs: 1000, key: "requestPercentage" });
    const other = new ClientMeter();
    // 1.05 s in 10 s are 10.5 %: (10.5 - 10) / 10 × 10,000 ms
    expect(other.produced(only("requestPercentage", 10), 0, 1050, 0)).toEqual({ throttleTimeMs: 500, key: "requestPercentage" });
  });

  it("goes by the longer of two throttles", () => {
    const limits = (): number => 10;
    expect(new ClientMeter().produced(limits, 150, 1050, 0)).toEqual({ throttleTimeMs: 5000, key: "producerByteRate" });
    expect(new ClientMeter().produced(limits, 101, 1050, 0)).toEqual({ throttleTimeMs: 500, key: "requestPercentage" });
  });

  it("takes back what a fetch over quota did not give", () => {
    const meter = new ClientMeter();
    const limits = only("consumerByteRate", 100);
    expect(meter.fetched(limits, 900, 0, 0)).toMatchObject({ throttleTimeMs: 0, holdsBack: false });
    expect(meter.fetched(limits, 300, 0, 0)).toMatchObject({ throttleTimeMs: 2000, holdsBack: true });
    // As if it had not been: the 100 left of the window are there still.
    expect(meter.fetched(limits, 100, 0, 0)).toMatchObject({ throttleTimeMs: 0, holdsBack: false });
  });

  it("says what a fetch may bring", () => {
    const meter = new ClientMeter();
    const limits = only("consumerByteRate", 100);
    expect(meter.fetchable(limits, 0)).toBe(1000);
    meter.fetched(limits, 700, 0, 0);
    expect(meter.fetchable(limits, 0)).toBe(300);
    expect(meter.fetchable(limits, 500)).toBe(350);
    meter.fetched(limits, 350, 0, 500);
    expect(meter.fetchable(limits, 500)).toBe(0);
    expect(meter.fetchable(() => Number.POSITIVE_INFINITY, 0)).toBe(Number.POSITIVE_INFINITY);
  });

  it("lets a batch larger than the whole window pass alone, and throttles for it", () => {
    const meter = new ClientMeter();
    const limits = only("consumerByteRate", 100);
    expect(meter.fetched(limits, 5000, 0, 0)).toMatchObject({ throttleTimeMs: 40_000, holdsBack: false });
    expect(meter.fetched(limits, 5000, 0, 1000)).toMatchObject({ holdsBack: true });
    expect(meter.fetched(limits, 5000, 0, 41_000)).toMatchObject({ holdsBack: false });
  });

  it("is idle when nothing it counted is alive", () => {
    const meter = new ClientMeter();
    expect(meter.isIdle(0)).toBe(true);
    meter.produced(() => 100, 1, 1, 0);
    expect(meter.isIdle(10_999)).toBe(false);
    expect(meter.isIdle(11_000)).toBe(true);
  });
});
