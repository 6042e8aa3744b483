/** What one fetch brought of a partition: which of its batches are given, which are passed over, and where it ends. */
import { describe, expect, it } from "vitest";
import type { FetchedPartition } from "../../src/api/broker.ts";
import type { Bytes } from "../../src/api/bytes.ts";
import { CorruptionError } from "../../src/base/errors.ts";
import { LAST_OFFSET_DELTA_AT } from "../../src/base/record-batch.ts";
import { FetchedRun } from "../../src/consumer/fetched-run.ts";
import { PartitionState } from "../../src/consumer/partition-state.ts";
import { slowBatchBytes } from "../core/twin/batch.ts";
import { orders } from "./bed.ts";
import { joined, storedBatch } from "./stored-batch.ts";

const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

function runOf(
  batches: Bytes,
  options: { position?: number; readCommitted?: boolean; aborted?: FetchedPartition["abortedTransactions"]; fault?: object } = {},
) {
  const state = new PartitionState(orders);
  state.moveTo(options.position ?? 0);
  const watermarks = { logStartOffset: 0, lastStableOffset: 0, highWatermark: 0, logEndOffset: 0 };
  const fault = (options.fault ?? null) as FetchedPartition["fault"];
  const answer = { ...orders, fault, watermarks, abortedTransactions: options.aborted ?? [], batches };
  const run = new FetchedRun(state, answer, {
    fetchOffset: options.position ?? 0,
    readCommitted: options.readCommitted ?? true,
    compression: null as never,
  });
  /** The base offsets of all that it still gives. */
  const rest = (): number[] => {
    const given: number[] = [];
    for (let slice = run.next(); slice !== null; slice = run.next()) given.push(slice.baseOffset);
    return given;
  };
  return { state, run, rest };
}

/** Of producer -1, as all batches here are. */
function marker(baseOffset: number, commits: boolean): Bytes {
  return slowBatchBytes({
    baseOffset: BigInt(baseOffset),
    leaderEpoch: 0,
    attributes: TRANSACTIONAL | CONTROL,
    lastOffsetDelta: 0,
    baseTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: -1n,
    producerEpoch: 0,
    baseSequence: -1,
    // Deltas of two bytes each: the key stands where they end.
    records: [
      { offsetDelta: 0, timestampDelta: 5000n, key: new Uint8Array([0, 0, 0, commits ? 1 : 0]), value: new Uint8Array(6), headers: [] },
    ],
  });
}

describe("a run", () => {
  const [one, two, three] = [storedBatch(0, [5, 5]), storedBatch(2, [5, 5]), storedBatch(4, [5])];

  it("ends with the last batch that is there whole, and without any where it was begun", () => {
    const whole = joined(one, two, three);
    expect(runOf(whole).run.endOffset).toBe(5);
    for (const byteLength of [whole.length - 1, one.length + two.length + 60, one.length + two.length]) {
      const { run, rest } = runOf(whole.slice(0, byteLength));
      expect([run.endOffset, run.isEmpty, rest()]).toEqual([4, false, [0, 2]]);
    }
    const { run, rest } = runOf(one.slice(0, one.length - 1), { position: 7 });
    expect([run.endOffset, run.isEmpty, rest()]).toEqual([7, true, []]);
    // A batch that was emptied is its header alone, and counts.
    expect(runOf(joined(one, storedBatch(2, [], { lastOffsetDelta: 6 }))).run.endOffset).toBe(9);
  });

  it("that was answered with an error is not empty, and has that error", () => {
    const { run } = runOf(new Uint8Array(0), {
      fault: { name: "StorageError", code: "STORAGE_FAILED", message: "a bad sector", details: {} },
    });
    expect([run.isEmpty, run.error?.message]).toEqual([false, "a bad sector"]);
    expect(runOf(one).run.error).toBe(null);
  });

  it("is under way once its first batch is followed by another, or was the only one", () => {
    const seen = (batches: Bytes): boolean[] => {
      const { run } = runOf(batches);
      const states = [run.isUnderWay];
      while (run.next() !== null) states.push(run.isUnderWay);
      return states;
    };
    expect([seen(one), seen(joined(one, two)), seen(joined(one, two, three))]).toEqual([
      [false, true],
      [false, false, true],
      [false, false, true, true],
    ]);
  });

  it("gives each batch as it lies there, from the one that holds the position on", () => {
    const { state, run } = runOf(joined(one, two, three), { position: 3 });
    expect(run.next()).toMatchObject({
      at: one.length,
      byteLength: two.length,
      baseOffset: 2,
      lastOffset: 3,
      recordCount: 2,
      epoch: state.epoch,
    });
    expect(state.position).toBe(3);
    expect(runOf(joined(one, two), { position: 1 }).rest()).toEqual([0, 2]);
    expect(runOf(joined(one, two), { position: 2 }).rest()).toEqual([2]);
  });

  it("moves the position past what is never given, and past nothing else", () => {
    const batches = joined(one, storedBatch(2, [6], { attributes: CONTROL }), storedBatch(3, [], { lastOffsetDelta: 4 }));
    const { state, run } = runOf(batches);
    run.next();
    expect(state.position).toBe(0);
    expect([run.next(), state.position]).toEqual([null, 8]);
  });

  it("is worthless once its partition was moved", () => {
    const { state, run } = runOf(one);
    expect(run.isStale).toBe(false);
    state.drop();
    expect(run.isStale).toBe(true);
  });

  it("refuses offsets that are none, and says where the batch lies", () => {
    const bent = two.slice();
    bent[LAST_OFFSET_DELTA_AT] = 0x80;
    const { run } = runOf(joined(one, bent));
    run.next();
    let error: unknown = null;
    try {
      run.next();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CorruptionError);
    expect(error).toMatchObject({ file: "orders-0", byteRange: [one.length, one.length + two.length], nextReadableOffset: null });
  });
});

describe("what was aborted", () => {
  const of = (baseOffset: number, attributes = TRANSACTIONAL): Bytes => storedBatch(baseOffset, [5, 5], { attributes });
  const aborted = [{ producerId: -1n, firstOffset: 2 }];

  it("is passed over from its first offset to its marker, and neither before, nor behind, nor where it was no transaction's", () => {
    const batches = joined(of(0), of(2), of(4, 0), of(6), marker(8, false), of(9), marker(11, true));
    const { state, rest } = runOf(batches, { aborted });
    expect([rest(), state.position]).toEqual([[0, 4, 9], 12]);
    expect(runOf(batches, { aborted, readCommitted: false }).rest()).toEqual([0, 2, 4, 6, 9]);
    expect(runOf(batches).rest()).toEqual([0, 2, 4, 6, 9]);
    expect(runOf(batches, { aborted: [{ producerId: 7n, firstOffset: 0 }] }).rest()).toEqual([0, 2, 4, 6, 9]);
  });

  it("begins with the batch that reaches its first offset, and twice where it was twice, in whatever order it is told", () => {
    const batches = joined(of(0), marker(2, false), of(3), marker(5, true), of(6), marker(8, false), of(9));
    const both = [
      { producerId: -1n, firstOffset: 7 },
      { producerId: -1n, firstOffset: 1 },
    ];
    expect(runOf(batches, { aborted: both }).rest()).toEqual([3, 9]);
    expect(runOf(batches, { aborted: [{ producerId: -1n, firstOffset: 8 }] }).rest()).toEqual([0, 3, 6, 9]);
  });
});
