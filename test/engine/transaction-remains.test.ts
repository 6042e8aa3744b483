/** What an opening finds of transactions where part of the directory is not there, is another's by now, or cannot be read yet. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { coordinatorPartition } from "../../src/base/java-hash.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Life, openEngine } from "../simulation/engine-rig.ts";
import { readCommitted, TestProducer, unstable } from "../simulation/transaction-rig.ts";

const STATE = `__transaction_state-${coordinatorPartition("t")}`;

/** What a kill leaves behind `body`, which has a producer with a record in each of two partitions. */
async function killedAfter(
  body: (producer: TestProducer, disk: ReturnType<typeof faultyStorage>, life: Life) => Promise<void>,
): Promise<CrashStorage> {
  const disk = crashStorage();
  const storage = faultyStorage(disk);
  const life = await openEngine(storage);
  await life.engine.createTopic({ topic: "orders", partitions: 2, config: { segmentBytes: 100_000 } });
  const producer = await new TestProducer(life, "t").init();
  await producer.send("orders", 0, "a");
  await producer.send("orders", 1, "b");
  await body(producer, storage, life);
  return disk.crash(new SeededRandom(1), { kind: "process" });
}

async function removeWhole(storage: StorageDriver, directory: string): Promise<void> {
  for (const { name } of await storage.list(directory)) await storage.remove(`${directory}/${name}`);
  await storage.removeDirectory(directory);
}

const recovered = ({ events }: Life): readonly object[] => events.filter(({ type }) => type === "transaction.recovered");
const code = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "",
    (error: { code: string }) => error.code,
  );

describe("a transaction that was open at a kill", () => {
  it("is aborted though nothing is left of its id: its producer is asked of the log itself", async () => {
    const disk = await killedAfter(async () => {});
    await removeWhole(disk, STATE);
    const life = await openEngine(disk);
    for (const partition of [0, 1]) {
      expect(await unstable(life, "orders", partition)).toBe(0);
      expect(await readCommitted(life, "orders", partition)).toEqual([]);
    }
    expect(recovered(life)).toMatchObject([
      { producerId: 0n, outcome: "aborted" },
      { producerId: 0n, outcome: "aborted" },
    ]);
    const next = await new TestProducer(life, "t").init();
    expect(next.identity.producerId).toBeGreaterThan(0n);
    await life.engine.close();
  });

  it("waits while its id's state cannot be read, and is aborted when that partition was reopened", async () => {
    const storage = faultyStorage(await killedAfter(async () => {}));
    storage.fail({ call: "open", errno: "EIO", name: new RegExp(`^${STATE}/.*\\.log$`), times: Number.POSITIVE_INFINITY });
    const life = await openEngine(storage);
    expect(recovered(life)).toEqual([]);
    expect(await unstable(life, "orders", 0)).toBe(1);
    expect(await code(new TestProducer(life, "t").init())).toBe("KAFKA_STORAGE_ERROR");
    storage.mend();
    await life.engine.reopenPartition({ topic: "__transaction_state", partition: coordinatorPartition("t") });
    expect(recovered(life)).toMatchObject([{ transactionalId: "t", outcome: "aborted" }]);
    expect([await unstable(life, "orders", 0), await unstable(life, "orders", 1)]).toEqual([0, 0]);
    expect((await new TestProducer(life, "t").init()).identity).toEqual({ producerId: 0n, producerEpoch: 2 });
    await life.engine.close();
  });
});

describe("a transaction that was committed at a kill", () => {
  it("stays so where a partition of it is not there any more: its marker is late, and said to be", async () => {
    const disk = await killedAfter(async (producer, storage) => {
      storage.fail({ call: "writeAt", errno: "ENOSPC", name: /^orders-1\/.*\.log$/ });
      expect(await code(producer.end(true))).toBe("MARKERS_PENDING");
    });
    await removeWhole(disk, "orders-1");
    const life = await openEngine(disk);
    expect(recovered(life)).toMatchObject([{ transactionalId: "t", outcome: "late", error: { code: "FILE_NOT_FOUND" } }]);
    expect(await readCommitted(life, "orders", 0)).toEqual(["a"]);
    expect(await code(new TestProducer(life, "t").init())).toBe("CONCURRENT_TRANSACTIONS");
    await life.engine.close();
  });

  it("is complete where its markers stand already, though its topic is another writer's by now", async () => {
    const disk = await killedAfter(async (producer, storage, life) => {
      // The outcome is the first word there, that it is complete the second.
      storage.fail({ call: "writeAt", errno: "ENOSPC", name: new RegExp(`^${STATE}/.*\\.log$`), nth: 2 });
      await producer.end(true);
      expect(life.events.filter(({ type }) => type === "transaction.late")).toHaveLength(1);
    });
    await disk.remove("odradek.json");
    for (const partition of [0, 1]) await disk.remove(`orders-${partition}/odradek.state`);
    const life = await openEngine(disk);
    expect(recovered(life)).toMatchObject([{ transactionalId: "t", outcome: "committed" }]);
    expect([await readCommitted(life, "orders", 0), await readCommitted(life, "orders", 1)]).toEqual([["a"], ["b"]]);
    const next = await new TestProducer(life, "t").init();
    expect(next.identity.producerEpoch).toBe(1);
    expect(await code(next.send("orders", 0, "c"))).toBe("TOPIC_NOT_ADOPTED");
    await life.engine.close();
  });
});
