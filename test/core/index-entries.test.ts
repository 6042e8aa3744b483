import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CoreMemory } from "../../src/core/core-host.ts";
import {
  OFFSET_ENTRY_BYTE_LENGTH,
  offsetEntryPosition,
  offsetEntryRelativeOffset,
  TIME_ENTRY_BYTE_LENGTH,
  timeEntryRelativeOffset,
  timeEntryTimestamp,
  writeForeignTimeEntry,
} from "../../src/core/index-entries.ts";
import { findEntry } from "../../src/core/index-search.ts";
import { BUILDS, coreOf, exportsOf } from "./builds.ts";
import { bigEndian } from "./twin/batch.ts";
import { type SlowEntry, slowEntryBytes, slowFind, slowOffsetFollows, slowTimeFollows } from "./twin/index-entries.ts";

const anyInt32 = fc.nat(2 ** 31 - 1);
const rising = (values: number[]): number[] => [...new Set(values)].sort((a, b) => a - b);

describe("index entries", () => {
  it("are written and read as Kafka lays them out", () => {
    fc.assert(
      fc.property(
        anyInt32,
        anyInt32,
        fc.oneof(fc.maxSafeNat(), fc.constantFrom(-1, 2 ** 32, 2 ** 32 - 1)),
        fc.nat(3),
        (offset, position, timestamp, index) => {
          const offsets = new Uint8Array(4 * OFFSET_ENTRY_BYTE_LENGTH);
          offsets.set([...bigEndian(offset, 4), ...bigEndian(position, 4)], index * OFFSET_ENTRY_BYTE_LENGTH);
          expect([offsetEntryRelativeOffset(offsets, index), offsetEntryPosition(offsets, index)]).toEqual([offset, position]);
          const times = new Uint8Array(4 * TIME_ENTRY_BYTE_LENGTH);
          writeForeignTimeEntry(times, index, timestamp, offset);
          expect([...times.subarray(index * 12, index * 12 + 12)]).toEqual([...bigEndian(timestamp, 8), ...bigEndian(offset, 4)]);
          expect([timeEntryTimestamp(times, index), timeEntryRelativeOffset(times, index)]).toEqual([timestamp, offset]);
        },
      ),
    );
  });
});

const anyField = fc.oneof(
  fc.nat(300),
  anyInt32,
  fc.constantFrom(-1, 0.5, Number.NaN, 2 ** 31, 2 ** 31 - 1, -(2 ** 31), Number.POSITIVE_INFINITY),
);
const anyTime = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constantFrom(-2, -1, 0.5, Number.NaN, 2 ** 53, 2 ** 53 - 1, 2 ** 32));
const anyTarget = fc.oneof(
  fc.integer({ min: -2, max: 1001 }),
  fc.constantFrom(2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 53, 300.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
const TIME = 2 ** 40;

describe.each(BUILDS)("index entries in the core (%s)", (build) => {
  it("are found as by looking at each one", async () => {
    const core = await coreOf(build);
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 40 }), anyTarget, fc.nat(11), (values, target, tornByteLength) => {
        const entries = rising(values).map((value, i): SlowEntry => [value, i * 100]);
        // Half an entry at the end of a file is none.
        const torn = (bytes: Uint8Array, byteLength: number): Uint8Array => new Uint8Array([...bytes, ...new Uint8Array(byteLength)]);
        const expected = slowFind(entries, target);
        expect(core.findOffsetEntry(torn(slowEntryBytes(entries, 4), tornByteLength % 8), target)).toBe(expected);
        const later = entries.map(([value, second]): SlowEntry => [value + TIME, second]);
        expect(core.findTimeEntry(torn(slowEntryBytes(later, 8), tornByteLength), target + TIME)).toBe(slowFind(later, target + TIME));
      }),
      { numRuns: 500 },
    );
  });

  // A file of another's making may hold any 64 bits as a time.
  it("are found by times of any 64 bits, each taken as the nearest number", async () => {
    const core = await coreOf(build);
    const anyInt64 = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -1n, max: 2n ** 53n - 1n }),
      fc.tuple(fc.nat(62), fc.bigInt({ min: -1n, max: 1n })).map(([bits, by]) => 2n ** BigInt(bits) + by),
    );
    fc.assert(
      fc.property(fc.array(anyInt64, { minLength: 1, maxLength: 12 }), fc.nat(11), fc.integer({ min: -1, max: 1 }), (values, near, by) => {
        const times = values.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        const bytes = new Uint8Array(times.flatMap((time, i) => [...bigEndian(time, 8), ...bigEndian(i, 4)]));
        const target = Number(times[near % times.length]) + by;
        expect(core.findTimeEntry(bytes, target)).toBe(times.findLastIndex((time) => Number(time) <= target));
      }),
      { numRuns: 200 },
    );
  });

  it("are found at every target around each of them", async () => {
    const core = await coreOf(build);
    for (let count = 0; count <= 9; count++) {
      const entries = Array.from({ length: count }, (_, i): SlowEntry => [i * 2, i]);
      for (let target = -1; target <= count * 2; target++) {
        expect(core.findOffsetEntry(slowEntryBytes(entries, 4), target), `${target} of ${count}`).toBe(slowFind(entries, target));
        expect(core.findTimeEntry(slowEntryBytes(entries, 8), target), `${target} of ${count}`).toBe(slowFind(entries, target));
      }
    }
  });

  it("are found among more than its staging window holds", async () => {
    const core = await coreOf(build);
    const all = Array.from({ length: 30_000 }, (_, i): SlowEntry => [i * 3 + 1, i]);
    const [allOffsets, allTimes] = [slowEntryBytes(all, 4), slowEntryBytes(all, 8)];
    for (const count of [5461, 5462, 8191, 8192, 8193, 16_384, 16_385, 30_000]) {
      const entries = all.slice(0, count);
      const offsets = allOffsets.subarray(0, count * OFFSET_ENTRY_BYTE_LENGTH);
      const times = allTimes.subarray(0, count * TIME_ENTRY_BYTE_LENGTH);
      const targets = [
        0,
        1,
        2,
        3 * 5461,
        3 * 5461 + 1,
        3 * 8192,
        3 * 8192 + 1,
        3 * 8192 + 2,
        3 * 16_384,
        3 * 16_384 + 1,
        count * 3 - 3,
        count * 3 - 2,
        count * 3,
      ];
      for (const target of targets) {
        const expected = slowFind(entries, target);
        expect(core.findOffsetEntry(offsets, target), `${target} among ${count} offsets`).toBe(expected);
        expect(core.findTimeEntry(times, target), `${target} among ${count} times`).toBe(expected);
      }
    }
  });

  it("follow one another as the rules say, and those that do not change nothing", async () => {
    const core = await coreOf(build);
    const seen = { accepted: 0, refused: 0 };
    const anyEntries = (first: fc.Arbitrary<number>): fc.Arbitrary<SlowEntry[]> => fc.array(fc.tuple(first, anyField), { maxLength: 20 });
    fc.assert(
      fc.property(anyEntries(anyField), anyEntries(anyTime), fc.boolean(), (offsets, times, sorts) => {
        for (const [entries, follows, append, firstByteLength] of [
          [offsets, slowOffsetFollows, core.appendOffsetEntry.bind(core), 4],
          [times, slowTimeFollows, core.appendTimeEntry.bind(core), 8],
        ] as const) {
          const seconds = entries.map(([, second]) => second).sort((a, b) => a - b);
          const given = sorts ? [...entries].sort(([a], [b]) => a - b).map(([first], i): SlowEntry => [first, seconds[i]!]) : entries;
          const expected: SlowEntry[] = [];
          const bytes = new Uint8Array(given.length * (firstByteLength + 4));
          for (const entry of given) {
            const isNext = follows(expected.at(-1), entry);
            expect(append(bytes, expected.length, ...entry)).toBe(isNext);
            seen[isNext ? "accepted" : "refused"]++;
            if (isNext) expected.push(entry);
          }
          const written = slowEntryBytes(expected, firstByteLength);
          expect([...bytes.subarray(0, written.length)]).toEqual([...written]);
          expect(bytes.subarray(written.length).every((byte) => byte === 0)).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(300);
  });

  it("are not searched where they are more than two looks could find one in", () => {
    const looks: number[] = [];
    const memory = { bytes: new Uint8Array(16), stagingAt: 0, stagingByteLength: 16 } as CoreMemory;
    const find = (_at: number, byteLength: number): number => looks.push(byteLength) - 1;
    // Two entries at a time: two times two, and no more.
    expect(findEntry(memory, find, 8, new Uint8Array(32), 5)).toBe(1);
    expect(looks).toEqual([16, 16]);
    expect(() => findEntry(memory, find, 8, new Uint8Array(40), 5)).toThrow(RangeError);
  });

  it("are written behind none at least: not behind one less, and nothing is touched", async () => {
    const raw = await exportsOf(build);
    const at = 1 << 20;
    const bytes = new Uint8Array(raw.memory.buffer, at - 16, 32);
    for (const append of [raw.appendOffsetEntry, raw.appendTimeEntry]) {
      bytes.fill(0xa5);
      for (const count of [-1, -2, 2 ** 31 - 1, Math.floor((2 ** 31 - 1) / 8)]) {
        expect(() => append(at, count, 1, 1), `${count}`).toThrowError(/unreachable/);
      }
      expect([...bytes]).toEqual(Array(32).fill(0xa5));
      expect(append(at, 0, 0.5, 1), "no such entry").toBe(-6);
      // Numbers that are not the count: it is the count that is answered.
      expect(append(at, 0, 7, 9)).toBe(1);
      expect(append(at, 1, 7, 9), "out of order").toBe(-6);
      expect(append(at, 1, 8, 10)).toBe(2);
    }
  });

  it("follow by one as well as by many, and from nothing at all", async () => {
    const core = await coreOf(build);
    const anyNumber = fc.oneof(
      fc.nat(2 ** 31 - 2),
      fc.nat(30).map((bits) => 2 ** bits),
      fc.constant(0),
    );
    fc.assert(
      fc.property(anyNumber, anyNumber, (first, second) => {
        for (const [isNext, ...entry] of [
          [true, first + 1, second + 1],
          [false, first, second + 1],
          [false, first + 1, second],
        ] as const) {
          const offsets = new Uint8Array(16);
          expect(core.appendOffsetEntry(offsets, 0, first, second)).toBe(true);
          expect(core.appendOffsetEntry(offsets, 1, entry[0], entry[1]), `${entry} behind ${first}, ${second}`).toBe(isNext);
        }
        for (const [isNext, ...entry] of [
          [true, first + 1, second],
          [false, first, second],
          [false, first + 1, second - 1],
        ] as const) {
          const times = new Uint8Array(24);
          expect(core.appendTimeEntry(times, 0, first, second)).toBe(true);
          expect(core.appendTimeEntry(times, 1, entry[0], entry[1]), `${entry} behind ${first}, ${second}`).toBe(isNext);
        }
      }),
    );
  });

  it("are not written where there is no room for them", async () => {
    const core = await coreOf(build);
    for (const count of [-1, 2, 0.5, Number.NaN]) {
      expect(() => core.appendOffsetEntry(new Uint8Array(16), count, 1, 1)).toThrowError(RangeError);
      expect(() => core.appendTimeEntry(new Uint8Array(24), count, 1, 1)).toThrowError(RangeError);
    }
  });
});
