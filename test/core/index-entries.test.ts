import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  OFFSET_ENTRY_BYTE_LENGTH,
  offsetEntryPosition,
  offsetEntryRelativeOffset,
  TIME_ENTRY_BYTE_LENGTH,
  timeEntryRelativeOffset,
  timeEntryTimestamp,
  writeOffsetEntry,
  writeTimeEntry,
} from "../../src/core/index-entries.ts";
import { coreOf } from "./builds.ts";
import { bigEndian } from "./twin/batch.ts";

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
          writeOffsetEntry(offsets, index, offset, position);
          expect([...offsets.subarray(index * 8, index * 8 + 8)]).toEqual([...bigEndian(offset, 4), ...bigEndian(position, 4)]);
          expect([offsetEntryRelativeOffset(offsets, index), offsetEntryPosition(offsets, index)]).toEqual([offset, position]);
          const times = new Uint8Array(4 * TIME_ENTRY_BYTE_LENGTH);
          writeTimeEntry(times, index, timestamp, offset);
          expect([...times.subarray(index * 12, index * 12 + 12)]).toEqual([...bigEndian(timestamp, 8), ...bigEndian(offset, 4)]);
          expect([timeEntryTimestamp(times, index), timeEntryRelativeOffset(times, index)]).toEqual([timestamp, offset]);
        },
      ),
    );
  });

  it("are found as by looking at each one", async () => {
    const core = await coreOf("release");
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 40 }), fc.integer({ min: -1, max: 1001 }), (values, target) => {
        const sorted = rising(values);
        const offsets = new Uint8Array(sorted.length * OFFSET_ENTRY_BYTE_LENGTH);
        const times = new Uint8Array(sorted.length * TIME_ENTRY_BYTE_LENGTH);
        for (const [i, value] of sorted.entries()) {
          writeOffsetEntry(offsets, i, value, i * 100);
          writeTimeEntry(times, i, value + 2 ** 40, i);
        }
        const expected = sorted.findLastIndex((value) => value <= target);
        expect(core.findOffsetEntry(offsets, target)).toBe(expected);
        expect(core.findTimeEntry(times, target + 2 ** 40)).toBe(expected);
      }),
    );
  });
});
