/** What a batch's attributes and offsets say, bit by bit and at the edge of what a number holds. */
import { describe, expect, it } from "vitest";
import { writeInt64 } from "../../src/base/big-endian.ts";
import {
  attributesOf,
  batchByteLengthAt,
  codecNumber,
  codecOf,
  hasDeleteHorizon,
  isControl,
  isLogAppendTime,
  isTransactional,
  offsetsAreSafe,
  readBatchHeader,
  stampBatch,
  stampLogAppendTime,
} from "../../src/base/record-batch.ts";
import { RecordCursor, RecordFramingError } from "../../src/base/record-decoder.ts";
import { type SlowBatch, slowBatchBytes } from "../core/twin/batch.ts";

/** Records of seven bytes each, the shortest there are, unless they have a value. */
function batchOf(values: readonly (string | null)[]): Uint8Array<ArrayBuffer> {
  const batch: SlowBatch = {
    baseOffset: 100n,
    leaderEpoch: 0,
    attributes: 0,
    lastOffsetDelta: values.length - 1,
    baseTimestamp: 1000n,
    maxTimestamp: 1000n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    records: values.map((value, offsetDelta) => ({
      offsetDelta,
      timestampDelta: 0n,
      key: null,
      value: value === null ? null : new TextEncoder().encode(value),
      headers: [],
    })),
  };
  return slowBatchBytes(batch) as Uint8Array<ArrayBuffer>;
}

const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : new TextDecoder().decode(bytes));

describe("a batch's attributes", () => {
  it("are a bit each for the log's time, a transaction, a marker and a delete horizon, whatever the others say", () => {
    const facts = [isLogAppendTime, isTransactional, isControl, hasDeleteHorizon];
    for (let attributes = 0; attributes < 128; attributes++) {
      const expected = [0x08, 0x10, 0x20, 0x40].map((bit) => Math.floor(attributes / bit) % 2 === 1);
      expect(
        facts.map((fact) => fact(attributes)),
        String(attributes),
      ).toEqual(expected);
      expect(codecNumber(attributes)).toBe(attributes % 8);
      expect(codecOf(attributes)).toBe(["none", "gzip", "snappy", "lz4", "zstd"][attributes % 8] ?? null);
    }
  });

  it.each([
    [{ transactional: false }, 0],
    [{ transactional: true }, 0x10],
    [{ transactional: false, control: true }, 0x20],
    [{ transactional: true, control: true }, 0x30],
    [{ transactional: true, control: false }, 0x10],
    [{ transactional: false, control: undefined }, 0],
  ])("of %j are %d", (batch, attributes) => {
    expect(attributesOf(batch)).toBe(attributes);
  });

  it("keep what they said when the batch is given the log's time", () => {
    const batch = batchOf(["a"]);
    batch[22] = 0x54;
    stampLogAppendTime(batch, 5);
    expect(readBatchHeader(batch)).toMatchObject({ attributes: 0x5c, maxTimestamp: 5, baseTimestamp: 1000 });
  });
});

describe("a batch's place", () => {
  it.each([
    [0, 0, true],
    [0, 2 ** 31 - 1, true],
    [2 ** 53 - 1, 0, true],
    [2 ** 53 - 2, 1, true],
    [2 ** 53 - 1, 1, false],
    [2 ** 53 - 2, 2, false],
    [-1, 5, false],
    [5, -1, false],
  ])("from %d on for %d more is one that a number can hold: %s", (baseOffset, lastOffsetDelta, isSafe) => {
    expect(offsetsAreSafe({ baseOffset, lastOffsetDelta, lastOffset: baseOffset + lastOffsetDelta })).toBe(isSafe);
  });

  it("is read at the very end of an array, and not a byte behind or before it", () => {
    const header = batchOf([]).subarray(0, 61);
    stampBatch(header, 7, 3);
    const within = new Uint8Array([...new Uint8Array(9), ...header]);
    expect(readBatchHeader(within, 9)).toMatchObject({ baseOffset: 7, leaderEpoch: 3, byteLength: 61 });
    expect(batchByteLengthAt(within, 9)).toBe(61);
    expect(batchByteLengthAt(header)).toBe(61);
    for (const at of [10, -1]) expect(() => readBatchHeader(within, at)).toThrow(RangeError);
    expect(() => readBatchHeader(within, 10)).toThrow("a batch header at 10 needs 61 bytes, of 70 there are 60");
  });
});

describe("a walk over a batch's records", () => {
  it("reads as many of the shortest kind as the batch has bytes for, and refuses one more", () => {
    const batch = batchOf([null, null, null]);
    expect(batch.length).toBe(61 + 3 * 7 + 0);
    const cursor = new RecordCursor(batch);
    const offsets: number[] = [];
    while (cursor.next()) offsets.push(cursor.offset);
    expect(offsets).toEqual([100, 101, 102]);
    const more = batch.slice();
    more[60] = 4;
    expect(() => new RecordCursor(more)).toThrow(`a batch of ${batch.length} bytes says it holds 4 records`);
  });

  it.each([
    [0, ["a", "bb", "ccc", "dddd"]],
    [1, ["bb", "ccc", "dddd"]],
    [3, ["dddd"]],
    [4, []],
  ])("that skips %d of four goes on with the others", (count, expected) => {
    const cursor = new RecordCursor(batchOf(["a", "bb", "ccc", "dddd"]));
    cursor.skip(count);
    const values: (string | null)[] = [];
    while (cursor.next()) values.push(text(cursor.value()));
    expect(values).toEqual(expected);
  });

  it("comes back to a record by its place and its number, with as many behind it as before", () => {
    const cursor = new RecordCursor(batchOf(["a", "bb", "ccc"]));
    const starts: number[] = [];
    while (cursor.next()) starts.push(cursor.start);
    for (const index of [2, 0, 1]) {
      cursor.goTo(index, starts[index] as number);
      const seen: (readonly [number, string | null])[] = [];
      while (cursor.next()) seen.push([cursor.offset, text(cursor.value())]);
      expect(seen).toEqual([[100, "a"] as const, [101, "bb"] as const, [102, "ccc"] as const].slice(index));
    }
  });

  it("says where in the array given the bytes do not add up", () => {
    const batch = batchOf(["a", "b"]);
    const at = 61 + 8;
    const within = new Uint8Array([...new Uint8Array(5), ...batch]);
    // The second record says a length of one more than the batch has left.
    within[5 + at] = (within[5 + at] as number) + 2;
    const cursor = new RecordCursor(within, 5);
    expect(cursor.next()).toBe(true);
    for (const go of [() => cursor.next(), () => cursor.skip(1)])
      expect(go).toThrow(
        expect.objectContaining({
          name: "RecordFramingError",
          position: 5 + at,
          message: "a record says it is 8 bytes long; the batch has 7 left",
        }),
      );
  });

  it("refuses offsets that do not rise, or that go beyond what the batch says", () => {
    for (const [place, delta, words] of [
      [1, 0, "offset delta is 0; it must be above 0 and at most 1"],
      [1, 4, "offset delta is 2; it must be above 0 and at most 1"],
      [0, 1, "offset delta is -1; it must be above -1 and at most 1"],
    ] as const) {
      const batch = batchOf([null, null]);
      batch[61 + place * 7 + 3] = delta;
      const cursor = new RecordCursor(batch);
      for (let before = 0; before < place; before++) cursor.next();
      expect(() => cursor.next()).toThrow(words);
    }
  });

  it("refuses offsets beyond 2^53-1, and begins below zero nowhere", () => {
    for (const [baseOffset, isSafe] of [
      [2 ** 53 - 2, true],
      [2 ** 53 - 1, false],
      [-1, false],
    ] as const) {
      const batch = batchOf(["a", "b"]);
      writeInt64(batch, 0, baseOffset);
      if (isSafe) expect(new RecordCursor(batch).recordCount).toBe(2);
      else expect(() => new RecordCursor(batch)).toThrow(RecordFramingError);
    }
  });
});
