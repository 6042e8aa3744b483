/** Idempotence through the face: what stands in the log, and that sends go on after a failure, in order and once. */
import { describe, expect, it } from "vitest";
import { readBatchHeader } from "../../src/base/record-batch.ts";
import { memory } from "../../src/index.ts";
import { faultyStorage } from "../../src/testing/index.ts";
import { openLog, PLACES, valuesIn } from "./support.ts";

/** Producer id, epoch and sequence of each batch of a partition, as its file holds them. */
async function numbersIn(storage: ReturnType<typeof memory>, partition = 0): Promise<(readonly [bigint, number, number])[]> {
  const file = await storage.open(`orders-${partition}/00000000000000000000.log`, { create: "no" });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  const numbers: (readonly [bigint, number, number])[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { producerId, producerEpoch, baseSequence, byteLength } = readBatchHeader(bytes, at);
    if (byteLength <= 12) break;
    numbers.push([producerId, producerEpoch, baseSequence]);
    at += byteLength;
  }
  return numbers;
}

describe.each(PLACES)("in $place", ({ make }) => {
  it("batches carry their producer's id, its epoch and their sequence, by default and only then", async () => {
    const storage = make();
    const log = await openLog(storage);
    await log.createTopic("orders");
    const producer = log.producer();
    await producer.sendBatch([1, 2].map((value) => ({ topic: "orders", value })));
    await producer.send({ topic: "orders", value: 3 });
    await log.producer({ enableIdempotence: false }).send({ topic: "orders", value: 4 });
    await log.producer({ acks: 1 }).send({ topic: "orders", value: 5 });
    await log.producer().send({ topic: "orders", value: 6 });
    await log.close();
    const numbers = await numbersIn(storage);
    const [id, , , , other] = numbers.map(([producerId]) => producerId);
    expect(numbers).toEqual([
      [id, 0, 0],
      [id, 0, 2],
      [-1n, -1, -1],
      [-1n, -1, -1],
      [other, 0, 0],
    ]);
    expect(new Set([id, other, -1n]).size).toBe(3);
  });

  it("no producer is given an id of before, whether the log was closed or left", async () => {
    const storage = make();
    const seen = new Set<bigint>();
    for (let round = 0; round < 4; round += 1) {
      const log = await openLog(storage);
      await log.createTopic("orders", { ifNotExists: true });
      for (let index = 0; index < 3; index += 1) await log.producer().send({ topic: "orders", value: index });
      await log.close();
      for (const [producerId] of await numbersIn(storage)) seen.add(producerId);
      expect(seen.size).toBe((round + 1) * 3);
    }
  });

  it("a topic that was deleted and made anew is sent to as before", async () => {
    const log = await openLog(make());
    await log.createTopic("orders");
    const producer = log.producer();
    for (let round = 0; round < 3; round += 1) {
      for (let value = 0; value < 3; value += 1) await producer.send({ topic: "orders", value });
      expect(await valuesIn(log, "orders")).toEqual([0, 1, 2]);
      await log.deleteTopic("orders");
      await log.createTopic("orders");
    }
  });
});

describe("after a failure", () => {
  it("a full disk is routine: what was refused is not there, what comes next is, once and in order", async () => {
    const storage = faultyStorage(memory());
    const log = await openLog(storage);
    await log.createTopic("orders", { partitions: 2 });
    const producer = log.producer();
    const kept: number[] = [];
    for (let value = 0; value < 60; value += 1) {
      if (value % 7 === 3) storage.fail({ call: "writeAt", errno: "ENOSPC", name: /^orders-0\/.*log$/, times: 1 });
      const outcomes = await Promise.allSettled([
        producer.send({ topic: "orders", partition: 0, value }),
        producer.send({ topic: "orders", partition: 1, value }),
      ]);
      storage.mend();
      expect(outcomes[1]?.status).toBe("fulfilled");
      if (outcomes[0]?.status === "fulfilled") kept.push(value);
      else expect(outcomes[0]?.reason).toMatchObject({ code: "STORAGE_FULL", retriable: true });
    }
    expect(kept.length).toBeGreaterThan(40);
    expect(kept.length).toBeLessThan(60);
    const consumer = log.consumer();
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    const read: unknown[] = [];
    for await (const { value } of consumer.records({ until: "end" })) read.push(value);
    expect(read).toEqual(kept);
  });

  it("of a flush, sends go on once the partition was reopened, whatever recovery kept", async () => {
    const storage = faultyStorage(memory());
    const log = await openLog(storage);
    await log.createTopic("orders");
    const producer = log.producer();
    await producer.send({ topic: "orders", value: "before" });
    storage.fail({ call: "sync", errno: "EIO", name: /^orders-0\/.*log$/, times: 1 });
    await expect(producer.send({ topic: "orders", value: "in doubt" })).rejects.toMatchObject({ code: "PARTITION_FAILED" });
    storage.mend();
    await expect(producer.send({ topic: "orders", value: "refused" })).rejects.toMatchObject({ code: "PARTITION_FAILED" });
    await log.reopenPartition({ topic: "orders", partition: 0 });
    for (const value of ["a", "b"]) await producer.send({ topic: "orders", value });
    const values = await valuesIn(log, "orders");
    expect(values.filter((value) => value !== "in doubt")).toEqual(["before", "a", "b"]);
  });
});
