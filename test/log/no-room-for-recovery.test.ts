/**
 * After a crash on a full disk a partition could not be read at all: its recovery had no room for a time index, which is derived from the
 * very records that nobody could read then. They are served as they are now, and appends wait until there is room.
 */
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { opened, type RigOptions, readAll, rig, send } from "./log-rig.ts";

const OPTIONS: RigOptions = { config: { segmentBytes: 1000, indexIntervalBytes: 100, maxMessageBytes: 300 } };
const VALUES = Array.from({ length: 60 }, (_, index) => `record ${index}`);
const DERIVED = /\.(index|timeindex|snapshot|seal|txnindex)/;

async function leftByACrash(): Promise<ReturnType<typeof memory>> {
  const storage = memory();
  const { context, spec } = rig(storage, OPTIONS);
  const log = await PartitionLog.create(context, spec);
  for (const value of VALUES) await send(log, value);
  await log.close(false);
  return storage;
}

const valuesIn = async (log: PartitionLog): Promise<string[]> => (await readAll(log)).map(({ value }) => value);

describe("an opening after a crash, on a full disk", () => {
  for (const call of ["writeAt", "sync"] as const) {
    it(`serves every record where ${call} of derived files finds no room, refuses appends by name, and goes on when there is some`, async () => {
      const faulty = faultyStorage(await leftByACrash());
      for (const { name } of await faulty.list("orders-0"))
        if (/\.timeindex$/.test(name) && call !== "sync") await faulty.remove(`orders-0/${name}`);
      const full = { call, name: DERIVED, errno: "ENOSPC", times: Number.POSITIVE_INFINITY } as const;
      faulty.fail(full);
      const { log, events } = await opened(faulty, OPTIONS);
      expect(await valuesIn(log)).toEqual(VALUES);
      expect((await log.offsetForTime(0))?.offset).toBe(0);
      expect(log.failure?.code).toBe("PARTITION_FAILED");
      expect(log.failure?.message).toMatch(/no room on the disk.*reopenPartition/s);
      expect(events.map(({ type }) => type)).toContain("storage.failed");
      await expect(send(log, "one more")).rejects.toMatchObject({ code: "PARTITION_FAILED" });
      await expect(log.reopen().then(() => send(log, "one more"))).rejects.toMatchObject({ code: "PARTITION_FAILED" });
      faulty.mend();
      await log.reopen();
      expect(log.failure).toBeNull();
      await send(log, "one more");
      expect(await valuesIn(log)).toEqual([...VALUES, "one more"]);
      await log.close(true);
      const again = await opened(faulty, { ...OPTIONS, cleanShutdown: true });
      expect(await valuesIn(again.log)).toEqual([...VALUES, "one more"]);
      await again.log.close(true);
    });
  }

  it("finds its way in a sealed segment whose index was lost, and makes the index when there is room", async () => {
    const storage = await leftByACrash();
    await (await opened(storage, OPTIONS)).log.close(true);
    const faulty = faultyStorage(storage);
    await faulty.remove("orders-0/00000000000000000000.index");
    faulty.fail({ call: "writeAt", name: DERIVED, errno: "ENOSPC", times: Number.POSITIVE_INFINITY });
    const { log, events } = await opened(faulty, { ...OPTIONS, cleanShutdown: true });
    expect(log.failure).toBeNull();
    expect(await valuesIn(log)).toEqual(VALUES);
    expect((await readAll(log, 5))[0]?.value).toBe(VALUES[5]);
    expect(events.map(({ type }) => type)).not.toContain("index.rebuilt");
    faulty.mend();
    await log.close(true);
    const again = await opened(faulty, { ...OPTIONS, cleanShutdown: true });
    expect(await valuesIn(again.log)).toEqual(VALUES);
    expect(again.events.map(({ type }) => type)).toContain("index.rebuilt");
    await again.log.close(true);
  });

  it("has made durable what it serves before a loss of power can take it (C4)", async () => {
    const disk = crashStorage();
    const { context, spec } = rig(disk, { config: { ...OPTIONS.config, durability: "os" } });
    const log = await PartitionLog.create(context, spec);
    for (const value of VALUES) await send(log, value);
    const faulty = faultyStorage(disk);
    faulty.fail({ call: "writeAt", name: DERIVED, errno: "ENOSPC", times: Number.POSITIVE_INFINITY });
    const full = await opened(faulty, OPTIONS);
    const served = await valuesIn(full.log);
    expect(full.log.failure?.code).toBe("PARTITION_FAILED");
    const image = disk.crash(new SeededRandom(7), { survival: "nothing" });
    const after = await opened(image, OPTIONS);
    expect((await valuesIn(after.log)).slice(0, served.length)).toEqual(served);
    await after.log.close(true);
  });
});
