/** When a segment ends: by size, by what an int32 can hold, by a full index, by record time. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { stampBatch } from "../../src/base/record-batch.ts";
import { memory } from "../../src/storage/memory.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { append, batchOf, created, NOW_MS, opened, type RigOptions, readAll, recordsIn, send } from "./log-rig.ts";

const INT32_MAX = 2 ** 31 - 1;

async function put(storage: StorageDriver, name: string, bytes: Uint8Array, position = 0): Promise<void> {
  const file = await storage.open(`orders-0/${name}`, { create: "if-missing" });
  if (position > 0) file.truncate(position);
  if (bytes.length > 0) file.writeAt(bytes, position);
  await file.close();
}

async function bases(storage: StorageDriver): Promise<number[]> {
  const names = (await storage.list("orders-0")).map((entry) => entry.name).filter((name) => name.endsWith(".log"));
  return names.map((name) => Number(name.slice(0, 20))).sort((left, right) => left - right);
}

function batchAt(offset: number, value = "kafka's"): Uint8Array {
  const batch = batchOf([{ value, timestamp: NOW_MS }]);
  stampBatch(batch, offset, 0);
  return batch;
}

/** Another writer's segment of base offset `base` whose last batch is at `offset`: gaps are legal there. */
async function segmentEndingAt(base: number, offset: number): Promise<StorageDriver> {
  const storage = memory();
  await storage.createDirectory("orders-0");
  await put(storage, `${String(base).padStart(20, "0")}.log`, new Uint8Array([...batchAt(base), ...batchAt(offset)]));
  return storage;
}

describe("a segment whose offsets come to the end of an int32", () => {
  for (const base of [0, 5, 2 ** 40]) {
    it(`takes the offset base + 2^31-1 and rolls at the next (base ${base})`, async () => {
      for (const [before, takes] of [
        [2, 2],
        [1, 1],
        [0, 0],
      ] as const) {
        const storage = await segmentEndingAt(base, base + INT32_MAX - before);
        const { log } = await opened(storage, { config: { indexIntervalBytes: 0 } });
        for (let count = 0; count < takes; count += 1) await send(log, "fits");
        expect(await bases(storage)).toEqual([base]);
        expect(log.watermarks.logEndOffset).toBe(base + INT32_MAX + 1);
        expect(await send(log, "rolls")).toMatchObject({ baseOffset: base + 2 ** 31 });
        expect(await bases(storage)).toEqual([base, base + 2 ** 31]);
        expect((await readAll(log, base + INT32_MAX)).map((record) => record.value)).toEqual([takes > 0 ? "fits" : "kafka's", "rolls"]);
        await log.close(true);
        const again = await opened(storage, { cleanShutdown: true });
        expect(recordsIn(await again.log.read(base + 2 ** 31, 1))).toMatchObject([{ offset: base + 2 ** 31, value: "rolls" }]);
        await again.log.close(true);
      }
    });
  }

  it("rolls for the whole batch when its last offset alone is beyond", async () => {
    const storage = await segmentEndingAt(0, INT32_MAX - 1);
    const { log } = await opened(storage, {});
    expect(await send(log, "a", "b")).toMatchObject({ baseOffset: INT32_MAX, lastOffset: 2 ** 31 });
    expect(await bases(storage)).toEqual([0, INT32_MAX]);
    await log.close(true);
  });
});

describe("a segment whose bytes come to the end of an int32", () => {
  it("is never longer than 2^31-1 bytes, though segmentBytes would let one more batch in", async () => {
    const byteLength = batchAt(0).length;
    for (const [room, rolls] of [
      [byteLength, false],
      [byteLength - 1, true],
    ] as const) {
      const directory = mkdtempSync(join(tmpdir(), "odradek-roll-"));
      try {
        const storage = nodeStorage(directory);
        await storage.createDirectory("orders-0");
        // Its end is found from the last index entry on: the hole before it is never read.
        const position = INT32_MAX - room - byteLength;
        await put(storage, "00000000000000000000.log", batchAt(1000), position);
        const entry = new DataView(new ArrayBuffer(8));
        entry.setInt32(0, 1000);
        entry.setInt32(4, position);
        await put(storage, "00000000000000000000.index", new Uint8Array(entry.buffer));
        await put(storage, "00000000000000000000.timeindex", new Uint8Array(0));
        await put(storage, "leader-epoch-checkpoint", new TextEncoder().encode("0\n1\n0 0\n"));
        const { log } = await opened(storage, {
          cleanShutdown: true,
          config: { segmentBytes: INT32_MAX, segmentMs: Number.POSITIVE_INFINITY },
        });
        expect(log.watermarks.logEndOffset).toBe(1001);
        await send(log, "kafka's");
        expect(await bases(storage)).toEqual(rolls ? [0, 1001] : [0]);
        expect(recordsIn(await log.read(1001, 1))).toMatchObject([{ offset: 1001 }]);
        await log.close(false);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    }
  }, 60_000);
});

describe("a segment whose index is full", () => {
  const values = Array.from({ length: 40 }, (_, index) => `value ${index}`);

  it("rolls by the offset index: as many entries as segmentIndexBytes holds", async () => {
    const storage = memory();
    // Equal timestamps: the time index gets one entry alone.
    const { log } = await created(storage, { config: { indexIntervalBytes: 0, segmentIndexBytes: 5 * 8 + 7 } });
    for (const value of values) await send(log, value);
    // The first batch of a segment has no entry; then five.
    expect(await bases(storage)).toEqual([0, 6, 12, 18, 24, 30, 36]);
    expect((await readAll(log)).map((record) => record.value)).toEqual(values);
    await log.close(true);
  });

  it("rolls by the time index: one entry earlier, for the last one at the roll", async () => {
    const storage = memory();
    const { log } = await created(storage, { config: { indexIntervalBytes: 0, segmentIndexBytes: 5 * 12 } });
    for (const [index, value] of values.entries()) await append(log, [{ value, timestamp: NOW_MS + index }]);
    await log.flush();
    expect(await bases(storage)).toEqual([0, 5, 10, 15, 20, 25, 30, 35]);
    await log.close(true);
    const file = await storage.open("orders-0/00000000000000000000.timeindex", { create: "no" });
    expect(file.byteLength()).toBeLessThanOrEqual(5 * 12);
    await file.close();
  });
});

describe("a segment that spans segmentMs of record time", () => {
  const OPTIONS: RigOptions = { config: { segmentMs: 1000 } };

  it("takes a batch at exactly segmentMs and rolls one millisecond later, whatever the clock says", async () => {
    const storage = memory();
    const { log, clock } = await created(storage, OPTIONS);
    await append(log, [{ value: "a", timestamp: NOW_MS }]);
    clock.jump(1_000_000);
    await append(log, [{ value: "b", timestamp: NOW_MS + 1000 }]);
    expect(await bases(storage)).toEqual([0]);
    await append(log, [{ value: "c", timestamp: NOW_MS + 1001 }]);
    expect(await bases(storage)).toEqual([0, 2]);
    await log.close(true);
  });

  it("rolls at once for a record of the far future, and again for what follows it only by its own time", async () => {
    const storage = memory();
    const { log } = await created(storage, OPTIONS);
    await append(log, [{ value: "now", timestamp: NOW_MS }]);
    await append(log, [{ value: "far", timestamp: NOW_MS + 1e12 }]);
    expect(await bases(storage)).toEqual([0, 1]);
    // Counted from the first batch, which lies in the future: nothing older rolls any more.
    await append(log, [{ value: "now", timestamp: NOW_MS + 5000 }]);
    expect(await bases(storage)).toEqual([0, 1]);
    await log.flush();
    expect(await log.offsetForTime(NOW_MS + 6000)).toEqual({ offset: 1, timestamp: NOW_MS + 1e12 });
    await log.close(true);
  });

  it("without timestamps goes by the clock since it was begun", async () => {
    const storage = memory();
    const { log, clock } = await created(storage, OPTIONS);
    await append(log, [{ value: "a", timestamp: -1 }]);
    clock.jump(1000);
    await append(log, [{ value: "b", timestamp: -1 }]);
    expect(await bases(storage)).toEqual([0]);
    clock.jump(1);
    await append(log, [{ value: "c", timestamp: -1 }]);
    expect(await bases(storage)).toEqual([0, 2]);
    await log.close(true);
  });

  it("knows the time of its first batch after a restart", async () => {
    const storage = memory();
    const first = await created(storage, OPTIONS);
    await append(first.log, [{ value: "a", timestamp: NOW_MS - 5000 }]);
    await first.log.close(true);
    const { log } = await opened(storage, { ...OPTIONS, cleanShutdown: true });
    await append(log, [{ value: "b", timestamp: NOW_MS }]);
    expect(await bases(storage)).toEqual([0, 1]);
    await log.close(true);
  });
});
