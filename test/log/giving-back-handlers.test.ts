/** What fails on the way out of a failure: nothing more comes of it, the first error is the one that is told, and the log goes on. */
import { describe, expect, it } from "vitest";
import type { TopicConfig } from "../../src/api/topic.ts";
import { StorageError } from "../../src/base/errors.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { created, opened, type RigOptions, readAll, rig, send } from "./log-rig.ts";

const times = Number.POSITIVE_INFINITY;
const SMALL: RigOptions = { config: { segmentBytes: 300 } };

describe("a file that will not close either", () => {
  it("does not hide why a new segment could not be made", async () => {
    const storage = faultyStorage(memory());
    const { log } = await created(storage, SMALL);
    await send(log, "a".repeat(150));
    storage.fail({ call: "truncate", name: /\d\.index$/, errno: "ENOSPC" });
    storage.fail({ call: "closeFile", errno: "EIO", times });
    await expect(async () => await send(log, "b".repeat(150))).rejects.toMatchObject({ code: "STORAGE_FULL" });
    storage.mend();
    await send(log, "b".repeat(150));
    await log.close(true);
    expect(storage.openFileCount).toBe(0);
  });

  it("does not hide why a log could not be opened", async () => {
    const disk = memory();
    const first = await created(disk, SMALL);
    for (let count = 0; count < 3; count += 1) await send(first.log, `${count}`.repeat(150));
    await first.log.close(false);
    const storage = faultyStorage(disk);
    storage.fail({ call: "sync", name: /\.log$/, errno: "EACCES" });
    storage.fail({ call: "closeFile", errno: "EIO", nth: 6, times });
    await expect(opened(storage, SMALL)).rejects.toThrow("EACCES");
    expect(storage.openFileCount).toBe(0);
    const again = await opened(disk, SMALL);
    expect((await readAll(again.log)).length).toBe(3);
    await again.log.close(true);
  });

  it("does not hide why a log could not begin again at its start", async () => {
    const options: RigOptions = { config: { durability: "os" } };
    const first = crashStorage();
    const { log } = await created(first, options);
    for (let count = 0; count < 5; count += 1) await send(log, `${count}`.repeat(50));
    await log.deleteRecordsBefore(4);
    const left = first.crash(new SeededRandom(1), { survival: "nothing" });
    for (let nth = 1; nth <= 6; nth += 1) {
      const storage = faultyStorage(left.crash(new SeededRandom(1), { kind: "process" }));
      storage.fail({ call: "syncDirectory", nth, errno: "ENOSPC" });
      storage.fail({ call: "closeFile", name: /\d\.log$/, nth: 2, errno: "EIO", times });
      const error = await opened(storage, options).then(
        async ({ log: another }) => await another.close(false).catch(() => null),
        (reason: unknown) => reason,
      );
      if (error instanceof Error) expect(error).toBeInstanceOf(StorageError);
      expect(storage.openFileCount, `${nth}`).toBe(0);
    }
  });

  it("is let be when a reader was the last to use it, after a reopening that was refused", async () => {
    const storage = faultyStorage(memory());
    const { log } = await created(storage, SMALL);
    for (let count = 0; count < 3; count += 1) await send(log, `${count}`.repeat(150));
    storage.fail({ call: "sync", name: /\.log$/, errno: "EIO" });
    await expect(send(log, "lost")).rejects.toMatchObject({ code: "PARTITION_FAILED" });
    storage.fail({ call: "list", errno: "EIO" });
    await expect(log.reopen()).rejects.toThrow("EIO");
    storage.fail({ call: "closeFile", errno: "EIO", times });
    expect((await readAll(log)).length).toBe(3);
    storage.mend();
    await log.reopen();
    await send(log, "kept");
    await log.close(true);
    expect(storage.openFileCount).toBe(0);
  });
});

describe("a close", () => {
  it("ends when the last flush fails, and gives every handle back", async () => {
    const storage = faultyStorage(memory());
    const { log } = await created(storage, { config: { durability: "os" } });
    await send(log, "written");
    storage.fail({ call: "sync", name: /\.log$/, errno: "EIO" });
    await log.close(true);
    expect(log.failure).toMatchObject({ code: "PARTITION_FAILED" });
    expect(storage.openFileCount).toBe(0);
  });
});

describe("a state that cannot be saved", () => {
  it("keeps a batch from being written under another durability; on EIO the partition fails, on a full disk it tries again", async () => {
    for (const [errno, code] of [
      ["EIO", "PARTITION_FAILED"],
      ["ENOSPC", "STORAGE_FULL"],
    ] as const) {
      const storage = faultyStorage(memory());
      const { context, spec } = rig(storage, {});
      let durability: TopicConfig["durability"] = "sync";
      const log = await PartitionLog.create(context, { ...spec, config: () => ({ ...spec.config(), durability }) });
      await send(log, "a");
      durability = "os";
      storage.fail({ call: "writeAt", name: /odradek\.state$/, errno });
      await expect(async () => await send(log, "b")).rejects.toMatchObject({ code });
      storage.mend();
      if (log.failure !== null) await log.reopen();
      await send(log, "c");
      expect((await readAll(log)).map(({ value }) => value)).toEqual(["a", "c"]);
      await log.close(true);
    }
  });
});

describe("epochs below the log start", () => {
  it("may stay in their file for want of room, which is told; a deletion goes on", async () => {
    const storage = faultyStorage(memory());
    const first = await created(storage, {});
    await send(first.log, "a");
    await first.log.close(false);
    const { log, events } = await opened(storage, {});
    for (const value of ["b", "c"]) await send(log, value);
    storage.fail({ call: "open", name: /leader-epoch-checkpoint/, errno: "ENOSPC" });
    expect(await log.deleteRecordsBefore(2)).toBe(2);
    expect(events.map(({ type }) => type)).toContain("storage.failed");
    await log.close(true);
  });
});
