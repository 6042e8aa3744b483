/** What a roll, a retention or a pass of compaction leaves behind when one of its calls fails: no file in the log's middle, no handle. */
import { describe, expect, it } from "vitest";
import { CoreFaultError } from "../../src/base/errors.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { type FaultyStorage, faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { compactAll, KEYED, put, rollOver } from "./compaction-rig.ts";
import { core, created, NOW_MS, opened, type RigOptions, readAll, rig, send } from "./log-rig.ts";
import { sendAs } from "./producer-rig.ts";

const SMALL: RigOptions = { config: { segmentBytes: 400, indexIntervalBytes: 100, maxMessageBytes: 350 } };

async function handlesAfter(storage: FaultyStorage, close: () => Promise<void>): Promise<number> {
  storage.mend();
  await close().catch(() => {});
  return storage.openFileCount;
}

describe("a roll that failed halfway", () => {
  // A roll had made its new, empty segment file and then failed (EMFILE at an index, EIO at a look at its length). The next batch
  // was smaller, fitted the old segment, and took the offset that the new file was named for; the log then rolled at another one.
  // The next opening took the empty file for a segment in the middle: after a crash it cut acknowledged records behind it, after a
  // clean close it hid one. Now nothing is appended until the roll that began has come to its end.
  it("is brought to its end before anything else is appended: no empty file is left in the middle of the log", async () => {
    for (const call of ["open", "byteLength", "truncate"] as const) {
      for (const clean of [true, false]) {
        const disk = crashStorage();
        const storage = faultyStorage(disk);
        const { log } = await created(storage, SMALL);
        await send(log, "a".repeat(200));
        storage.fail({ call, name: /1\.(log|index)$/, errno: "EMFILE" });
        await expect(async () => await send(log, "b".repeat(200))).rejects.toMatchObject({ retriable: true });
        for (const value of ["small", "c".repeat(200), "d"]) await send(log, value);
        await log.close(clean);
        const next = await opened(clean ? disk : disk.crash(new SeededRandom(1), { survival: "nothing" }), {
          ...SMALL,
          cleanShutdown: clean,
        });
        expect((await readAll(next.log)).map(({ value }) => value[0])).toEqual(["a", "s", "c", "d"]);
        await next.log.close(true);
      }
    }
  });

  // The handle of an index whose file could not be emptied was given back by nobody: on a full disk each try to roll lost one.
  it("gives back every handle", async () => {
    const storage = faultyStorage(crashStorage());
    const { log } = await created(storage, SMALL);
    await send(log, "a".repeat(200));
    storage.fail({ call: "truncate", name: /index$/, errno: "ENOSPC", times: Number.POSITIVE_INFINITY });
    const before = storage.openFileCount;
    for (let count = 0; count < 3; count += 1) await send(log, "b".repeat(200)).catch(() => {});
    expect(storage.openFileCount).toBe(before);
    expect(await handlesAfter(storage, () => log.close(true))).toBe(0);
  });
});

describe("a roll in which the core traps", () => {
  // The files of the new segment stood open when the snapshot of the producers was made, whose checksum is the core's. It trapped, the
  // append was refused, and nobody gave the three handles back; the next roll opened the files again.
  it("gives back every handle, and the next roll goes through", async () => {
    const storage = faultyStorage(crashStorage());
    const { context, spec } = rig(storage, SMALL);
    let traps = false;
    const trapping = new Proxy(core, {
      get(of, name) {
        const value: unknown = Reflect.get(of, name, of);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          if (name === "crc32c" && traps) throw new CoreFaultError("CORE_FAULT", "planted");
          return value.apply(of, args);
        };
      },
    });
    const log = await PartitionLog.create({ ...context, core: trapping }, spec);
    const fill = (baseSequence: number): Promise<unknown> =>
      sendAs(log, { producerId: 7n, producerEpoch: 0, baseSequence, recordCount: 20, transactional: false });
    await fill(0);
    const before = storage.openFileCount;
    traps = true;
    await expect(fill(20)).rejects.toMatchObject({ retriable: true });
    traps = false;
    expect(storage.openFileCount).toBe(before);
    await fill(20);
    expect(log.watermarks.logEndOffset).toBe(40);
    await log.close(true);
    expect(storage.openFileCount).toBe(0);
  });
});

describe("a roll that is under way when the log fails", () => {
  // close() resolved while the roll went on making files, in a directory whose lock was given back by then.
  it("has come to its end before the log is closed", async () => {
    const clock = new ManualClock(NOW_MS);
    const storage = faultyStorage(crashStorage(), {
      clock,
      latencyMs: (call, name) => (call === "open" && /[1-9]\.\w+$/.test(name) ? 1000 : 0),
    });
    const { log } = await created(storage, SMALL);
    await send(log, "a".repeat(200));
    storage.fail({ call: "sync", name: /\.log$/, errno: "EIO" });
    const sent = [send(log, "b"), send(log, "c".repeat(250))].map((each) => each.catch((error: { code: string }) => error.code));
    expect(await sent[0]).toBe("PARTITION_FAILED");
    let calls = -1;
    const closing = log.close(false).then(() => {
      calls = storage.count();
    });
    for (let step = 0; step < 10; step += 1) await clock.advance(1000);
    await closing;
    expect(storage.count()).toBe(calls);
    expect(storage.openFileCount).toBe(0);
    expect(await sent[1]).toBe("PARTITION_FAILED");
  });
});

describe("files whose close fails", () => {
  // The first one that would not close kept the others from being closed, and from being removed: they were in no list any more.
  it("keep retention from none of the others", async () => {
    const storage = faultyStorage(crashStorage());
    const { log } = await created(storage, SMALL);
    for (let count = 0; count < 6; count += 1) await send(log, `${count}`.repeat(200));
    await log.sealUnsealed();
    await readAll(log);
    await log.deleteRecordsBefore(5);
    storage.fail({ call: "closeFile", name: /\.log$/, errno: "EIO", times: Number.POSITIVE_INFINITY });
    await expect(log.applyRetention()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    storage.mend();
    expect((await storage.list("orders-0")).map(({ name }) => name).filter((name) => name.endsWith(".log"))).toEqual([
      "00000000000000000005.log",
    ]);
    expect(await handlesAfter(storage, () => log.close(true))).toBe(0);
  });

  it("are given back by a swap all the same", async () => {
    const storage = faultyStorage(crashStorage());
    const { log } = await created(storage, KEYED);
    for (let round = 0; round < 6; round += 1) await put(log, [["a", `${round}`.padEnd(60)]]);
    await rollOver(log);
    for (let offset = 0; offset < 6; offset += 1) await log.read(offset, 100);
    storage.fail({ call: "closeFile", name: /\d\.(log|index)$/, errno: "ENOSPC", times: Number.POSITIVE_INFINITY });
    await expect(compactAll(log)).rejects.toMatchObject({ code: "STORAGE_FULL" });
    expect(await handlesAfter(storage, () => log.close(false))).toBe(0);
  });
});
