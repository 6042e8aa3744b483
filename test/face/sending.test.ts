/** Sending through the face: what an acknowledgement says, in which order records stand, and what flush and close wait for. */
import { describe, expect, it } from "vitest";
import type { Acks, Durability, StorageDriver } from "../../src/api/index.ts";
import { memory } from "../../src/index.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { crashStorage, faultyStorage } from "../../src/testing/index.ts";
import { openLog, PLACES, sendAll, temporaryDirectory, valuesIn } from "./support.ts";

describe("the durability of an acknowledgement is the least of what acks, topic and storage give", () => {
  const drivers: readonly (readonly [string, () => StorageDriver, Durability])[] = [
    ["memory", () => memory(), "none"],
    ["a directory", () => nodeStorage(temporaryDirectory()), "power"],
  ];
  const cases = drivers.flatMap(([name, make, gives]) =>
    (["sync", "os"] as const).flatMap((durability) =>
      (["all", 1, 0] as const).map((acks) => {
        const least = gives === "none" || acks === 0 ? "none" : acks === 1 || durability === "os" ? "process" : "power";
        return { name, make, durability, acks: acks as Acks, least };
      }),
    ),
  );

  it.each(cases)("acks $acks, durability $durability, in $name: $least", async ({ make, durability, acks, least }) => {
    const log = await openLog(make());
    await log.createTopic("orders", { durability });
    const producer = log.producer({ acks });
    const expected = { topic: "orders", partition: 0, durability: least, timestamp: 7 };
    const sent = await producer.send({ topic: "orders", value: "a", timestamp: 7 });
    expect(sent).toEqual({ ...expected, offset: acks === 0 ? undefined : 0 });
    const batch = await producer.sendBatch([1, 2].map((value) => ({ topic: "orders", value, timestamp: 7 })));
    expect(batch).toEqual([1, 2].map((offset) => ({ ...expected, offset: acks === 0 ? undefined : offset })));
    await producer.close();
    // What was only written is not delivered before it is durable: one more, waited for, and all of it may be read.
    await sendAll(log, "orders", ["end"]);
    expect(await valuesIn(log, "orders")).toEqual(["a", 1, 2, "end"]);
  });

  it("all of it outlives a loss of power at once, and what was only written may not", async () => {
    const disk = crashStorage();
    const log = await openLog(disk);
    await log.createTopic("orders");
    const acknowledged = await log.producer().send({ topic: "orders", value: "kept" });
    expect(acknowledged).toMatchObject({ offset: 0, durability: "power" });
    const after = await openLog(disk.crash());
    expect(await valuesIn(after, "orders")).toEqual(["kept"]);
  });
});

describe.each(PLACES)("in $place", ({ make }) => {
  it("concurrent sends stand in call order within a partition, whoever awaits them and in whatever order", async () => {
    const log = await openLog(make());
    await log.createTopic("orders", { partitions: 3, segmentBytes: 2000 });
    const producer = log.producer({ batchSize: 300 });
    const pending = Array.from({ length: 600 }, (_, index) =>
      index % 50 === 49
        ? producer.sendBatch([{ topic: "orders", partition: index % 3, value: index }]).then(([first]) => first)
        : producer.send({ topic: "orders", partition: index % 3, value: index }),
    );
    const answers = await Promise.all(pending);
    for (const partition of [0, 1, 2]) {
      const offsets = answers.filter((answer) => answer?.partition === partition).map((answer) => answer?.offset);
      expect(offsets).toEqual(Array.from({ length: 200 }, (_, index) => index));
    }
    for (const [index, answer] of answers.entries()) {
      if (index % 37 === 0)
        expect(await log.read({ topic: "orders", partition: index % 3, offset: answer?.offset ?? -1 })).toMatchObject({ value: index });
    }
  });

  it("sends of one turn share a batch", async () => {
    const log = await openLog(make());
    await log.createTopic("orders");
    const producer = log.producer();
    await Promise.all(["a", "b", "c"].map((value) => producer.send({ topic: "orders", value })));
    const consumer = log.consumer();
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    const lengths: number[] = [];
    for await (const batch of consumer.batches({ until: "end" })) lengths.push(batch.length);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(3);
    expect(lengths.length).toBeLessThanOrEqual(2);
  });

  it("flush resolves when every earlier send has settled, also those that linger or fail", async () => {
    const log = await openLog(make());
    await log.createTopic("orders");
    const producer = log.producer({ lingerMs: 60_000 });
    let settled = 0;
    const count = (): void => {
      settled += 1;
    };
    const sends = [
      producer.send({ topic: "orders", value: 1 }),
      producer.send({ topic: "nowhere", value: 1 }),
      producer.send({ topic: "orders", value: 2 }),
    ].map((send) => send.then(count, count));
    await producer.flush();
    expect(settled).toBe(3);
    await Promise.all(sends);
    expect(await valuesIn(log, "orders")).toEqual([1, 2]);
  });

  it("close flushes first, may be called again, and then every call is refused", async () => {
    const log = await openLog(make());
    await log.createTopic("orders");
    const producer = log.producer({ lingerMs: 60_000 });
    const sent = producer.send({ topic: "orders", value: "a" });
    await Promise.all([producer.close(), producer.close()]);
    expect((await sent).offset).toBe(0);
    for (const call of [
      () => producer.send({ topic: "orders", value: 1 }),
      () => producer.sendBatch([]),
      () => producer.flush(),
      () => producer.transaction(async () => {}),
    ]) {
      await expect(call()).rejects.toMatchObject({ name: "UsageError", code: "PRODUCER_CLOSED" });
    }
    await producer.close();
  });

  it("closing the log flushes its producers and commits for its consumers; the records are there at the next open", async () => {
    const storage = make();
    const log = await openLog(storage);
    await log.createTopic("orders");
    const producer = log.producer({ lingerMs: 60_000 });
    const sent = [1, 2, 3].map((value) => producer.send({ topic: "orders", value }));
    await sendAll(log, "orders", ["x", "y"]);
    const consumer = log.consumer({ groupId: "g" });
    await consumer.subscribe(["orders"]);
    expect((await consumer.poll({ maxRecords: 1 })).length).toBe(1);
    expect((await consumer.poll({ maxRecords: 1 })).length).toBe(1);
    await log.close();
    expect((await Promise.all(sent)).length).toBe(3);
    const again = await openLog(storage);
    expect(await valuesIn(again, "orders")).toHaveLength(5);
    expect((await again.describeGroup("g")).offsets).toMatchObject([{ nextOffset: 1 }]);
  });

  it("headers, keys, timestamps and tombstones come back as they were sent", async () => {
    const log = await openLog(make());
    await log.createTopic("orders");
    const producer = log.producer();
    const bytes = Uint8Array.of(0, 255, 7);
    await producer.send({
      topic: "orders",
      key: "k",
      value: { a: [1, null, "ü"] },
      headers: [
        ["h", "v"],
        ["h", bytes],
        ["", null],
      ],
      timestamp: -1,
    });
    await producer.send({ topic: "orders", key: null, value: null, timestamp: 0 });
    await producer.send({ topic: "orders", value: "", timestamp: Number.MAX_SAFE_INTEGER });
    const read = (offset: number): Promise<unknown> => log.read({ topic: "orders", partition: 0, offset });
    expect(await read(0)).toEqual({
      topic: "orders",
      partition: 0,
      offset: 0,
      timestamp: -1,
      key: "k",
      value: { a: [1, null, "ü"] },
      headers: [
        ["h", new TextEncoder().encode("v")],
        ["h", bytes],
        ["", null],
      ],
    });
    expect(await read(1)).toMatchObject({ key: null, value: null, timestamp: 0, headers: [] });
    expect(await read(2)).toMatchObject({ key: null, value: "", timestamp: Number.MAX_SAFE_INTEGER });
    expect(await read(3)).toBeNull();
  });

  it("a sendBatch with one bad record appends nothing", async () => {
    const log = await openLog(make());
    await log.createTopic("orders", { partitions: 2 });
    const producer = log.producer();
    const good = { topic: "orders", partition: 0, value: 1 };
    for (const [bad, name, code] of [
      [{ topic: "orders", value: undefined }, "UsageError", "INVALID_ARGUMENT"],
      [{ topic: "orders", value: Symbol("x") }, "SerdeError", "SERIALIZATION_FAILED"],
      [{ topic: "nowhere", value: 1 }, "UsageError", "UNKNOWN_TOPIC_OR_PARTITION"],
      [{ topic: "orders", partition: 9, value: 1 }, "UsageError", "UNKNOWN_TOPIC_OR_PARTITION"],
      [{ topic: "orders", value: new Uint8Array(3_000_000) }, "UsageError", "MESSAGE_TOO_LARGE"],
      [{ topic: "orders", value: 1, timestamp: -5 }, "UsageError", "INVALID_TIMESTAMP"],
      [null, "UsageError", "INVALID_ARGUMENT"],
    ] as const) {
      await expect(producer.sendBatch([good, bad as never, good]), String(code)).rejects.toMatchObject({ name, code });
    }
    expect(await valuesIn(log, "orders")).toEqual([]);
  });
});

describe("a batch that fails in one of its partitions", () => {
  it("says of each record what became of it", async () => {
    const storage = faultyStorage(memory());
    const log = await openLog(storage);
    await log.createTopic("orders", { partitions: 2 });
    const producer = log.producer();
    storage.fail({ call: "writeAt", errno: "ENOSPC", name: /^orders-1\/.*log$/, times: Number.POSITIVE_INFINITY });
    const sending = producer.sendBatch([0, 1, 0, 1].map((partition, value) => ({ topic: "orders", partition, value })));
    const error = await sending.then(
      () => null,
      (reason: unknown) => reason as { name: string; code: string; results: PromiseSettledResult<{ offset: number }>[] },
    );
    expect(error).toMatchObject({ name: "SendBatchError", code: "SEND_BATCH_FAILED" });
    expect(error?.results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected"]);
    expect(error?.results[2]).toMatchObject({ value: { partition: 0, offset: 1 } });
    expect(error?.results[1]).toMatchObject({ reason: { name: "StorageError", code: "STORAGE_FULL", retriable: true } });
    storage.mend();
    expect((await producer.send({ topic: "orders", partition: 1, value: "on" })).offset).toBe(0);
  });
});
