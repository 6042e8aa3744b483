/** What is kept of batches that were read lately, and what goes first when that is much. */
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../src/api/bytes.ts";
import { PartitionState } from "../../src/consumer/partition-state.ts";
import { RecentBatches } from "../../src/consumer/recent-batches.ts";
import { RecentRun } from "../../src/consumer/recent-run.ts";
import { slowBatchBytes } from "../core/twin/batch.ts";

const orders = { topic: "orders", partition: 0 };
const state = new PartitionState(orders);
/** As many batches of a mebibyte as are kept with their bytes, and one. */
const MANY = 9;

function batchOf(recordCount: number, valueByteLength: number): Bytes {
  return slowBatchBytes({
    baseOffset: 0n,
    leaderEpoch: 0,
    attributes: 0,
    lastOffsetDelta: recordCount - 1,
    baseTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    records: Array.from({ length: recordCount }, (_, offsetDelta) => ({
      offsetDelta,
      timestampDelta: 0n,
      key: null,
      value: new Uint8Array(valueByteLength),
      headers: [],
    })),
  });
}

/** The same bytes stand for every batch: where they begin in the log is what the run is told. */
function runAt(baseOffset: number, bytes: Bytes, recordCount: number, isStored = true): RecentRun {
  const slice = {
    state,
    epoch: 0,
    bytes,
    at: 0,
    byteLength: bytes.length,
    baseOffset,
    lastOffset: baseOffset + recordCount - 1,
    recordCount,
  };
  return new RecentRun("id", slice, isStored, true);
}

describe("what was read lately", () => {
  const large = batchOf(10, 104_000);

  it("gives up its oldest bytes first, and then answers for the records of a batch by where they begin, however many are asked for", () => {
    const recent = new RecentBatches();
    for (let index = 0; index < MANY; index++) recent.keep(runAt(index * 10, large, 10));
    const oldest = recent.find(orders, "id", 3);
    expect(oldest?.isWhole).toBe(false);
    expect(recent.find(orders, "id", 4)).toBe(oldest);
    expect(recent.find(orders, "id", 5)).toBe(oldest);
    expect(recent.find(orders, "id", 15)?.isWhole).toBe(true);
  });

  it("of a batch that would drive out the others keeps where its records begin, and nothing where that tells nothing", () => {
    const recent = new RecentBatches();
    recent.keep(runAt(0, large, 10));
    const huge = batchOf(11, 104_000);
    recent.keep(runAt(10, huge, 11));
    recent.keep(runAt(30, huge, 11, false));
    recent.keep(runAt(50, batchOf(1, 70_000), 1, false));
    expect(recent.find(orders, "id", 3)?.isWhole).toBe(true);
    expect(recent.find(orders, "id", 13)?.isWhole).toBe(false);
    expect(recent.find(orders, "id", 33)).toBeNull();
    expect(recent.find(orders, "id", 50)).toBeNull();
  });

  it("keeps the bytes of what was asked for meanwhile", () => {
    const recent = new RecentBatches();
    recent.keep(runAt(0, large, 10));
    expect(recent.find(orders, "id", 3)?.isWhole).toBe(true);
    for (let index = 1; index < MANY; index++) recent.keep(runAt(index * 10, large, 10));
    expect(recent.find(orders, "id", 3)?.isWhole).toBe(true);
    expect(recent.find(orders, "id", 13)?.isWhole).toBe(false);
  });

  it("forgets what the log has in another form, as nothing is left of it without its bytes", () => {
    const recent = new RecentBatches();
    for (let index = 0; index < MANY; index++) recent.keep(runAt(index * 10, large, 10, false));
    expect(recent.find(orders, "id", 3)).toBeNull();
    expect(recent.find(orders, "id", 13)).not.toBeNull();
  });

  it("forgets the oldest of what it only knows the outlines of, when there are thousands", () => {
    const small = batchOf(10, 900);
    const recent = new RecentBatches();
    for (let index = 0; index < 9000; index++) recent.keep(runAt(index * 10, small, 10));
    expect(recent.find(orders, "id", 3)).toBeNull();
    expect(recent.find(orders, "id", 89_993)?.isWhole).toBe(true);
  });

  it("is nothing any more when the topic was made anew", () => {
    const recent = new RecentBatches();
    for (let index = 0; index < 3; index++) recent.keep(runAt(index * 10, large, 10));
    expect(recent.find(orders, "another id", 3)).toBeNull();
    expect(recent.has(orders)).toBe(false);
  });
});
