/** Records out of batches that were read before, wherever their bytes are now. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AtHand, BatchPart } from "../../src/api/broker.ts";
import type { Bytes } from "../../src/api/bytes.ts";
import { readInt32 } from "../../src/base/big-endian.ts";
import { CorruptionError } from "../../src/base/errors.ts";
import { ATTRIBUTES_AT, CRC_AT, HEADER_BYTE_LENGTH } from "../../src/base/record-batch.ts";
import type { RecordCursor } from "../../src/base/record-decoder.ts";
import { bytes as plainBytes } from "../../src/base/serdes/bytes.ts";
import { BatchOutline } from "../../src/consumer/batch-outline.ts";
import type { BatchSlice } from "../../src/consumer/batch-slice.ts";
import { PartitionState } from "../../src/consumer/partition-state.ts";
import { PieceRoom } from "../../src/consumer/piece-room.ts";
import { PlainDecoder } from "../../src/consumer/plain-record.ts";
import { RecentRun } from "../../src/consumer/recent-run.ts";
import { type SlowRecord, slowBatchBytes } from "../core/twin/batch.ts";

const PIECE_BYTE_LENGTH_MAX = 4096;
const ROOM = new PieceRoom();
const HEADER = [Uint8Array.of(0x68), Uint8Array.of(0x78)] as const;
const orders = { topic: "orders", partition: 0 };

function batchOf(
  baseOffset: number,
  values: readonly number[],
  deltaOf = (index: number): number => index,
  headersOf = (_index: number): SlowRecord["headers"] => [],
): Bytes {
  return slowBatchBytes({
    baseOffset: BigInt(baseOffset),
    leaderEpoch: 0,
    attributes: 0,
    lastOffsetDelta: values.length - 1,
    baseTimestamp: 1000n,
    maxTimestamp: 1000n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    records: values.map((byteLength, offsetDelta) => ({
      offsetDelta: deltaOf(offsetDelta),
      timestampDelta: BigInt(offsetDelta),
      key: null,
      value: new Uint8Array(byteLength).fill(offsetDelta % 251),
      headers: headersOf(offsetDelta),
    })),
  });
}

function sliceOf(bytes: Bytes, at: number, byteLength: number, baseOffset: number, recordCount: number): BatchSlice {
  const state = new PartitionState(orders);
  return { state, epoch: 0, bytes, at, byteLength, baseOffset, lastOffset: baseOffset + recordCount - 1, recordCount };
}

/** A log that holds one batch; how many bytes were asked of it each time is noted. */
function logOf(batch: Bytes): AtHand & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    standing: () => null,
    read: () => null,
    part: (wanted: BatchPart, into) => {
      asked.push(into.length);
      const isIt = wanted.byteLength === batch.length && wanted.checksum === readInt32(batch, CRC_AT);
      if (isIt) into.set(batch.subarray(wanted.from, wanted.from + into.length));
      return isIt;
    },
  };
}

function shown(run: RecentRun, offset: number, log?: AtHand): unknown {
  const cursor = run.record(offset, log, ROOM);
  return cursor === null || cursor === undefined ? cursor : [cursor.offset, cursor.timestamp, [...(cursor.value() ?? [])]];
}

describe("a batch that was read lately", () => {
  it("gives each record out of a small piece when its bytes were given up, the same as before", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 9, arbitrary: fc.nat(200) }, { weight: 1, arbitrary: fc.nat(3000) }), {
          minLength: 90,
          maxLength: 300,
        }),
        (lengths) => {
          const values = [...lengths, 9000];
          const batch = batchOf(70, values);
          const run = new RecentRun("id", sliceOf(batch, 0, batch.length, 70, values.length), true, true);
          const before = values.map((_, index) => shown(run, 70 + index));
          expect(before).toEqual(values.map((length, index) => [70 + index, 1000 + index, new Array(length).fill(index % 251)]));
          expect(run.giveUpBytes()).toBe(true);
          const log = logOf(batch);
          expect(values.map((_, index) => shown(run, 70 + index, log))).toEqual(before);
          const backAndForth = values.map((_, index) => 70 + (index % 2 === 0 ? index : values.length - 1 - index));
          expect(backAndForth.map((offset) => shown(run, offset, log))).toEqual(backAndForth.map((offset) => before[offset - 70]));
          const median = [...log.asked].sort((left, right) => left - right)[log.asked.length >> 1] as number;
          expect(median).toBeLessThan(PIECE_BYTE_LENGTH_MAX * 4);
          expect(run.heldByteLength).toBeLessThan(batch.length / 20);
        },
      ),
      { numRuns: 15 },
    );
  });

  it("reads a piece once for the records in it that are asked for in a row", () => {
    const values = new Array(200).fill(100);
    const batch = batchOf(0, values);
    const run = new RecentRun("id", sliceOf(batch, 0, batch.length, 0, 200), true, true);
    run.giveUpBytes();
    const log = logOf(batch);
    for (let offset = 0; offset < 200; offset++) expect(run.record(offset, log, ROOM)?.offset).toBe(offset);
    expect(log.asked.reduce((sum, byteLength) => sum + byteLength, 0)).toBe(batch.length - HEADER_BYTE_LENGTH);
    expect(log.asked.length).toBeLessThan(30);
  });

  it("must be read anew where the log has another batch in its place, or none at hand", () => {
    const values = new Array(200).fill(100);
    const run = new RecentRun("id", sliceOf(batchOf(0, values), 0, batchOf(0, values).length, 0, 200), true, true);
    run.giveUpBytes();
    expect(run.record(7, logOf(batchOf(0, [...values.slice(1), 99])), ROOM)).toBe(undefined);
    expect(run.record(7, undefined, ROOM)).toBe(undefined);
  });

  it("must be read anew where the piece at hand holds other records, or none, and a fault of its reading is told", () => {
    const values = new Array(200).fill(100);
    const batch = batchOf(0, values);
    const run = new RecentRun("id", sliceOf(batch, 0, batch.length, 0, 200), true, true);
    run.giveUpBytes();
    const log = logOf(batch);
    const giving = (change: (piece: Uint8Array) => void, isGiven = true): AtHand => ({
      ...log,
      part: (wanted, into) => {
        expect(log.part?.(wanted, into)).toBe(true);
        change(into);
        return isGiven;
      },
    });
    const others = (piece: Uint8Array): void => piece.set(batch.subarray(HEADER_BYTE_LENGTH, HEADER_BYTE_LENGTH + piece.length));
    const refused = (piece: Uint8Array): void => {
      others(piece);
      throw new RangeError("the disk refuses");
    };
    const isThere = (offset: number): void => expect(run.record(offset, log, ROOM)?.value()).toEqual(new Uint8Array(100).fill(offset));
    expect(run.record(190, giving(others), ROOM)).toBe(undefined);
    expect(
      run.record(
        190,
        giving((piece) => piece.fill(0)),
        ROOM,
      ),
    ).toBe(undefined);
    expect(run.record(190, giving(others, false), ROOM)).toBe(undefined);
    expect(() => run.record(190, giving(refused), ROOM)).toThrow(/the disk refuses/);
    isThere(190);
    // What was read before is not what stands in the room when another piece was begun.
    expect(run.record(100, giving(others, false), ROOM)).toBe(undefined);
    isThere(190);
    expect(() => run.record(100, giving(refused), ROOM)).toThrow(/the disk refuses/);
    isThere(190);
  });

  it("tells of a piece that cannot be read by any way what is wrong with it, and of a record whose headers are none where it is", () => {
    const batch = batchOf(0, new Array(200).fill(100), undefined, (index) => (index === 199 ? [HEADER] : []));
    const kept = (change: (bytes: Bytes) => void): [RecentRun, AtHand] => {
      const bytes = batch.slice();
      change(bytes);
      const run = new RecentRun("id", sliceOf(bytes, 0, bytes.length, 0, 200), true, true);
      expect(run.giveUpBytes()).toBe(true);
      return [run, logOf(bytes)];
    };
    const [compressed, compressedLog] = kept((bytes) => {
      bytes[ATTRIBUTES_AT + 1] = 1;
    });
    expect(() => compressed.record(190, compressedLog, new PieceRoom())).toThrow(/compressed/);
    // The last record ends with the value of its one header; before it, how long that is.
    const [headless, headlessLog] = kept((bytes) => {
      bytes[bytes.length - 2] = 0x7e;
    });
    const decoded = (offset: number): unknown =>
      new PlainDecoder(plainBytes, plainBytes).decode(headless.record(offset, headlessLog, ROOM) as RecordCursor, orders, true);
    expect(decoded(198)).toMatchObject({ offset: 198, headers: [] });
    expect(() => decoded(199)).toThrow(CorruptionError);
    expect(() => decoded(199)).toThrow(expect.objectContaining({ offsetRange: [199, 200], nextReadableOffset: 200 }));
  });

  it("holds the whole ones behind it alone, where the bytes end within a batch", () => {
    const [one, two] = [batchOf(0, [20]), batchOf(1, [200])];
    const bytes = new Uint8Array(Buffer.concat([one, two.subarray(0, two.length - 1)]));
    expect(new RecentRun("id", sliceOf(bytes, 0, one.length, 0, 1), true, false).lastOffset).toBe(0);
  });

  it("whose records do not stand where its header says is told as what it is", () => {
    const batch = batchOf(0, new Array(200).fill(100), (index) => (index === 150 ? 149 : index));
    const run = new RecentRun("id", sliceOf(batch, 0, batch.length, 0, 200), true, true);
    expect(run.record(10, undefined, ROOM)?.offset).toBe(10);
    expect(() => run.record(150, undefined, ROOM)).toThrow(CorruptionError);
  });

  it("is outlined by lengths that add up, and by no others", () => {
    const batch = batchOf(0, [100, 100, 100]);
    const outlined = (bytes: Bytes, recordCount = 3): boolean => BatchOutline.of(sliceOf(bytes, 0, bytes.length, 0, recordCount)) !== null;
    expect(outlined(batch)).toBe(true);
    expect(outlined(batch, 2)).toBe(false);
    expect(outlined(batch, 4)).toBe(false);
    for (const length of [[0], [0xff, 0xff, 0xff, 0xff, 0xff], [0xfe, 0xff, 0x01]]) {
      const bent = batch.slice();
      bent.set(length, HEADER_BYTE_LENGTH);
      expect(outlined(bent), length.join(" ")).toBe(false);
    }
  });

  it("keeps its bytes when the log has them compressed, and when a record is reached as quickly without", () => {
    const [large, small] = [batchOf(0, new Array(200).fill(100)), batchOf(0, [100, 100])];
    expect(new RecentRun("id", sliceOf(large, 0, large.length, 0, 200), false, true).giveUpBytes()).toBe(false);
    expect(new RecentRun("id", sliceOf(small, 0, small.length, 0, 2), true, true).giveUpBytes()).toBe(false);
  });

  it("answers for the small ones behind it, gaps and ends included, and for no more than it kept", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ gap: fc.nat(2), count: fc.integer({ min: 1, max: 5 }) }), { minLength: 1, maxLength: 12 }),
        fc.nat(60),
        (batches, cut) => {
          const parts: Bytes[] = [];
          const there = new Map<number, number>();
          let end = 100;
          for (const { gap, count } of batches) {
            if (parts.length > 0) end += gap;
            for (let index = 0; index < count; index++) there.set(end + index, index % 251);
            parts.push(batchOf(end, new Array(count).fill(20)));
            end += count;
          }
          const bytes = new Uint8Array(Buffer.concat(parts));
          const first = sliceOf(bytes, 0, (parts[0] as Bytes).length, 100, batches[0]?.count ?? 0);
          const run = new RecentRun("id", first, true, false);
          expect(run.lastOffset).toBe(end - 1);
          run.endBefore(101 + cut);
          run.trim();
          for (let offset = 100; offset <= run.lastOffset; offset++) {
            const filled = there.get(offset);
            const value = run.record(offset, undefined, ROOM);
            expect(value === null ? undefined : value?.value()?.[0], `offset ${offset}`).toBe(filled);
          }
          const alone = new RecentRun("id", first, true, true);
          expect(alone.lastOffset).toBe(first.lastOffset);
        },
      ),
      { numRuns: 60 },
    );
  });
});
