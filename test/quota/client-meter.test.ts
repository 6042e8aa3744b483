import { describe, expect, it } from "vitest";
import type { QuotaKey } from "../../src/api/odradek.ts";
import { ClientMeter } from "../../src/quota/client-meter.ts";
import { BURST_SECONDS, SampledRate, WINDOW_MS } from "../../src/quota/sampled-rate.ts";

const LIMIT = 100;
const WHOLE_WINDOW = LIMIT * BURST_SECONDS;
const only =
  (...keys: readonly QuotaKey[]) =>
  (key: QuotaKey): number =>
    keys.includes(key) ? LIMIT : Number.POSITIVE_INFINITY;
const reading = only("consumerByteRate");

describe("what a client fetches", () => {
  it("passes alone when it is larger than the client's whole window, and only then", () => {
    expect(new ClientMeter().fetched(reading, WHOLE_WINDOW + 1, 0, 0)).toMatchObject({ holdsBack: false });
    const full = new ClientMeter();
    expect(full.fetched(reading, WHOLE_WINDOW, 0, 0)).toMatchObject({ throttleTimeMs: 0, holdsBack: false });
    // Its window is full now: the same again is held back, and so is what is larger than any window.
    expect(full.fetched(reading, WHOLE_WINDOW, 0, 0)).toMatchObject({ holdsBack: true });
    expect(full.fetched(reading, WHOLE_WINDOW + 1, 0, 0)).toMatchObject({ holdsBack: true });
  });

  it("is not counted when it is held back, and nothing is held back of an answer without bytes", () => {
    const meter = new ClientMeter();
    meter.fetched(reading, WHOLE_WINDOW, 0, 0);
    const first = meter.fetched(reading, 500, 0, 0);
    expect(first).toMatchObject({ holdsBack: true, key: "consumerByteRate" });
    expect(meter.fetched(reading, 500, 0, 0)).toEqual(first);
    meter.fetched(reading, WHOLE_WINDOW + 1, 0, 60_000);
    expect(meter.fetched(reading, 0, 0, 60_000)).toMatchObject({ throttleTimeMs: expect.any(Number), holdsBack: false });
  });

  it("has no bound where the client has no limit", () => {
    expect(new ClientMeter().fetchable(only("requestPercentage"), 0)).toBe(Number.POSITIVE_INFINITY);
    expect(new ClientMeter().fetchable(reading, 0)).toBe(WHOLE_WINDOW);
  });
});

describe("of two throttles", () => {
  it("the longer one is told, with its quota; of two alike that of the bytes", () => {
    const meter = new ClientMeter();
    const both = only("producerByteRate", "requestPercentage");
    expect(meter.produced(both, 0, 0, 0)).toEqual({ throttleTimeMs: 0, key: "producerByteRate" });
    // A thread for a minute: more than a window, and told as a window.
    expect(meter.produced(both, 1, 60_000, 0)).toEqual({ throttleTimeMs: WINDOW_MS, key: "requestPercentage" });
    expect(new ClientMeter().produced(both, 100 * WHOLE_WINDOW, 1, 0)).toMatchObject({ key: "producerByteRate" });
  });
});

describe("a rate", () => {
  it("is idle when its last sample counts no more, and not when another does", () => {
    const rate = new SampledRate();
    expect(rate.isIdle(0)).toBe(true);
    rate.record(5, 1_000_000);
    expect(rate.isIdle(1_000_000)).toBe(false);
    let idleAtMs = 1_000_000;
    while (!rate.isIdle(idleAtMs)) idleAtMs += 100;
    rate.record(5, idleAtMs - 200);
    expect(rate.isIdle(idleAtMs)).toBe(false);
  });
});
