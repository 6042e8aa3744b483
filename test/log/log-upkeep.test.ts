/** What is done to a log at leisure, on files that are not quite what it left: copies for a backup, seals, and the age of segments. */
import { describe, expect, it } from "vitest";
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { type LogSnapshot, writeSnapshotState } from "../../src/log/upkeep/log-snapshot.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { compactAll, KEYED, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { append, batchOf, core, created, NOW_MS, opened, type Rig, type RigOptions, readAll, rig, send } from "./log-rig.ts";
import { sendAs } from "./producer-rig.ts";

const LOG = "orders-0/00000000000000000000.log";
const SMALL: RigOptions = { cleanShutdown: true, config: { segmentBytes: 250, indexIntervalBytes: 1 } };

async function withFile<Result>(storage: StorageDriver, name: string, work: (file: StorageFile) => Result): Promise<Result> {
  const file = await storage.open(name, { create: "if-missing" });
  try {
    return work(file);
  } finally {
    await file.close();
  }
}

const bytesOf = (storage: StorageDriver, name: string): Promise<Uint8Array> =>
  withFile(storage, name, (file) => {
    const bytes = new Uint8Array(file.byteLength());
    file.readAt(bytes, 0);
    return bytes;
  });

async function names(storage: StorageDriver, suffix: string): Promise<string[]> {
  const found = (await storage.list("orders-0")).map(({ name }) => `orders-0/${name}`);
  return found.filter((name) => name.endsWith(suffix)).sort();
}

/** The copy that a backup makes of it. */
async function copied(storage: StorageDriver, { files, facts }: LogSnapshot, { context, spec }: Rig): Promise<StorageDriver> {
  const target = memory();
  await target.createDirectory("orders-0");
  for (const { name, byteLength } of files) {
    const bytes = await bytesOf(storage, `orders-0/${name}`);
    await withFile(target, `orders-0/${name}`, (file) => file.writeAt(bytes.subarray(0, byteLength ?? bytes.length), 0));
  }
  if (facts !== null) await writeSnapshotState(context, target, spec, facts);
  return target;
}

describe("a snapshot of a log", () => {
  it("takes the index of aborted transactions along as far as the recovery point goes by it", async () => {
    const storage = memory();
    const made = await created(storage, { recoveryPointIntervalBytes: 1 });
    const { log } = made;
    const sent = { producerId: 7n, producerEpoch: 0, recordCount: 1, transactional: true };
    for (let round = 0; round < 3; round += 1) {
      await sendAs(log, { ...sent, baseSequence: round });
      await log.appendMarker({ producerId: 7n, producerEpoch: 0, coordinatorEpoch: 0, commit: false });
      await log.flush();
      // Behind all that follows a flush.
      await log.sealUnsealed();
    }
    const snapshot = await log.snapshotOfWritten();
    expect(snapshot.files).toContainEqual({ name: "00000000000000000000.txnindex", byteLength: 3 * 34 });
    const { log: copy, events } = await opened(await copied(storage, snapshot, made));
    expect(await copy.abortedTransactions(0, 10)).toEqual(await log.abortedTransactions(0, 10));
    expect(events.map(({ type }) => type)).not.toContain("txnindex.rebuilt");
    await copy.close(false);
    await log.close(true);
  });

  it("names files alone, whatever else someone has put beside them", async () => {
    const storage = memory();
    const { list } = storage;
    storage.list = async (directory) => [
      ...(await list.call(storage, directory)),
      ...(directory === "orders-0" ? ([{ name: "leader-epoch-checkpoint", kind: "directory" }] as const) : []),
    ];
    const { log } = await created(storage);
    await send(log, "one");
    const { files } = await log.snapshot();
    expect(files.map(({ name }) => name).sort()).toEqual(["00000000000000000000.log", "leader-epoch-checkpoint", "partition.metadata"]);
    await log.close(true);
  });

  it("of a log whose end is not certain is as uncertain: all of it is copied, and the copy is opened as it was", async () => {
    const storage = memory();
    const made = await created(storage);
    for (const value of ["one", "two", "three"]) await send(made.log, value);
    await made.log.close(false);
    await withFile(storage, LOG, (file) => file.truncate(file.byteLength() - 3));
    const { log } = await opened(storage);
    const problem = await log.read(2, 1).catch((error: unknown) => error);
    expect(problem).toMatchObject({ name: "CorruptionError" });
    const snapshot = await log.snapshot();
    expect(snapshot.files).toContainEqual({ name: "00000000000000000000.log", byteLength: null });
    const { log: copy } = await opened(await copied(storage, snapshot, made));
    for (const each of [log, copy]) {
      expect((await each.read(1, 1)).length).toBeGreaterThan(0);
      await expect(each.read(2, 1)).rejects.toMatchObject({ message: (problem as Error).message });
      await each.close(false);
    }
  });

  it("of a log that has failed is of what is durable, at once", async () => {
    const storage = faultyStorage(memory());
    const made = await created(storage);
    const { log } = made;
    await send(log, "one");
    storage.fail({ call: "sync", name: /\.log$/, errno: "EIO" });
    await append(log, [{ value: "two", timestamp: NOW_MS }]);
    await expect(log.flush()).rejects.toMatchObject({ code: "PARTITION_FAILED" });
    for (const snapshot of [await log.snapshotOfWritten(), await log.snapshot()]) {
      expect(snapshot.logEndOffset).toBe(1);
      const { log: copy } = await opened(await copied(storage, snapshot, made));
      expect((await readAll(copy)).map(({ value }) => value)).toEqual(["one"]);
      await copy.close(false);
    }
    await log.close(false).catch(() => {});
  });

  it("finds no segment half replaced: what a compaction was held up in is ended before", async () => {
    let heldUpCount = 0;
    for (let nth = 1; nth <= 16 && heldUpCount === 0; nth += 1) {
      const storage = faultyStorage(memory());
      const made = await created(storage, KEYED);
      for (const value of ["1", "2", "3", "4", "5"]) await put(made.log, [["a", value.padEnd(150)]]);
      await rollOver(made.log);
      storage.fail({ call: "closeFile", errno: "ENOSPC", nth });
      const hasFailed = await compactAll(made.log).then(
        () => false,
        () => true,
      );
      storage.mend();
      if (hasFailed && (await names(storage, ".swap")).length > 0) heldUpCount += 1;
      const snapshot = await made.log.snapshot();
      expect(await names(storage, ".swap"), `${nth}`).toEqual([]);
      const { log: copy } = await opened(await copied(storage, snapshot, made), KEYED);
      expect((await readKeyed(copy)).at(-2), `${nth}`).toMatchObject({ key: "a", value: "5".padEnd(150) });
      await copy.close(false);
      await made.log.close(true);
    }
    expect(heldUpCount).toBeGreaterThan(0);
  });
});

describe("sealing what was left unsealed", () => {
  async function partition(): Promise<StorageDriver> {
    const storage = memory();
    const { log } = await created(storage, SMALL);
    for (let index = 0; index < 9; index += 1) await send(log, `value 0${index}`);
    await log.close(true);
    return storage;
  }

  it("makes a seal anew that is another segment's, and the indexes with it that are none", async () => {
    const storage = await partition();
    const [first, second] = (await names(storage, ".seal")) as [string, string];
    const [own, theirs] = [await bytesOf(storage, first), await bytesOf(storage, second)];
    await withFile(storage, first, (file) => {
      file.truncate(0);
      file.writeAt(theirs, 0);
    });
    const index = LOG.replace(".log", ".index");
    const whole = await bytesOf(storage, index);
    await withFile(storage, index, (file) => file.truncate(whole.length - 3));
    const { log, events } = await opened(storage, SMALL);
    expect(await log.sealUnsealed()).toMatchObject({ segmentsSealed: 1, segmentsRefused: 0 });
    expect(events.filter(({ type }) => /seal.made|index.rebuilt/.test(type)).map(({ type, fields }) => [type, fields["why"]])).toEqual([
      ["index.rebuilt", "after 1 entries, byte 11 of 13 is neither a further entry nor zero"],
      ["seal.made", expect.stringMatching(/^it was of partition 0, base offset 3, topic id/)],
    ]);
    expect([await bytesOf(storage, index), await bytesOf(storage, first)]).toEqual([whole, own]);
    expect(await readAll(log)).toHaveLength(9);
    await log.close(true);
  });

  it("tells of damage by its name alone, where there is no more to say", async () => {
    const storage = await partition();
    await storage.remove(LOG.replace(".log", ".seal"));
    await withFile(storage, LOG, (file) => file.writeAt(new Uint8Array(4), 8));
    const { log, events } = await opened(storage, SMALL);
    expect(await log.sealUnsealed()).toMatchObject({ segmentsSealed: 0, segmentsRefused: 1 });
    expect(events.filter(({ type }) => type === "seal.refused").map(({ fields }) => fields["problem"])).toEqual([
      `batch at ${LOG}:0: zero`,
    ]);
    await log.close(true);
  });
});

describe("the age of a segment", () => {
  it("is what its seal says, though nobody has read it since it was opened", async () => {
    const clock = new ManualClock(NOW_MS);
    const storage = memory();
    const { log } = await created(storage, { ...SMALL, clock });
    for (let index = 0; index < 9; index += 1) {
      await append(log, [{ value: `value 0${index}`, timestamp: NOW_MS + 1000 * index }]);
      await log.flush();
    }
    await log.close(true);
    const { log: again } = await opened(storage, { config: { ...SMALL.config, retentionMs: 10_000 }, cleanShutdown: true, clock });
    // Each of three batches, the last of the first segment 2 seconds later than its first.
    await clock.advance(12_000);
    expect((await again.applyRetention()).segmentsDeleted).toBe(0);
    await clock.advance(1);
    expect((await again.applyRetention()).segmentsDeleted).toBe(1);
    expect((await readAll(again)).map(({ offset }) => offset)).toEqual([3, 4, 5, 6, 7, 8]);
    await again.close(true);
  });

  it("cannot be told where no record has a timestamp and no seal says more: it stays", async () => {
    const clock = new ManualClock(NOW_MS);
    const storage = memory();
    const { log } = await created(storage, { ...SMALL, clock });
    for (let index = 0; index < 9; index += 1) {
      await append(log, [{ value: `value 0${index}`, timestamp: -1 }]);
      await log.flush();
    }
    await log.close(true);
    for (const name of await names(storage, ".seal")) await storage.remove(name);
    const { log: again } = await opened(storage, { config: { ...SMALL.config, retentionMs: 1000 }, cleanShutdown: true, clock });
    await clock.advance(1_000_000_000);
    expect((await again.applyRetention()).segmentsDeleted).toBe(0);
    expect(await readAll(again)).toHaveLength(9);
    await again.close(true);
  });
});

describe("a batch that waits for room", () => {
  it("is told what befell it when its turn came, and the next one goes on", async () => {
    const [first, second, third] = ["first", "a second one", "third"].map((value) => batchOf([{ value, timestamp: NOW_MS }])) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const made = rig(memory(), { maxUnflushedBytes: 1, config: { messageTimestampType: "LogAppendTime" } });
    let isHarmed = false;
    const harmed = new Proxy(core, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (name === "crc32c")
          return (bytes: Uint8Array, seed?: number) => {
            if (isHarmed && bytes.length === second.length - 21) throw new TypeError("a mistake of ours");
            return target.crc32c(bytes, seed);
          };
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const log = await PartitionLog.create({ ...made.context, core: harmed }, made.spec);
    isHarmed = true;
    const verdict = { recordCount: 1, maxTimestamp: NOW_MS };
    const outcomes = await Promise.allSettled([first, second, third].map(async (batch) => await log.append(batch, verdict)));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(outcomes[1]).toMatchObject({ reason: { message: expect.stringContaining("a mistake of ours") } });
    await log.flush();
    expect((await readAll(log)).map(({ offset, value }) => [offset, value])).toEqual([
      [0, "first"],
      [1, "third"],
    ]);
    await log.close(true);
  });
});
