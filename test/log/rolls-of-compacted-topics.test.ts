/**
 * In a compacted topic a gap is what compaction leaves, so nothing tells a reader, or a recovery, when one is not. Once the power took the
 * bytes of a segment that was not flushed yet and left the next one, and what stood behind the hole was served. Since then a segment of such
 * a topic is durable before the next is named.
 */
import { describe, expect, it } from "vitest";
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { openEngine, readPartition, watched } from "../simulation/engine-rig.ts";
import { keyedBatch, put, readKeyed } from "./compaction-rig.ts";
import { created, opened, type RigOptions } from "./log-rig.ts";

const SMALL = { segmentBytes: 200, indexIntervalBytes: 50, maxMessageBytes: 200 } as const;
const SLOW_TURNS = 60;
const DISKS_PER_CALL = 8;
/** Every third call; in a hunt for a planted bug, every one. */
const STEP = process.env["ODRADEK_HUNT"] === undefined ? 3 : 1;

/** Flushes of segments take so long that a log which does not wait for one has rolled, and written on, before it is done. */
function withSlowSegments(driver: StorageDriver): StorageDriver {
  const slowly = (file: StorageFile): StorageFile =>
    Object.assign(Object.create(file) as StorageFile, {
      sync: async (): Promise<void> => {
        for (let turn = 0; turn < SLOW_TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        await file.sync();
      },
    });
  const open: StorageDriver["open"] = async (name, options) => {
    const file = await driver.open(name, options);
    return name.endsWith(".log") ? slowly(file) : file;
  };
  return Object.assign(Object.create(driver) as StorageDriver, { open });
}

/** What a loss of power before each call of `work` may leave of the disk. */
async function disksDuring(disk: CrashStorage, work: (storage: StorageDriver) => Promise<unknown>): Promise<CrashStorage[]> {
  const left: CrashStorage[] = [];
  let calls = 0;
  const take = (): void => {
    if (++calls % STEP !== 0) return;
    const random = new SeededRandom(calls);
    for (let count = 0; count < DISKS_PER_CALL; count += 1) left.push(disk.afterCrash(random, { kind: "power", survival: "scatter" }));
  };
  await work(withSlowSegments(watched(disk, take)));
  take();
  return left;
}

/** 0, 1, 2 and so on, since nothing was ever compacted. Answers whether the end is missing. */
function isShorterPrefix(offsets: readonly number[], recordCount: number): boolean {
  expect(offsets).toEqual(offsets.map((_, index) => index));
  return offsets.length < recordCount;
}

describe("a loss of power takes from a compacted topic a suffix, and nothing from its middle", () => {
  it.each(["os", "sync"] as const)("with durability %s", async (durability) => {
    const options: RigOptions = { config: { ...SMALL, cleanupPolicy: "compact", durability } };
    let torn = 0;
    const disk = crashStorage();
    const { log } = await created(disk, options);
    await log.close(false);
    const left = await disksDuring(disk, async (storage) => {
      const { log: written } = await opened(storage, options);
      await Promise.all(Array.from({ length: 6 }, (_, index) => put(written, [[`k${index}`, `value ${index}`]])));
      await written.close(false);
    });
    for (const image of left) {
      const { log: next } = await opened(image, options);
      expect(next.failure).toBe(null);
      const offsets = (await readKeyed(next)).map(({ offset }) => offset);
      if (isShorterPrefix(offsets, 6)) torn += 1;
      await next.close(false);
    }
    expect(torn).toBeGreaterThan(10);
  });

  it("that became one while it was written", async () => {
    let torn = 0;
    const disk = crashStorage();
    const { engine: first } = await openEngine(disk);
    await first.createTopic({ topic: "t", partitions: 1, config: { ...SMALL, durability: "os" } });
    await first.close();
    const left = await disksDuring(disk, async (storage) => {
      const { engine } = await openEngine(storage);
      const send = (index: number): Promise<unknown> =>
        engine.produce({ topic: "t", partition: 0, batch: keyedBatch([[`k${index}`, `value ${index}`]]), acks: "all" });
      for (let index = 0; index < 3; index += 1) await send(index);
      const changed = engine.alterConfig("t", { cleanupPolicy: "compact" });
      for (let index = 3; index < 8; index += 1) await send(index);
      await changed;
    });
    for (const image of left) {
      const life = await openEngine(image);
      const { records } = await readPartition(life, "t", 0);
      if (
        isShorterPrefix(
          records.map(({ offset }) => offset),
          8,
        )
      )
        torn += 1;
      await life.engine.close();
    }
    expect(torn).toBeGreaterThan(10);
  });
});
