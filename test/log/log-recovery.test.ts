/** What recovery takes for a torn tail, and what for damage (C9). */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { CorruptionError } from "../../src/base/errors.ts";
import { memory } from "../../src/storage/memory.ts";
import { append, batchOf, created, NOW_MS, opened, type RigOptions, readAll, recordsIn, send } from "./log-rig.ts";

const LOG = "orders-0/00000000000000000000.log";
const OPTIONS: RigOptions = { config: { maxMessageBytes: 1000 }, maxUnflushedBytes: 1000 };

async function change(
  storage: StorageDriver,
  name: string,
  body: (file: Awaited<ReturnType<StorageDriver["open"]>>) => void,
): Promise<void> {
  const file = await storage.open(name, { create: "no" });
  body(file);
  await file.close();
}

async function bytesOf(storage: StorageDriver, name: string): Promise<Uint8Array> {
  const file = await storage.open(name, { create: "no", readOnly: true });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  return bytes;
}

/** Ten acknowledged records, the process then gone. */
async function died(options: RigOptions = OPTIONS): Promise<StorageDriver> {
  const storage = memory();
  const { log } = await created(storage, options);
  for (let index = 0; index < 10; index += 1) await send(log, `value ${index}`);
  await log.close(false);
  return storage;
}

describe("recovery (C9)", () => {
  it("cuts what a torn write left behind the durable end, reports it with bytes and offset, and goes on", async () => {
    for (const garbage of [
      new Uint8Array(5).fill(7),
      batchOf([{ value: "torn", timestamp: NOW_MS }]).subarray(0, 40),
      new Uint8Array(700).fill(1),
    ]) {
      const storage = await died();
      const before = await bytesOf(storage, LOG);
      await change(storage, LOG, (file) => file.writeAt(garbage, before.length));
      const { log, events } = await opened(storage, OPTIONS);
      expect(events).toMatchObject([{ type: "recovery.cut", fields: { bytes: garbage.length, firstOffset: 10 } }]);
      expect(await bytesOf(storage, LOG)).toEqual(before);
      await send(log, "next");
      expect((await readAll(log)).at(-1)).toMatchObject({ offset: 10, value: "next" });
      await log.close(true);
    }
  });

  it("takes zeros behind the end for unwritten space, and says nothing", async () => {
    const storage = await died();
    const before = await bytesOf(storage, LOG);
    await change(storage, LOG, (file) => file.truncate(before.length + 5000));
    const { log, events } = await opened(storage, OPTIONS);
    expect(events).toEqual([]);
    expect(log.watermarks.logEndOffset).toBe(10);
    await log.close(true);
    expect((await bytesOf(storage, LOG)).length).toBe(before.length);
  });

  it("refuses appends, cuts nothing and serves what is before, when bytes go on further than a torn write can reach", async () => {
    const storage = await died();
    const before = await bytesOf(storage, LOG);
    await change(storage, LOG, (file) => file.writeAt(new Uint8Array(1100).fill(7), before.length));
    const damaged = await bytesOf(storage, LOG);
    const { log } = await opened(storage, OPTIONS);
    expect(log.failure).toBeInstanceOf(CorruptionError);
    await expect(send(log, "no")).rejects.toBeInstanceOf(CorruptionError);
    for (let offset = 0; offset < 10; offset += 1)
      expect(recordsIn(await log.read(offset, 1))).toMatchObject([{ value: `value ${offset}` }]);
    await expect(log.read(10, 1)).rejects.toBeInstanceOf(CorruptionError);
    await log.close(true);
    expect(await bytesOf(storage, LOG)).toEqual(damaged);
    const again = await opened(storage, OPTIONS);
    expect(again.log.failure).toBeInstanceOf(CorruptionError);
    await again.log.close(false);
  });

  it("refuses appends when the file is shorter than what was durable, and never reuses the offsets", async () => {
    const storage = await died();
    const before = await bytesOf(storage, LOG);
    await change(storage, LOG, (file) => file.truncate(before.length - 100));
    const { log } = await opened(storage, OPTIONS);
    expect(log.failure).toBeInstanceOf(CorruptionError);
    expect(log.watermarks.logEndOffset).toBe(10);
    expect(recordsIn(await log.read(0, 1))).toMatchObject([{ value: "value 0" }]);
    await expect(log.read(9, 1)).rejects.toBeInstanceOf(CorruptionError);
    await log.close(false);
  });

  it("takes a bad batch below the durable end for damage of that range alone: the rest is read, appends go on", async () => {
    const storage = await died();
    const before = await bytesOf(storage, LOG);
    const batchByteLength = before.length / 10;
    await change(storage, LOG, (file) => file.writeAt(new Uint8Array([0xff]), Math.floor(batchByteLength * 4) + 65));
    const { log, events } = await opened(storage, OPTIONS);
    expect(events.filter((event) => event.type === "recovery.cut")).toEqual([]);
    expect(log.failure).toBeNull();
    await send(log, "next");
    await expect(log.read(4, 1)).rejects.toMatchObject({ offsetRange: [4, 4], nextReadableOffset: 5 });
    for (const offset of [0, 1, 2, 3, 5, 6, 7, 8, 9])
      expect(recordsIn(await log.read(offset, 1)), `offset ${offset}`).toMatchObject([{ value: `value ${offset}` }]);
    expect(recordsIn(await log.read(10, 1))).toMatchObject([{ offset: 10, value: "next" }]);
    await log.close(true);
  });

  it("on an os topic cuts at the first bad batch past the recovery point", async () => {
    const options: RigOptions = { ...OPTIONS, config: { ...OPTIONS.config, durability: "os" } };
    const storage = memory();
    const { log } = await created(storage, options);
    for (let index = 0; index < 40; index += 1) await append(log, [{ value: `value ${index}`.padEnd(50, "x"), timestamp: NOW_MS }]);
    expect(log.watermarks.highWatermark).toBe(40);
    // The process dies here: nothing was flushed, and more than maxUnflushedBytes stand behind the bad batch.
    const batchByteLength = log.byteLength / 40;
    expect(batchByteLength * 30).toBeGreaterThan(1000);
    await change(storage, LOG, (file) => file.writeAt(new Uint8Array([0xff]), batchByteLength * 5 + 70));
    const again = await opened(storage, options);
    expect(again.log.failure).toBeNull();
    expect(again.log.watermarks.logEndOffset).toBe(5);
    expect(again.events).toMatchObject([{ type: "recovery.cut", fields: { firstOffset: 5, bytes: batchByteLength * 35 } }]);
    await again.log.close(false);
  });

  // A topic may be "os" by a default of the engine alone. Opened without that default, what a loss of power had torn of it was
  // taken for damage of a "sync" topic, and nothing could be appended until someone repaired it.
  it.each(["as os from its creation", "as os since a clean reopening", "as os since its settings changed"])(
    "judges a torn end by the durability it was written under, not by the one it is opened with: %s",
    async (how) => {
      const storage = memory();
      const osConfig: RigOptions = { ...OPTIONS, config: { ...OPTIONS.config, durability: "os" } };
      const first = await created(storage, how === "as os from its creation" ? osConfig : OPTIONS);
      let { log } = first;
      if (how === "as os since a clean reopening") {
        await log.close(true);
        ({ log } = await opened(storage, { ...osConfig, cleanShutdown: true }));
      } else if (how === "as os since its settings changed") {
        Object.assign(first.config, osConfig.config);
        log.settingsChanged();
      }
      for (let index = 0; index < 40; index += 1) await append(log, [{ value: `value ${index}`.padEnd(50, "x"), timestamp: NOW_MS }]);
      const batchByteLength = log.byteLength / 40;
      await change(storage, LOG, (file) => file.writeAt(new Uint8Array([0xff]), batchByteLength * 5 + 70));
      const again = await opened(storage, OPTIONS);
      expect(again.log.failure).toBeNull();
      expect(again.log.watermarks.logEndOffset).toBe(5);
      await send(again.log, "goes on");
      await again.log.close(false);
    },
  );

  it("judges the end of a topic that became sync again as strictly as any: what was flushed under os is durable first", async () => {
    const storage = memory();
    const { log, config } = await created(storage, { ...OPTIONS, config: { ...OPTIONS.config, durability: "os" } });
    for (let index = 0; index < 10; index += 1) await append(log, [{ value: `value ${index}`.padEnd(50, "x"), timestamp: NOW_MS }]);
    const state = await bytesOf(storage, "orders-0/odradek.state");
    Object.assign(config, { durability: "sync" });
    log.settingsChanged();
    await send(log, "sync");
    expect(log.watermarks.highWatermark).toBe(11);
    expect(await bytesOf(storage, "orders-0/odradek.state")).not.toEqual(state);
    const batchByteLength = Math.floor(log.byteLength / 11);
    await change(storage, LOG, (file) => file.writeAt(new Uint8Array([0xff]), batchByteLength * 5 + 70));
    const again = await opened(storage, OPTIONS);
    expect(again.events.filter((event) => event.type === "recovery.cut")).toEqual([]);
    expect(again.log.watermarks.logEndOffset).toBe(11);
    await again.log.close(false);
  });

  it("never brings back a batch of an older epoch that a shorter append left behind (zombie tails)", async () => {
    const storage = await died();
    const whole = await bytesOf(storage, LOG);
    const batchByteLength = whole.length / 10;
    // Two unacknowledged batches behind the end, as a first life wrote them.
    const zombies: Uint8Array[] = [];
    {
      const first = await opened(storage, OPTIONS);
      await send(first.log, "zombie0");
      await send(first.log, "zombie1");
      await first.log.close(false);
      const grown = await bytesOf(storage, LOG);
      zombies.push(grown.slice(whole.length + batchByteLength));
    }
    const second = memory();
    const made = await created(second, OPTIONS);
    for (let index = 0; index < 10; index += 1) await send(made.log, `value ${index}`);
    await made.log.close(false);
    const later = await opened(second, OPTIONS);
    await send(later.log, "zombie0"); // epoch 1
    await later.log.close(false);
    const newest = await opened(second, OPTIONS);
    await send(newest.log, "real"); // epoch 2, at offset 11
    await newest.log.close(false);
    // The power goes: the old batch of offset 12 and epoch 1 stands behind the new one.
    const zombie = (zombies[0] as Uint8Array).slice();
    new DataView(zombie.buffer).setUint32(4, 12);
    const end = (await bytesOf(second, LOG)).length;
    await change(second, LOG, (file) => file.writeAt(zombie, end));
    const last = await opened(second, OPTIONS);
    expect(last.log.watermarks.logEndOffset).toBe(12);
    expect(last.events).toMatchObject([{ type: "recovery.cut", fields: { reason: "epoch" } }]);
    await last.log.close(true);
  });

  it("rebuilds indexes that are missing or wrong, and reports it", async () => {
    const options: RigOptions = { config: { segmentBytes: 500, indexIntervalBytes: 100 }, cleanShutdown: true };
    const storage = memory();
    const { log } = await created(storage, options);
    for (let index = 0; index < 20; index += 1) await send(log, `value ${index}`);
    await log.close(true);
    const names = (await storage.list("orders-0")).map((entry) => entry.name).filter((name) => name.endsWith("index"));
    for (const name of names) {
      const before = await bytesOf(storage, `orders-0/${name}`);
      for (const way of ["removed", "flipped"] as const) {
        if (way === "flipped" && before.length === 0) continue;
        if (way === "removed") await storage.remove(`orders-0/${name}`);
        else await change(storage, `orders-0/${name}`, (file) => file.writeAt(new Uint8Array([(before[3] as number) ^ 1]), 3));
        const again = await opened(storage, options);
        expect((await readAll(again.log)).map((record) => record.value)).toEqual(
          Array.from({ length: 20 }, (_, index) => `value ${index}`),
        );
        await again.log.close(true);
        expect(
          again.events.map((event) => event.type),
          `${name} ${way}`,
        ).toEqual(["index.rebuilt"]);
        expect(await bytesOf(storage, `orders-0/${name}`), `${name} ${way}`).toEqual(before);
      }
    }
  });
});
