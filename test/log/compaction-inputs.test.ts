/** What a pass of compaction reads, however it stands on the disk: long batches and many, none at all, seals and indexes that went, and damage. */
import { describe, expect, it } from "vitest";
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import { stampChecksum } from "../../src/base/record-batch.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { compactAll, KEYED, type KeyedPut, keyedBatch, put, readKeyed, rollOver, storedBatches } from "./compaction-rig.ts";
import { core, created, NOW_MS, opened, type RigOptions, rig } from "./log-rig.ts";

const MIB = 1024 * 1024;
const LOG = "orders-0/00000000000000000000.log";
const LARGE: RigOptions = { config: { ...KEYED.config, segmentBytes: 8 * MIB } };

async function withFile<Result>(storage: StorageDriver, work: (file: StorageFile) => Result, name: string = LOG): Promise<Result> {
  const file = await storage.open(name, { create: "no" });
  try {
    return work(file);
  } finally {
    await file.close();
  }
}

const bytesIn = (storage: StorageDriver): Promise<Uint8Array> =>
  withFile(storage, (file) => {
    const bytes = new Uint8Array(file.byteLength());
    file.readAt(bytes, 0);
    return bytes;
  });

/** Where the batches of the first segment begin. */
async function positionsIn(storage: StorageDriver): Promise<number[]> {
  let position = 0;
  return storedBatches(await bytesIn(storage)).map(({ byteLength }) => {
    position += byteLength;
    return position - byteLength;
  });
}

/** The newest value of each key, as far as it begins. */
const newest = async (log: PartitionLog): Promise<Record<string, string | undefined>> =>
  Object.fromEntries((await readKeyed(log, undefined, 2 * MIB)).map(({ key, value }) => [key, value?.slice(0, 3)]));

/** The next batch begins a segment. */
async function rollNext(log: PartitionLog, config: { segmentBytes: number }): Promise<void> {
  config.segmentBytes = 100;
  await put(log, [["roll", "x"]]);
  await log.sealUnsealed();
}

/** A pass that meets `bytes` at `position` of the first segment tells of it; when they are as they were, the partition opened anew is compacted. */
async function expectTold(
  storage: StorageDriver,
  log: PartitionLog,
  position: number,
  bytes: readonly number[],
  words: RegExp,
): Promise<void> {
  const before = await withFile(storage, (file) => {
    const found = new Uint8Array(bytes.length);
    file.readAt(found, position);
    file.writeAt(Uint8Array.from(bytes), position);
    return found;
  });
  await expect(compactAll(log)).rejects.toMatchObject({ name: "CorruptionError", file: LOG, message: expect.stringMatching(words) });
  await withFile(storage, (file) => file.writeAt(before, position));
  await log.reopen();
}

describe("a pass of compaction over long batches", () => {
  const long = (begin: string, byteLength: number): string => begin.padEnd(byteLength, "z");

  async function longOnes(storage: StorageDriver, clock?: ManualClock) {
    const made = rig(storage, { ...LARGE, ...(clock === undefined ? {} : { clock }) });
    const log = await PartitionLog.create(made.context, made.spec);
    await put(log, [["a", "old"]]);
    await put(log, [
      ["b", long("big", 1.3 * MIB)],
      ["c", "new"],
    ]);
    for (let round = 0; round < 4; round += 1) await put(log, [["d", long(`d ${round}`, 300_000)]]);
    await put(log, [["a", "new"]]);
    await rollNext(log, made.config);
    return log;
  }

  it("takes them in one piece, longer than what it reads at once too, at whatever pace they come", async () => {
    for (const readMs of [0, 10]) {
      const clock = new ManualClock(NOW_MS);
      let monotonicMs = 0;
      clock.monotonic = () => monotonicMs;
      const storage = memory();
      const { open } = storage;
      const aheads: (readonly [position: number, byteLength: number])[] = [];
      storage.open = async (name, options) => {
        const file = await open.call(storage, name, options);
        const { readAt, readAhead } = file;
        if (name === LOG) {
          file.readAt = (into, position) => {
            monotonicMs += readMs;
            return readAt.call(file, into, position);
          };
          file.readAhead = (position, byteLength) => {
            aheads.push([position, byteLength]);
            return readAhead.call(file, position, byteLength);
          };
        }
        return file;
      };
      const log = await longOnes(storage, clock);
      aheads.length = 0;
      expect(await compactAll(log)).toMatchObject({ recordsBefore: 8, recordsAfter: 4 });
      expect(await newest(log)).toEqual({ a: "new", b: "big", c: "new", d: "d 3", roll: "x" });
      if (readMs === 0) expect(aheads).toEqual([]);
      // Each window in one call, not in one for each step of it.
      else expect(Math.max(...aheads.map(([, byteLength]) => byteLength))).toBeGreaterThanOrEqual(MIB);
      await log.close(true);
    }
  });

  it("checks such a one as any other: its checksum, and offsets that rise", async () => {
    const storage = memory();
    const log = await longOnes(storage);
    const at = (await positionsIn(storage))[1] as number;
    await expectTold(storage, log, at + 1000, [1, 2, 3], /checksum: computed crc [0-9a-f]{8}, stored [0-9a-f]{8}/);
    // A last offset below the first, under a checksum that is right.
    const wrong = storedBatches(await bytesIn(storage))[1] as { byteLength: number };
    const batch = (await bytesIn(storage)).slice(at, at + wrong.byteLength);
    batch.set([0xff, 0xff, 0xff, 0xfe], 23);
    stampChecksum(batch, core);
    await expectTold(storage, log, at + 17, [...batch.subarray(17, 27)], /offset: 1 to -1/);
    expect((await compactAll(log)).recordsAfter).toBe(4);
    await log.close(true);
  });
});

describe("a pass of compaction that meets damage which the batches before it do not show", () => {
  async function fiveBatches() {
    const storage = memory();
    const made = await created(storage, LARGE);
    for (let round = 0; round < 5; round += 1) await put(made.log, [["a", `a${round}`]]);
    await rollNext(made.log, made.config);
    return { storage, log: made.log, positions: await positionsIn(storage) };
  }

  it("tells of a length that goes beyond the segment, of a gap, and of a file that was cut", async () => {
    const { storage, log, positions } = await fiveBatches();
    const last = positions[4] as number;
    // Where no offset may be missing: of its last batch, so that nothing behind it contradicts.
    await expectTold(storage, log, last + 7, [5], /order: expected offset 4, found 5/);
    await expectTold(storage, log, last + 10, [1], /:\d+: partial/);
    const bytes = await bytesIn(storage);
    await withFile(storage, (file) => file.truncate(last + 30));
    await expect(compactAll(log)).rejects.toMatchObject({ message: expect.stringMatching(/the file ends \d+ bytes before its end/) });
    await withFile(storage, (file) => file.writeAt(bytes, 0));
    await log.reopen();
    expect((await compactAll(log)).recordsAfter).toBe(1);
    await log.close(true);
  });

  it("tells of leader epochs that fall, below the log start too, where no book knows them", async () => {
    const { storage, log, positions } = await fiveBatches();
    await log.deleteRecordsBefore(3);
    await expectTold(storage, log, 12, [0, 0, 0, 5], /epoch: expected leader epoch 5 or more, found 0/);
    await expectTold(storage, log, (positions[3] as number) + 12, [0, 0, 0, 5], /epoch: expected leader epoch 0, found 5/);
    expect((await compactAll(log)).recordsAfter).toBe(1);
    await log.close(true);
  });
});

describe("a pass of compaction", () => {
  it("takes as many batches at once as there are", async () => {
    const { log, config } = await created(memory(), LARGE);
    for (let index = 0; index < 700; index += 1)
      void log.append(keyedBatch([[`k${index % 7}`, `${index}`]]), { recordCount: 1, maxTimestamp: NOW_MS });
    await log.flush();
    await rollNext(log, config);
    expect(await compactAll(log)).toMatchObject({ recordsBefore: 700, recordsAfter: 7 });
    expect((await readKeyed(log)).slice(0, 7).map(({ value }) => value)).toEqual(["693", "694", "695", "696", "697", "698", "699"]);
    await log.close(true);
  });

  it("lets others run while it finds out which of many records are the newest", async () => {
    const clock = new ManualClock(NOW_MS);
    let monotonicMs = 0;
    clock.monotonic = () => {
      monotonicMs += 2;
      return monotonicMs;
    };
    const { log, config } = await created(memory(), { ...LARGE, clock });
    for (let batch = 0; batch < 30; batch += 1) {
      const records = Array.from({ length: 2000 }, (_, index): KeyedPut => [`${index % 100}`, `${batch}`]);
      void log.append(keyedBatch(records), { recordCount: 2000, maxTimestamp: NOW_MS });
    }
    await log.flush();
    await rollNext(log, config);
    let turns = 0;
    const running = setInterval(() => {
      turns += 1;
    }, 0);
    expect(await compactAll(log, { dedupeBufferByteLength: 16 * MIB })).toMatchObject({ recordsBefore: 60_000, recordsAfter: 100 });
    clearInterval(running);
    expect(turns).toBeGreaterThan(0);
    await log.close(true);
  });

  it("leaves what stays of a batch in the open, where nothing here could compress it", async () => {
    const storage = memory();
    const { context, spec, config } = rig(storage, LARGE);
    const { compression } = context;
    const closed = compression.compressBatch(
      keyedBatch([
        ["a", "1"],
        ["a", "2"],
      ]),
      "lz4",
    );
    const reading = {
      canCompress: () => false,
      compressBatch: () => closed,
      decompressBatch: compression.decompressBatch.bind(compression),
    };
    const log = await PartitionLog.create({ ...context, compression: reading }, spec);
    await log.append(closed, { recordCount: 2, maxTimestamp: NOW_MS });
    await log.flush();
    await rollNext(log, config);
    expect(await compactAll(log)).toMatchObject({ recordsBefore: 2, recordsAfter: 1 });
    expect(storedBatches(await bytesIn(storage))).toMatchObject([{ baseOffset: 0, lastOffset: 1, attributes: 0, recordCount: 1 }]);
    expect(await newest(log)).toEqual({ a: "2", roll: "x" });
    await log.close(true);
  });

  it("counts the age of records without timestamps from when their file was written last, and needs none of them", async () => {
    const clock = new ManualClock(NOW_MS);
    const { log, config } = await created(memory({ clock }), {
      clock,
      config: { ...KEYED.config, segmentBytes: 8 * MIB, minCompactionLagMs: 1000 },
    });
    for (const key of ["a", "b", "c", "d", "e", "f", "a"]) await put(log, [[key, key.padEnd(40)]], -1);
    await rollNext(log, config);
    const cleanable = async (nowMs: number): Promise<number> => (await log.compactionNeed(nowMs)).cleanableBytes;
    expect([await cleanable(NOW_MS), (await cleanable(NOW_MS + 1001)) > 0]).toEqual([0, true]);
    await clock.advance(2000);
    expect(await compactAll(log)).toMatchObject({ recordsBefore: 7, recordsAfter: 6 });
    expect(Object.keys(await newest(log)).sort()).toEqual(["a", "b", "c", "d", "e", "f", "roll"]);
    // With both lags set, a segment whose records have timestamps is as old as those say.
    await put(log, [["a", "3"]], NOW_MS);
    await rollNext(log, config);
    config.maxCompactionLagMs = 5000;
    expect((await log.compactionNeed(NOW_MS + 5001)).mustClean).toBe(true);
    expect((await log.compactionNeed(NOW_MS + 5000)).mustClean).toBe(false);
    expect(await log.offsetForTime(NOW_MS)).toMatchObject({ timestamp: NOW_MS });
    await log.close(true);
  });

  it("goes on where an index was taken away under it", async () => {
    const storage = memory();
    const { log } = await created(storage, KEYED);
    for (let round = 0; round < 10; round += 1) await put(log, [["a", `a${round}`.padEnd(40)]]);
    await rollOver(log);
    // Read once, its files stand open, and nobody looks for them by name.
    await readKeyed(log);
    await storage.remove(LOG.replace(".log", ".index"));
    await storage.remove(LOG.replace(".log", ".timeindex"));
    expect((await compactAll(log)).recordsAfter).toBe(1);
    expect((await readKeyed(log)).map(({ value }) => value?.slice(0, 2))).toEqual(["a9", "xx"]);
    await log.close(true);
  });

  it("passes segments over in which another cleaner has left nothing", async () => {
    const storage = memory();
    const made = await created(storage, KEYED);
    for (let round = 0; round < 12; round += 1) await put(made.log, [["a", `a${round}`.padEnd(40)]]);
    await rollOver(made.log);
    const { logEndOffset } = made.log.watermarks;
    await made.log.close(true);
    for (const { name } of await storage.list("orders-0"))
      if (name === "odradek.state" || name.endsWith(".seal")) await storage.remove(`orders-0/${name}`);
    for (const suffix of [".log", ".index", ".timeindex"]) await withFile(storage, (file) => file.truncate(0), LOG.replace(".log", suffix));
    // No two of them would fit into one: the empty one stands alone.
    const { log, events } = await opened(storage, {
      config: { ...KEYED.config, segmentBytes: 100 },
      cleanShutdown: true,
      leftByUs: false,
      checkpoint: { recoveryPoint: logEndOffset, logStartOffset: 0 },
    });
    expect(log.failure).toBeNull();
    expect((await compactAll(log)).recordsAfter).toBe(1);
    expect((await readKeyed(log)).map(({ value }) => value?.slice(0, 3))).toEqual(["a11", "xxx"]);
    expect((await bytesIn(storage)).length).toBe(0);
    expect(events.filter(({ type }) => type === "compaction.failed")).toEqual([]);
    await log.close(true);
  });
});

describe("the seals of what is compacted", () => {
  const rounds = 10;
  async function closed(config: RigOptions["config"] = {}) {
    const storage = memory();
    const { log } = await created(storage, { config: { ...KEYED.config, ...config } });
    for (let round = 0; round < rounds; round += 1) await put(log, [["a", `a${round}`.padEnd(40)]]);
    await rollOver(log);
    await log.close(true);
    return storage;
  }

  it("are no condition: without them the batches' own checksums are, whether the segments were read before or not", async () => {
    for (const isRead of [false, true]) {
      const storage = await closed();
      for (const { name } of await storage.list("orders-0")) if (name.endsWith(".seal")) await storage.remove(`orders-0/${name}`);
      const { log } = await opened(storage, { ...KEYED, cleanShutdown: true });
      if (isRead) expect(await readKeyed(log)).toHaveLength(rounds + 1);
      expect((await compactAll(log)).recordsAfter).toBe(1);
      expect((await readKeyed(log)).map(({ key }) => key)).toEqual(["a", "roll"]);
      await log.close(true);
    }
  });

  it("say that no offset is missing, in a topic that was not compacted when it was opened", async () => {
    const storage = await closed({ cleanupPolicy: "delete" });
    const { log, config } = await opened(storage, { config: { ...KEYED.config, cleanupPolicy: "delete" }, cleanShutdown: true });
    config.cleanupPolicy = "compact";
    // What stands last in the first segment, one offset on: a gap there is none but the seal's.
    const last = (await positionsIn(storage)).at(-1) as number;
    const before = storedBatches(await bytesIn(storage)).at(-1)?.baseOffset as number;
    await expectTold(storage, log, last + 7, [before + 1], /order: expected offset/);
    expect((await compactAll(log)).recordsAfter).toBe(1);
    await log.close(true);
  });
});
