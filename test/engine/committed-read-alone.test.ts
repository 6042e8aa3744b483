/** Committed offsets as they are shown to whoever opens a directory to read alone: as an opening to write would leave them. */
import { expect, it } from "vitest";
import type { Odradek, StorageDriver } from "../../src/api/index.ts";
import { memory } from "../../src/index.ts";
import { faultyStorage } from "../../src/testing/index.ts";
import { openLog } from "../face/support.ts";

const AT = { topic: "orders", partition: 0 };

async function committedIn(storage: StorageDriver, readOnly: boolean): Promise<number | null> {
  const log = await openLog(storage, { readOnly });
  const committed = await log.consumer({ groupId: "g", enableAutoCommit: false }).committed(AT);
  await log.close();
  return committed;
}

async function commit(log: Odradek, nextOffset: number): Promise<void> {
  const consumer = log.consumer({ groupId: "g", enableAutoCommit: false });
  await consumer.assign([AT]);
  await consumer.commit([{ ...AT, nextOffset }], { durable: true });
  await consumer.close();
}

// An opening to write sets such an offset back (C5). One that reads alone cannot, and gave it out as it stood: a group that pointed
// behind the end of its log, until somebody opened it to write.
it("no offset points beyond its log's end", async () => {
  const storage = memory();
  const log = await openLog(storage);
  await log.createTopic("orders");
  await log.producer().send({ ...AT, value: "only" });
  await commit(log, 10);
  await log.close();
  expect(await committedIn(storage, true)).toBe(1);
  expect(await committedIn(storage, false)).toBe(1);
});

// The catalogue had the deletion, and a crash came before the offsets were forgotten.
it("nothing is committed in a topic whose deletion is decided, and not done", async () => {
  const storage = memory();
  const faulty = faultyStorage(storage);
  const log = await openLog(faulty);
  await log.createTopic("orders");
  await log.producer().send({ ...AT, value: "only" });
  await commit(log, 1);
  faulty.fail({ call: "remove", errno: "EIO", name: /^orders-0\//, times: Number.POSITIVE_INFINITY });
  await log.deleteTopic("orders").catch(() => {});
  await log.close().catch(() => {});
  expect(await committedIn(storage, true)).toBe(null);
  expect(await committedIn(storage, false)).toBe(null);
});
