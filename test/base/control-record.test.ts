import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMarker, markerKey, markerValue } from "../../src/base/control-record.ts";

describe("a transaction's marker", () => {
  it("is read as it was written, and as a later version whose fields come first", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.integer(),
        fc.uint8Array({ maxLength: 9 }),
        fc.integer({ min: 1, max: 0x7fff }),
        (commit, epoch, more, version) => {
          const marker = { type: commit ? "commit" : "abort", coordinatorEpoch: epoch };
          const [key, value] = [markerKey(commit), markerValue(epoch)];
          expect(decodeMarker(key, value)).toEqual(marker);
          const [laterKey, laterValue] = [Uint8Array.of(...key, ...more), Uint8Array.of(...value, ...more)];
          for (const later of [laterKey, laterValue]) new DataView(later.buffer).setInt16(0, version);
          expect(decodeMarker(laterKey, laterValue)).toEqual(marker);
        },
      ),
    );
  });

  it("says no epoch where its value is too short for one, and is none where its key is", () => {
    for (const value of [null, new Uint8Array(0), markerValue(7).subarray(0, 5)]) {
      expect(decodeMarker(markerKey(true), value)).toEqual({ type: "commit", coordinatorEpoch: -1 });
    }
    for (const key of [null, new Uint8Array(0), markerKey(true).subarray(0, 3)]) expect(decodeMarker(key, markerValue(7))).toBeNull();
  });

  it("of a number that is KRaft's own ends no transaction, and keeps its number", () => {
    for (const type of [2, 5, -1]) {
      const key = markerKey(true);
      new DataView(key.buffer).setInt16(2, type);
      expect(decodeMarker(key, markerValue(1))).toEqual({ type, coordinatorEpoch: 1 });
    }
  });
});
