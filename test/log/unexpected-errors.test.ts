/** Whoever handles one kind of error lets every other go on as it is: a refusal of the disk is not taken for damage, nor a mistake of ours for either. */
import { describe, expect, it, vi } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { StorageError } from "../../src/base/errors.ts";
import type { Compactor, CompactorOptions, Core } from "../../src/core/core.ts";
import type { LogContext } from "../../src/log/context/log-context.ts";
import { checksumsOfWhole } from "../../src/log/files/file-checksums.ts";
import { viewPartitionFiles } from "../../src/log/files/partition-files.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { PositionHints } from "../../src/log/segment/position-hints.ts";
import { surveyPartition } from "../../src/log/survey/partition-survey.ts";
import { forgetEpochsBefore } from "../../src/log/upkeep/log-start.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { compactAll, KEYED, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { append, batchOf, core, created, NOW_MS, opened, type RigOptions, readAll, recordsIn, rig, send } from "./log-rig.ts";
import { sendAs } from "./producer-rig.ts";

const LOG = "orders-0/00000000000000000000.log";
const mistake = (): never => {
  throw new TypeError("a mistake of ours");
};

/** An object, but for these members. */
function but<Of extends object>(of: Of, changed: Readonly<Record<string, unknown>>): Of {
  return new Proxy(of, {
    get(target, name) {
      if (typeof name === "string" && name in changed) return changed[name];
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

const coreBut = (changed: Partial<Record<keyof Core, unknown>>): Core => but(core, changed);
const compactorBut = (options: CompactorOptions, changed: Partial<Record<keyof Compactor, unknown>>): Compactor =>
  but(core.compactor(options), changed);

type CrcArguments = Parameters<Core["crc32c"]>;

/** The checksum, but for the n-th of them. */
function mistakenAt(nth: number): Core["crc32c"] {
  let count = 0;
  return (...given: CrcArguments) => {
    count += 1;
    return count === nth ? mistake() : core.crc32c(...given);
  };
}

async function createdWith(driver: StorageDriver, change: Partial<LogContext>, options: RigOptions = {}) {
  const made = rig(driver, options);
  const context = { ...made.context, ...change };
  return { ...made, context, log: await PartitionLog.create(context, made.spec) };
}

async function changeBytes(
  storage: StorageDriver,
  change: (at: { write(bytes: number[], position: number): void; cut(byteLength: number): void; byteLength: number }) => void,
): Promise<void> {
  const file = await storage.open(LOG, { create: "no" });
  change({
    write: (bytes, position) => void file.writeAt(new Uint8Array(bytes), position),
    cut: (byteLength) => file.truncate(byteLength),
    byteLength: file.byteLength(),
  });
  await file.close();
}

describe("an entry of an index", () => {
  const MANY: RigOptions = { config: { indexIntervalBytes: 1, durability: "os" } };

  async function sendMany(log: PartitionLog, count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) await append(log, [{ value: `${index}`, timestamp: NOW_MS + index }]);
  }

  it("that finds no room costs a longer search, and no record", async () => {
    const storage = faultyStorage(memory());
    const { log } = await created(storage, MANY);
    const fault = storage.fail({ call: "writeAt", name: /\.(time)?index$/, errno: "ENOSPC", times: 3 });
    await sendMany(log, 1200);
    expect(fault.metCount).toBe(3);
    expect((await readAll(log)).map(({ value }) => value)).toEqual(Array.from({ length: 1200 }, (_, index) => `${index}`));
    expect(await log.offsetForTime(NOW_MS + 900)).toMatchObject({ offset: 900 });
    await log.close(true);
    const again = await opened(storage, { ...MANY, cleanShutdown: true });
    expect(await again.log.offsetForTime(NOW_MS + 900)).toMatchObject({ offset: 900 });
    await again.log.close(true);
  });

  it("that the core refuses, though it rises, costs no record either", async () => {
    const { log } = await createdWith(memory(), { core: coreBut({ appendOffsetEntry: () => false }) }, MANY);
    await sendMany(log, 5);
    expect(await readAll(log)).toHaveLength(5);
    await log.close(false);
  });

  it("that a mistake of ours keeps out is told as one", async () => {
    const { log } = await createdWith(memory(), { core: coreBut({ appendOffsetEntry: mistake }) }, MANY);
    await expect(sendMany(log, 5)).rejects.toThrow("a mistake of ours");
    await log.close(false).catch(() => {});
  });
});

describe("a batch", () => {
  it("that is larger than a segment may be is refused in words, and the log takes the next", async () => {
    const { log } = await created(memory(), { config: { segmentBytes: 300 } });
    await expect(send(log, "x".repeat(400))).rejects.toMatchObject({ code: "RECORD_LIST_TOO_LARGE" });
    await send(log, "small");
    expect(await readAll(log)).toHaveLength(1);
    await log.close(true);
  });

  it("that would go beyond the last offset there is, is refused, and the log keeps what it has", async () => {
    const storage = memory();
    const { log } = await created(storage);
    await log.close(true);
    const last = Number.MAX_SAFE_INTEGER - 1;
    for (const name of ["odradek.state", "00000000000000000000.index", "00000000000000000000.timeindex", "00000000000000000000.log"])
      await storage.remove(`orders-0/${name}`).catch(() => {});
    const file = await storage.open(`orders-0/${String(last - 1).padStart(20, "0")}.log`, { create: "new" });
    await file.close();
    const again = await opened(storage, { checkpoint: { recoveryPoint: last - 1, logStartOffset: last - 1 } });
    await send(again.log, "the last but one");
    await expect(send(again.log, "a", "b")).rejects.toMatchObject({
      code: "INVALID_RECORD",
      message: expect.stringContaining("offsets end at 2^53-1"),
    });
    expect(await readAll(again.log)).toMatchObject([{ value: "the last but one", offset: last - 1 }]);
    await again.log.close(true);
  });
});

describe("a read", () => {
  const SMALL: RigOptions = { config: { indexIntervalBytes: 50 } };

  async function twelve(storage: StorageDriver, options: RigOptions = SMALL): Promise<number> {
    const { log } = await created(storage, options);
    for (let index = 0; index < 12; index += 1) await append(log, [{ value: `${index}`.padEnd(80), timestamp: NOW_MS + index }]);
    await log.flush();
    await log.close(true);
    let byteLength = 0;
    await changeBytes(storage, (file) => {
      byteLength = file.byteLength / 12;
    });
    return byteLength;
  }

  it("beside damage tells a refusal of the disk as one, at whichever call it comes, and finds the same without it", async () => {
    const disk = memory();
    const byteLength = await twelve(disk);
    await changeBytes(disk, ({ write }) => {
      for (const index of [3, 4, 8]) write([0x7f, 0xff, 0xff, 0xff], index * byteLength + 8);
    });
    const asked = async (storage: StorageDriver): Promise<readonly unknown[]> => {
      const { log } = await opened(storage, { ...SMALL, cleanShutdown: true });
      const answers: unknown[] = [];
      for (const offset of [0, 3, 5, 9, 11])
        answers.push(
          await log.read(offset, 100).then(
            (bytes) => bytes.byteLength,
            (error: unknown) => error,
          ),
        );
      for (const at of [2, 4, 9]) answers.push(await log.offsetForTime(NOW_MS + at).catch((error: unknown) => error));
      await log.close(false);
      return answers;
    };
    const quiet = faultyStorage(disk);
    const expected = await asked(quiet);
    let refusals = 0;
    for (let nth = 1; nth <= quiet.count("readAt"); nth += 1) {
      const storage = faultyStorage(disk, { faults: [{ call: "readAt", name: /\.log$/, nth, errno: "EIO" }] });
      const found = await asked(storage).catch((error: unknown) => [error]);
      for (const [index, answer] of found.entries()) {
        if (answer instanceof StorageError) refusals += 1;
        else expect(answer, `call ${nth}, answer ${index}`).toEqual(expected[index]);
      }
    }
    expect(refusals).toBeGreaterThan(10);
  });

  it("of a file that someone cut short is told as damage, whichever part of a batch is left", async () => {
    const byteLength = await twelve(memory());
    for (const kept of [0, 8, 30, 61, byteLength - 1]) {
      const storage = memory();
      await twelve(storage);
      const { log } = await opened(storage, { ...SMALL, cleanShutdown: true });
      await changeBytes(storage, ({ cut }) => cut(6 * byteLength + kept));
      for (const [offset, maxBytes] of [
        [6, 1],
        [6, 1000],
        [7, 1],
        [11, 1],
      ] as const) {
        await expect(log.read(offset, maxBytes), `${kept} bytes left, ${offset}`).rejects.toMatchObject({ name: "CorruptionError" });
      }
      await log.close(false);
    }
  });

  it("of a batch larger than what is read at first, in a file that ends within it, is told as damage", async () => {
    const storage = memory();
    const { log } = await created(storage);
    await send(log, "x".repeat(100_000));
    await log.close(true);
    const again = await opened(storage, { cleanShutdown: true });
    await changeBytes(storage, ({ cut }) => cut(70_000));
    await expect(again.log.read(0, 100)).rejects.toMatchObject({ name: "CorruptionError" });
    await again.log.close(false);
  });

  it("of a place whose hint others pushed out meanwhile gives nothing out that nothing vouches for", async () => {
    const storage = memory();
    const byteLength = await twelve(storage);
    await changeBytes(storage, ({ write }) => write([0x7f], 4 * byteLength));
    const { log } = await opened(storage, { ...SMALL, cleanShutdown: true });
    const forgetful = vi.spyOn(PositionHints.prototype, "offsetAt").mockReturnValue(null);
    await expect(log.read(3, 100)).rejects.toMatchObject({ name: "CorruptionError" });
    forgetful.mockRestore();
    expect(recordsIn(await log.read(3, 100))).toMatchObject([{ offset: 3 }]);
    await log.close(false);
  });

  it("by time lets what a codec did not mean to say go on", async () => {
    const { log, context } = await createdWith(memory(), {}, {});
    await send(log, "a");
    Object.assign(context, { compression: { ...context.compression, decompressBatch: mistake } });
    await expect(log.offsetForTime(NOW_MS - 1)).rejects.toThrow("a mistake of ours");
    await log.close(false);
  });
});

describe("a directory whose state is another partition's", () => {
  it("is neither served nor changed", async () => {
    const storage = memory();
    const mine = await created(storage);
    await send(mine.log, "mine");
    await mine.log.close(true);
    const other = await created(storage, { topic: "other", directory: "other-0", topicId: "BAAAAAAAAAAAAAAAAAAAAQ" });
    await other.log.close(true);
    await storage.remove("orders-0/odradek.state");
    const [from, to] = [
      await storage.open("other-0/odradek.state", { create: "no" }),
      await storage.open("orders-0/odradek.state", { create: "new" }),
    ];
    const bytes = new Uint8Array(from.byteLength());
    from.readAt(bytes, 0);
    to.writeAt(bytes, 0);
    for (const file of [from, to]) await file.close();
    await expect(opened(storage)).rejects.toMatchObject({
      name: "CorruptionError",
      message: expect.stringContaining("neither served nor changed"),
    });
  });
});

describe("what only a mistake of ours throws", () => {
  it("goes on as it is from a survey, the second slot of a state, and the cutting of epochs", async () => {
    const storage = memory();
    const { log, context, spec } = await created(storage, { config: { segmentBytes: 300 } });
    for (let count = 0; count < 4; count += 1) await send(log, "x".repeat(150));
    await log.sealUnsealed();
    await log.close(true);
    const at = {
      topic: "orders",
      partition: 0,
      topicId: spec.topicId,
      directory: "orders-0",
      cleanShutdown: true,
      config: null,
      recoveryPoint: null,
    };
    let mistakes = 0;
    for (let nth = 1; nth <= 16; nth += 1) {
      const found = surveyPartition({ ...context, core: coreBut({ crc32c: mistakenAt(nth) }) }, at);
      const told = await found.catch((error: unknown) => error);
      if (told instanceof TypeError) mistakes += 1;
      else expect(told, `checksum ${nth}`).toMatchObject({ defects: [] });
    }
    expect(mistakes).toBeGreaterThan(3);
    await surveyPartition(context, at);
    const opensNot = new Proxy(context.storage, { get: (target, name) => (name === "open" ? mistake : Reflect.get(target, name, target)) });
    await expect(surveyPartition({ ...context, storage: opensNot }, at)).rejects.toThrow("a mistake of ours");
    const epochs = { truncateFromStart: () => Promise.reject(new TypeError("a mistake of ours")) };
    await expect(forgetEpochsBefore({ context, spec, epochs } as unknown as Parameters<typeof forgetEpochsBefore>[0], 3)).rejects.toThrow(
      "ours",
    );
  });

  it("goes on as it is from the core, at whichever of a state's checksums", async () => {
    for (let nth = 1; nth <= 6; nth += 1) {
      const armed = { crc32c: core.crc32c.bind(core) };
      const { log } = await createdWith(memory(), { core: coreBut({ crc32c: (...given: CrcArguments) => armed.crc32c(...given) }) });
      await send(log, "a");
      await send(log, "b");
      armed.crc32c = mistakenAt(nth);
      const told = await log.deleteRecordsBefore(1).catch((error: unknown) => error);
      if (told instanceof Error) expect(told, `checksum ${nth}`).toMatchObject({ message: "a mistake of ours" });
      armed.crc32c = core.crc32c.bind(core);
      await log.close(false).catch(() => {});
    }
  });

  it("goes on as it is from a roll, though the new segment's files will not close either, and the next roll is made", async () => {
    let toldCount = 0;
    for (let nth = 1; nth <= 5; nth += 1) {
      const armed = { crc32c: core.crc32c.bind(core) };
      const storage = faultyStorage(memory());
      const change = { core: coreBut({ crc32c: (...given: CrcArguments) => armed.crc32c(...given) }) };
      const { log } = await createdWith(storage, change, { config: { segmentBytes: 300 } });
      const sent = { producerId: 1n, producerEpoch: 0, recordCount: 2, transactional: false };
      for (const baseSequence of [0, 2]) await sendAs(log, { ...sent, baseSequence });
      storage.fail({ call: "closeFile", errno: "EIO", times: Number.POSITIVE_INFINITY });
      armed.crc32c = mistakenAt(nth);
      const told = await (async () => await send(log, "x".repeat(200)))().catch((error: unknown) => error);
      if (told instanceof Error) toldCount += 1;
      armed.crc32c = core.crc32c.bind(core);
      storage.mend();
      await log.close(false).catch(() => {});
    }
    expect(toldCount).toBeGreaterThan(0);
  });

  it("goes on as it is from a batch that compaction looks at", async () => {
    const harmed = (options: CompactorOptions): object => compactorBut(options, { mapBatch: mistake, mapWindow: mistake });
    const { log } = await createdWith(memory(), { core: coreBut({ compactor: harmed }) }, KEYED);
    await put(log, [["a", "1"]]);
    await put(log, [["a", "2"]]);
    await rollOver(log);
    await expect(compactAll(log)).rejects.toThrow("a mistake of ours");
    await log.close(false).catch(() => {});
  });
});

describe("a file that is shorter than it is known to be", () => {
  it("is not sealed as it was read", async () => {
    const storage = memory();
    const file = await storage.open("f", { create: "new" });
    file.writeAt(new Uint8Array(100), 0);
    expect(await checksumsOfWhole(core, file, "f", 100)).toHaveLength(1);
    await expect(checksumsOfWhole(core, file, "f", 101)).rejects.toThrow("f: expected 101 bytes to be read, found 100");
    await file.close();
  });
});

describe("a reader that changes nothing", () => {
  it("passes a swap over that is damaged, and tells a refusal of the disk as one", async () => {
    const storage = memory();
    const { log, context } = await created(storage, KEYED);
    await put(log, [["a", "1"]]);
    await log.close(true);
    const swap = await storage.open(`${LOG}.swap`, { create: "new" });
    swap.writeAt(batchOf([{ value: "whole", timestamp: NOW_MS }]), 0);
    await swap.close();
    const refused = new StorageError("STORAGE_FAILED", "EIO");
    await expect(viewPartitionFiles(context.storage, "orders-0", () => Promise.reject(refused))).rejects.toBe(refused);
  });
});

describe("handles that cannot be given back", () => {
  // Nobody was told: whether the log had failed was asked after its writer was stopped, which leaves it failed.
  it("are told by the close of a log that has not failed", async () => {
    let toldCount = 0;
    for (let nth = 1; nth <= 8; nth += 1) {
      const storage = faultyStorage(memory());
      const { log } = await created(storage);
      await send(log, "a");
      storage.fail({ call: "closeFile", errno: "EIO", nth });
      const told = await log.close(true).catch((error: unknown) => error);
      if (told !== undefined) toldCount += 1;
      if (told !== undefined) expect(told).toMatchObject({ name: "StorageError" });
      storage.mend();
      const again = await opened(storage, { cleanShutdown: told === undefined });
      expect(await readAll(again.log)).toMatchObject([{ value: "a" }]);
      await again.log.close(true);
    }
    expect(toldCount).toBeGreaterThan(0);
  });

  it("hold a compaction up, whichever they are, and the next one finishes it", async () => {
    let toldCount = 0;
    for (let nth = 1; nth <= 16; nth += 1) {
      const storage = faultyStorage(memory());
      const { log } = await created(storage, KEYED);
      for (const value of ["1", "2", "3", "4", "5"]) await put(log, [["a", value.padEnd(150)]]);
      await rollOver(log);
      storage.fail({ call: "closeFile", errno: "ENOSPC", nth });
      const told = await compactAll(log).catch((error: unknown) => error);
      if (told instanceof Error) {
        expect(told, `${nth}`).toBeInstanceOf(StorageError);
        toldCount += 1;
      }
      storage.mend();
      await compactAll(log);
      expect(await readKeyed(log), `${nth}`).toMatchObject([{ key: "a", value: "5".padEnd(150) }, { key: "roll" }]);
      await log.close(true);
    }
    expect(toldCount).toBeGreaterThan(0);
  });

  it("hold a compaction up when they are of the segments that it replaces, and readers lose nothing", async () => {
    let toldCount = 0;
    for (let nth = 1; nth <= 12; nth += 1) {
      const storage = faultyStorage(memory());
      const { log } = await created(storage, KEYED);
      for (const value of ["1", "2", "3"]) await put(log, [["a", value.padEnd(150)]]);
      await rollOver(log);
      const readBoth = async (): Promise<void> => {
        for (const offset of [0, 2]) await log.read(offset, 100);
      };
      storage.fail({ call: "closeFile", errno: "ENOSPC", nth, name: /\.(log|index)$/ });
      const told = await compactAll(log, { throttle: readBoth }).catch((error: unknown) => error);
      if (told instanceof Error) toldCount += 1;
      storage.mend();
      await compactAll(log);
      expect(await readKeyed(log), `${nth}`).toMatchObject([{ key: "a", value: "3".padEnd(150) }, { key: "roll" }]);
      await log.close(true);
    }
    expect(toldCount).toBeGreaterThan(0);
  });
});

describe("a cleaned segment, whose offsets may lack", () => {
  it("gives out nothing of a block that is not what was sealed: a record might lack in it unseen", async () => {
    const storage = memory();
    const { log } = await created(storage, KEYED);
    for (const [key, value] of [
      ["a", "1"],
      ["b", "1"],
      ["a", "2"],
      ["c", "1"],
    ] as const)
      await put(log, [[key, value.padEnd(60)]]);
    await rollOver(log);
    await compactAll(log);
    await log.close(true);
    await changeBytes(storage, ({ write }) => write([0xff], 20));
    const again = await opened(storage, { ...KEYED, cleanShutdown: true });
    await expect(again.log.read(0, 1000)).rejects.toMatchObject({ name: "CorruptionError" });
    await again.log.close(false);
  });
});

describe("a round of compaction that gets nowhere", () => {
  it("says so, and does not begin again for ever", async () => {
    const lost = (options: CompactorOptions): object => compactorBut(options, { latestOffset: -1 });
    const { log } = await createdWith(memory(), { core: coreBut({ compactor: lost }) }, KEYED);
    await put(log, [["a", "1"]]);
    await rollOver(log);
    await expect(compactAll(log)).rejects.toThrow("no further");
    await log.close(false).catch(() => {});
  });
});
