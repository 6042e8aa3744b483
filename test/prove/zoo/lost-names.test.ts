/**
 * Names on a disk that loses them one by one: of the changes of a directory that were not flushed any may outlive a loss of power, in any
 * order that their files allow. At every step of what renames and removes files, dozens of such disks are opened.
 */
import { describe, expect, it } from "vitest";
import { mendDirectory } from "../../../src/cli/mending.ts";
import { contextOn } from "../../../src/cli/verification.ts";
import { readWholeFile } from "../../../src/log/files/replace-file.ts";
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { compactAll, put, readKeyed, rollOver } from "../../log/compaction-rig.ts";
import { created, opened, type RigOptions, readAll, send } from "../../log/log-rig.ts";
import { openEngine, produce, readPartition, watched } from "../../simulation/engine-rig.ts";

/** Every seventh step; in a hunt for a planted bug, every one: it must be found, once. */
const STEP = process.env["ODRADEK_HUNT"] === undefined ? 7 : 1;
/** The moments of a step come first, and there may be more of them: so many others are by chance. */
const DISKS_PER_STEP = STEP > 1 ? 12 : 24;
const SCATTERED_PER_STEP = STEP > 1 ? 4 : 20;

interface Left {
  readonly disk: CrashStorage;
  readonly where: string;
}

/** What a loss of power now may leave of the disk: some of it in order, some in none. */
function disksNow(disk: CrashStorage, seed: number): CrashStorage[] {
  const random = new SeededRandom(seed);
  const scattered = Array.from({ length: SCATTERED_PER_STEP }, () => disk.afterCrash(random, { kind: "power", survival: "scatter" }));
  return [...disk.enumerateCrashes(DISKS_PER_STEP), ...scattered];
}

/** The disks that a loss of power may leave before each call that changes names or makes them durable, and when all is done. */
async function disksDuring(disk: CrashStorage, work: (watching: ReturnType<typeof watched>) => Promise<unknown>): Promise<Left[]> {
  const left: Left[] = [];
  let steps = 0;
  const look = (call: string): void => {
    if (++steps % STEP !== 0 && call !== "the end") return;
    for (const image of disksNow(disk, steps)) left.push({ disk: image, where: `power lost before "${call}"` });
  };
  await work(
    watched(disk, (call) => {
      if (/^(syncDirectory|replace|remove|sync|createDirectory)/.test(call)) look(call);
    }),
  );
  look("the end");
  return left;
}

/** What a first pass has made small, and more: the next pass makes one segment of several. */
async function fill(log: Parameters<typeof put>[0]): Promise<void> {
  await put(log, [["deleted", "gone"]]);
  for (let index = 0; index < 12; index += 1) await put(log, [[`k${index % 5}`, `value ${index}`]]);
  await put(log, [["deleted", null]]);
  await rollOver(log);
  await compactAll(log);
  for (let index = 12; index < 18; index += 1) await put(log, [[`k${index % 5}`, `value ${index}`]]);
  await rollOver(log);
}

/** What a table of it would hold. */
function newestOf(records: Awaited<ReturnType<typeof readKeyed>>): Map<string | null, string | null> {
  const newest = new Map(records.map(({ key, value }) => [key, value]));
  for (const [key, value] of newest) if (value === null) newest.delete(key);
  return newest;
}

/** No segment stands beside what took its place: from wherever one begins to read, what follows is what follows. */
async function expectNothingBeside(
  disk: CrashStorage,
  log: Parameters<typeof put>[0],
  records: Awaited<ReturnType<typeof readKeyed>>,
  where: string,
): Promise<void> {
  for (const { name } of await disk.list("orders-0")) {
    if (!name.endsWith(".log")) continue;
    const from = Math.max(Number.parseInt(name, 10), log.watermarks.logStartOffset);
    expect(await readKeyed(log, from), `${where}, read from ${from} on`).toEqual(records.filter(({ offset }) => offset >= from));
  }
}

describe("a loss of power that takes some names and leaves others", () => {
  it("leaves every newest value of a partition that is being compacted, once", async () => {
    const options: RigOptions = {
      config: { cleanupPolicy: "compact", deleteRetentionMs: 0, segmentBytes: 400, indexIntervalBytes: 50, maxMessageBytes: 4000 },
    };
    const disk = crashStorage();
    const { log } = await created(disk, options);
    await fill(log);
    const newest = newestOf(await readKeyed(log));
    await log.close(false);
    const left = await disksDuring(disk, async (watching) => {
      const { log: compacted } = await opened(watching, options);
      await compactAll(compacted);
    });
    for (const { disk: image, where } of left) {
      const { log: next, events } = await opened(image, options);
      const records = await readKeyed(next);
      expect(newestOf(records), where).toEqual(newest);
      // No segment lost what protects it, and none got what another's was.
      expect(
        events.filter(({ type }) => type === "seal.ignored"),
        where,
      ).toEqual([]);
      expect(
        records.map(({ offset }) => offset),
        where,
      ).toEqual([...new Set(records.map(({ offset }) => offset))].sort((a, b) => a - b));
      await expectNothingBeside(image, next, records, where);
      await next.close(false);
    }
    expect(left.length).toBeGreaterThan(40);
  });

  it("leaves of a log that is being mended the damaged bytes somewhere, and every other record", async () => {
    const options: RigOptions = { config: { segmentBytes: 500, indexIntervalBytes: 50, maxMessageBytes: 400 } };
    const disk = crashStorage();
    const { log } = await created(disk, options);
    for (let index = 0; index < 16; index += 1) await send(log, `value ${index}`);
    await log.sealUnsealed();
    await log.close(true);
    const name = "orders-0/00000000000000000000.log";
    const file = await disk.open(name, { create: "no" });
    file.writeAt(new Uint8Array([0xab, 0xcd, 0xef]), 70);
    await file.sync();
    await file.close();
    const left = await disksDuring(disk, async (watching) => mendDirectory(await contextOn(watching, false), () => {}));
    const damaged = Buffer.from([0xab, 0xcd, 0xef]);
    for (const { disk: image, where } of left) {
      const names = (await image.list("orders-0")).map((entry) => entry.name).filter((each) => /\.log$|\.damaged-/.test(each));
      const contents = await Promise.all(
        names.map(async (each) => Buffer.from((await readWholeFile(image, `orders-0/${each}`, 10_000)) ?? [])),
      );
      expect(
        contents.some((bytes) => bytes.includes(damaged)),
        where,
      ).toBe(true);
      // Mended again, and read: the damaged batch alone is gone.
      await mendDirectory(await contextOn(image, false), () => {});
      const { log: next } = await opened(image, options);
      expect((await readAll(next)).length, where).toBe(15);
      await next.close(false);
    }
  });

  it("leaves a topic that is being deleted as it was or gone, and one made anew under its name empty", async () => {
    const disk = crashStorage();
    const life = await openEngine(disk);
    await life.engine.createTopic({ topic: "orders", partitions: 2, config: {} });
    for (let index = 0; index < 10; index += 1) await produce(life, "orders", index % 2, [`value ${index}`]);
    await life.engine.close();
    const left = await disksDuring(disk, async (watching) => {
      const { engine } = await openEngine(watching);
      await engine.deleteTopic("orders");
    });
    for (const { disk: image, where } of left) {
      const next = await openEngine(image);
      const isThere = (await next.engine.metadata(["orders"])).length > 0;
      if (isThere) {
        for (const partition of [0, 1]) expect((await readPartition(next, "orders", partition)).records.length, where).toBe(5);
      } else {
        expect(
          (await image.list("")).map(({ name }) => name).filter((each) => each.startsWith("orders")),
          where,
        ).toEqual([]);
        await next.engine.createTopic({ topic: "orders", partitions: 2, config: {} });
        for (const partition of [0, 1]) expect((await readPartition(next, "orders", partition)).records, where).toEqual([]);
      }
      await next.engine.close();
    }
  });

  it("leaves a topic that is being made whole or not there", async () => {
    const disk = crashStorage();
    const first = await openEngine(disk);
    await first.engine.close();
    const left = await disksDuring(disk, async (watching) => {
      const life = await openEngine(watching);
      await life.engine.createTopic({ topic: "orders", partitions: 2, config: {} });
      await produce(life, "orders", 0, ["first"]);
    });
    for (const { disk: image, where } of left) {
      const next = await openEngine(image);
      if ((await next.engine.metadata(["orders"])).length === 0) {
        await next.engine.createTopic({ topic: "orders", partitions: 2, config: {} });
      }
      await produce(next, "orders", 0, ["another"]);
      const { records } = await readPartition(next, "orders", 0);
      expect(["another", "first,another"], where).toContain(records.map(({ value }) => value).join());
      if (where.includes("the end")) expect(records.length).toBe(2);
      await next.engine.close();
    }
  });

  it("leaves of a creation that was killed, and is cleared away for another, nothing that passes for a topic", async () => {
    const disk = crashStorage();
    const first = await openEngine(disk);
    await first.engine.close();
    const { engine } = await openEngine(disk);
    const killed: CrashStorage[] = [];
    disk.watch((call, name) => {
      if (call === "replace" && name.includes("odradek.json")) killed.push(disk.crash(new SeededRandom(0), { kind: "process" }));
    });
    await engine.createTopic({ topic: "orders", partitions: 1, config: {} }).catch(() => {});
    const found = killed[0] as CrashStorage;
    const left = await disksDuring(found, async (watching) => {
      const life = await openEngine(watching);
      await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    });
    for (const { disk: image, where } of left) {
      const next = await openEngine(image);
      const topics = await next.engine.metadata(["orders"]);
      if (topics.length === 0) await next.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
      await produce(next, "orders", 0, ["first"]);
      expect((await readPartition(next, "orders", 0)).records.length, where).toBe(1);
      await next.engine.close();
    }
  });

  it("leaves what an opening finds of a pass that was killed, and tidies up", async () => {
    const options: RigOptions = {
      config: { cleanupPolicy: "compact", deleteRetentionMs: 0, segmentBytes: 400, indexIntervalBytes: 50, maxMessageBytes: 4000 },
    };
    const isOfNames = (call: string): boolean => /^(replace|remove|syncDirectory)/.test(call);
    let killedCount = 0;
    const seen = new Set<number>();
    // The process dies at one change of names after another, so that the cache alone has the last ones; then the power goes.
    for (let last = 1; ; last += STEP) {
      const disk = crashStorage();
      const { log } = await created(disk, options);
      await fill(log);
      const newest = newestOf(await readKeyed(log));
      const killed: CrashStorage[] = [];
      let calls = 0;
      disk.watch((call) => {
        if (isOfNames(call) && ++calls === last) killed.push(disk.crash(new SeededRandom(0), { kind: "process" }));
      });
      await compactAll(log).catch(() => {});
      const found = killed[0];
      if (found === undefined) break;
      killedCount += 1;
      const left: Left[] = [];
      found.watch((call, name) => {
        if (!isOfNames(call)) return;
        for (const image of disksNow(found, left.length))
          left.push({ disk: image, where: `killed at change ${last}, power lost before "${call} ${name}"` });
      });
      const { log: tidied } = await opened(found, options);
      await tidied.close(false);
      found.watch(null);
      for (const { disk: image, where } of left) {
        // Every life is the same until it ends: most of what one leaves was seen before.
        if (seen.has(image.fingerprint())) continue;
        seen.add(image.fingerprint());
        const { log: next } = await opened(image, options);
        const records = await readKeyed(next);
        expect(newestOf(records), where).toEqual(newest);
        expect(
          records.map(({ offset }) => offset),
          where,
        ).toEqual([...new Set(records.map(({ offset }) => offset))].sort((a, b) => a - b));
        await expectNothingBeside(image, next, records, where);
        await next.close(false);
      }
    }
    expect(killedCount).toBeGreaterThan(2);
  });
});
