/** How much of what was read lately is kept, to the byte, what each run answers for, and where what lies behind the first batch ends. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../src/api/bytes.ts";
import { ATTRIBUTES_AT, HEADER_BYTE_LENGTH, LAST_OFFSET_DELTA_AT, LENGTH_AT } from "../../src/base/record-batch.ts";
import { PieceRoom } from "../../src/consumer/piece-room.ts";
import { RecentBatches, recentBatchesOf } from "../../src/consumer/recent-batches.ts";
import { RecentRun } from "../../src/consumer/recent-run.ts";
import { orders } from "./bed.ts";
import { joined, logHolding, sliceAt, storedBatch, storedBatchOf } from "./stored-batch.ts";

/** All batches in the bytes, the first of which is so long. */
function runOf(bytes: Bytes, firstByteLength: number, { at = 0, isStored = true, partition = 0, topicId = "id" } = {}): RecentRun {
  return new RecentRun(topicId, sliceAt(bytes, at, firstByteLength, partition), isStored, false);
}
const alone = (bytes: Bytes, isStored = true, partition = 0): RecentRun => runOf(bytes, bytes.length, { isStored, partition });
const ROOM = new PieceRoom();
const valueAt = (run: RecentRun, offset: number): number | null | undefined => {
  const cursor = run.record(offset, undefined, ROOM);
  return cursor === null || cursor === undefined ? cursor : (cursor.value()?.[0] ?? null);
};
/** As each record tells of itself; null where the run has none. */
const valuesOf = (run: RecentRun, upTo: number): (number | null | undefined)[] =>
  Array.from({ length: upTo - run.baseOffset }, (_, index) => valueAt(run, run.baseOffset + index));

describe("a run of one batch", () => {
  it("knows where its records begin from 8,192 bytes on, and not below", () => {
    expect([8191, 8192, 8193].map((byteLength) => alone(storedBatchOf(byteLength, 100)).giveUpBytes())).toEqual([false, true, true]);
  });

  it("counts what it holds to the byte: its bytes, four for each piece, and four for each piece alone when the bytes are given up", () => {
    const small = storedBatchOf(8191, 100);
    expect(alone(small).heldByteLength).toBe(8191);
    const large = alone(storedBatchOf(9000, 100));
    const stride = Math.floor((1024 * 100) / 9000);
    const outlineByteLength = 4 * Math.ceil(100 / stride);
    expect([large.heldByteLength, large.isWhole]).toEqual([9000 + outlineByteLength, true]);
    large.giveUpBytes();
    expect([large.heldByteLength, large.isWhole]).toEqual([outlineByteLength, false]);
  });

  it("gives the same records wherever it lies in its bytes, with them and without", () => {
    const batch = storedBatch(300, new Array(120).fill(100));
    const bytes = joined(new Uint8Array(77).fill(0xff), batch);
    const run = runOf(bytes, batch.length, { at: 77 });
    const expected = Array.from({ length: 120 }, (_, index) => (300 + index) % 251);
    expect(valuesOf(run, 420)).toEqual(expected);
    expect([run.record(299, undefined, ROOM), run.record(420, undefined, ROOM)]).toEqual([null, null]);
    expect(run.giveUpBytes()).toBe(true);
    const log = logHolding(batch);
    expect(expected.map((_, index) => run.record(300 + index, log, ROOM)?.value()?.[0])).toEqual(expected);
    // Without a log that has parts it must be read.
    expect(run.record(300, { standing: () => null, read: () => null }, ROOM)).toBe(undefined);
  });

  it("is of one record where it has one, not where it has two, or several batches of one", () => {
    const [one, next] = [storedBatch(0, [5]), storedBatch(1, [5])];
    const several = joined(one, next);
    expect([alone(one), alone(storedBatch(0, [5, 5])), runOf(several, one.length)].map(({ holdsOneRecord }) => holdsOneRecord)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("answers for less from where another begins, and never for more", () => {
    const run = alone(storedBatch(10, [1, 1, 1, 1]));
    run.endBefore(20);
    expect(run.lastOffset).toBe(13);
    run.endBefore(12);
    expect(run.lastOffset).toBe(11);
    run.endBefore(13);
    expect(run.lastOffset).toBe(11);
  });
});

describe("a run of several batches", () => {
  const first = storedBatch(0, [9, 9]);

  it("goes on behind the first as far as what follows is whole, plain, and in order", () => {
    const second = storedBatch(2, [9, 9]);
    const third = storedBatch(4, [9]);
    const bent = (change: (bytes: Bytes) => void): Bytes => {
      const bytes = second.slice();
      change(bytes);
      return bytes;
    };
    const cases: readonly (readonly [what: string, Bytes, lastOffset: number])[] = [
      ["all of it", second, 4],
      ["a gap before it", storedBatch(3, [9]), 4],
      ["compressed", bent((bytes) => bytes.set([1], ATTRIBUTES_AT + 1)), 1],
      ["with an offset that was there before", storedBatch(1, [9, 9]), 1],
      ["with offsets that are none", bent((bytes) => bytes.set([0x80], LAST_OFFSET_DELTA_AT)), 1],
      ["shorter than a header", bent((bytes) => bytes.set([0, 0, 0, 1], LENGTH_AT)), 1],
      ["longer than there is", bent((bytes) => bytes.set([1], LENGTH_AT)), 1],
    ];
    for (const [what, next, lastOffset] of cases) {
      const run = runOf(joined(first, next, third), first.length);
      expect(run.lastOffset, what).toBe(lastOffset);
      expect(valuesOf(run, 2), what).toEqual([0, 1]);
    }
    expect(runOf(joined(first, second, third), first.length, { isStored: false }).lastOffset).toBe(1);
  });

  it("ends with a header that has no records behind it, and answers for its offsets: there is none", () => {
    const emptied = storedBatch(2, [], { lastOffsetDelta: 3 });
    expect(emptied.length).toBe(HEADER_BYTE_LENGTH);
    const run = runOf(joined(first, emptied), first.length);
    expect([run.lastOffset, valuesOf(run, 6)]).toEqual([5, [0, 1, null, null, null, null]]);
    const cut = joined(first, emptied.subarray(0, HEADER_BYTE_LENGTH - 1));
    expect(runOf(cut, first.length).lastOffset).toBe(1);
  });

  it("has no record where a marker stands, where none is, and behind its end, and all others", () => {
    const marker = storedBatch(2, [6], { attributes: 0x30 });
    const bytes = joined(first, marker, storedBatch(3, [9, 9]), storedBatch(8, [9]));
    const run = runOf(bytes, first.length);
    expect(valuesOf(run, 9)).toEqual([0, 1, null, 3, 4, null, null, null, 8]);
    expect([8, 0, 4, 2, 3].map((offset) => valueAt(run, offset))).toEqual([8, 0, 4, null, 3]);
    expect(run.heldByteLength).toBe(bytes.length + 4 * 8);
  });

  it("of one record each finds every one of them, near its end and far from it", () => {
    const batches = Array.from({ length: 40 }, (_, index) => storedBatch(200 + index, [9]));
    const run = runOf(joined(...batches), (batches[0] as Bytes).length);
    const expected = batches.map((_, index) => (200 + index) % 251);
    expect(valuesOf(run, 240)).toEqual(expected);
    expect([39, 0, 20, 1, 38].map((index) => valueAt(run, 200 + index))).toEqual([39, 0, 20, 1, 38].map((index) => expected[index]));
    // A gap: no longer one offset a batch.
    const gapped = [...batches.slice(0, 20), ...Array.from({ length: 20 }, (_, index) => storedBatch(230 + index, [9]))];
    const other = runOf(joined(...gapped), (gapped[0] as Bytes).length);
    expect(valuesOf(other, 250)).toEqual(
      Array.from({ length: 50 }, (_, index) => (index >= 20 && index < 30 ? null : (200 + index) % 251)),
    );
  });

  it("lets go what it does not answer for, where that is half of its bytes or more", () => {
    const batches = [0, 1, 2, 3].map((offset) => storedBatch(offset, [9]));
    const { length } = batches[0] as Bytes;
    const run = (): RecentRun => runOf(joined(...batches), length);
    const trimmed = (endsBefore: number): RecentRun => {
      const cut = run();
      cut.endBefore(endsBefore);
      cut.trim();
      return cut;
    };
    expect(run().heldByteLength).toBe(4 * length + 32);
    expect(trimmed(4).heldByteLength).toBe(4 * length + 32);
    expect(trimmed(3).heldByteLength).toBe(4 * length + 32);
    expect([trimmed(2).heldByteLength, valuesOf(trimmed(2), 2)]).toEqual([2 * length + 16, [0, 1]]);
    expect([trimmed(1).heldByteLength, valuesOf(trimmed(1), 1)]).toEqual([length + 8, [0]]);
    const one = alone(storedBatch(0, [9, 9, 9, 9]));
    one.endBefore(1);
    one.trim();
    expect([one.heldByteLength, valuesOf(one, 1)]).toEqual([storedBatch(0, [9, 9, 9, 9]).length, [0]]);
  });

  it("that does not begin where its bytes do is found whole, and cut, all the same", () => {
    const before = new Uint8Array(500).fill(0xff);
    const batches = [0, 1, 2].map((offset) => storedBatch(offset, [9]));
    const bytes = joined(before, ...batches);
    const run = runOf(bytes, (batches[0] as Bytes).length, { at: 500 });
    expect(valuesOf(run, 3)).toEqual([0, 1, 2]);
    run.endBefore(2);
    run.trim();
    expect([valuesOf(run, 2), run.heldByteLength]).toEqual([[0, 1], 2 * (batches[0] as Bytes).length + 16]);
  });
});

describe("what is kept of what was read lately", () => {
  const isKept = (run: RecentRun): "whole" | "outlined" | null => {
    const recent = new RecentBatches();
    recent.keep(run);
    const found = recent.find(orders, "id", run.baseOffset);
    return found === null ? null : found.isWhole ? "whole" : "outlined";
  };

  it("is a batch of one record up to 64 KiB, of several up to 1 MiB, and beyond that where the records begin", () => {
    // With the four bytes of the one piece of a batch of one record; what is not stored so keeps nothing else.
    for (const [byteLength, kept] of [
      [65_532, "whole"],
      [65_533, null],
    ] as const) {
      expect(isKept(alone(storedBatchOf(byteLength, 1), false))).toBe(kept);
    }
    expect([isKept(alone(storedBatchOf(65_532, 1))), isKept(alone(storedBatchOf(65_533, 1)))]).toEqual(["whole", "outlined"]);
    // Two records, each a piece of its own.
    for (const [byteLength, kept] of [
      [(1 << 20) - 8, "whole"],
      [(1 << 20) - 7, "outlined"],
    ] as const) {
      expect(isKept(alone(storedBatchOf(byteLength, 2)))).toBe(kept);
    }
  });

  it("is of each batch what was read last, counted once: the others have their room still", () => {
    const recent = new RecentBatches();
    const large = storedBatchOf(1_000_000, 10);
    const kept = alone(storedBatchOf(1_000_000, 10, 5000));
    recent.keep(kept);
    for (let times = 0; times < 30; times += 1) recent.keep(alone(large));
    expect(recent.find(orders, "id", 5000)).toBe(kept);
    expect(kept.isWhole).toBe(true);
  });

  it("ends where another begins, before and behind, and has nothing in the gaps", () => {
    const batch = (from: number): RecentRun => alone(storedBatch(from, new Array(10).fill(1)));
    const recent = new RecentBatches();
    const [low, high, between] = [batch(0), batch(20), batch(15)];
    for (const run of [low, high]) recent.keep(run);
    expect([9, 10, 19, 20, 29, 30].map((offset) => recent.find(orders, "id", offset))).toEqual([low, null, null, high, high, null]);
    recent.keep(between);
    expect([14, 15, 19, 20, 29].map((offset) => recent.find(orders, "id", offset))).toEqual([null, between, between, high, high]);
    const over = batch(5);
    recent.keep(over);
    expect([4, 5, 14, 15].map((offset) => recent.find(orders, "id", offset))).toEqual([low, over, over, between]);
    expect(low.lastOffset).toBe(4);
  });

  const batchOf = Array.from({ length: 13 }, (_, count) => storedBatch(0, new Array(count).fill(1)));

  it("answers with a run that has the offset, whatever was kept in whatever order, and with the last one where that begins", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 25 }), (batches) => {
        const recent = new RecentBatches();
        const begins = new Map<number, RecentRun>();
        for (const [from, count] of batches) {
          // The same bytes for all of a length: they are not looked at here.
          const slice = { ...sliceAt(batchOf[count] as Bytes, 0, 1), baseOffset: from, lastOffset: from + count - 1 };
          const run = new RecentRun("id", slice, true, true);
          recent.keep(run);
          begins.set(from, run);
          expect(recent.find(orders, "id", from)).toBe(run);
        }
        for (const [from, run] of begins) expect(recent.find(orders, "id", from)).toBe(run);
        for (let offset = 0; offset < 80; offset += 1) {
          const found = recent.find(orders, "id", offset);
          if (found === null) continue;
          expect(found.baseOffset <= offset && offset <= found.lastOffset).toBe(true);
          // No other that was kept begins nearer.
          for (const from of begins.keys()) expect(from <= found.baseOffset || from > offset).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is forgotten of the partition whose topic was made anew, and of no other", () => {
    const recent = new RecentBatches();
    const at = (partition: number) => ({ ...orders, partition });
    for (const partition of [0, 1]) recent.keep(alone(storedBatch(0, [1, 1]), true, partition));
    expect(recent.find(at(0), "another id", 0)).toBe(null);
    expect([recent.has(at(0)), recent.has(at(1)), recent.has(at(2)), recent.has({ topic: "people", partition: 1 })]).toEqual([
      false,
      true,
      false,
      false,
    ]);
    expect(recent.find(at(1), "id", 1)).not.toBe(null);
    expect(recent.find(at(1), "another id", 5)).toBe(null);
    // Beyond what it answers for it was not looked at.
    expect(recent.has(at(1))).toBe(true);
  });

  it("is one broker's, whoever reads by it", () => {
    const [one, other] = [{}, {}] as never[];
    expect(recentBatchesOf(one as never)).toBe(recentBatchesOf(one as never));
    expect(recentBatchesOf(one as never)).not.toBe(recentBatchesOf(other as never));
  });
});
