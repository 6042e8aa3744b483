/** The cleaner at its hours and on demand: what it compacts, what it leaves, where it says how far it came, and how it stops. */
import { describe, expect, it } from "vitest";
import type { OdradekEvent } from "../../src/api/odradek.ts";
import type { TopicConfig } from "../../src/api/topic.ts";
import { nodeCodecs } from "../../src/compression/node-codecs.ts";
import { CLEANER_BACKOFF_MS, Cleaner } from "../../src/engine/cleaner.ts";
import type { Engine } from "../../src/engine/engine.ts";
import type { House } from "../../src/engine/house.ts";
import { startEngine } from "../../src/engine/start-engine.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { resolveConfig } from "../../src/topic/topic-config.ts";
import { keyedBatch } from "../log/compaction-rig.ts";

const NOW_MS = Date.UTC(2020, 5, 1);
const holder = { pid: 1, runtime: "test", version: "0", since: "", argv: [], hostname: "" };
const SMALL: Partial<TopicConfig> = { segmentBytes: 600, maxMessageBytes: 500, indexIntervalBytes: 100, cleanupPolicy: "compact" };

interface Life {
  readonly engine: Engine;
  readonly clock: ManualClock;
  readonly events: OdradekEvent[];
}

async function live(storage: Parameters<typeof startEngine>[1], more: { logCleanerIoMaxBytesPerSecond?: number } = {}): Promise<Life> {
  const clock = new ManualClock(NOW_MS);
  const events: OdradekEvent[] = [];
  const wiring = { clock, random: new SeededRandom(1), publish: undefined, holder, codecs: nodeCodecs() };
  const engine = await startEngine(wiring, storage, {
    readOnly: false,
    lock: "auto",
    allowNetworkFileSystem: false,
    offsetsFlushMs: 100,
    maxUnflushedBytes: 1 << 20,
    topicDefaults: {},
    onEvent: (event) => void events.push(event),
    ...more,
  });
  return { engine, clock, events };
}

/** So many rounds of the same key, a batch each: most of them in sealed segments. */
async function fill(engine: Engine, topic: string, rounds = 30): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const batch = keyedBatch([["key", `value ${round}`.padEnd(60)]], NOW_MS);
    await engine.produce({ topic, partition: 0, batch, acks: "all" });
  }
}

const compacted = (events: readonly OdradekEvent[]): string[] =>
  events.filter(({ type }) => type === "log.compacted").map(({ partition }) => partition?.topic ?? "");

async function textOf(storage: ReturnType<typeof memory>, name: string): Promise<string> {
  const file = await storage.open(name, { create: "no", readOnly: true });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  return new TextDecoder().decode(bytes);
}

describe("the cleaner", () => {
  it("passes over what is due at its hours, the filthiest first, and says in Kafka's book how far it came", async () => {
    const storage = memory();
    const { engine, clock, events } = await live(storage);
    await engine.createTopic({ topic: "filthy", partitions: 1, config: { ...SMALL, minCleanableDirtyRatio: 0.9 } });
    await engine.createTopic({ topic: "kept", partitions: 1, config: { ...SMALL, cleanupPolicy: "delete" } });
    await fill(engine, "filthy");
    await fill(engine, "kept");
    await clock.advance(CLEANER_BACKOFF_MS);
    expect(compacted(events)).toEqual(["filthy"]);
    const told = events.find(({ type }) => type === "log.compacted");
    expect(await textOf(storage, "cleaner-offset-checkpoint")).toBe(`0\n1\nfilthy 0 ${told?.["firstDirtyOffset"]}\n`);
    expect(engine.metrics()).toMatchObject({ compactions: 1, partitionsUncleanable: 0, compactionRecordsRemoved: expect.any(Number) });
    expect(engine.metrics()["compactionBytesReclaimed"]).toBeGreaterThan(1000);
    // Nothing is due before more than nine tenths of it are dirty again.
    await fill(engine, "filthy", 3);
    await clock.advance(CLEANER_BACKOFF_MS);
    expect(compacted(events)).toEqual(["filthy"]);
    await engine.close();
    const again = await live(storage);
    await again.clock.advance(CLEANER_BACKOFF_MS);
    expect(compacted(again.events), "the book is read").toEqual([]);
    await again.engine.close();
  });

  it("compacts on demand whatever there is, and counts what it gave back", async () => {
    const { engine, events } = await live(memory());
    await engine.createTopic({ topic: "t", partitions: 1, config: { ...SMALL, minCleanableDirtyRatio: 1 } });
    await fill(engine, "t");
    const before = engine.describeTopic("t").partitions[0]?.byteLength ?? 0;
    const report = await engine.maintain();
    const after = engine.describeTopic("t").partitions[0]?.byteLength ?? 0;
    expect(report).toEqual({ segmentsDeleted: 0, bytesReclaimed: before - after });
    expect(report.bytesReclaimed).toBeGreaterThan(1000);
    expect(await engine.maintain()).toEqual({ segmentsDeleted: 0, bytesReclaimed: 0 });
    expect(compacted(events)).toEqual(["t"]);
    await engine.close();
  });

  it("respects the lags on demand too", async () => {
    const { engine, clock, events } = await live(memory());
    await engine.createTopic({ topic: "t", partitions: 1, config: { ...SMALL, minCompactionLagMs: 60_000 } });
    await fill(engine, "t");
    expect((await engine.maintain()).bytesReclaimed).toBe(0);
    clock.jump(60_000);
    expect((await engine.maintain()).bytesReclaimed).toBeGreaterThan(1000);
    expect(compacted(events)).toEqual(["t"]);
    await engine.close();
  });

  it("compacts a topic altered to compact, and not one that is altered back", async () => {
    const { engine, events } = await live(memory());
    await engine.createTopic({ topic: "t", partitions: 1, config: { ...SMALL, cleanupPolicy: "delete" } });
    await fill(engine, "t");
    await engine.maintain();
    expect(compacted(events)).toEqual([]);
    await engine.alterConfig("t", { cleanupPolicy: "compact,delete" });
    await engine.maintain();
    expect(compacted(events)).toEqual(["t"]);
    await engine.alterConfig("t", { cleanupPolicy: "delete" });
    await fill(engine, "t");
    await engine.maintain();
    expect(compacted(events)).toEqual(["t"]);
    await engine.close();
  });

  it("goes on with the other partitions when one is damaged, and that one is read and written as before", async () => {
    const storage = memory();
    const faulty = faultyStorage(storage);
    const { engine, clock, events } = await live(faulty);
    for (const topic of ["bad", "good"]) {
      await engine.createTopic({ topic, partitions: 1, config: SMALL });
      await fill(engine, topic);
    }
    const file = await storage.open("bad-0/00000000000000000000.log", { create: "no" });
    file.writeAt(new Uint8Array([0xff]), 80);
    await file.close();
    await clock.advance(CLEANER_BACKOFF_MS);
    await clock.advance(CLEANER_BACKOFF_MS);
    expect(compacted(events)).toEqual(["good"]);
    const failed = events.filter(({ type }) => type === "compaction.failed");
    expect(failed.map(({ partition, isUncleanable }) => [partition?.topic, isUncleanable])).toEqual([["bad", true]]);
    expect(engine.metrics()).toMatchObject({ partitionsUncleanable: 1, partitionsFailed: 0 });
    await fill(engine, "bad", 1);
    await engine.close();
  });

  // While a disk stayed full this was told every 15 seconds, for each partition.
  it("tries what failed again at ever longer intervals, on demand at once, and is back at its hours when it has worked", async () => {
    const storage = faultyStorage(memory());
    const { engine, clock, events } = await live(storage);
    await engine.createTopic({ topic: "t", partitions: 1, config: SMALL });
    await fill(engine, "t");
    storage.fail({ name: /cleaned/, errno: "ENOSPC", times: Number.POSITIVE_INFINITY });
    const failedCount = (): number => events.filter(({ type }) => type === "compaction.failed").length;
    for (let elapsedMs = 0; elapsedMs < 3_600_000; elapsedMs += CLEANER_BACKOFF_MS) await clock.advance(CLEANER_BACKOFF_MS);
    expect(failedCount()).toBeGreaterThan(10);
    expect(failedCount()).toBeLessThan(20);
    const before = failedCount();
    await engine.maintain();
    expect(failedCount()).toBe(before + 1);
    storage.mend();
    for (let elapsedMs = 0; elapsedMs <= 300_000; elapsedMs += CLEANER_BACKOFF_MS) await clock.advance(CLEANER_BACKOFF_MS);
    expect(compacted(events)).toEqual(["t"]);
    await fill(engine, "t");
    await clock.advance(CLEANER_BACKOFF_MS);
    expect(compacted(events)).toEqual(["t", "t"]);
    await engine.close();
  });

  it("takes no more bytes a second than it may, and a close does not wait for it", async () => {
    const { engine, clock, events } = await live(memory(), { logCleanerIoMaxBytesPerSecond: 1000 });
    await engine.createTopic({ topic: "t", partitions: 1, config: SMALL });
    await fill(engine, "t");
    await clock.advance(CLEANER_BACKOFF_MS);
    // Some 4 KB are read twice, and little is written: eight seconds or so.
    expect(compacted(events)).toEqual([]);
    await clock.advance(4000);
    expect(compacted(events)).toEqual([]);
    await clock.advance(8000);
    expect(compacted(events)).toEqual(["t"]);
    await fill(engine, "t", 60);
    await clock.advance(CLEANER_BACKOFF_MS);
    await engine.close();
    expect(compacted(events)).toEqual(["t"]);
    expect(events.filter(({ type }) => type.endsWith(".failed"))).toEqual([]);
  });

  it("stops a pass at once for which the files came free only when the log was closing", async () => {
    const closed = new AbortController();
    const asked: boolean[] = [];
    const log = {
      failure: null,
      compactionProblem: null,
      spec: { topic: "t", partition: 0, frozen: false, config: () => resolveConfig(SMALL) },
      compactionNeed: async () => ({ firstDirtyOffset: 0, firstUncleanableOffset: 1, cleanableBytes: 1, ratio: 1, mustClean: true }),
      compact: async ({ signal }: { readonly signal: AbortSignal }) => {
        asked.push(signal.aborted);
        throw new Error("interrupted");
      },
    };
    const house = { context: { clock: new ManualClock(NOW_MS) }, topics: { openLogs: () => [log] } } as unknown as House;
    const cleaner = new Cleaner(
      house,
      {},
      (call) => {
        closed.abort();
        return call();
      },
      closed.signal,
    );
    await cleaner.run();
    expect(asked).toEqual([true]);
  });

  it("does not hold up the deletion of the topic it is at", async () => {
    const { engine, clock, events } = await live(memory(), { logCleanerIoMaxBytesPerSecond: 10 });
    await engine.createTopic({ topic: "t", partitions: 1, config: SMALL });
    await fill(engine, "t");
    await clock.advance(CLEANER_BACKOFF_MS);
    await engine.deleteTopic("t");
    expect(engine.hasTopic("t")).toBe(false);
    expect(compacted(events)).toEqual([]);
    await engine.close();
  });
});
