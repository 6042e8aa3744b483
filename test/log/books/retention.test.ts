import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RetentionSegment, segmentsToDelete } from "../../../src/log/upkeep/retention.ts";

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;
const FOREVER = { retentionMs: Number.POSITIVE_INFINITY, retentionBytes: Number.POSITIVE_INFINITY, cleanupPolicy: "delete" as const };
const ALL_BELOW = { logStartOffset: 0, highWatermark: Number.MAX_SAFE_INTEGER };

/** A log of segments of ten offsets and a hundred bytes each, told from how old their last record is in ms; null: none has a time. */
function log(...agesMs: (number | null)[]): RetentionSegment[] {
  return agesMs.map((age, index) => ({
    baseOffset: index * 10,
    nextOffset: index * 10 + 10,
    byteLength: 100,
    maxTimestamp: age === null ? -1 : NOW - age,
    active: index === agesMs.length - 1,
  }));
}

const segments = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 500 }), fc.integer({ min: -2 * DAY, max: 10 * DAY }), fc.boolean()), {
    minLength: 1,
    maxLength: 10,
  })
  .map((steps) => {
    let baseOffset = 0;
    return steps.map(([count, byteLength, age, hasTime], index): RetentionSegment => {
      const segment = {
        baseOffset,
        nextOffset: baseOffset + count,
        byteLength,
        maxTimestamp: hasTime ? NOW - age : -1,
        active: index === steps.length - 1,
      };
      baseOffset += count;
      return segment;
    });
  });
const configs = fc.record({
  retentionMs: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat({ max: 10 * DAY })),
  retentionBytes: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat({ max: 3000 })),
  cleanupPolicy: fc.constantFrom("delete", "compact", "compact,delete") as fc.Arbitrary<"delete" | "compact" | "compact,delete">,
});

describe("retention", () => {
  it("deletes nothing without cause, and never above the high watermark, for any log and settings", () => {
    fc.assert(
      fc.property(segments, configs, fc.nat({ max: 220 }), fc.nat({ max: 220 }), (given, config, highWatermark, start) => {
        const logStartOffset = Math.min(start, highWatermark);
        const decision = segmentsToDelete(given, config, { logStartOffset, highWatermark }, NOW);
        const deleted = given.slice(0, decision.count);
        expect(decision.reasons.length).toBe(decision.count);
        expect(decision.rollActive).toBe(deleted.at(-1)?.active === true);
        let left = given.reduce((total, segment) => total + segment.byteLength, 0);
        for (const [index, segment] of deleted.entries()) {
          expect(segment.nextOffset).toBeLessThanOrEqual(highWatermark);
          expect(segment.active && segment.byteLength === 0).toBe(false);
          left -= segment.byteLength;
          const reason = decision.reasons[index];
          if (reason === "start") expect(segment.nextOffset).toBeLessThanOrEqual(logStartOffset);
          else expect(config.cleanupPolicy).not.toBe("compact");
          if (reason === "size") expect(left).toBeGreaterThanOrEqual(config.retentionBytes);
          if (reason === "time") expect(segment.maxTimestamp >= 0 && NOW - segment.maxTimestamp > config.retentionMs).toBe(true);
          if (reason === "start") expect(segment.active).toBe(false);
        }
        // And nothing that has cause is left in front.
        const next = given[decision.count];
        if (
          next !== undefined &&
          next.nextOffset <= highWatermark &&
          config.cleanupPolicy !== "compact" &&
          !(next.active && next.byteLength === 0)
        ) {
          expect(next.maxTimestamp >= 0 && next.maxTimestamp <= NOW + DAY && NOW - next.maxTimestamp > config.retentionMs).toBe(false);
          expect(left - next.byteLength >= config.retentionBytes).toBe(false);
        }
      }),
    );
  });

  it("goes by the last record's age, strictly, and stops at the first segment that is young", () => {
    const config = { ...FOREVER, retentionMs: 1000 };
    expect(segmentsToDelete(log(5000, 1001, 1000, 5000, 10), config, ALL_BELOW, NOW)).toEqual({
      count: 2,
      rollActive: false,
      reasons: ["time", "time"],
    });
    expect(segmentsToDelete(log(0, 5000, 10), config, ALL_BELOW, NOW).count).toBe(0);
  });

  it("rolls the active segment when it is expired too, unless it is empty", () => {
    const config = { ...FOREVER, retentionMs: 1000 };
    expect(segmentsToDelete(log(5000, 3000), config, ALL_BELOW, NOW)).toEqual({ count: 2, rollActive: true, reasons: ["time", "time"] });
    const [old, active] = log(5000, null) as [RetentionSegment, RetentionSegment];
    expect(segmentsToDelete([old, { ...active, byteLength: 0 }], config, ALL_BELOW, NOW)).toMatchObject({ count: 1, rollActive: false });
  });

  it("keeps by time what has no time, or a time more than a day ahead", () => {
    const config = { ...FOREVER, retentionMs: 0 };
    expect(segmentsToDelete(log(null, 5000, 0), config, ALL_BELOW, NOW).count).toBe(0);
    expect(segmentsToDelete(log(-DAY - 1, 5000, 0), config, ALL_BELOW, NOW).count).toBe(0);
    expect(segmentsToDelete(log(-DAY - 1, 5000, 0), { ...config, retentionBytes: 150 }, ALL_BELOW, NOW)).toMatchObject({
      count: 2,
      reasons: ["size", "time"],
    });
  });

  // Their edges were never stood on: an epoch of 1970 was as good as none, and a day ahead as good as more.
  it("takes the time 0 and one of just a day ahead for times, and goes by the clock to the millisecond", () => {
    const config = { ...FOREVER, retentionMs: 1000 };
    const at = (maxTimestamp: number, nowMs: number, retentionMs = 1000): number => {
      const [first, active] = log(0, 0) as [RetentionSegment, RetentionSegment];
      return segmentsToDelete(
        [
          { ...first, maxTimestamp },
          { ...active, maxTimestamp: -1 },
        ],
        { ...config, retentionMs },
        ALL_BELOW,
        nowMs,
      ).count;
    };
    expect([at(0, 1000), at(0, 1001), at(-1, 1001)]).toEqual([0, 1, 0]);
    // Of something ahead of the clock the age is negative; so may the retention be, in a topic that Kafka made.
    expect([at(NOW + DAY, NOW, -DAY - 1), at(NOW + DAY + 1, NOW, -DAY - 2)]).toEqual([1, 0]);
  });

  it("takes a segment that ends with the high watermark, and none that ends behind it", () => {
    const countAt = (highWatermark: number): number =>
      segmentsToDelete(log(0, 0, 0), { ...FOREVER, retentionBytes: 0 }, { logStartOffset: 0, highWatermark }, NOW).count;
    expect([9, 10, 11, 19, 20, 29, 30].map(countAt)).toEqual([0, 1, 1, 1, 2, 2, 3]);
  });

  it("lets an empty active segment be, whatever is asked for", () => {
    const [old, active] = log(DAY, DAY) as [RetentionSegment, RetentionSegment];
    const empty = { ...active, byteLength: 0, nextOffset: active.baseOffset };
    for (const config of [
      { ...FOREVER, retentionMs: 0 },
      { ...FOREVER, retentionBytes: 0 },
    ]) {
      expect(segmentsToDelete([old, empty], config, ALL_BELOW, NOW)).toMatchObject({ count: 1, rollActive: false });
    }
  });

  it("never goes below retentionBytes, the active segment counted", () => {
    const given = log(0, 0, 0, 0);
    for (const [retentionBytes, count] of [
      [400, 0],
      [301, 0],
      [300, 1],
      [299, 1],
      [200, 2],
      [100, 3],
      [99, 3],
      [0, 4],
    ] as const) {
      expect(segmentsToDelete(given, { ...FOREVER, retentionBytes }, ALL_BELOW, NOW), `${retentionBytes}`).toMatchObject({
        count,
        rollActive: count === 4,
      });
    }
  });

  it("takes what lies before the log's start, of compacted topics too, but never the active segment for it", () => {
    for (const cleanupPolicy of ["delete", "compact", "compact,delete"] as const) {
      const at = (logStartOffset: number): number =>
        segmentsToDelete(log(0, 0, 0), { ...FOREVER, cleanupPolicy }, { logStartOffset, highWatermark: 30 }, NOW).count;
      expect([at(0), at(9), at(10), at(19), at(20), at(30)]).toEqual([0, 0, 1, 1, 2, 2]);
    }
    expect(
      segmentsToDelete(log(DAY, DAY, DAY), { retentionMs: 0, retentionBytes: 0, cleanupPolicy: "compact" }, ALL_BELOW, NOW).count,
    ).toBe(0);
  });

  it("counts a compacted segment up to where the next one begins", () => {
    const given = log(0, 0, 0).map((segment) => ({ ...segment, nextOffset: segment.baseOffset + 3 }));
    expect(segmentsToDelete(given, FOREVER, { logStartOffset: 5, highWatermark: 30 }, NOW).count).toBe(0);
    expect(segmentsToDelete(given, { ...FOREVER, retentionBytes: 0 }, { logStartOffset: 0, highWatermark: 9 }, NOW).count).toBe(0);
  });
});
