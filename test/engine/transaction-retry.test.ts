/** A marker that could not be written: when it is tried again, how often that is told, and that nothing tries on when it stands. */
import { expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { openEngine } from "../simulation/engine-rig.ts";
import { readCommitted, TestProducer, unstable } from "../simulation/transaction-rig.ts";

it.each([true, false])("a late marker is tried again each second until it stands, and told of once (commit: %s)", async (commit) => {
  const storage = faultyStorage(memory());
  const life = await openEngine(storage);
  const pass = async (ms: number): Promise<number> => {
    await life.clock.advance(ms);
    for (let turn = 0; turn < 5; turn += 1) await settled();
    return await unstable(life, "orders", 0);
  };
  await life.engine.createTopic({ topic: "orders", partitions: 1, config: { segmentBytes: 100_000 } });
  const producer = await new TestProducer(life, "t").init();
  await producer.send("orders", 0, "a");
  // Now, and one second from now.
  storage.fail({ call: "writeAt", errno: "ENOSPC", name: /^orders-0\/.*\.log$/, times: 2 });
  await expect(producer.end(commit)).rejects.toMatchObject({
    name: "StorageError",
    code: "MARKERS_PENDING",
    message: expect.stringContaining(`${commit ? "committed" : "aborted"}; markers of orders-0 still to be written`) as string,
  });
  expect([await pass(999), await pass(1), await pass(999)]).toEqual([1, 1, 1]);
  expect(await pass(1)).toBe(0);
  expect(await readCommitted(life, "orders", 0)).toEqual(commit ? ["a"] : []);
  expect(life.events.filter(({ type }) => type === "transaction.late")).toHaveLength(1);
  expect(life.engine.metrics()).toMatchObject({
    "transactions.begun": 1,
    "transactions.open": 0,
    "transactions.committed": commit ? 1 : 0,
    "transactions.aborted": commit ? 0 : 1,
  });
  const writes = storage.count("writeAt");
  await pass(5000);
  expect(storage.count("writeAt")).toBe(writes);
  await life.engine.close();
  expect(life.clock.pendingCount).toBe(0);
});
