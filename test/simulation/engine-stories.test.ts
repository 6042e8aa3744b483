/** What the simulations found, each a tale of its own: how a promise was broken, and that it no longer is. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { OdradekError } from "../../src/base/errors.ts";
import { CLEAN_SHUTDOWN_FILE } from "../../src/log/books/clean-shutdown.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { commit, type Life, openEngine, produce, readPartition } from "./engine-rig.ts";

const kill = (disk: CrashStorage): CrashStorage => disk.crash(new SeededRandom(1), { kind: "process" });
const losePower = (disk: CrashStorage): CrashStorage => disk.crash(new SeededRandom(1), { survival: "nothing" });

async function withTopic(storage: StorageDriver, durability: "sync" | "os" = "sync"): Promise<Life> {
  const life = await openEngine(storage, "first");
  await life.engine.createTopic({ topic: "a", partitions: 1, config: { durability } });
  return life;
}

async function committedOf(life: Life): Promise<number | null> {
  const [found] = await life.engine.offsetFetch({ groupId: "g", partitions: [{ topic: "a", partition: 0 }] });
  return found?.nextOffset ?? null;
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "resolved",
    (error: unknown) => (error instanceof OdradekError ? error.code : String(error)),
  );

describe("a topic made anew under the name of a deleted one", () => {
  it("does not begin at the log start that a checkpoint keeps of the old one", async () => {
    // The checkpoint's line outlived the topic; after a crash the new log began at offset 3, with its records below.
    const disk = crashStorage();
    const life = await withTopic(disk);
    for (let count = 0; count < 4; count += 1) await produce(life, "a", 0, [`old ${count}`]);
    await life.engine.deleteRecords({ topic: "a", partition: 0 }, 3);
    await life.clock.advance(61_000);
    await life.engine.deleteTopic("a");
    await life.engine.createTopic({ topic: "a", partitions: 1, config: {} });
    await produce(life, "a", 0, ["new"]);
    const next = await openEngine(losePower(disk));
    expect(await readPartition(next, "a", 0)).toEqual({ logStart: 0, logEnd: 1, records: [{ offset: 0, value: "new" }] });
    await next.engine.close();
  });

  it("does not inherit committed offsets when the machine died in the deletion", async () => {
    // The name was free before the offsets were gone: a group of the new topic began behind records that it had never seen.
    for (let calls = 1; ; calls += 1) {
      const disk = crashStorage();
      const storage = faultyStorage(disk);
      const life = await withTopic(storage);
      await produce(life, "a", 0, ["old 0", "old 1"]);
      await commit(life, "g", "a", 0, 2, true);
      const last = storage.count();
      storage.fail({ nth: calls, halt: true });
      const deleted = await codeOf(life.engine.deleteTopic("a"));
      expect(storage.count()).toBeGreaterThan(last);
      const next = await openEngine(kill(disk), "second");
      if (!next.engine.hasTopic("a")) {
        await next.engine.createTopic({ topic: "a", partitions: 1, config: {} });
        expect(await committedOf(next)).toBeNull();
      } else expect(await committedOf(next)).toBe(2);
      await next.engine.close();
      if (deleted === "resolved") break;
    }
  });
});

describe("a clean close", () => {
  it("is not vouched for when a partition has failed", async () => {
    // The marker was written all the same: a broker that found it would have skipped recovery.
    const disk = crashStorage();
    const life = await withTopic(disk);
    disk.failSyncs(/a-0\/.*\.log$/, "ext4");
    expect(await codeOf(produce(life, "a", 0, ["lost"]))).toBe("PARTITION_FAILED");
    await life.engine.close();
    expect(disk.peek(CLEAN_SHUTDOWN_FILE)).toBeNull();
  });

  it("closes every log and frees the lock when committed offsets cannot be flushed", async () => {
    // It stopped at the offsets: the logs stayed open beside the next owner of the directory.
    const disk = crashStorage();
    const life = await withTopic(disk, "os");
    await produce(life, "a", 0, ["written"]);
    await commit(life, "g", "a", 0, 1, false);
    disk.failSyncs(/__consumer_offsets-.*\.log$/, "ext4");
    expect(await codeOf(life.engine.close())).toBe("PARTITION_FAILED");
    expect(disk.peek(CLEAN_SHUTDOWN_FILE)).toBeNull();
    const next = await openEngine(losePower(disk));
    expect((await readPartition(next, "a", 0)).records).toEqual([{ offset: 0, value: "written" }]);
    await next.engine.close();
  });

  it("waits for a topic that is being made, and takes no more", async () => {
    const disk = crashStorage({
      latency: async () => {
        for (let turns = 0; turns < 50; turns += 1) await null;
      },
    });
    const life = await openEngine(disk);
    const making = life.engine.createTopic({ topic: "a", partitions: 2, config: {} });
    const closing = life.engine.close();
    expect(await codeOf(life.engine.createTopic({ topic: "b", partitions: 1, config: {} }))).toBe("LOG_CLOSED");
    await making;
    await closing;
    const next = await openEngine(losePower(disk));
    expect(next.engine.topicNames()).toEqual(["a"]);
    expect(next.events.filter(({ type }) => type.startsWith("recovery") || type.startsWith("partition"))).toEqual([]);
    await next.engine.close();
  });
});

describe("what a refused change leaves", () => {
  it("is taken back: a deletion that failed does not come out at the next open and take acknowledged records along", async () => {
    // The catalogue was renamed and its directory not flushed: refused, and found all the same after a crash.
    const disk = crashStorage();
    const storage = faultyStorage(disk);
    const life = await withTopic(storage);
    storage.fail({ call: "syncDirectory", name: /^$/, errno: "EIO" });
    expect(await codeOf(life.engine.deleteTopic("a"))).toBe("STORAGE_FAILED");
    await produce(life, "a", 0, ["after"]);
    const next = await openEngine(kill(disk));
    expect((await readPartition(next, "a", 0)).records).toEqual([{ offset: 0, value: "after" }]);
    await next.engine.close();
  });

  it("takes the topic out of service where it cannot be taken back, until the catalogue can be written", async () => {
    const disk = crashStorage();
    const storage = faultyStorage(disk);
    const life = await withTopic(storage);
    storage.fail({ call: "syncDirectory", name: /^$/, errno: "EIO", times: Number.POSITIVE_INFINITY });
    expect(await codeOf(life.engine.deleteTopic("a"))).toBe("STORAGE_FAILED");
    expect(await codeOf(produce(life, "a", 0, ["refused"]))).toBe("PARTITION_FAILED");
    expect(await codeOf(life.engine.reopenPartition({ topic: "a", partition: 0 }))).toBe("STORAGE_FAILED");
    storage.mend();
    await life.engine.reopenPartition({ topic: "a", partition: 0 });
    await produce(life, "a", 0, ["after"]);
    const next = await openEngine(kill(disk));
    expect((await readPartition(next, "a", 0)).records).toEqual([{ offset: 0, value: "after" }]);
    await next.engine.close();
  });
});

describe("committed offsets", () => {
  it("that cannot be read are not taken for none: a group is told, and has them after reopenPartition", async () => {
    // They counted as never committed: a group that begins at "latest" would have skipped what came meanwhile.
    const disk = crashStorage();
    const life = await withTopic(disk);
    await produce(life, "a", 0, ["0", "1"]);
    await commit(life, "g", "a", 0, 2, true);
    await life.engine.close();
    const storage = faultyStorage(kill(disk));
    storage.fail({ call: "open", name: /^__consumer_offsets-/, errno: "EMFILE", times: Number.POSITIVE_INFINITY });
    const next = await openEngine(storage);
    expect(await codeOf(committedOf(next))).toBe("KAFKA_STORAGE_ERROR");
    expect(await codeOf(commit(next, "g", "a", 0, 1, true))).toBe("KAFKA_STORAGE_ERROR");
    storage.mend();
    const partition = next.engine
      .describeTopic("__consumer_offsets")
      .partitions.find((each) => disk.peek(`__consumer_offsets-${each.partition}/odradek.state`));
    await next.engine.reopenPartition({ topic: "__consumer_offsets", partition: partition?.partition ?? -1 });
    expect(await committedOf(next)).toBe(2);
    await commit(next, "g", "a", 0, 1, true);
    await next.engine.close();
  });

  it("are set back before a partition that lost records in a failed flush takes the next", async () => {
    // C5 held at open alone: after reopenPartition the next records came to offsets that the group had passed.
    const disk = crashStorage();
    const life = await withTopic(disk, "os");
    await produce(life, "a", 0, ["0"]);
    await life.engine.reopenPartition({ topic: "a", partition: 0 });
    await produce(life, "a", 0, ["1", "2"]);
    await commit(life, "g", "a", 0, 3, true);
    disk.failSyncs(/a-0\/.*\.log$/, "btrfs");
    await life.engine.alterConfig("a", { flushMessages: 1 });
    expect(await codeOf(produce(life, "a", 0, ["3"]))).not.toBe("LOG_CLOSED");
    await life.clock.advance(0);
    await life.engine.reopenPartition({ topic: "a", partition: 0 });
    expect((await readPartition(life, "a", 0)).logEnd).toBe(1);
    expect(await committedOf(life)).toBe(1);
    await life.engine.close();
  });
});

describe("an os topic", () => {
  it("goes on at its log start when the power took the records that deleteRecords passed over", async () => {
    // The log ended before its start: what was appended next stood below it, where no reader looks.
    const disk = crashStorage();
    const life = await withTopic(disk, "os");
    await produce(life, "a", 0, ["0", "1", "2"]);
    expect(await life.engine.deleteRecords({ topic: "a", partition: 0 }, 2)).toBe(2);
    const next = await openEngine(losePower(disk));
    expect(await readPartition(next, "a", 0)).toEqual({ logStart: 2, logEnd: 2, records: [] });
    expect(await produce(next, "a", 0, ["next"])).toBe(2);
    expect((await readPartition(next, "a", 0)).records).toEqual([{ offset: 2, value: "next" }]);
    await next.engine.close();
  });
});

describe("a directory that a process left when it died", () => {
  it("has its books made durable before anything is built on them", async () => {
    // A topic was seen through the cache and written to; the power then took its entry, and with it acknowledged records.
    const disk = crashStorage();
    const storage = faultyStorage(disk);
    const first = await openEngine(storage, "first");
    storage.fail({ call: "replace", name: /odradek\.json/, nth: 1, afterEffect: true, errno: "EIO" });
    storage.fail({ call: "open", name: /odradek\.json\.tmp/, nth: 2, halt: true });
    await codeOf(first.engine.createTopic({ topic: "a", partitions: 1, config: {} }));
    const killed = kill(disk);
    const second = await openEngine(killed, "second");
    expect(second.engine.topicNames()).toEqual(["a"]);
    await produce(second, "a", 0, ["acknowledged"]);
    const third = await openEngine(losePower(killed));
    expect((await readPartition(third, "a", 0)).records).toEqual([{ offset: 0, value: "acknowledged" }]);
    // Still ours, not what another writer left.
    expect(await produce(third, "a", 0, ["next"])).toBe(1);
    await third.engine.close();
  });
});
