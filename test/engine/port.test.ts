/** The broker port against batches that no writer of ours makes, partitions that hold nothing, and calls on what is closed or only read. */
import { describe, expect, it } from "vitest";
import type { FetchRequest } from "../../src/api/broker.ts";
import type { TopicConfig } from "../../src/api/topic.ts";
import { memory } from "../../src/storage/memory.ts";
import { type SlowBatch, slowBatchBytes } from "../core/twin/batch.ts";
import { type Life, openEngine } from "../simulation/engine-rig.ts";

const ORDERS = { topic: "orders", partition: 0 };
const record = {
  offsetDelta: 0,
  timestampDelta: 0n,
  key: new Uint8Array([1]),
  value: new Uint8Array(100),
  headers: [],
};
const batchOf = (facts: Partial<SlowBatch> = {}): Uint8Array<ArrayBuffer> =>
  slowBatchBytes({
    baseOffset: 0n,
    leaderEpoch: -1,
    attributes: 0,
    lastOffsetDelta: 0,
    baseTimestamp: 1000n,
    maxTimestamp: 1000n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    records: [record],
    ...facts,
  });
const caught = (call: () => Promise<unknown>): Promise<unknown> =>
  (async () => call())().then(
    () => "nothing was refused",
    (error: unknown) => error,
  );

async function withTopic<T>(config: Partial<TopicConfig>, body: (life: Life) => Promise<T>, partitions = 1): Promise<T> {
  const life = await openEngine(memory());
  try {
    await life.engine.createTopic({ topic: "orders", partitions, topicId: undefined, config });
    return await body(life);
  } finally {
    await life.engine.close();
  }
}

const produce = ({ engine }: Life, batch: Uint8Array, partition = 0): Promise<unknown> =>
  engine.produce({ topic: "orders", partition, batch, acks: "all" });
const fetch = (partitions: readonly object[], more: Partial<FetchRequest> = {}): FetchRequest =>
  ({ partitions, minBytes: 0, maxWaitMs: 0, maxBytes: 1 << 20, isolation: "readCommitted", ...more }) as FetchRequest;

describe("a batch", () => {
  it("whose header says what only a broker may say, or half of what a producer says, is refused, and the next one is taken", async () => {
    await withTopic({}, async (life) => {
      const wrong: readonly (readonly [Partial<SlowBatch>, string])[] = [
        [{ attributes: 0x20 }, "attributes at byte 21"],
        [{ attributes: 0x08 }, "timestamp at byte 21"],
        [{ baseOffset: 5n }, "expected base offset 0"],
        [{ producerId: 7n, producerEpoch: -1, baseSequence: 0 }, "expected an epoch and a base sequence"],
        [{ producerId: 7n, producerEpoch: 0, baseSequence: -1 }, "expected an epoch and a base sequence"],
        [{ attributes: 0x10 }, "no producer id"],
      ];
      for (const [facts, words] of wrong) {
        expect(await caught(() => produce(life, batchOf(facts))), words).toMatchObject({
          code: "INVALID_RECORD",
          message: expect.stringContaining(words) as string,
        });
      }
      const bent = batchOf();
      bent[bent.length - 1] = 9;
      expect(await caught(() => produce(life, bent))).toMatchObject({ code: "CORRUPT_MESSAGE" });
      expect(await produce(life, batchOf())).toMatchObject({ baseOffset: 0 });
    });
  });

  it("longer than a segment of its topic is refused though a record may be as long", async () => {
    await withTopic({ segmentBytes: 1024, maxMessageBytes: 1 << 20 }, async (life) => {
      const long = batchOf({ records: [{ ...record, value: new Uint8Array(2000) }] });
      expect(await caught(() => produce(life, long))).toMatchObject({ code: "RECORD_LIST_TOO_LARGE" });
    });
  });
});

describe("a question", () => {
  it("about what is not there is answered with a fault, and the others in it are answered", async () => {
    await withTopic(
      {},
      async (life) => {
        await produce(life, batchOf());
        const { engine } = life;
        const listed = await engine.listOffsets({
          partitions: [
            { ...ORDERS, partition: 1, at: 5 },
            { ...ORDERS, partition: 9, at: "latest" },
            { topic: "nothing", partition: 0, at: "earliest" },
            { ...ORDERS, at: 0 },
          ],
          isolation: "readCommitted",
        });
        expect(listed).toMatchObject([
          { fault: null, offset: null },
          { fault: {} },
          { fault: {} },
          { fault: null, offset: 0, timestamp: 1000 },
        ]);
        const { partitions } = await engine.fetch(
          fetch(
            [
              { ...ORDERS, offset: 0, maxBytes: 1 },
              { ...ORDERS, offset: 0, maxBytes: 0 },
              { ...ORDERS, partition: 9, offset: 0, maxBytes: 1 },
            ],
            { maxBytes: 1 },
          ),
        );
        expect(partitions.map(({ batches }) => batches.length > 0)).toEqual([true, false, false]);
      },
      2,
    );
  });

  it("about an internal partition that nothing was written to is answered as an empty one", async () => {
    await withTopic({}, async ({ engine }) => {
      const group = { groupId: "g", memberId: "", groupInstanceId: null, generation: -1, durable: true };
      await engine.offsetCommit({ ...group, offsets: [{ ...ORDERS, nextOffset: 0, leaderEpoch: -1, metadata: "" }] });
      const all = Array.from({ length: 50 }, (_, partition) => ({ topic: "__consumer_offsets", partition }));
      const { partitions } = await engine.fetch(
        fetch(
          all.map((at) => ({ ...at, offset: 0, maxBytes: 1 << 20 })),
          { isolation: "readUncommitted" },
        ),
      );
      expect(partitions.filter(({ batches }) => batches.length > 0)).toHaveLength(1);
      expect(partitions.every(({ fault }) => fault === null)).toBe(true);
      const listed = await engine.listOffsets({ partitions: all.map((at) => ({ ...at, at: 5 })), isolation: "readUncommitted" });
      expect(listed.every(({ fault }) => fault === null)).toBe(true);
    });
  });

  it("hides by time what a transaction that is open has written", async () => {
    await withTopic({}, async ({ engine }) => {
      const id = await engine.initProducerId({ transactionalId: "t", transactionTimeoutMs: 60_000 } as never);
      const identity = { transactionalId: "t", producerId: id.producerId, producerEpoch: id.producerEpoch };
      await engine.addPartitions({ ...identity, partitions: [ORDERS] });
      const batch = batchOf({ attributes: 0x10, producerId: id.producerId, producerEpoch: id.producerEpoch, baseSequence: 0 });
      await engine.produce({ ...ORDERS, batch, acks: "all", transactionalId: "t" });
      const at = async (isolation: "readCommitted" | "readUncommitted"): Promise<number | null | undefined> =>
        (await engine.listOffsets({ partitions: [{ ...ORDERS, at: 0 }], isolation }))[0]?.offset;
      expect([await at("readCommitted"), await at("readUncommitted")]).toEqual([null, 0]);
      await engine.endTransaction({ ...identity, commit: true });
      expect(await at("readCommitted")).toBe(0);
    });
  });
});

describe("a call", () => {
  it("on a log that is closed rejects, and nothing is at hand any more", async () => {
    const life = await openEngine(memory());
    await life.engine.createTopic({ topic: "orders", partitions: 1, topicId: undefined, config: {} });
    await life.engine.close();
    for (const call of [() => produce(life, batchOf()), () => life.engine.fetch(fetch([]))]) {
      expect(await caught(call)).toMatchObject({ code: "LOG_CLOSED" });
    }
    expect(life.engine.atHand).toBeUndefined();
  });

  it("that deletes is refused where a topic keeps the newest of each key, where a group reads it, and where there is none", async () => {
    await withTopic({ cleanupPolicy: "compact" }, async ({ engine }) => {
      expect(await caught(async () => engine.deleteRecords(ORDERS, 0))).toMatchObject({ code: "POLICY_VIOLATION" });
      for (const call of [
        () => engine.deleteOffsets("none", [ORDERS]),
        () => engine.deleteGroup("none"),
        () => engine.describeGroup("none"),
      ]) {
        expect(await caught(call)).toMatchObject({ code: "GROUP_ID_NOT_FOUND" });
      }
      const member = { groupId: "g", memberId: "", groupInstanceId: null };
      const joined = await engine.joinGroup({
        ...member,
        clientId: "c",
        protocolType: "other",
        protocols: [{ name: "p", metadata: new Uint8Array(0) }],
        sessionTimeoutMs: null,
        rebalanceTimeoutMs: 60_000,
      } as never);
      expect(await caught(() => engine.deleteOffsets("g", [ORDERS]))).toMatchObject({ code: "GROUP_SUBSCRIBED_TO_TOPIC" });
      expect(await caught(() => engine.deleteGroup("g"))).toMatchObject({ code: "NON_EMPTY_GROUP" });
      await engine.leaveGroup({ groupId: "g", members: [{ memberId: joined.memberId, groupInstanceId: null }] });
      await engine.deleteOffsets("g", [ORDERS]);
    });
  });
});
