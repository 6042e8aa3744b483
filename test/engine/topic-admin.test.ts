/** Making, changing and removing topics over the port: what is answered, what is refused and how, and what a refusal leaves. */
import { afterEach, describe, expect, it } from "vitest";
import { TopicAdmin } from "../../src/engine/topic-admin.ts";
import { memory } from "../../src/storage/memory.ts";
import { type FaultyStorage, faultyStorage } from "../../src/testing/faulty-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { type Life, openEngine, produce, readPartition } from "../simulation/engine-rig.ts";

let life: Life | null = null;
afterEach(async () => {
  await life?.engine.close();
  life = null;
});

async function bed(storage: FaultyStorage = faultyStorage(memory())): Promise<{ readonly life: Life; readonly storage: FaultyStorage }> {
  life = await openEngine(storage);
  return { life, storage };
}

const refused = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "",
    (error: { readonly name: string; readonly code: string }) => `${error.name} ${error.code}`,
  );
const valuesIn = async (at: Life, partition = 0): Promise<string[]> =>
  (await readPartition(at, "orders", partition)).records.map(({ value }) => value);
const directories = async (storage: FaultyStorage): Promise<string[]> =>
  (await storage.list("")).flatMap(({ kind, name }) => (kind === "directory" && !name.startsWith("__") ? [name] : [])).sort();

describe("a topic that was made", () => {
  it("is told of as it is: the lesser of its two bounds for a batch, and whether it needs keys", async () => {
    const { engine } = (await bed()).life;
    const topicId = "q83vASNFZ4mrze8BI0VniQ";
    const made = await engine.createTopic({ topic: "a", partitions: 2, topicId, config: { maxMessageBytes: 500, segmentBytes: 400 } });
    expect(made).toEqual({ name: "a", topicId, internal: false, partitionCount: 2, maxMessageBytes: 400, requiresKey: false });
    for (const cleanupPolicy of ["compact", "compact,delete"] as const) {
      const topic = `k-${cleanupPolicy.length}`;
      const keyed = await engine.createTopic({ topic, partitions: 1, config: { cleanupPolicy, maxMessageBytes: 300, segmentBytes: 900 } });
      expect(keyed).toMatchObject({ maxMessageBytes: 300, requiresKey: true });
    }
    expect(await engine.metadata(["a", "none", "k-7"])).toMatchObject([{ name: "a", partitionCount: 2 }, { name: "k-7" }]);
    expect((await engine.metadata(null)).map(({ name }) => name)).toEqual(["a", "k-7", "k-14"]);
    expect(engine.describeTopic("a").partitions).toEqual(
      [0, 1].map((partition) => ({ partition, logStartOffset: 0, lastStableOffset: 0, highWatermark: 0, logEndOffset: 0, byteLength: 0 })),
    );
  });

  it("has an id of 22 characters of its own or none, and every refusal leaves nothing", async () => {
    const { life: at, storage } = await bed();
    const create = (topic: string, more: object = {}): Promise<unknown> =>
      at.engine.createTopic({ topic, partitions: 1, config: {}, ...more });
    expect(await refused(create("orders", { topicId: "short" }))).toBe("UsageError INVALID_ARGUMENT");
    for (const partitions of [0, 100_001, 1.5])
      expect(await refused(create("orders", { partitions }))).toBe("UsageError INVALID_PARTITIONS");
    for (const topic of ["__consumer_offsets", "__transaction_state"])
      expect(await refused(create(topic))).toBe("UsageError INVALID_TOPIC_EXCEPTION");
    expect(await directories(storage)).toEqual([]);
    await create("orders");
    expect(await refused(create("orders"))).toBe("UsageError TOPIC_ALREADY_EXISTS");
    expect(at.engine.topicNames()).toEqual(["orders"]);
  });

  it("goes again with its directories where the catalogue refuses it, and can then be made", async () => {
    const { life: at, storage } = await bed();
    storage.fail({ call: "writeAt", errno: "ENOSPC", name: /odradek\.json/ });
    expect(await refused(at.engine.createTopic({ topic: "orders", partitions: 3, config: {} }))).toBe("StorageError STORAGE_FULL");
    expect([at.engine.hasTopic("orders"), await directories(storage)]).toEqual([false, []]);
    await at.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    await produce(at, "orders", 0, ["a"]);
    expect(await valuesIn(at)).toEqual(["a"]);
  });
});

describe("more partitions", () => {
  it("are one more at least, are empty, and the records of the others stay where they are", async () => {
    const { life: at, storage } = await bed();
    await at.engine.createTopic({ topic: "orders", partitions: 2, config: {} });
    await produce(at, "orders", 1, ["a"]);
    for (const count of [0, 1, 2, 100_001])
      expect(await refused(at.engine.createPartitions("orders", count))).toBe("UsageError INVALID_PARTITIONS");
    await at.engine.createPartitions("orders", 3);
    expect([await valuesIn(at, 1), await valuesIn(at, 2)]).toEqual([["a"], []]);
    storage.fail({ call: "writeAt", errno: "ENOSPC", name: /odradek\.json/ });
    expect(await refused(at.engine.createPartitions("orders", 5))).toBe("StorageError STORAGE_FULL");
    expect([at.engine.describeTopic("orders").partitions.length, await directories(storage)]).toEqual([
      3,
      ["orders-0", "orders-1", "orders-2"],
    ]);
  });
});

describe("a change of settings", () => {
  it("sets what is named, takes back what is null, leaves what is undefined, and all of the others", async () => {
    const { engine } = (await bed()).life;
    await engine.createTopic({ topic: "orders", partitions: 1, config: { retentionMs: 5, retentionBytes: 6, maxMessageBytes: 77 } });
    await engine.alterConfig("orders", { retentionMs: 8, retentionBytes: null, maxMessageBytes: undefined });
    // What is taken back is what the log has by default.
    const { retentionMs, retentionBytes, maxMessageBytes } = await engine.describeConfig("orders");
    expect([retentionMs, retentionBytes, maxMessageBytes]).toEqual([8, Number.POSITIVE_INFINITY, 77]);
    await engine.alterConfig("orders", { maxMessageBytes: null });
    expect((await engine.describeConfig("orders")).maxMessageBytes).toBe(400);
  });

  it.each([
    [null, "INVALID_CONFIG"],
    [[], "INVALID_CONFIG"],
    ["retentionMs", "INVALID_CONFIG"],
    [{ retentionMss: 5 }, "UNKNOWN_CONFIG"],
    [{ retentionMss: null }, "UNKNOWN_CONFIG"],
    [{ retentionMs: -5 }, "INVALID_CONFIG"],
  ])("to %j is refused, and nothing is changed", async (change, code) => {
    const { engine } = (await bed()).life;
    await engine.createTopic({ topic: "orders", partitions: 1, config: { retentionMs: 5 } });
    expect(await refused(engine.alterConfig("orders", change as never))).toBe(`UsageError ${code}`);
    expect((await engine.describeConfig("orders")).retentionMs).toBe(5);
  });

  it("that the catalogue refuses holds nowhere, now or later", async () => {
    const { life: at, storage } = await bed();
    await at.engine.createTopic({ topic: "orders", partitions: 1, config: { durability: "os" } });
    storage.fail({ call: "writeAt", errno: "ENOSPC", name: /odradek\.json/ });
    expect(await refused(at.engine.alterConfig("orders", { durability: "sync", maxMessageBytes: 90 }))).toBe("StorageError STORAGE_FULL");
    expect(await at.engine.describeConfig("orders")).toMatchObject({ durability: "os", maxMessageBytes: 400 });
    await produce(at, "orders", 0, ["x".repeat(100)]);
    expect(await valuesIn(at)).toHaveLength(1);
  });

  it("from os to sync has what was written before on the disk before the catalogue says so", async () => {
    const { life: at, storage } = await bed();
    await at.engine.createTopic({ topic: "orders", partitions: 1, config: { durability: "os" } });
    await produce(at, "orders", 0, ["a"]);
    const flushes = (): number => storage.count("sync");
    const before = flushes();
    storage.fail({ call: "writeAt", errno: "ENOSPC", name: /odradek\.json/ });
    await refused(at.engine.alterConfig("orders", { durability: "sync" }));
    expect(flushes()).toBeGreaterThan(before);
    const between = flushes();
    storage.fail({ call: "writeAt", errno: "ENOSPC", name: /odradek\.json/ });
    await refused(at.engine.alterConfig("orders", { retentionMs: 7 }));
    expect(flushes()).toBe(between);
  });
});

describe("records that are to be deleted", () => {
  it.each([
    ["delete", ""],
    ["compact,delete", ""],
    ["compact", "UsageError POLICY_VIOLATION"],
  ] as const)("of a topic of cleanupPolicy %s: %j", async (cleanupPolicy, refusal) => {
    const { engine } = (await bed()).life;
    await engine.createTopic({ topic: "orders", partitions: 1, config: { cleanupPolicy } });
    expect(await refused(engine.deleteRecords({ topic: "orders", partition: 0 }, 0))).toBe(refusal);
    expect(await refused(engine.deleteRecords({ topic: "orders", partition: 1 }, 0))).toBe(
      refusal === "" || cleanupPolicy === "compact" ? "UsageError UNKNOWN_TOPIC_OR_PARTITION" : refusal,
    );
  });
});

describe("a deletion", () => {
  it("takes directories, name and records, and a topic made anew begins at nothing with an id of its own", async () => {
    const { life: at, storage } = await bed();
    const { topicId } = await at.engine.createTopic({ topic: "orders", partitions: 2, config: {} });
    await produce(at, "orders", 0, ["a"]);
    await at.engine.deleteTopic("orders");
    expect([at.engine.hasTopic("orders"), await directories(storage)]).toEqual([false, []]);
    expect(await refused(at.engine.deleteTopic("orders"))).toBe("UsageError UNKNOWN_TOPIC_OR_PARTITION");
    const again = await at.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    expect(again.topicId).not.toBe(topicId);
    expect(await valuesIn(at)).toEqual([]);
  });
});

describe("changes of topics", () => {
  it("are made one after another, each whatever became of the one before it, and are waited for", async () => {
    const { engine } = (await bed()).life;
    const made: string[] = [];
    const create = (topic: string): Promise<unknown> =>
      engine.createTopic({ topic, partitions: 1, config: {} }).then(
        () => made.push(topic),
        () => made.push("refused"),
      );
    const grow = engine.createPartitions.bind(engine);
    await Promise.all([create("a"), create("a"), create("b"), grow("a", 2).then(() => made.push("grown")), create("c")]);
    expect(made).toEqual(["a", "refused", "b", "grown", "c"]);
    expect(engine.describeTopic("a").partitions).toHaveLength(2);
  });

  it("are all over when nothing is under way, a refused one too", async () => {
    let isOver = false;
    let fail = (_: unknown): void => {};
    const house = { catalog: { settle: () => new Promise((_, reject) => (fail = reject)) }, topics: { require: () => ({ slots: [] }) } };
    const admin = new TopicAdmin(house as never, async () => {});
    await admin.settled();
    const refusal = refused(admin.reopenPartition({ topic: "orders", partition: 0 }, async () => {}));
    const over = admin.settled().then(() => {
      isOver = true;
    });
    await settled();
    expect(isOver).toBe(false);
    fail(Object.assign(new Error("no"), { code: "NO" }));
    expect(await refusal).toBe("Error NO");
    await over;
  });
});

describe("a log that is only read", () => {
  it("changes no topic", async () => {
    const storage = faultyStorage(memory());
    const writer = await openEngine(storage);
    await writer.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    await writer.engine.close();
    life = await openEngine(storage, 1, { readOnly: true });
    const { engine } = life;
    for (const call of [
      () => engine.createTopic({ topic: "new", partitions: 1, config: {} }),
      () => engine.deleteTopic("orders"),
      () => engine.createPartitions("orders", 2),
      () => engine.alterConfig("orders", { retentionMs: 5 }),
      () => engine.deleteRecords({ topic: "orders", partition: 0 }, 0),
      () => engine.adoptTopic("orders", { partitions: 1, cleanupPolicy: "delete" }),
    ])
      expect(await refused(call()), String(call)).toBe("UsageError READ_ONLY");
    expect(engine.topicNames()).toEqual(["orders"]);
  });
});
