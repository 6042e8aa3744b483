/** `preallocate`: a segment's file has its full size from the start, zeros are never taken for anything, and a cut gives them back. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { append, created, NOW_MS, opened, type RigOptions, readAll, rig, send } from "./log-rig.ts";

const OPTIONS: RigOptions = { config: { segmentBytes: 5000, maxMessageBytes: 1000, preallocate: true }, maxUnflushedBytes: 1000 };

async function lengths(storage: StorageDriver): Promise<number[]> {
  const names = (await storage.list("orders-0")).map((entry) => entry.name).filter((name) => name.endsWith(".log"));
  const found: number[] = [];
  for (const name of names.sort()) {
    const file = await storage.open(`orders-0/${name}`, { create: "no", readOnly: true });
    found.push(file.byteLength());
    await file.close();
  }
  return found;
}

async function fill(log: PartitionLog, count: number): Promise<string[]> {
  const values = Array.from({ length: count }, (_, index) => `value ${index}`.padEnd(400, "."));
  for (const value of values) await send(log, value);
  return values;
}

describe("a preallocated partition", () => {
  it("has its active segment in full size while it is open, sealed ones and a closed one cut to their batches", async () => {
    const storage = memory();
    const { log } = await created(storage, OPTIONS);
    expect(await lengths(storage)).toEqual([5000]);
    const values = await fill(log, 25);
    const open = await lengths(storage);
    expect(open.at(-1)).toBe(5000);
    expect(open.slice(0, -1).every((byteLength) => byteLength < 5000 && byteLength > 4000)).toBe(true);
    expect(log.byteLength).toBeLessThan(25 * 500);
    expect((await readAll(log)).map((record) => record.value)).toEqual(values);
    await log.close(true);
    expect((await lengths(storage)).reduce((total, byteLength) => total + byteLength, 0)).toBe(log.byteLength);
    const again = await opened(storage, { ...OPTIONS, cleanShutdown: true });
    expect(again.events).toEqual([]);
    expect((await readAll(again.log)).map((record) => record.value)).toEqual(values);
    await send(again.log, "next");
    await again.log.close(true);
  });

  it("after an unclean end is read up to its last batch, by a reader that may change nothing too, and nothing is reported as cut", async () => {
    const storage = memory();
    const { log } = await created(storage, OPTIONS);
    const values = await fill(log, 25);
    await log.close(false);
    expect((await lengths(storage)).at(-1)).toBe(5000);
    for (const way of [{ readOnly: true }, { frozen: true }, {}]) {
      const again = await opened(storage, { ...OPTIONS, ...way });
      expect(again.log.failure).toBeNull();
      expect((await readAll(again.log)).map((record) => record.value)).toEqual(values);
      expect(again.events).toEqual([]);
      await again.log.close(false);
    }
    expect((await lengths(storage)).at(-1)).toBeLessThan(5000);
  });

  it("rolled, with records acknowledged behind the roll, and dead before the old segment was cut, loses nothing", async () => {
    // A disk that dies at each truncation in turn: the cut at the roll is one of them.
    let died = 0;
    for (let nth = 2; nth <= 8; nth += 1) {
      const storage = memory();
      const faulty = faultyStorage(storage);
      const { context, spec } = rig(faulty, OPTIONS);
      const log = await PartitionLog.create(context, spec);
      faulty.fail({ call: "truncate", name: /\.log$/, nth, halt: true });
      const acknowledged: string[] = [];
      try {
        for (let index = 0; index < 40; index += 1) {
          await send(log, `value ${index}`.padEnd(400, "."));
          acknowledged.push(`value ${index}`.padEnd(400, "."));
        }
      } catch {
        died += 1;
      }
      await log.close(false).catch(() => {});
      const again = await opened(storage, OPTIONS);
      expect(again.log.failure).toBeNull();
      expect((await readAll(again.log)).map((record) => record.value).slice(0, acknowledged.length)).toEqual(acknowledged);
      await send(again.log, "next");
      await again.log.close(true);
    }
    expect(died).toBeGreaterThan(3);
  });

  it("with two uncut segments on disk goes on from the one to the other", async () => {
    const storage = memory();
    const { log } = await created(storage, OPTIONS);
    const values = await fill(log, 25);
    await log.close(false);
    // As if neither the cut nor any note behind it had reached the disk.
    await storage.remove("orders-0/odradek.state");
    const names = (await storage.list("orders-0")).map((entry) => entry.name);
    for (const name of names.filter((found) => found.endsWith(".log"))) {
      const file = await storage.open(`orders-0/${name}`, { create: "no" });
      file.truncate(5000);
      await file.close();
    }
    for (const name of names.filter((found) => found.endsWith(".seal"))) await storage.remove(`orders-0/${name}`);
    const again = await opened(storage, OPTIONS);
    expect(again.events.filter((event) => event.type === "recovery.cut")).toEqual([]);
    expect((await readAll(again.log)).map((record) => record.value)).toEqual(values);
    expect((await lengths(storage)).every((byteLength) => byteLength < 5000)).toBe(true);
    await again.log.close(true);
  });

  it("refuses a roll for which the disk has no room, as any append, and lives", async () => {
    const storage = memory();
    const faulty = faultyStorage(storage);
    const { context, spec } = rig(faulty, OPTIONS);
    const log = await PartitionLog.create(context, spec);
    await fill(log, 10);
    faulty.fail({ call: "truncate", name: /\.log$/, errno: "ENOSPC" });
    await expect((async () => await append(log, [{ value: "x".repeat(900), timestamp: NOW_MS }]))()).rejects.toMatchObject({
      retriable: true,
    });
    faulty.mend();
    expect(log.failure).toBeNull();
    await send(log, "x".repeat(900));
    await log.close(true);
  });

  /**
   * A loss of power left the size of a preallocated file and not a block of it: all of that block read as what had stood there before,
   * behind the last byte ever written as well, so that what was torn seemed to reach farther than anything unflushed may, and was
   * taken for damage.
   */
  it("takes for torn what reads as garbage up to the end of a block, and for damage what goes on behind it", async () => {
    const options: RigOptions = { ...OPTIONS, config: { ...OPTIONS.config, segmentBytes: 20_000 } };
    for (const [garbageEnd, isTorn] of [
      [4096, true],
      [12_288, false],
    ] as const) {
      const storage = memory();
      const { context, spec } = rig(storage, options);
      const log = await PartitionLog.create(context, spec);
      await send(log, "kept");
      const end = log.byteLength;
      const file = await storage.open("orders-0/00000000000000000000.log", { create: "no" });
      file.writeAt(new Uint8Array(garbageEnd - end).fill(0xa5), end);
      await file.close();
      const again = await opened(storage, options);
      expect(again.log.failure === null).toBe(isTorn);
      if (isTorn) expect((await readAll(again.log)).map((record) => record.value)).toEqual(["kept"]);
    }
  });

  it("takes for torn what one window explains across a roll, and for damage what goes on behind it: zeros are no distance", async () => {
    const options: RigOptions = { ...OPTIONS, config: { ...OPTIONS.config, segmentBytes: 20_000 } };
    for (const [laterCount, isTorn] of [
      [2, true],
      [30, false],
    ] as const) {
      const storage = memory();
      const { log } = await created(storage, options);
      const noted = await storage.open("orders-0/odradek.state", { create: "no", readOnly: true });
      const state = new Uint8Array(noted.byteLength());
      noted.readAt(state, 0);
      let count = 0;
      for (; (await lengths(storage)).length === 1; count += 1) await send(log, `value ${count}`.padEnd(400, "."));
      for (let later = 1; later < laterCount; later += 1) await send(log, `later ${later}`.padEnd(400, "."));
      await log.close(false);
      // As if nothing had been noted since the beginning, and the last batch before the roll had not come to the disk.
      const notes = await storage.open("orders-0/odradek.state", { create: "no" });
      notes.truncate(0);
      notes.writeAt(state, 0);
      const file = await storage.open("orders-0/00000000000000000000.log", { create: "no" });
      file.writeAt(new Uint8Array(10), file.byteLength() - 10);
      const again = await opened(storage, options);
      expect(again.log.failure === null, `${laterCount} batches behind the roll`).toBe(isTorn);
      expect(await readAll(again.log, 0).catch(() => [])).toHaveLength(isTorn ? count - 2 : 0);
      await again.log.close(false);
    }
  });
});
