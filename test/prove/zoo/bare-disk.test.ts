/**
 * The barest disk that a loss of power may leave: what was flushed, and nothing else. What a call has answered for stands on it.
 * Simulations meet such a disk now and then; here is one for each flush whose absence they would seldom see.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mendDirectory } from "../../../src/cli/mending.ts";
import { contextOn, verifyDirectory } from "../../../src/cli/verification.ts";
import { openIfPresent, readWholeFile } from "../../../src/log/files/replace-file.ts";
import { setAside } from "../../../src/log/files/set-aside.ts";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { compactAll, KEYED, put, readKeyed, rollOver } from "../../log/compaction-rig.ts";
import { append, created, NOW_MS, opened, type RigOptions, readAll, rig, send } from "../../log/log-rig.ts";
import { sendAs } from "../../log/producer-rig.ts";
import { commit, openEngine, produce, readPartition, watched } from "../../simulation/engine-rig.ts";

const ROLLING: RigOptions = { config: { segmentBytes: 500, indexIntervalBytes: 50, maxMessageBytes: 400 } };
const MADE_AGAIN = ["index.rebuilt", "seal.ignored", "txnindex.rebuilt", "recovery.cut", "book.ignored"];

/** The power goes, and with it all that was not flushed. */
function bare(disk: CrashStorage): CrashStorage {
  return disk.crash(new SeededRandom(0), { kind: "power", survival: "nothing" });
}

function dead(disk: CrashStorage): CrashStorage {
  return disk.crash(new SeededRandom(0), { kind: "process" });
}

const madeAgain = (events: readonly { readonly type: string }[]): string[] =>
  events.map(({ type }) => type).filter((type) => MADE_AGAIN.includes(type));

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `value ${index}`);

async function sendAll(log: Parameters<typeof send>[0], values: readonly string[]): Promise<void> {
  for (const value of values) await send(log, value);
}

describe("a loss of power that takes all that was not flushed", () => {
  it.each([[false], [true]])("leaves rolled segments and their indexes as they were sealed (preallocate %s)", async (preallocate) => {
    const options = { ...ROLLING, config: { ...ROLLING.config, preallocate } };
    const disk = crashStorage();
    const { log } = await created(disk, options);
    await sendAll(log, numbered(40));
    await log.sealUnsealed();
    const { log: next, events } = await opened(bare(disk), options);
    expect((await readAll(next)).length).toBe(40);
    expect(madeAgain(events)).toEqual([]);
  });

  it.each([[false], [true]])("leaves a log that was closed in order as its close left it (preallocate %s)", async (preallocate) => {
    const options = { ...ROLLING, config: { ...ROLLING.config, preallocate, segmentBytes: 4000 } };
    const disk = crashStorage();
    const { log } = await created(disk, options);
    await sendAll(log, numbered(20));
    const { leaderEpoch } = log;
    await log.close(true);
    const { log: next, events } = await opened(bare(disk), { ...options, cleanShutdown: true });
    expect(madeAgain(events)).toEqual([]);
    // No recovery was needed: one begins an epoch.
    expect(next.leaderEpoch).toBe(leaderEpoch);
    expect((await readAll(next)).length).toBe(20);
  });

  it("leaves compacted segments as they were put in place", async () => {
    const disk = crashStorage();
    const options: RigOptions = { config: { ...KEYED.config, segmentBytes: 2000, indexIntervalBytes: 50 } };
    const { log } = await created(disk, options);
    for (let index = 0; index < 60; index += 1) await put(log, [[`k${index % 31}`, `value ${index}`]]);
    await rollOver(log);
    await compactAll(log);
    const kept = await readKeyed(log);
    expect(kept.length).toBeLessThan(40);
    const { log: next, events } = await opened(bare(disk), options);
    expect(await readKeyed(next)).toEqual(kept);
    expect(madeAgain(events)).toEqual([]);
  });

  it("leaves what a recovery sealed as the recovery left it", async () => {
    const disk = crashStorage();
    // A disk that is full whenever a seal is to be written: the next opening makes up for it.
    const full = faultyStorage(disk);
    full.fail({ call: "open", name: /\.seal/, errno: "ENOSPC", times: Number.POSITIVE_INFINITY });
    const { log } = await created(full, ROLLING);
    await sendAll(log, numbered(8));
    const recovering = dead(disk);
    // The indexes are empty, as they are where a process died in the middle of a roll.
    for (const kind of ["index", "timeindex"]) {
      const index = await recovering.open(`orders-0/00000000000000000000.${kind}`, { create: "no" });
      index.truncate(0);
      await index.sync();
      await index.close();
    }
    const { log: recovered } = await opened(recovering, ROLLING);
    expect((await readAll(recovered)).length).toBe(8);
    const { log: next, events } = await opened(bare(recovering), ROLLING);
    expect((await readAll(next)).length).toBe(8);
    expect(madeAgain(events)).toEqual([]);
  });

  it("leaves all of a log that was closed, whatever its level and its acks", async () => {
    const options: RigOptions = { config: { ...ROLLING.config, durability: "os", segmentBytes: 2000 } };
    const disk = crashStorage();
    const { log } = await created(disk, options);
    for (const value of numbered(30)) await append(log, [{ value, timestamp: NOW_MS }]);
    await log.close(true);
    const { log: next, events } = await opened(bare(disk), { ...options, cleanShutdown: true });
    expect((await readAll(next)).length).toBe(30);
    expect(madeAgain(events)).toEqual([]);
  });

  it("does not bring back a partition that was destroyed", async () => {
    const disk = crashStorage();
    const { log } = await created(disk);
    await send(log, "gone");
    await log.destroy();
    expect(await bare(disk).list("")).toEqual([]);
  });

  it("leaves a file that was set aside where it was put", async () => {
    const disk = crashStorage();
    await disk.createDirectory("orders-0");
    const file = await disk.open("orders-0/book", { create: "new" });
    file.writeAt(new Uint8Array([1, 2, 3]), 0);
    await file.sync();
    await disk.syncDirectory("orders-0");
    await disk.syncDirectory("");
    const aside = await setAside(disk, "orders-0", "book");
    const left = bare(disk);
    expect((await left.list("orders-0")).map(({ name }) => name)).toEqual(["book.set-aside-1"]);
    expect(await readWholeFile(left, aside ?? "", 10)).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("leaves every record and topic of a backup", async () => {
    const source = await openEngine(crashStorage());
    await source.engine.createTopic({ topic: "orders", partitions: 2, config: { durability: "os" } });
    for (const value of numbered(13)) await produce(source, "orders", 0, [value]);
    const target = crashStorage();
    await source.engine.backup(target);
    const copy = await openEngine(bare(target));
    expect(copy.engine.describeTopic("orders").partitions.length).toBe(2);
    expect((await readPartition(copy, "orders", 0)).records.map(({ value }) => value)).toEqual(numbered(13));
    // The active segment's index is made again; nothing else is.
    expect(madeAgain(copy.events).filter((type) => type !== "index.rebuilt")).toEqual([]);
  });

  it("leaves what was committed before a close, and what a timer has flushed", async () => {
    for (const how of ["close", "timer"] as const) {
      const disk = crashStorage();
      const life = await openEngine(disk);
      await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
      for (const value of numbered(5)) await produce(life, "orders", 0, [value]);
      await commit(life, "readers", "orders", 0, 2, true);
      await commit(life, "readers", "orders", 0, 5, false);
      if (how === "close") await life.engine.close();
      else {
        await life.clock.advance(200);
        for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      }
      const next = await openEngine(bare(disk));
      const offsets = await next.engine.offsetFetch({ groupId: "readers", partitions: null });
      expect(
        offsets.map(({ nextOffset }) => nextOffset),
        how,
      ).toEqual([5]);
    }
  });

  it("leaves a damaged log that was mended mended, and the bytes that were damaged beside it", async () => {
    const disk = crashStorage();
    const life = await openEngine(disk);
    const config = { segmentBytes: 600, indexIntervalBytes: 50, maxMessageBytes: 400 };
    await life.engine.createTopic({ topic: "orders", partitions: 1, config });
    for (let index = 0; index < 30; index += 1) await produce(life, "orders", 0, [`value ${index}`]);
    await life.engine.close();
    const name = "orders-0/00000000000000000000.log";
    const file = await disk.open(name, { create: "no" });
    file.writeAt(new Uint8Array([0xff, 0xff, 0xff]), 70);
    await file.sync();
    await file.close();
    await mendDirectory(await contextOn(disk, false), () => {});
    const left = bare(disk);
    const kept = (await left.list("orders-0")).map((entry) => entry.name).filter((each) => each.includes(".damaged-"));
    expect(kept.length).toBe(1);
    expect((await readWholeFile(left, `orders-0/${kept[0]}`, 1000))?.length).toBeGreaterThan(10);
    expect(await openIfPresent(left, `${name}.tmp`)).toBe(null);
    const next = await openEngine(left);
    expect((await readPartition(next, "orders", 0)).records.length).toBeGreaterThan(27);
    expect(madeAgain(next.events)).toEqual([]);
    await next.engine.close();
    const { partitions } = await verifyDirectory(await contextOn(left, true), () => {});
    expect(partitions.flatMap(({ defects }) => defects.map(({ problem }) => problem))).toEqual([]);
  });

  it("does not bring back a producers' snapshot that was damaged, and that a repair removed", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, ROLLING);
    await sendAs(log, { producerId: 7n, producerEpoch: 0, baseSequence: 0, recordCount: 1, transactional: false });
    await sendAll(log, numbered(3));
    await log.close(true);
    const snapshot = (await disk.list("orders-0")).map((entry) => entry.name).find((each) => each.endsWith(".snapshot"));
    const name = `orders-0/${snapshot}`;
    const file = await disk.open(name, { create: "no" });
    file.writeAt(new Uint8Array([0xff, 0xff]), 12);
    await file.sync();
    await file.close();
    await mendDirectory(await contextOn(disk, false), () => {});
    expect(await openIfPresent(disk, name)).toBe(null);
    expect(await openIfPresent(bare(disk), name)).toBe(null);
  });

  it("keeps what an opening after a kill has served", async () => {
    const disk = crashStorage();
    const { log } = await created(disk);
    await sendAll(log, numbered(3));
    // Written, and the process dies before its flush: the next one finds it in the cache.
    const waiting = send(log, "late");
    waiting.catch(() => {});
    const recovering = dead(disk);
    const { log: recovered } = await opened(recovering);
    const served = await readAll(recovered);
    expect(served.length).toBe(4);
    const { log: next } = await opened(bare(recovering));
    expect(await readAll(next)).toEqual(served);
  });

  it.each([
    ["half a batch", 5],
    ["a whole batch", 75],
  ])("does not let an opening cut what one before it has called damage (%s is missing)", async (_, missing) => {
    const disk = crashStorage();
    const { log } = await created(disk);
    await sendAll(log, numbered(6));
    const killed = dead(disk);
    const name = "orders-0/00000000000000000000.log";
    const file = await killed.open(name, { create: "no" });
    const byteLength = file.byteLength();
    file.truncate(byteLength - missing);
    await file.sync();
    await file.close();
    // How far the log was durable stands in the cache alone: it was noted, and not flushed.
    const { log: damaged } = await opened(killed);
    expect(damaged.failure?.code).toBe("CORRUPT_MESSAGE");
    const left = bare(killed);
    const { log: next } = await opened(left);
    expect(next.failure?.code).toBe("CORRUPT_MESSAGE");
    expect((await readWholeFile(left, name, 100_000))?.length).toBe(byteLength - missing);
  });

  it("keeps the log start that was moved in a log of another writer", async () => {
    const disk = crashStorage();
    const { log } = await created(disk);
    await sendAll(log, numbered(6));
    await log.close(true);
    await disk.remove("orders-0/odradek.state");
    // As a broker leaves it that has dropped the epochs below a log start: nothing else is written when ours moves there.
    const epochs = await disk.open("orders-0/leader-epoch-checkpoint", { create: "no" });
    epochs.truncate(0);
    epochs.writeAt(new TextEncoder().encode("0\n1\n0 4\n"), 0);
    await epochs.sync();
    await epochs.close();
    await disk.syncDirectory("orders-0");
    const { log: adopted } = await opened(disk, { cleanShutdown: true });
    expect(await adopted.deleteRecordsBefore(4)).toBe(4);
    const { log: next } = await opened(bare(disk));
    expect(next.watermarks.logStartOffset).toBe(4);
  });

  it("keeps appends that waited for room when their log was closed", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, { maxUnflushedBytes: 100 });
    const appends = numbered(9).map((value) => append(log, [{ value, timestamp: NOW_MS }]));
    await log.close(true);
    await Promise.all(appends);
    const { log: next } = await opened(bare(disk));
    expect((await readAll(next)).length).toBe(9);
  });

  it("finds no marker of an orderly end once anything was written", async () => {
    const disk = crashStorage();
    const life = await openEngine(disk);
    await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    await produce(life, "orders", 0, ["first"]);
    await life.engine.close();
    let isOpening = true;
    const markers: boolean[] = [];
    const looking = watched(disk, (call) => {
      if (!isOpening || !/^(writeAt|truncate)/.test(call)) return;
      const [barest] = disk.enumerateCrashes(1);
      void barest?.list("").then((entries) => markers.push(entries.some(({ name }) => name === ".kafka_cleanshutdown")));
    });
    const next = await openEngine(looking);
    await produce(next, "orders", 0, ["second"]);
    isOpening = false;
    expect(markers.length).toBeGreaterThan(0);
    expect(markers).not.toContain(true);
  });

  it("keeps what an opening has served of a log without a state, under the names that it had then", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, ROLLING);
    await sendAll(log, numbered(5));
    // The next ones roll, and the process dies before anything of the new segment is flushed.
    const halting = new Promise<void>((resolve) => {
      for (const value of numbered(4)) void Promise.resolve(append(log, [{ value, timestamp: NOW_MS }])).catch(() => {});
      setImmediate(resolve);
    });
    await halting;
    const killed = dead(disk);
    await killed.remove("orders-0/odradek.state");
    const { log: recovered } = await opened(killed, ROLLING);
    const served = await readAll(recovered);
    expect(served.length).toBe(9);
    const { log: next } = await opened(bare(killed), ROLLING);
    expect(await readAll(next)).toEqual(served);
  });

  it("does not bring back a producers' snapshot that a recovery threw away", async () => {
    const disk = crashStorage();
    const { log } = await created(disk);
    await sendAll(log, numbered(6));
    const killed = dead(disk);
    const name = "orders-0/00000000000000000004.snapshot";
    const file = await killed.open(name, { create: "new" });
    file.writeAt(new Uint8Array(20), 0);
    await file.sync();
    await file.close();
    await killed.syncDirectory("orders-0");
    await opened(killed);
    expect(await openIfPresent(bare(killed), name)).toBe(null);
  });

  it("does not take for damage what was written before a topic's settings became stricter", async () => {
    const disk = crashStorage();
    const settings: { durability: "os" | "sync" } = { durability: "os" };
    const options: RigOptions = { maxUnflushedBytes: 200, config: { maxMessageBytes: 150 } };
    const made = rig(disk, options);
    const spec = { ...made.spec, config: () => ({ ...made.config, ...settings }) };
    const log = await PartitionLog.create(made.context, spec);
    await sendAll(log, numbered(3));
    for (const value of numbered(30)) await append(log, [{ value, timestamp: NOW_MS }]);
    settings.durability = "sync";
    const images: CrashStorage[] = [];
    const writing = send(log, "strict");
    // More than there are moments, each of which comes first.
    for (let turn = 0; turn < 24; turn += 1) {
      await Promise.resolve();
      if (turn % 4 === 0) images.push(...[...disk.enumerateCrashes(80)].slice(40));
    }
    await writing;
    for (const image of images) {
      const next = await opened(image, { ...options, config: { ...options.config, durability: "sync" } });
      expect(next.log.failure).toBe(null);
      await next.log.close(false);
    }
  });

  it("leaves every record of a backup of topics that another writer left", async () => {
    const disk = crashStorage();
    const golden = new URL("../../fixtures/golden/data-crash/", import.meta.url);
    const copy = async (name: string): Promise<void> => {
      const file = await disk.open(name, { create: "new" });
      const bytes = readFileSync(new URL(name, golden));
      if (bytes.length > 0) file.writeAt(bytes, 0);
      await file.sync();
      await file.close();
    };
    for (const entry of readdirSync(golden, { withFileTypes: true })) {
      if (entry.isFile()) await copy(entry.name);
      if (!entry.isDirectory()) continue;
      await disk.createDirectory(entry.name);
      for (const name of readdirSync(new URL(`${entry.name}/`, golden))) await copy(`${entry.name}/${name}`);
      await disk.syncDirectory(entry.name);
    }
    await disk.syncDirectory("");
    const { engine } = await openEngine(disk);
    const { logEndOffset } = engine.describeTopic("orders").partitions[0] ?? { logEndOffset: -1 };
    expect(logEndOffset).toBeGreaterThan(0);
    const target = crashStorage();
    await engine.backup(target);
    const next = await openEngine(bare(target));
    expect(next.engine.describeTopic("orders").partitions[0]?.logEndOffset).toBe(logEndOffset);
  });

  it("leaves an index of aborted transactions that was made again", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, ROLLING);
    const sent = { producerId: 7n, producerEpoch: 0, recordCount: 1, transactional: true };
    for (let baseSequence = 0; baseSequence < 3; baseSequence += 1) await sendAs(log, { ...sent, baseSequence });
    await log.appendMarker({ producerId: 7n, producerEpoch: 0, coordinatorEpoch: 0, commit: false });
    await sendAll(log, numbered(12));
    await log.sealUnsealed();
    await log.close(true);
    await disk.remove("orders-0/00000000000000000000.txnindex");
    await disk.syncDirectory("orders-0");
    const first = await opened(disk, { ...ROLLING, cleanShutdown: true });
    const aborted = await first.log.abortedTransactions(0, 20);
    expect(aborted.length).toBe(1);
    expect(madeAgain(first.events)).toEqual(["txnindex.rebuilt"]);
    const next = await opened(bare(disk), { ...ROLLING, cleanShutdown: true });
    expect(await next.log.abortedTransactions(0, 20)).toEqual(aborted);
    expect(madeAgain(next.events).filter((type) => type === "txnindex.rebuilt")).toEqual([]);
  });

  it("leaves in the log all that a snapshot of it has copied", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, { config: { durability: "os" } });
    for (const value of numbered(3)) await append(log, [{ value, timestamp: NOW_MS }]);
    expect((await log.snapshotOfWritten()).logEndOffset).toBe(3);
    const { log: next } = await opened(bare(disk), { config: { durability: "os" } });
    expect((await readAll(next)).length).toBe(3);
  });

  it("keeps the catalogue that an opening after a kill has built on", async () => {
    const disk = crashStorage();
    const life = await openEngine(disk);
    let killed: CrashStorage | null = null;
    let isReplaced = false;
    // The catalogue has its name, and the process dies before that is durable.
    disk.watch((call, name) => {
      if (isReplaced && call === "syncDirectory" && killed === null) killed = dead(disk);
      if (call === "replace" && name.includes("odradek.json")) isReplaced = true;
    });
    await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} }).catch(() => {});
    disk.watch(null);
    const found = killed as CrashStorage | null;
    if (found === null) throw new Error("expected the catalogue to be replaced");
    const next = await openEngine(found);
    await produce(next, "orders", 0, ["acknowledged"]);
    const last = await openEngine(bare(found));
    expect((await readPartition(last, "orders", 0)).records.map(({ value }) => value)).toEqual(["acknowledged"]);
    // And it is ours still: what no catalogue names would pass for another writer's, and take nothing.
    await produce(last, "orders", 0, ["more"]);
  });

  it("leaves the indexes that a repair made anew where no seal can be made", async () => {
    const disk = crashStorage();
    // Without a catalogue nobody knows the topic's id, and a seal without one says nothing.
    const { log } = await created(disk, ROLLING);
    await sendAll(log, numbered(20));
    await log.sealUnsealed();
    await log.close(true);
    const name = "orders-0/00000000000000000000.log";
    const file = await disk.open(name, { create: "no" });
    file.writeAt(new Uint8Array([0xff, 0xff, 0xff]), 70);
    await file.sync();
    await file.close();
    await mendDirectory(await contextOn(disk, false), () => {});
    const made = ["index", "timeindex"].map((kind) => disk.peek(`orders-0/00000000000000000000.${kind}`));
    const left = bare(disk);
    // Not the old ones, whose names stand until those of the new ones do.
    expect(["index", "timeindex"].map((kind) => left.peek(`orders-0/00000000000000000000.${kind}`))).toEqual(made);
  });
});
