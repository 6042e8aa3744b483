/**
 * Files sized ahead: where the storage says that it pays, the active segment's file is longer than its batches. What is behind them is never
 * taken for records, and what should be there never for space that was not written.
 */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { lengthAhead } from "../../src/log/segment/length-ahead.ts";
import { surveyPartition } from "../../src/log/survey/partition-survey.ts";
import { memory } from "../../src/storage/memory.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { type FaultyStorage, faultyStorage } from "../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { append, batchOf, created, NOW_MS, opened, type RigOptions, readAll, rig, send, TOPIC_CONFIG } from "./log-rig.ts";

const AHEAD_BYTE_LENGTH = 6400;
const LOG = "orders-0/00000000000000000000.log";
const OPTIONS: RigOptions = { config: { maxMessageBytes: 1000 }, maxUnflushedBytes: 1000 };
const ROLLING: RigOptions = { ...OPTIONS, config: { ...OPTIONS.config, segmentBytes: 5000 } };

const withRoomAhead = (): StorageDriver => Object.assign(memory(), { aheadByteLength: AHEAD_BYTE_LENGTH });

async function lengths(storage: StorageDriver): Promise<number[]> {
  const names = (await storage.list("orders-0")).map((entry) => entry.name).filter((name) => name.endsWith(".log"));
  const found: number[] = [];
  for (const name of names.sort()) found.push((await bytesOf(storage, `orders-0/${name}`)).length);
  return found;
}

async function bytesOf(storage: StorageDriver, name: string): Promise<Uint8Array> {
  const file = await storage.open(name, { create: "no", readOnly: true });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  return bytes;
}

async function write(storage: StorageDriver, name: string, bytes: Uint8Array, position: number): Promise<void> {
  const file = await storage.open(name, { create: "no" });
  file.writeAt(bytes, position);
  await file.close();
}

async function fill(log: PartitionLog, count: number): Promise<string[]> {
  const values = Array.from({ length: count }, (_, index) => `value ${index}`.padEnd(400, "."));
  for (const value of values) await send(log, value);
  return values;
}

/** The end of the whole batches in `bytes`, by their lengths alone, and where each begins. */
function batchesIn(bytes: Uint8Array): { readonly starts: number[]; readonly end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts: number[] = [];
  let at = 0;
  while (at + 61 <= bytes.length && view.getInt32(at + 8) > 0) {
    starts.push(at);
    at += 12 + view.getInt32(at + 8);
  }
  return { starts, end: at };
}

async function killed(options: RigOptions = OPTIONS, count = 20): Promise<{ storage: StorageDriver; values: string[]; end: number }> {
  const storage = withRoomAhead();
  const { log } = await created(storage, options);
  const values = await fill(log, count);
  await log.close(false);
  return { storage, values, end: log.byteLength };
}

describe("how far a file is made long", () => {
  it("is as far ahead as was written to it, up to what the storage says, and never beyond where the segment rolls", () => {
    const long = (writtenByteLength: number, segmentBytes = 1_000_000): number =>
      lengthAhead({ end: 100_000, writtenByteLength }, segmentBytes, 64_000);
    expect(long(999)).toBe(100_000);
    expect(long(1000)).toBe(101_000);
    expect(long(64_000)).toBe(164_000);
    expect(long(100_000)).toBe(164_000);
    expect(long(100_000, 120_000)).toBe(120_000);
    // One batch may be larger than its segment is to be.
    expect(long(100_000, 90_000)).toBe(100_000);
  });
});

describe("a partition on a storage where files are best sized ahead", () => {
  it("leaves a log to which little was written as long as its batches", async () => {
    const storage = withRoomAhead();
    const { log } = await created(storage, OPTIONS);
    await send(log, "x");
    expect(await lengths(storage)).toEqual([log.byteLength]);
    expect(log.byteLength).toBeLessThan(AHEAD_BYTE_LENGTH / 64);
    await log.close(true);
  });

  it("never makes a file longer than twice its batches, and leaves closed and rolled ones as long as they are", async () => {
    const storage = withRoomAhead();
    const { log } = await created(storage, ROLLING);
    const values: string[] = [];
    let longest = 0;
    for (let round = 0; round < 25; round += 1) {
      values.push(...(await fill(log, 1)));
      const found = await lengths(storage);
      const sum = found.reduce((total, byteLength) => total + byteLength, 0);
      const active = log.byteLength - found.slice(0, -1).reduce((total, byteLength) => total + byteLength, 0);
      expect(found.at(-1)).toBeLessThanOrEqual(Math.max(2 * active));
      expect(found.every((byteLength) => byteLength <= 5000)).toBe(true);
      longest = Math.max(longest, sum - log.byteLength);
    }
    expect(longest).toBeGreaterThan(1000);
    expect((await readAll(log)).map((record) => record.value)).toEqual(values);
    await log.close(true);
    expect((await lengths(storage)).reduce((total, byteLength) => total + byteLength, 0)).toBe(log.byteLength);
    const again = await opened(storage, { ...ROLLING, cleanShutdown: true });
    expect(again.events).toEqual([]);
    expect((await readAll(again.log)).map((record) => record.value)).toEqual(values);
    await again.log.close(true);
  });

  it("goes through a reopened log from what is written then, not from what it holds", async () => {
    const { storage } = await killed();
    const again = await opened(storage, OPTIONS);
    const before = again.log.byteLength;
    await fill(again.log, 1);
    const added = again.log.byteLength - before;
    expect(await lengths(storage)).toEqual([before + 2 * added]);
    await again.log.close(true);
  });

  it("asks for no flush more than a log that grows", async () => {
    const flushes: number[] = [];
    for (const driver of [memory(), withRoomAhead()]) {
      const storage = faultyStorage(driver);
      const { context, spec } = rig(storage, OPTIONS);
      const log = await PartitionLog.create(context, spec);
      await fill(log, 40);
      await log.close(true);
      flushes.push(storage.count("sync"));
    }
    expect(flushes[1]).toBe(flushes[0]);
  });

  it("is not asked of a topic whose records the system flushes when it likes; one that becomes such gives back what it has", async () => {
    const storage = withRoomAhead();
    const made = rig(storage, OPTIONS);
    const settings: { durability: "sync" | "os" } = { durability: "os" };
    const spec = { ...made.spec, config: () => ({ ...made.config, ...settings }) };
    const log = await PartitionLog.create(made.context, spec);
    const grow = async (count: number): Promise<[file: number, log: number]> => {
      await fill(log, count);
      return [(await lengths(storage)).at(-1) ?? 0, log.byteLength];
    };
    const [grown, grownTo] = await grow(3);
    expect(grown).toBe(grownTo);
    settings.durability = "sync";
    log.settingsChanged();
    const [ahead, aheadOf] = await grow(3);
    expect(ahead).toBeGreaterThan(aheadOf);
    settings.durability = "os";
    log.settingsChanged();
    // Another process that follows tells by the length that there is more to read.
    const [back, backTo] = await grow(1);
    expect(back).toBe(backTo);
    await log.close(true);
  });

  it.each([["ENOSPC"], ["EFBIG"], ["EIO"], ["EINVAL"]] as const)(
    "goes on in a file that grows where it cannot be made longer (%s)",
    async (errno) => {
      const storage: FaultyStorage = faultyStorage(withRoomAhead());
      const { context, spec } = rig(storage, OPTIONS);
      const log = await PartitionLog.create(context, spec);
      const planned = storage.fail({ call: "truncate", name: /\.log$/, errno });
      const values = await fill(log, 20);
      expect(planned.metCount).toBe(1);
      expect(log.failure).toBeNull();
      expect((await readAll(log)).map((record) => record.value)).toEqual(values);
      expect(await lengths(storage)).toEqual([log.byteLength]);
      storage.mend();
      await log.close(true);
    },
  );
});

describe("a roll whose cut is refused", () => {
  // Told as retriable for ever, and the next append tried the same cut: a program had no way to learn that this partition was at its end.
  it("by the disk itself fails the partition, and is not tried again", async () => {
    const storage: FaultyStorage = faultyStorage(withRoomAhead());
    const { context, spec, events } = rig(storage, ROLLING);
    const log = await PartitionLog.create(context, spec);
    const values = await fill(log, 8);
    expect((await lengths(storage)).at(-1)).toBeGreaterThan(log.byteLength);
    const planned = storage.fail({ call: "truncate", name: /\.log$/, errno: "EIO", times: Number.POSITIVE_INFINITY });
    const refusals: unknown[] = [];
    for (let sent = 0; sent < 20; sent += 1) await send(log, "more".padEnd(400, ".")).catch((error) => refusals.push(error));
    expect(planned.metCount).toBe(1);
    expect(log.failure).toMatchObject({ code: "PARTITION_FAILED" });
    expect(refusals.at(-1)).toMatchObject({ code: "PARTITION_FAILED" });
    expect(events.filter(({ type }) => type === "storage.failed")).toHaveLength(1);
    expect((await readAll(log)).slice(0, values.length).map((record) => record.value)).toEqual(values);
    await log.close(false);
  });

  it("for want of something else is tried again with the next append", async () => {
    const storage: FaultyStorage = faultyStorage(withRoomAhead());
    const { context, spec } = rig(storage, ROLLING);
    const log = await PartitionLog.create(context, spec);
    await fill(log, 8);
    storage.fail({ call: "truncate", name: /\.log$/, errno: "EINTR" });
    const refusals: unknown[] = [];
    for (let sent = 0; sent < 20; sent += 1) await send(log, "more".padEnd(400, ".")).catch((error) => refusals.push(error));
    expect(refusals).toMatchObject([{ retriable: true }]);
    expect(log.failure).toBeNull();
    expect((await readAll(log)).length).toBe(27);
    await log.close(true);
  });
});

describe("a log that follows a writer", () => {
  // Its first look found space where its second found the next batches, and told the program that these had been cut.
  it("tells of nothing cut where space was filled meanwhile; one that is nobody's does", async () => {
    for (const [isFollowing, count] of [
      [true, 0],
      [false, 1],
    ] as const) {
      const { storage, end } = await killed();
      // Not from the end on: the walk stops there, and what came later stands behind.
      await write(storage, LOG, batchOf([{ value: "next", timestamp: NOW_MS }]), end + 100);
      const { context, spec, events } = rig(storage, { ...OPTIONS, readOnly: true });
      const log = await PartitionLog.open({ ...context, isFollowing }, spec);
      expect(events.filter(({ type }) => type === "recovery.cut")).toHaveLength(count);
      await log.close(false);
    }
  });
});

describe("after an unclean end", () => {
  it("is read up to its last batch, by a reader that may change nothing too, and nothing is reported as cut", async () => {
    const { storage, values, end } = await killed();
    expect((await lengths(storage)).at(-1)).toBeGreaterThan(end);
    for (const way of [{ readOnly: true }, { frozen: true }, {}]) {
      const again = await opened(storage, { ...OPTIONS, ...way });
      expect(again.log.failure).toBeNull();
      expect((await readAll(again.log)).map((record) => record.value)).toEqual(values);
      expect(again.events).toEqual([]);
      await again.log.close(false);
    }
    expect(await lengths(storage)).toEqual([end]);
  });

  it("cuts a torn batch, and tells of its bytes alone", async () => {
    const { storage, values, end } = await killed();
    const torn = batchOf([{ value: "torn".repeat(50), timestamp: NOW_MS }])
      .subarray(0, 150)
      .fill(7, 149);
    await write(storage, LOG, torn, end);
    const again = await opened(storage, OPTIONS);
    expect(again.events).toMatchObject([{ type: "recovery.cut", fields: { bytes: 150, firstOffset: 20 } }]);
    expect((await readAll(again.log)).map((record) => record.value)).toEqual(values);
    await again.log.close(true);
  });

  /** A bad disk gives zeros for sectors of acknowledged records; behind them is space that was never written, so that all is zeros to the end. */
  it.each([
    ["the last batch", 1],
    ["the last three", 3],
    ["everything", 20],
  ])("calls zeros in the place of %s that was acknowledged damage, and cuts nothing", async (_what, count) => {
    const { storage, values, end } = await killed();
    const before = await bytesOf(storage, LOG);
    const { starts } = batchesIn(before);
    const from = starts.at(-count) as number;
    await write(storage, LOG, new Uint8Array(end - from), from);
    const found = await bytesOf(storage, LOG);
    for (const way of [{ readOnly: true }, {}]) {
      const again = await opened(storage, { ...OPTIONS, ...way });
      for (let offset = 20 - count; offset < 20; offset += 1)
        await expect(again.log.read(offset, 4096)).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
      const kept = await Promise.all(values.slice(0, 20 - count).map((_, offset) => again.log.read(offset, 1)));
      expect(kept.every((bytes) => bytes.length > 400)).toBe(true);
      expect(again.log.watermarks.logEndOffset).toBe(20);
      expect(again.events.filter(({ type }) => type === "recovery.cut")).toEqual([]);
      if (!("readOnly" in way)) expect((await send(again.log, "behind it")).baseOffset).toBe(20);
      await again.log.close(false);
      expect((await bytesOf(storage, LOG)).subarray(0, end)).toEqual(found.subarray(0, end));
    }
  });

  it("calls a flipped bit in the middle damage, loses nothing else, and gives back what was not written all the same", async () => {
    const { storage, values, end } = await killed();
    const { starts } = batchesIn(await bytesOf(storage, LOG));
    const at = (starts[7] as number) + 100;
    const flipped = (await bytesOf(storage, LOG)).slice(at, at + 1).map((byte) => byte ^ 4);
    await write(storage, LOG, flipped, at);
    const again = await opened(storage, OPTIONS);
    expect(again.log.failure).toBeNull();
    await expect(again.log.read(7, 1)).rejects.toMatchObject({ nextReadableOffset: 8 });
    expect((await readAll(again.log, 8)).map((record) => record.value)).toEqual(values.slice(8));
    expect(await lengths(storage)).toEqual([end]);
    await again.log.close(true);
  });

  it("is no defect to a survey, and a torn batch in it no more than a note", async () => {
    const { storage, end } = await killed();
    const { context } = rig(storage, OPTIONS);
    const at = { topic: "orders", partition: 0, directory: "orders-0", topicId: "AAAAAAAAAAAAAAAAAAAAAQ" } as const;
    const look = () =>
      surveyPartition(context, { ...at, config: { ...TOPIC_CONFIG, ...OPTIONS.config }, cleanShutdown: false, recoveryPoint: null });
    expect(await look()).toMatchObject({ defects: [], logEndOffset: 20 });
    await write(storage, LOG, new Uint8Array(40).fill(9), end);
    const torn = await look();
    expect(torn.defects).toEqual([]);
    expect(torn.notes.some((note) => note.includes("the next open cuts the log at offset 20"))).toBe(true);
    // More than may be unflushed, and what a block may read as, is none.
    await write(storage, LOG, new Uint8Array(5200).fill(9), end);
    expect((await look()).defects).toMatchObject([{ kind: "batch" }]);
    expect((await opened(storage, { ...OPTIONS, readOnly: true })).log.failure).not.toBeNull();
  });
});

describe("a reader beside the one that writes", () => {
  it("follows up to what is durable, through rolls and a change of durability, and takes nothing ahead for records", async () => {
    const storage = withRoomAhead();
    const made = rig(storage, ROLLING);
    const settings: { durability: "sync" | "os" } = { durability: "sync" };
    const spec = { ...made.spec, config: () => ({ ...made.config, ...settings }) };
    const log = await PartitionLog.create(made.context, spec);
    const beside = rig(storage, { ...ROLLING, readOnly: true });
    const reader = await PartitionLog.open({ ...beside.context, isFollowing: true }, { ...beside.spec, config: spec.config });
    const values: string[] = [];
    for (let round = 0; round < 30; round += 1) {
      if (round === 15 || round === 22) {
        settings.durability = round === 15 ? "os" : "sync";
        log.settingsChanged();
      }
      values.push(...(await fill(log, 1 + (round % 3))));
      // Of an "os" log's roll a note tells, and that may take some turns.
      for (let turn = 0; turn < 50 && reader.watermarks.highWatermark < log.watermarks.highWatermark; turn += 1) {
        const change = await reader.follower.changeSeen(round % 4 === 0);
        if (change !== null) await reader.follower.follow(change === "files");
      }
      expect(reader.failure).toBeNull();
      expect((await readAll(reader)).map((record) => record.value)).toEqual(values);
    }
    expect(beside.events).toEqual([]);
    await reader.close(false);
    await log.close(true);
  });
});

describe("a segment that was sized ahead and rolled", () => {
  it("has its length before the next one has a file, so that every file but the newest ends with its last batch, whenever the process dies", async () => {
    const disk = crashStorage({ aheadByteLength: AHEAD_BYTE_LENGTH });
    const { log } = await created(disk, ROLLING);
    const images: CrashStorage[] = [];
    disk.watch(() => images.push(disk.afterCrash(undefined, { kind: "process" })));
    const values = await fill(log, 25);
    await log.close(false);
    disk.watch(null);
    let rolledCount = 0;
    for (const image of images) {
      const names = (await image.list("orders-0")).map(({ name }) => name).filter((name) => name.endsWith(".log"));
      for (const name of names.sort().slice(0, -1)) {
        const bytes = await bytesOf(image, `orders-0/${name}`);
        expect(batchesIn(bytes).end).toBe(bytes.length);
        rolledCount += 1;
      }
    }
    expect(rolledCount).toBeGreaterThan(50);
    const again = await opened(images.at(-1) as CrashStorage, ROLLING);
    expect((await readAll(again.log)).map((record) => record.value)).toEqual(values);
    await again.log.close(true);
  });

  /** Two of them on disk in full size, as a loss of power may leave them. */
  async function uncut(hasNote: boolean): Promise<{ storage: StorageDriver; values: string[] }> {
    const { storage, values } = await killed(ROLLING, 15);
    if (!hasNote) await storage.remove("orders-0/odradek.state");
    const names = (await storage.list("orders-0")).map(({ name }) => name);
    for (const name of names.filter((each) => each.endsWith(".seal"))) await storage.remove(`orders-0/${name}`);
    for (const name of names.filter((each) => each.endsWith(".log"))) {
      const file = await storage.open(`orders-0/${name}`, { create: "no" });
      file.truncate(5000);
      await file.close();
    }
    return { storage, values };
  }

  it.each([[true], [false]])(
    "whose cut a loss of power took back is gone through as if it had been cut (a note is there: %s)",
    async (hasNote) => {
      const { storage, values } = await uncut(hasNote);
      const again = await opened(storage, ROLLING);
      expect(again.events.filter((event) => event.type === "recovery.cut")).toEqual([]);
      expect((await readAll(again.log)).map((record) => record.value)).toEqual(values);
      expect((await lengths(storage)).every((byteLength) => byteLength < 5000)).toBe(true);
      await again.log.close(true);
    },
  );

  it("and in which a bit has flipped loses the batch it is in, and no other", async () => {
    const { storage, values } = await uncut(true);
    const { starts } = batchesIn(await bytesOf(storage, LOG));
    const at = starts[3] as number;
    // Its length: nothing but a search tells where batches go on.
    await write(storage, LOG, Uint8Array.of(0x7f), at + 8);
    const again = await opened(storage, ROLLING);
    const offsets = new Set<number>();
    for (const [offset] of values.entries()) {
      const read = await again.log.read(offset, 1).catch(() => null);
      if (read !== null && read.length > 0) offsets.add(offset);
    }
    expect([...values.keys()].filter((offset) => !offsets.has(offset))).toEqual([3]);
    await again.log.close(false);
  });
});

describe("a loss of power, where blocks of a file sized ahead read as anything", () => {
  it("loses nothing that was acknowledged, and takes nothing for damage", async () => {
    const random = new SeededRandom("sized ahead");
    for (let trial = 0; trial < 60; trial += 1) {
      const disk = crashStorage({
        sectorByteLength: 64,
        blockByteLength: 1024,
        aheadByteLength: random.pick([200, 1000, AHEAD_BYTE_LENGTH]),
      });
      const { log } = await created(disk, ROLLING);
      const values = await fill(log, random.integer(1, 14));
      const unflushed = Array.from({ length: random.integer(1, 4) }, (_, index) =>
        `unflushed ${index}`.padEnd(random.integer(12, 300), "-"),
      );
      // Of some of them the flush is under way, others wait for room or for a roll; whatever is said to them comes too late.
      for (const value of unflushed) void Promise.resolve(append(log, [{ value, timestamp: NOW_MS }])).catch(() => {});
      const again = await opened(disk.crash(random.fork(), { survival: "scatter" }), ROLLING);
      expect(again.log.failure).toBeNull();
      const found = (await readAll(again.log)).map((record) => record.value);
      expect(found.slice(0, values.length)).toEqual(values);
      expect(unflushed.slice(0, found.length - values.length)).toEqual(found.slice(values.length));
      await again.log.close(true);
    }
  });
});
