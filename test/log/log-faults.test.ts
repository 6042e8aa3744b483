/** Every call of the storage fails, with every errno, once or for ever: nothing acknowledged is lost, nothing hangs (C8). */
import { describe, expect, it } from "vitest";
import { OdradekError } from "../../src/base/errors.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { append, NOW_MS, opened, type RigOptions, readAll, rig, send } from "./log-rig.ts";

const OPTIONS: RigOptions = { config: { segmentBytes: 400, indexIntervalBytes: 100, maxMessageBytes: 300 } };

function values(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index}`);
}

/** Appends one by one; answers those acknowledged, by offset, and the errors. */
async function sendEach(log: PartitionLog, texts: readonly string[]): Promise<{ acknowledged: Map<number, string>; errors: unknown[] }> {
  const acknowledged = new Map<number, string>();
  const errors: unknown[] = [];
  for (const text of texts) {
    try {
      acknowledged.set((await send(log, text)).baseOffset, text);
    } catch (error) {
      errors.push(error);
    }
  }
  return { acknowledged, errors };
}

describe("a call of the storage that fails", () => {
  const calls = ["open", "replace", "syncDirectory", "writeAt", "truncate", "sync", "closeFile", "readAt", "byteLength"] as const;
  const errnos = ["EIO", "ENOSPC", "EMFILE", "EACCES"];
  for (const call of calls) {
    it(`${call}: what was acknowledged is there, the error is typed, and a reopen goes on (C8)`, async () => {
      for (const errno of errnos) {
        for (const times of [1, Number.POSITIVE_INFINITY]) {
          for (let nth = 1; nth <= 12; nth += 1) {
            const storage = memory();
            const faulty = faultyStorage(storage);
            const { context, spec } = rig(faulty, OPTIONS);
            const log = await PartitionLog.create(context, spec);
            const before = await sendEach(log, values(3, "before"));
            expect(before.errors).toEqual([]);
            faulty.fail({ call, errno, nth, times });
            const during = await sendEach(log, values(12, "during"));
            for (const error of during.errors) expect(error).toBeInstanceOf(OdradekError);
            faulty.mend();
            const where = `${errno} x${times} at the ${nth}. ${call}`;
            // Durable reads go on, whatever happened.
            const wanted = new Map([...before.acknowledged, ...during.acknowledged]);
            const seen = new Map((await readAll(log)).map((record) => [record.offset, record.value]));
            for (const [offset, value] of wanted) expect(seen.get(offset), `${where}: offset ${offset}`).toBe(value);
            if (log.failure !== null) await log.reopen();
            expect(log.failure, where).toBeNull();
            const after = await sendEach(log, values(3, "after"));
            expect(after.errors, where).toEqual([]);
            for (const [offset, value] of after.acknowledged) wanted.set(offset, value);
            await log.close(false);
            const again = await opened(storage, OPTIONS);
            const kept = new Map((await readAll(again.log)).map((record) => [record.offset, record.value]));
            for (const [offset, value] of wanted) expect(kept.get(offset), `${where}: offset ${offset} after reopening`).toBe(value);
            await again.log.close(true);
          }
        }
      }
    }, 120_000);
  }
});

describe("a full disk (C8)", () => {
  it("fails the append with a retriable error, undoes it, and the partition lives", async () => {
    const storage = memory();
    const faulty = faultyStorage(storage);
    const { context, spec } = rig(faulty);
    const log = await PartitionLog.create(context, spec);
    await send(log, "a");
    for (const shortBy of [1, 30, 10_000]) {
      faulty.fail({ call: "writeAt", name: /\.log$/, errno: "ENOSPC", shortBy });
      await expect(async () => await append(log, [{ value: "lost", timestamp: NOW_MS }])).rejects.toMatchObject({
        code: "STORAGE_FULL",
        retriable: true,
      });
      faulty.mend();
      expect(log.failure).toBeNull();
      await send(log, "kept");
    }
    expect((await readAll(log)).map((record) => record.value)).toEqual(["a", "kept", "kept", "kept"]);
    await log.close(true);
    expect((await readAll((await opened(storage, { cleanShutdown: true })).log)).length).toBe(4);
  });

  it("fails the partition when the cut fails, or its flush", async () => {
    for (const call of ["truncate", "sync"] as const) {
      const faulty = faultyStorage(memory());
      const { context, spec } = rig(faulty);
      const log = await PartitionLog.create(context, spec);
      await send(log, "a");
      faulty.fail({ call: "writeAt", name: /\.log$/, errno: "ENOSPC" });
      faulty.fail({ call, name: /\.log$/, errno: "ENOSPC" });
      await expect(async () => await append(log, [{ value: "lost", timestamp: NOW_MS }])).rejects.toMatchObject({
        code: "PARTITION_FAILED",
      });
      expect(log.failure).toMatchObject({ code: "PARTITION_FAILED" });
      await expect(async () => await append(log, [{ value: "lost", timestamp: NOW_MS }])).rejects.toMatchObject({
        code: "PARTITION_FAILED",
      });
      expect((await readAll(log)).map((record) => record.value)).toEqual(["a"]);
      await log.reopen();
      await send(log, "b");
      expect((await readAll(log)).map((record) => record.value)).toEqual(["a", "b"]);
      await log.close(true);
    }
  });

  it("fails the partition for good when a flush fails, and tells all who wait (C8)", async () => {
    const faulty = faultyStorage(memory());
    const { context, spec } = rig(faulty);
    const log = await PartitionLog.create(context, spec);
    await send(log, "a");
    faulty.fail({ call: "sync", name: /\.log$/, errno: "EIO" });
    const waiting = ["b", "c"].map((text) => send(log, text));
    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: "PARTITION_FAILED" });
    expect(log.watermarks.highWatermark).toBe(1);
    expect((await readAll(log)).map((record) => record.value)).toEqual(["a"]);
    await log.close(false);
  });
});

describe("back-pressure (C7)", () => {
  it("never has more than maxUnflushedBytes written past the durable end, keeps call order, and lets go of an aborted append", async () => {
    const { context, spec } = rig(memory(), { maxUnflushedBytes: 300 });
    const log = await PartitionLog.create(context, spec);
    const abort = new AbortController();
    const sent = Array.from({ length: 10 }, (_, index) =>
      Promise.resolve(append(log, [{ value: `value ${index}`, timestamp: NOW_MS }], index === 7 ? abort.signal : undefined)),
    );
    expect(log.byteLength).toBeLessThanOrEqual(300);
    abort.abort(new Error("not any more"));
    const results = await Promise.allSettled(sent);
    expect(results[7]).toMatchObject({ status: "rejected", reason: { message: "not any more" } });
    await log.flush();
    expect((await readAll(log)).map((record) => record.value)).toEqual([0, 1, 2, 3, 4, 5, 6, 8, 9].map((index) => `value ${index}`));
    await log.close(true);
  });
});
