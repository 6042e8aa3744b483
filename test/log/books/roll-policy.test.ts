/**
 * When a batch opens a new segment. Of these rules the logs of other tests met the size alone: a topic's maxCompactionLagMs, the
 * time 0 and three of the four reasons could be taken out of the code and no test said a word.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RollFacts, rollReason, SEGMENT_BYTE_LENGTH_MAX } from "../../../src/log/append/roll-policy.ts";

const NOW = 1_700_000_000_000;
const CONFIG = {
  segmentBytes: 1000,
  segmentMs: 5000,
  segmentIndexBytes: 100,
  cleanupPolicy: "delete" as const,
  maxCompactionLagMs: 2000,
};

const segment = (facts: Partial<RollFacts> = {}): RollFacts => ({
  baseOffset: 100,
  byteLength: 500,
  firstTimestamp: NOW,
  createdAtMs: NOW,
  indexIsFull: () => false,
  ...facts,
});

interface Batch {
  readonly byteLength?: number;
  readonly lastOffset?: number;
  readonly maxTimestamp?: number;
}

function reason(facts: Partial<RollFacts>, batch: Batch = {}, config: Partial<Parameters<typeof rollReason>[4]> = {}, nowMs = NOW) {
  const { byteLength = 10, lastOffset = 110, maxTimestamp = NOW } = batch;
  return rollReason(segment(facts), byteLength, lastOffset, maxTimestamp, { ...CONFIG, ...config }, { now: () => nowMs });
}

describe("a roll", () => {
  it("comes when the batch would go past segmentBytes, not when it fills them", () => {
    expect(reason({ byteLength: 990 })).toBe(null);
    expect(reason({ byteLength: 991 })).toBe("bytes");
    expect(reason({ byteLength: 990 }, { byteLength: 11 })).toBe("bytes");
  });

  it("comes before a position that an index entry cannot hold, whatever segmentBytes says", () => {
    const config = { segmentBytes: 2 ** 40 };
    expect(reason({ byteLength: SEGMENT_BYTE_LENGTH_MAX - 10 }, {}, config)).toBe(null);
    expect(reason({ byteLength: SEGMENT_BYTE_LENGTH_MAX - 9 }, {}, config)).toBe("bytes");
  });

  it("comes before an offset that is 2^31 away from the base, of an empty segment too", () => {
    for (const byteLength of [0, 500]) {
      expect(reason({ byteLength }, { lastOffset: 100 + 2 ** 31 - 1 })).toBe(null);
      expect(reason({ byteLength }, { lastOffset: 100 + 2 ** 31 })).toBe("offset");
    }
  });

  it("never comes of an empty segment for its size, its age or its index", () => {
    const facts = { byteLength: 0, firstTimestamp: 0, createdAtMs: 0, indexIsFull: () => true };
    expect(reason(facts, { byteLength: 5000 })).toBe(null);
  });

  it("goes by the records' own times where the first batch has one, the time 0 included, and by the clock where it has none", () => {
    expect(reason({ firstTimestamp: NOW - 5000, createdAtMs: 0 })).toBe(null);
    expect(reason({ firstTimestamp: NOW - 5001, createdAtMs: NOW })).toBe("time");
    expect(reason({ firstTimestamp: 0, createdAtMs: 0 }, { maxTimestamp: 5000 })).toBe(null);
    expect(reason({ firstTimestamp: 0, createdAtMs: NOW }, { maxTimestamp: 5001 })).toBe("time");
    expect(reason({ firstTimestamp: -1, createdAtMs: NOW - 5000 }, { maxTimestamp: -1 })).toBe(null);
    expect(reason({ firstTimestamp: -1, createdAtMs: NOW - 5001 }, { maxTimestamp: -1 })).toBe("time");
    // The clock has no say where the records have times: those may be of any year.
    expect(reason({ firstTimestamp: 7, createdAtMs: 0 }, { maxTimestamp: 7 }, {}, NOW * 2)).toBe(null);
  });

  it("comes of a compacted topic when maxCompactionLagMs has passed, if that is sooner; of another topic it does not", () => {
    const waited = (ms: number, config: Partial<Parameters<typeof rollReason>[4]>) => reason({ firstTimestamp: NOW - ms }, {}, config);
    for (const cleanupPolicy of ["compact", "compact,delete"] as const) {
      expect([2000, 2001].map((ms) => waited(ms, { cleanupPolicy }))).toEqual([null, "time"]);
      expect([5000, 5001].map((ms) => waited(ms, { cleanupPolicy, maxCompactionLagMs: 9000 }))).toEqual([null, "time"]);
    }
    expect(waited(2001, { cleanupPolicy: "delete" })).toBe(null);
  });

  it("comes when the index has no room for another entry, being asked for its size", () => {
    expect(reason({ indexIsFull: (byteLength) => byteLength === 100 })).toBe("index");
    expect(reason({ indexIsFull: (byteLength) => byteLength !== 100 })).toBe(null);
  });

  it("has one reason, the first of offset, bytes, time and index", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean(), (offset, bytes, time, index) => {
        const facts = { byteLength: bytes ? 1000 : 500, firstTimestamp: NOW - (time ? 9000 : 0), indexIsFull: () => index };
        const expected = offset ? "offset" : bytes ? "bytes" : time ? "time" : index ? "index" : null;
        expect(reason(facts, { lastOffset: offset ? 2 ** 32 : 101 })).toBe(expected);
      }),
    );
  });
});
