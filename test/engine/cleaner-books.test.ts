/** Compaction of the engine's own topics, and beside backups and retention: nothing that is known is forgotten. */
import { describe, expect, it } from "vitest";
import type { TopicConfig } from "../../src/api/topic.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { memory } from "../../src/index.ts";
import { Catalog } from "../../src/topic/catalog.ts";
import { keyedBatch } from "../log/compaction-rig.ts";
import { commit, type Life, openEngine } from "../simulation/engine-rig.ts";
import { committedOffset, readCommitted, TestProducer } from "../simulation/transaction-rig.ts";

const COMPACTED: Partial<TopicConfig> = { segmentBytes: 600, maxMessageBytes: 500, indexIntervalBytes: 100, cleanupPolicy: "compact" };

const compactedTopics = ({ events }: Life): Set<string> =>
  new Set(events.filter(({ type }) => type === "log.compacted").map(({ partition }) => partition?.topic ?? ""));

async function put({ engine }: Life, topic: string, key: string, value: string, timestamp: number): Promise<void> {
  await engine.produce({ topic, partition: 0, batch: keyedBatch([[key, value.padEnd(60)]], timestamp), acks: "all" });
}

/** The newest value of each key. */
async function table(life: Life, topic: string): Promise<string[]> {
  const newest = new Map<string, string>();
  for (const value of await readCommitted(life, topic, 0)) newest.set(value.split(":")[0] ?? "", value.trim());
  return [...newest.values()].sort();
}

describe("compaction of the engine's own topics", () => {
  it("keeps committed offsets, offsets that pend, and transactional ids, over a reopening", async () => {
    const storage = memory();
    let life = await openEngine(storage);
    for (const topic of ["orders", "aside"]) await life.engine.createTopic({ topic, partitions: 1, config: {} });
    for (let value = 0; value < 20; value += 1) await put(life, "orders", "k", `${value}`, life.clock.now());
    const ids = ["a", "b", "c"];
    await new TestProducer(life, "a").init();
    await commit(life, "g", "orders", 0, 1, true);
    await life.engine.close();
    // Nobody may alter the engine's own topics, and their segments are of 100 MiB: a broker's directory may say otherwise.
    const catalog = await Catalog.load(storage, await loadCore());
    for (const topic of ["__consumer_offsets", "__transaction_state"])
      await catalog.changeTopic(topic, { overrides: { segmentBytes: 2000, maxMessageBytes: 1500, minCleanableDirtyRatio: 0 } });
    life = await openEngine(storage);
    const producers = await Promise.all(ids.map((id) => new TestProducer(life, id).init()));
    for (let next = 1; next <= 20; next += 1) {
      for (const producer of producers) {
        await producer.send("orders", 0, `${producer.id} ${next}`);
        await producer.commitOffset(`t-${producer.id}`, "orders", 0, next);
        await producer.end(next % 3 !== 0);
      }
      for (const group of ["g", "h"]) await commit(life, group, "orders", 0, next, true);
    }
    const [pending] = producers;
    await pending!.send("orders", 0, "pending");
    await pending!.commitOffset("t-a", "orders", 0, 17);
    // So many that segments behind the offset that pends, in the same partition, are rolled.
    const rollOver = async (): Promise<void> => {
      for (let count = 0; count < 30; count += 1) await commit(life, "t-a", "aside", 0, 0, true);
    };
    await rollOver();
    expect((await life.engine.maintain()).bytesReclaimed).toBeGreaterThan(1000);
    expect([...compactedTopics(life)].sort()).toEqual(["__consumer_offsets", "__transaction_state"]);
    expect(await committedOffset(life, "t-a", "orders", 0)).toBe(20);
    await pending!.end(true);
    expect(await committedOffset(life, "t-a", "orders", 0)).toBe(17);
    const records = await readCommitted(life, "orders", 0);
    await rollOver();
    expect((await life.engine.maintain()).bytesReclaimed).toBeGreaterThan(1000);
    await life.engine.close();
    life = await openEngine(storage);
    const known = async (group: string): Promise<number | null> => await committedOffset(life, group, "orders", 0);
    expect([await known("g"), await known("h"), await known("t-a"), await known("t-b"), await known("t-c")]).toEqual([20, 20, 17, 20, 20]);
    expect(await readCommitted(life, "orders", 0)).toEqual(records);
    for (const [index, id] of ids.entries()) {
      const before = producers[index]!.identity;
      const again = await new TestProducer(life, id).init();
      expect(again.identity, "its id is known: the next epoch of the same producer").toEqual({
        producerId: before.producerId,
        producerEpoch: before.producerEpoch + 1,
      });
    }
    await life.engine.close();
  }, 30_000);
});

describe("a backup and a compaction at one time", () => {
  it.each(["the backup first", "the compaction first"])(
    "both end, and the copy opens with the newest of each key: %s",
    async (order) => {
      const life = await openEngine(memory());
      await life.engine.createTopic({ topic: "t", partitions: 1, config: COMPACTED });
      for (let round = 0; round < 10; round += 1)
        for (let key = 0; key < 5; key += 1) await put(life, "t", `${key}`, `${key}:${round}`, life.clock.now());
      const before = await table(life, "t");
      for (let turns = 0; turns < 40; turns += 1) {
        const target = memory();
        const backup = (): Promise<unknown> => life.engine.backup(target);
        const compaction = (): Promise<unknown> => life.engine.maintain();
        const [first, second] = order === "the backup first" ? [backup, compaction] : [compaction, backup];
        const running = first();
        for (let turn = 0; turn < turns * 5; turn += 1) await null;
        await Promise.all([running, second()]);
        const copy = await openEngine(target);
        expect(await table(copy, "t")).toEqual(before);
        expect(copy.events.filter(({ type }) => /cut|failed|damage/.test(type))).toEqual([]);
        await copy.engine.close();
        expect(await table(life, "t")).toEqual(before);
        for (let key = 0; key < 5; key += 1) await put(life, "t", `${key}`, `${key}:9`, life.clock.now());
      }
      expect(compactedTopics(life)).toEqual(new Set(["t"]));
      await life.engine.close();
    },
    30_000,
  );
});

describe("a topic that is compacted and deleted from", () => {
  it("loses what is old, keeps the newest of what is not, and says the same after a reopening", async () => {
    const storage = memory();
    let life = await openEngine(storage);
    const config = { ...COMPACTED, cleanupPolicy: "compact,delete" as const, retentionMs: 60_000 };
    await life.engine.createTopic({ topic: "t", partitions: 1, config });
    for (let round = 0; round < 10; round += 1) await put(life, "t", "old", `old:${round}`, life.clock.now());
    for (let key = 0; key < 10; key += 1) await put(life, "t", `gone ${key}`, `gone ${key}:0`, life.clock.now());
    await life.clock.advance(61_000);
    for (let round = 0; round < 20; round += 1) await put(life, "t", `${round % 2}`, `${round % 2}:${round}`, life.clock.now());
    const report = await life.engine.maintain();
    expect(report.segmentsDeleted).toBeGreaterThan(0);
    expect(compactedTopics(life)).toEqual(new Set(["t"]));
    const values = await readCommitted(life, "t", 0);
    expect(values.length).toBeLessThan(20);
    const newest = await table(life, "t");
    expect(newest.filter((value) => /^[01]:/.test(value))).toEqual(["0:18", "1:19"]);
    // What shares a segment with younger records stays as long as they do.
    expect(newest.length).toBeLessThan(2 + 10);
    const { logStartOffset } = life.engine.describeTopic("t").partitions[0]!;
    expect(logStartOffset).toBeGreaterThan(0);
    await life.engine.close();
    life = await openEngine(storage, 1, { startMs: life.clock.now() });
    expect(await readCommitted(life, "t", 0)).toEqual(values);
    expect(life.engine.describeTopic("t").partitions[0]?.logStartOffset).toBe(logStartOffset);
    await life.engine.close();
  });
});
