/** When a partition wants to be compacted, and which segments are rewritten into one: over facts alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CompactionFacts, compactionNeed, isDue } from "../../src/log/compaction/compaction-need.ts";
import { groupSegments } from "../../src/log/compaction/segment-groups.ts";

const NOW_MS = 1_000_000;
const NO_LAGS = { minCompactionLagMs: 0, maxCompactionLagMs: Number.POSITIVE_INFINITY };

/** Segments of ten offsets and 100 bytes; timestamps as given, the active one last. */
function facts(count: number, more: Partial<CompactionFacts> = {}, timestamps: readonly number[] = []): CompactionFacts {
  const segments = Array.from({ length: count }, (_, index) => {
    return { baseOffset: index * 10, byteLength: 100, maxTimestamp: timestamps[index] ?? 0, firstTimestamp: timestamps[index] ?? -1 };
  });
  const end = count * 10;
  return { segments, firstDirtyOffset: null, logStartOffset: 0, logEndOffset: end, lastStableOffset: end, settledOffset: end, ...more };
}

describe("the need of compaction", () => {
  it("is of everything but the active segment, where no pass has been", () => {
    expect(compactionNeed(facts(4), NO_LAGS, NOW_MS)).toEqual({
      firstDirtyOffset: 0,
      firstUncleanableOffset: 30,
      cleanableBytes: 300,
      ratio: 1,
      mustClean: false,
    });
    expect(compactionNeed(facts(1), NO_LAGS, NOW_MS)).toMatchObject({ cleanableBytes: 0, ratio: 0 });
  });

  it("counts a segment in which a pass ended on both sides, as Kafka does", () => {
    expect(compactionNeed(facts(4, { firstDirtyOffset: 15 }), NO_LAGS, NOW_MS)).toMatchObject({ cleanableBytes: 200, ratio: 200 / 400 });
    expect(compactionNeed(facts(4, { firstDirtyOffset: 20 }), NO_LAGS, NOW_MS)).toMatchObject({ cleanableBytes: 100, ratio: 100 / 300 });
  });

  it("ends at the segment that holds the last stable offset, or what is not settled", () => {
    for (const limit of ["lastStableOffset", "settledOffset"] as const) {
      expect(compactionNeed(facts(4, { [limit]: 25 }), NO_LAGS, NOW_MS)).toMatchObject({ firstUncleanableOffset: 20, cleanableBytes: 200 });
      expect(compactionNeed(facts(4, { [limit]: 20 }), NO_LAGS, NOW_MS)).toMatchObject({ firstUncleanableOffset: 20 });
    }
  });

  it("is of nothing while a transaction is open that began before what is left of the log", () => {
    const [, ...later] = facts(4).segments;
    const need = compactionNeed({ ...facts(4, { logStartOffset: 10, lastStableOffset: 5 }), segments: later }, NO_LAGS, NOW_MS);
    expect(need).toMatchObject({ firstDirtyOffset: 10, firstUncleanableOffset: 10, cleanableBytes: 0, ratio: 0 });
  });

  it("does not believe a line that points outside the log, or where no pass can have been", () => {
    for (const more of [
      { firstDirtyOffset: 5, logStartOffset: 10 },
      { firstDirtyOffset: 99, logStartOffset: 10 },
      { firstDirtyOffset: 30, logStartOffset: 10, settledOffset: 20 },
    ])
      expect(compactionNeed(facts(4, more), NO_LAGS, NOW_MS).firstDirtyOffset).toBe(10);
    expect(compactionNeed(facts(4, { firstDirtyOffset: 30 }), NO_LAGS, NOW_MS)).toMatchObject({ firstDirtyOffset: 30, cleanableBytes: 0 });
  });

  it("stops at the first dirty segment that is younger than minCompactionLagMs", () => {
    const rules = { ...NO_LAGS, minCompactionLagMs: 1000 };
    const young = facts(4, {}, [NOW_MS - 5000, NOW_MS - 999, NOW_MS - 5000, 0]);
    expect(compactionNeed(young, rules, NOW_MS)).toMatchObject({ firstUncleanableOffset: 10, cleanableBytes: 100 });
    expect(compactionNeed(young, rules, NOW_MS + 1)).toMatchObject({ firstUncleanableOffset: 30 });
    // What is clean already does not hold up what is not.
    expect(compactionNeed({ ...young, firstDirtyOffset: 20 }, rules, NOW_MS)).toMatchObject({
      firstUncleanableOffset: 30,
      cleanableBytes: 100,
    });
  });

  it("must be met when a dirty segment's first batch has waited longer than maxCompactionLagMs, whatever the ratio", () => {
    const rules = { ...NO_LAGS, maxCompactionLagMs: 1000 };
    const waiting = facts(4, { firstDirtyOffset: 20 }, [1, 1, NOW_MS - 1001, 1]);
    const need = compactionNeed(waiting, rules, NOW_MS);
    expect(need.mustClean).toBe(true);
    expect(isDue(need, { minCleanableDirtyRatio: 1 })).toBe(true);
    expect(compactionNeed(waiting, rules, NOW_MS - 1).mustClean).toBe(false);
    expect(isDue(compactionNeed(waiting, NO_LAGS, NOW_MS), { minCleanableDirtyRatio: 0.4 })).toBe(false);
    // Strictly more than the ratio.
    expect(isDue({ ...need, mustClean: false, ratio: 0.5 }, { minCleanableDirtyRatio: 0.5 })).toBe(false);
    expect(isDue({ ...need, mustClean: false, ratio: 0.51 }, { minCleanableDirtyRatio: 0.5 })).toBe(true);
  });
});

describe("groups of segments", () => {
  const segment = fc.record({
    span: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    byteLength: fc.nat(300),
    indexByteLength: fc.nat(60),
    timeIndexByteLength: fc.nat(60),
  });
  const config = { segmentBytes: 400, segmentIndexBytes: 100 };

  it("hold every segment once, in order, fit one segment by bytes, indexes and offsets, and none could take the next one", () => {
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 20 }), (spans) => {
        let baseOffset = 0;
        const segments = spans.map(({ span, ...lengths }) => {
          const made = { baseOffset, endOffset: baseOffset + span, ...lengths };
          baseOffset += span;
          return made;
        });
        const groups = groupSegments(segments, config);
        expect(groups.flat()).toEqual(segments);
        const fits = (group: typeof segments): boolean => {
          const sum = (of: "byteLength" | "indexByteLength" | "timeIndexByteLength"): number =>
            group.reduce((total, each) => total + each[of], 0);
          const first = group[0];
          const reach = Math.max(
            0,
            ...group
              .slice(1)
              .filter((each) => each.byteLength > 0)
              .map((each) => each.endOffset - 1 - (first?.baseOffset ?? 0)),
          );
          return sum("byteLength") <= 400 && sum("indexByteLength") <= 100 && sum("timeIndexByteLength") <= 100 && reach <= 2 ** 31 - 1;
        };
        for (const [index, group] of groups.entries()) {
          expect(group.length === 1 || fits(group)).toBe(true);
          const next = groups[index + 1]?.[0];
          if (next !== undefined) expect(fits([...group, next])).toBe(false);
        }
      }),
    );
  });
});
