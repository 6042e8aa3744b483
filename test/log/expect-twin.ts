/** Holds all that a log says of its producers and transactions against their slow twin. */
import { expect } from "vitest";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import {
  committedBatches,
  type Logged,
  type TwinProducer,
  twinAborted,
  twinCommitted,
  twinIds,
  twinProducer,
  twinStableOffset,
} from "./producer-rig.ts";

/** All that can be asked of a log whose batches, all of them durable, are these. */
export async function expectTwin(log: PartitionLog, batches: readonly Logged[]): Promise<void> {
  const byId = (left: { producerId: bigint }, right: { producerId: bigint }): number => (left.producerId < right.producerId ? -1 : 1);
  const known = twinIds(batches).map((producerId) => ({ producerId, ...(twinProducer(batches, producerId) as TwinProducer) }));
  const entries = known.map(({ producerId, producerEpoch, batches: its }) => {
    return { producerId, producerEpoch, lastDataOffset: its.at(-1)?.lastOffset ?? -1 };
  });
  expect([...log.producers.lastEntries()].sort(byId)).toEqual(entries.sort(byId));
  const open = known.flatMap(({ producerId, openFrom }) => (openFrom === null ? [] : [{ producerId, firstOffset: openFrom }]));
  open.sort((left, right) => left.firstOffset - right.firstOffset);
  const found = log.producers.openTransactions();
  expect(found.map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))).toEqual(open);
  const { logEndOffset, lastStableOffset } = log.watermarks;
  const stable = twinStableOffset(batches, logEndOffset);
  expect(lastStableOffset).toBe(stable);
  expect(await log.abortedTransactions(0, logEndOffset + 1)).toEqual(twinAborted(batches));
  for (const from of [0, Math.floor(stable / 2), Math.max(0, stable - 3)]) {
    for (const maxBytes of [1, 400]) expect(await committedBatches(log, from, maxBytes)).toEqual(twinCommitted(batches, from, stable));
  }
}
