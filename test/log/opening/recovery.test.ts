/** Recovery over several segments of which nothing was noted as durable: what it cuts, in which files, and what it refuses to take for a torn end. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import { stampBatch } from "../../../src/base/record-batch.ts";
import { memory } from "../../../src/storage/memory.ts";
import { get, put } from "../books/support.ts";
import { append, batchOf, created, NOW_MS, opened, type RigOptions, readAll, recordsIn, send } from "../log-rig.ts";

const STATE = "orders-0/odradek.state";
const logName = (baseOffset: number): string => `orders-0/${String(baseOffset).padStart(20, "0")}.log`;

/** Two batches fill a segment. */
const OPTIONS: RigOptions = { config: { segmentBytes: 400, maxMessageBytes: 300 } };
const valueAt = (offset: number): string => `${offset}`.padEnd(100, ".");
const VALUES = Array.from({ length: 6 }, (_, offset) => valueAt(offset));

/** Three segments, and no word on disk of how far they are durable: as after a loss of power. */
async function unnoted(options: RigOptions): Promise<StorageDriver> {
  const storage = memory();
  const { log } = await created(storage, options);
  const state = (await get(storage, STATE)) as Uint8Array;
  for (const value of VALUES) await append(log, [{ value, timestamp: NOW_MS }]);
  await log.close(false);
  for (const { name } of await storage.list("orders-0")) if (name.endsWith(".seal")) await storage.remove(`orders-0/${name}`);
  await put(storage, STATE, state);
  expect(await logs(storage)).toEqual([0, 2, 4]);
  return storage;
}

async function logs(storage: StorageDriver): Promise<number[]> {
  const names = (await storage.list("orders-0")).map(({ name }) => name).filter((name) => name.endsWith(".log"));
  return names.map((name) => Number.parseInt(name, 10)).sort();
}

async function change(storage: StorageDriver, name: string, at: number, bytes: Uint8Array): Promise<void> {
  const file = await storage.open(name, { create: "no" });
  file.writeAt(bytes, at);
  await file.close();
}

describe("recovery", () => {
  it.each(["sync", "os"] as const)(
    "ends a log of several segments at its first bad batch, on disk and for whoever reads alone: %s",
    async (durability) => {
      const options: RigOptions = { config: { ...OPTIONS.config, durability } };
      const storage = await unnoted(options);
      const [first, second, third] = (await Promise.all([0, 2, 4].map((base) => get(storage, logName(base))))) as Uint8Array[];
      const end = (first as Uint8Array).length / 2;
      await change(storage, logName(0), end + 70, Uint8Array.of(0));
      const cut = {
        type: "recovery.cut",
        fields: { file: logName(0), firstOffset: 1, bytes: end + (second as Uint8Array).length + (third as Uint8Array).length },
      };
      for (const readOnly of [true, false]) {
        const { log, events } = await opened(storage, { ...options, readOnly });
        expect(events).toMatchObject([cut]);
        expect(log.failure).toBeNull();
        expect((await readAll(log)).map(({ value }) => value)).toEqual(VALUES.slice(0, 1));
        expect(await logs(storage)).toEqual(readOnly ? [0, 2, 4] : [0]);
        expect((await get(storage, logName(0)))?.length).toBe(readOnly ? 2 * end : end);
        await log.close(false);
      }
    },
  );

  it("ends the log before a segment that does not follow, and takes that segment away whole", async () => {
    const storage = await unnoted(OPTIONS);
    const byteLength = (await get(storage, logName(4)))?.length;
    await storage.remove(logName(2));
    const { log, events } = await opened(storage, OPTIONS);
    expect(events).toMatchObject([
      { type: "recovery.cut", fields: { file: logName(4), firstOffset: 2, bytes: byteLength, reason: "order" } },
    ]);
    expect(await logs(storage)).toEqual([0]);
    expect(await send(log, "goes on")).toMatchObject({ baseOffset: 2 });
    expect((await readAll(log)).map(({ value }) => value)).toEqual([...VALUES.slice(0, 2), "goes on"]);
    await log.close(true);
  });

  it("appends nothing where whole batches, as many bytes as were durable, end before the offset that was", async () => {
    const storage = memory();
    const { log } = await created(storage);
    await send(log, "two", "records");
    await log.close(false);
    const mine = (await get(storage, logName(0))) as Uint8Array;
    // Another partition's file in its place: one record, and not a byte more or less.
    const one = (byteLength: number): Uint8Array => batchOf([{ value: "x".repeat(byteLength), timestamp: NOW_MS }]);
    const other = one(mine.length - one(1).length + 1);
    expect(other.length).toBe(mine.length);
    stampBatch(other, 0, 0);
    await change(storage, logName(0), 0, other);
    const { log: found } = await opened(storage);
    expect(found.failure).toMatchObject({ message: expect.stringContaining("expected offsets up to 1, found them to end at 1") });
    expect(found.watermarks.logEndOffset).toBe(2);
    expect(recordsIn(await found.read(0, 1))).toMatchObject([{ offset: 0 }]);
    await expect(send(found, "no")).rejects.toThrow("nothing is appended until it is repaired");
    await found.close(true);
    expect(await get(storage, logName(0))).toEqual(other);
  });
});
