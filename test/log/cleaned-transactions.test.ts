/** Which transactional batches a pass of compaction may let go, told batch by batch. */
import { describe, expect, it } from "vitest";
import { stampBatch } from "../../src/base/record-batch.ts";
import { markerBatch } from "../../src/log/batch/marker-batch.ts";
import { CleanedTransactions } from "../../src/log/compaction/cleaned-transactions.ts";
import type { AbortedTransaction } from "../../src/log/producers/transaction-index.ts";
import { core, NOW_MS } from "./log-rig.ts";
import { producerBatch } from "./producer-rig.ts";

const STAYS = { isDiscardable: false, keptEntry: null };
const GOES = { isDiscardable: true, keptEntry: null };

const abortedBy = (producerId: bigint, firstOffset: number, lastOffset: number): AbortedTransaction => {
  return { producerId, firstOffset, lastOffset, lastStableOffset: lastOffset + 1 };
};

function standingAt(baseOffset: number, batch: Uint8Array): Uint8Array {
  stampBatch(batch, baseOffset, 0);
  return batch;
}

const data = (baseOffset: number, producerId: bigint, transactional = true): Uint8Array =>
  standingAt(baseOffset, producerBatch({ producerId, producerEpoch: 0, baseSequence: 0, recordCount: 1, transactional }));

const marker = (baseOffset: number, producerId: bigint, commit: boolean): Uint8Array =>
  standingAt(baseOffset, markerBatch(core, { producerId, producerEpoch: 0, coordinatorEpoch: 0, commit }, NOW_MS));

/** A control batch whose one record has this key; null: one that an earlier pass has emptied. */
function control(baseOffset: number, key: readonly number[] | null): Uint8Array {
  const { writer } = core;
  writer.begin({ producerId: 1n, producerEpoch: 0, baseSequence: -1, transactional: true, control: true });
  if (key !== null) writer.append(key.length === 0 ? null : Uint8Array.from(key), null, null, NOW_MS);
  return standingAt(baseOffset, writer.finish().slice());
}

describe("a transaction's batches", () => {
  it("go when it was aborted, and its marker stays with its entry while data of it was met", () => {
    const entry = abortedBy(1n, 0, 2);
    const transactions = new CleanedTransactions([entry]);
    expect(transactions.judge(data(0, 1n))).toEqual(GOES);
    expect(transactions.judge(data(1, 2n))).toEqual(STAYS);
    expect(transactions.judge(marker(2, 1n, false))).toEqual({ isDiscardable: false, keptEntry: entry });
    expect(transactions.judge(marker(3, 2n, true))).toEqual(STAYS);
  });

  it("leave a marker behind that nothing relies on, where a walk finds no data before it", () => {
    const transactions = new CleanedTransactions([abortedBy(1n, 0, 5)]);
    expect(transactions.judge(marker(5, 1n, false))).toEqual(GOES);
    expect(transactions.judge(marker(6, 2n, true))).toEqual(GOES);
    expect(transactions.judge(marker(7, 2n, false))).toEqual(GOES);
  });

  it("are told apart by where the transaction ended, when its marker is gone", () => {
    const transactions = new CleanedTransactions([abortedBy(1n, 0, 3)]);
    expect(transactions.judge(data(0, 1n))).toEqual(GOES);
    // Of the same producer, behind the marker that nobody meets any more.
    expect(transactions.judge(data(4, 1n))).toEqual(STAYS);
    expect(transactions.judge(marker(5, 1n, true))).toEqual(STAYS);
  });

  it("belong to the transaction that was under way first, where two entries of one producer overlap", () => {
    const [first, second] = [abortedBy(1n, 0, 9), abortedBy(1n, 4, 9)];
    const transactions = new CleanedTransactions([second, first]);
    expect(transactions.judge(data(0, 1n))).toEqual(GOES);
    expect(transactions.judge(data(4, 1n))).toEqual(GOES);
    expect(transactions.judge(marker(9, 1n, false))).toEqual({ isDiscardable: false, keptEntry: first });
    expect(transactions.judge(marker(10, 1n, false))).toEqual(GOES);
  });
});

describe("what no transaction has a say in", () => {
  it("stays: a producer's batch outside any, though it has an aborted one as well", () => {
    const transactions = new CleanedTransactions([abortedBy(1n, 0, 9)]);
    expect(transactions.judge(data(0, 1n))).toEqual(GOES);
    expect(transactions.judge(data(1, 1n, false))).toEqual(STAYS);
  });

  it("stays when it is a control batch that ends none, and goes when an earlier pass has emptied it", () => {
    const transactions = new CleanedTransactions([]);
    // A type of KRaft's, a key too short for any, and none.
    for (const key of [[0, 0, 0, 7], [0, 0], []]) expect(transactions.judge(control(0, key)), `${key}`).toEqual(STAYS);
    expect(transactions.judge(control(1, null))).toEqual(GOES);
  });
});
