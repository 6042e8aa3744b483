/** A walk over all of a segment's file: what it calls damaged, which offsets that held, and what place it finds for a batch that is whole. */
import { expect, it } from "vitest";
import type { Bytes } from "../../../src/api/bytes.ts";
import { LAST_OFFSET_DELTA_AT, stampBatch, stampChecksum } from "../../../src/base/record-batch.ts";
import { viewOf } from "../../../src/log/batch/batch-header.ts";
import { type DamagedRange, type SegmentExpectation, type SegmentSurvey, surveySegment } from "../../../src/log/survey/segment-survey.ts";
import { memory } from "../../../src/storage/memory.ts";
import { put } from "../books/support.ts";
import { batchOf, core, NOW_MS } from "../log-rig.ts";
import { oldMessage } from "../older-message.ts";

const NAME = "00000000000000000000.log";
const ANY: SegmentExpectation = { baseOffset: 0, endOffset: null, durableOffset: null, order: "rising", epochFor: () => null };

/** One record, at this offset and of this epoch: neither is covered by its checksum. */
function at(baseOffset: number, leaderEpoch = 0): Uint8Array {
  const batch = batchOf([{ value: "value", timestamp: NOW_MS }]);
  stampBatch(batch, baseOffset, leaderEpoch);
  return batch;
}

const ONE = at(0).length;

async function surveyed(pieces: readonly Uint8Array[], expected: Partial<SegmentExpectation> = {}): Promise<SegmentSurvey> {
  const storage = memory();
  await put(storage, NAME, new Uint8Array(pieces.flatMap((piece) => [...piece])));
  const file = await storage.open(NAME, { create: "no", readOnly: true });
  const offsets: number[] = [];
  const survey = await surveySegment(core, file, { ...ANY, ...expected }, ({ baseOffset }) => void offsets.push(baseOffset));
  expect(offsets.length).toBeGreaterThanOrEqual(survey.batchCount);
  return survey;
}

const range = (of: Partial<DamagedRange>): Partial<DamagedRange> => expect.objectContaining(of) as Partial<DamagedRange>;

it("blames the batch that claims too large an offset, not the one behind it, and gives it its place again", async () => {
  const { ranges, batchCount, nextOffset } = await surveyed([at(0), at(7), at(2), at(3)]);
  expect(ranges).toEqual([
    {
      position: ONE,
      end: 2 * ONE,
      firstOffset: 1,
      nextOffset: 2,
      reason: "order",
      detail: "expected an offset below 2, found 7",
      place: { baseOffset: 1, leaderEpoch: 0 },
      isTail: false,
    },
  ]);
  expect([batchCount, nextOffset]).toEqual([3, 4]);
});

it("finds no place for one that claims too large an offset where it may have stood in several", async () => {
  const { ranges } = await surveyed([at(0), at(20), at(9), at(10)]);
  expect(ranges).toEqual([range({ position: ONE, end: 2 * ONE, firstOffset: 1, nextOffset: 9, place: null })]);
});

it("gives a last batch of a wrong offset the place behind the others where none may lack, and none where any may", async () => {
  for (const [order, place] of [
    ["exact", { baseOffset: 2, leaderEpoch: 0 }],
    ["rising", null],
  ] as const) {
    const { ranges } = await surveyed([at(0), at(1), at(1)], { order });
    expect(ranges).toEqual([range({ position: 2 * ONE, end: 3 * ONE, firstOffset: 2, nextOffset: null, place, isTail: true })]);
  }
});

it("leaves a batch of a wrong epoch the offset that it claims where that may be, and gives it the epoch of that place", async () => {
  const last = await surveyed([at(0, 3), at(5, 1)]);
  expect(last.ranges).toEqual([range({ position: ONE, firstOffset: 1, reason: "epoch", place: { baseOffset: 5, leaderEpoch: 3 } })]);
  const between = await surveyed([at(0), at(5, 1), at(9)], { epochFor: () => 0 });
  expect(between.ranges).toEqual([
    range({ position: ONE, end: 2 * ONE, firstOffset: 1, nextOffset: 9, reason: "epoch", place: { baseOffset: 5, leaderEpoch: 0 } }),
  ]);
});

it("finds no place for one batch where more offsets are missing than it has, and none may lack", async () => {
  const { ranges } = await surveyed([at(0), at(5), at(9)], { order: "exact" });
  expect(ranges).toEqual([range({ position: ONE, end: 2 * ONE, firstOffset: 1, nextOffset: 9, place: null })]);
});

it("finds no place for a batch that says it spans no offset, whole as it is", async () => {
  const none = at(1) as Bytes;
  viewOf(none).setInt32(LAST_OFFSET_DELTA_AT, -1);
  stampChecksum(none, core);
  const { ranges, nextOffset } = await surveyed([at(0), none, at(2)]);
  expect(ranges).toEqual([range({ position: ONE, end: 2 * ONE, firstOffset: 1, nextOffset: 2, place: null })]);
  expect(nextOffset).toBe(3);
});

it("takes zeros up to the end for space that was never written", async () => {
  expect(await surveyed([at(0), new Uint8Array(500)])).toMatchObject({ ranges: [], zerosFrom: ONE, end: ONE, nextOffset: 1 });
});

it("tells of a message of an older format, and of nothing behind it", async () => {
  const { ranges, end } = await surveyed([at(0), oldMessage(), at(2)]);
  expect(ranges).toEqual([range({ position: ONE, firstOffset: 1, nextOffset: null, reason: "older", place: null, isTail: true })]);
  expect(end).toBe(ONE);
});

it("tells of an end that is not there, where the log is known to have gone on", async () => {
  const lost = [range({ position: 2 * ONE, end: 2 * ONE, firstOffset: 2, nextOffset: 4, reason: "short", isTail: true })];
  const pieces = [at(0), at(1)];
  expect((await surveyed(pieces, { order: "exact", endOffset: 4 })).ranges).toEqual(lost);
  expect((await surveyed(pieces, { durableOffset: 4 })).ranges).toEqual(lost);
  // Before the next segment offsets may lack.
  expect((await surveyed(pieces, { endOffset: 4 })).ranges).toEqual([]);
  expect((await surveyed(pieces, { order: "exact", endOffset: 2 })).ranges).toEqual([]);
});
