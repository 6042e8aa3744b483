/**
 * The barest disk again, for names: what a directory says after a loss of power is what was flushed of it, and any part of the rest. What
 * an opening has judged, what a cut has taken away, and what was removed for good is not to be found otherwise by the next one.
 */
import { describe, expect, it } from "vitest";
import { readWholeFile } from "../../../src/log/files/replace-file.ts";
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { compactAll, KEYED, put, rollOver } from "../../log/compaction-rig.ts";
import { append, created, NOW_MS, opened, type RigOptions, readAll, send } from "../../log/log-rig.ts";
import { sendAs } from "../../log/producer-rig.ts";
import { openEngine, produce, readPartition } from "../../simulation/engine-rig.ts";

/** Of a moment; in a hunt for a planted bug, which must be found, more. */
const DISKS = process.env["ODRADEK_HUNT"] === undefined ? 8 : 40;

const bare = (disk: CrashStorage): CrashStorage => disk.crash(new SeededRandom(0), { kind: "power", survival: "nothing" });
const dead = (disk: CrashStorage): CrashStorage => disk.crash(new SeededRandom(0), { kind: "process" });

describe("a loss of power that takes names", () => {
  it("leaves as damage what an opening has judged by a book whose own name stood in the cache", async () => {
    const disk = crashStorage();
    const { log } = await created(disk);
    for (let index = 0; index < 3; index += 1) await send(log, `value ${index}`);
    await log.close(true);
    // Another writer's directory has no state; ours is made there, and the process dies before anybody had to flush its name.
    await disk.remove("orders-0/odradek.state");
    await disk.syncDirectory("orders-0");
    const { log: adopted } = await opened(disk, { cleanShutdown: true });
    for (let index = 3; index < 6; index += 1) await send(adopted, `value ${index}`);
    const killed = dead(disk);
    const name = "orders-0/00000000000000000000.log";
    const file = await killed.open(name, { create: "no" });
    const byteLength = file.byteLength() - 5;
    file.truncate(byteLength);
    await file.sync();
    await file.close();
    const { log: damaged } = await opened(killed);
    expect(damaged.failure?.code).toBe("CORRUPT_MESSAGE");
    const left = bare(killed);
    const { log: next } = await opened(left);
    expect(next.failure?.code).toBe("CORRUPT_MESSAGE");
    expect((await readWholeFile(left, name, 100_000))?.length).toBe(byteLength);
  });

  it("brings back no segment behind a cut: what was not acknowledged vanishes from its beginning on, in a compacted topic too", async () => {
    const options: RigOptions = { ...KEYED, config: { ...KEYED.config, segmentBytes: 300, maxMessageBytes: 200, indexIntervalBytes: 50 } };
    const disk = crashStorage({
      // Three segments come to be before a flush that began in the first is done.
      latency: async (call) => {
        for (let turns = 0; turns < 40 && call === "sync"; turns += 1) await new Promise<void>((resolve) => setImmediate(resolve));
      },
    });
    // Under "compact" a roll waits for the flush now. An older version's directory, and a broker's, may look like this.
    const { log } = await created(disk, { ...options, config: { ...options.config, cleanupPolicy: "delete" } });
    const values = Array.from({ length: 9 }, (_, index) => `value ${index}`);
    for (const value of values) {
      void Promise.resolve(append(log, [{ value, timestamp: NOW_MS }])).catch(() => {});
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const torn = dead(disk);
    const logs = (await torn.list("orders-0")).map(({ name }) => name).filter((name) => name.endsWith(".log"));
    expect(logs.length).toBeGreaterThanOrEqual(2);
    // The first one's last sectors did not come to the disk; all names did.
    const file = await torn.open("orders-0/00000000000000000000.log", { create: "no" });
    file.writeAt(new Uint8Array(40), 120);
    await file.sync();
    await file.close();
    for (const { name } of await torn.list("orders-0")) {
      const each = await torn.open(`orders-0/${name}`, { create: "no" });
      await each.sync();
      await each.close();
    }
    await torn.syncDirectory("orders-0");
    const images: { readonly disk: CrashStorage; readonly where: string }[] = [];
    torn.watch((call, name) => {
      for (const image of torn.enumerateCrashes(DISKS)) images.push({ disk: image, where: `power lost before ${call} ${name}` });
    });
    const { log: recovered } = await opened(torn, options);
    torn.watch(null);
    expect((await readAll(recovered)).length).toBe(1);
    expect(images.length).toBeGreaterThan(20);
    for (const { disk: image, where } of images) {
      const { log: next } = await opened(image, options);
      const found = (await readAll(next)).map(({ value }) => value);
      expect(found, where).toEqual(values.slice(0, found.length));
      await next.close(false);
    }
  });

  it("brings back no file of records that were deleted, once that was confirmed", async () => {
    const options: RigOptions = { config: { segmentBytes: 300, indexIntervalBytes: 50, maxMessageBytes: 200 } };
    const disk = crashStorage();
    const { log } = await created(disk, options);
    for (let index = 0; index < 12; index += 1) await send(log, `secret ${index}`);
    await log.sealUnsealed();
    await log.deleteRecordsBefore(8);
    await log.applyRetention();
    const kept = (await disk.list("orders-0")).map(({ name }) => name).sort();
    expect(kept).not.toContain("00000000000000000000.log");
    expect((await bare(disk).list("orders-0")).map(({ name }) => name).sort()).toEqual(kept);
  });

  it("leaves of segments that retention removes all or none that anybody reads: the log start is durable before the first goes", async () => {
    const options: RigOptions = { config: { segmentBytes: 300, indexIntervalBytes: 50, maxMessageBytes: 200, retentionBytes: 400 } };
    const disk = crashStorage();
    const { log } = await created(disk, options);
    const values = Array.from({ length: 22 }, (_, index) => `value ${index}`);
    for (const value of values) await send(log, value);
    await log.sealUnsealed();
    const images: { readonly disk: CrashStorage; readonly where: string }[] = [];
    const random = new SeededRandom(1);
    disk.watch((call, name) => {
      for (let count = 0; count < DISKS; count += 2)
        images.push({ disk: disk.afterCrash(random, { kind: "power", survival: "scatter" }), where: `power lost before ${call} ${name}` });
    });
    expect((await log.applyRetention()).segmentsDeleted).toBeGreaterThanOrEqual(3);
    disk.watch(null);
    for (const { disk: image, where } of images) {
      const { log: next } = await opened(image, options);
      expect(next.failure, where).toBe(null);
      const found = await readAll(next);
      expect(
        found.map(({ value }) => value),
        where,
      ).toEqual(values.slice(next.watermarks.logStartOffset));
      await next.close(false);
    }
  });

  it("leaves what compaction put in place under its names, so that a log that was closed in order is one for everybody", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, KEYED);
    for (let index = 0; index < 14; index += 1) await put(log, [[`k${index % 3}`, `value ${index}`]]);
    await rollOver(log);
    await compactAll(log);
    await log.close(true);
    const names = (await disk.list("orders-0")).map(({ name }) => name).sort();
    expect((await bare(disk).list("orders-0")).map(({ name }) => name).sort()).toEqual(names);
    expect(names.filter((name) => /swap|cleaned|deleted/.test(name))).toEqual([]);
  });

  it("leaves an index of aborted transactions whose producers nobody remembers", async () => {
    const disk = crashStorage();
    const { log } = await created(disk);
    await sendAs(log, { producerId: 7n, producerEpoch: 0, baseSequence: 0, recordCount: 1, transactional: true });
    await log.appendMarker({ producerId: 7n, producerEpoch: 0, coordinatorEpoch: 0, commit: false });
    await send(log, "value");
    // A day later no snapshot of producers is left behind that would take its name along.
    log.producers.expire(Number.MAX_SAFE_INTEGER, 1);
    await log.close(true);
    const { log: next, events } = await opened(bare(disk), { cleanShutdown: true });
    expect((await next.abortedTransactions(0, 3)).length).toBe(1);
    expect(events.filter(({ type }) => type === "txnindex.rebuilt")).toEqual([]);
  });

  it("takes nothing that a topic held when it was told to be durable", async () => {
    const disk = crashStorage({
      latency: async (call) => {
        if (call === "sync") await new Promise<void>((resolve) => setImmediate(resolve));
      },
    });
    const life = await openEngine(disk);
    await life.engine.createTopic({ topic: "orders", partitions: 2, config: { durability: "os" } });
    for (let index = 0; index < 3; index += 1) await produce(life, "orders", 0, [`value ${index}`]);
    await life.engine.alterConfig("orders", { durability: "sync" });
    const next = await openEngine(bare(disk));
    expect((await readPartition(next, "orders", 0)).records.length).toBe(3);
  });
});
