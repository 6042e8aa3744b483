/** Batches larger than any window, recovery's bound, and partitions opened only to be read. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { append, core, created, NOW_MS, opened, type RigOptions, readAll, recordsIn, rig, send } from "./log-rig.ts";

const MIB = 1024 * 1024;
const STATE = "orders-0/odradek.state";
const LOG = "orders-0/00000000000000000000.log";

async function lengthOf(storage: StorageDriver): Promise<number> {
  const file = await storage.open(LOG, { create: "no", readOnly: true });
  const byteLength = file.byteLength();
  await file.close();
  return byteLength;
}

async function change(storage: StorageDriver, body: (file: Awaited<ReturnType<StorageDriver["open"]>>) => void): Promise<void> {
  const file = await storage.open(LOG, { create: "no" });
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

async function overwrite(storage: StorageDriver, name: string, bytes: Uint8Array): Promise<void> {
  const file = await storage.open(name, { create: "no" });
  file.truncate(0);
  file.writeAt(bytes, 0);
  await file.close();
}

/** Counts the bytes read of `.log` files. */
function counting(storage: StorageDriver): { storage: StorageDriver; readBytes: () => number } {
  let read = 0;
  const counted: StorageDriver = Object.create(storage, {
    open: {
      value: async (...args: Parameters<StorageDriver["open"]>) => {
        const file = await storage.open(...args);
        if (!args[0].endsWith(".log")) return file;
        const readAt = file.readAt.bind(file);
        file.readAt = (into, position) => {
          const count = readAt(into, position);
          read += count;
          return count;
        };
        return file;
      },
    },
  });
  for (const name of [
    "list",
    "createDirectory",
    "removeDirectory",
    "replace",
    "renameDirectory",
    "remove",
    "syncDirectory",
    "lock",
    "close",
  ] as const)
    Object.defineProperty(counted, name, { value: (storage[name] as (...args: never[]) => unknown).bind(storage) });
  return { storage: counted, readBytes: () => read };
}

describe("a batch larger than what the core reads at a time", () => {
  const OPTIONS: RigOptions = { config: { maxMessageBytes: 4 * MIB }, maxUnflushedBytes: MIB };
  const large = "x".repeat(3 * MIB);

  async function died(): Promise<StorageDriver> {
    const storage = memory();
    const { log } = await created(storage, OPTIONS);
    await send(log, "before");
    await append(log, [{ value: large, timestamp: NOW_MS + 1 }]);
    await log.flushed(2);
    await append(log, [{ value: "after", timestamp: NOW_MS + 2 }]);
    await log.flushed(3);
    await log.close(false);
    return storage;
  }

  it("is appended though it exceeds maxUnflushedBytes, read whole, found by its time, and recovered", async () => {
    expect(core.readWindowByteLength).toBeLessThan(large.length);
    const storage = await died();
    const { log, events } = await opened(storage, OPTIONS);
    expect(events).toEqual([]);
    for (const maxBytes of [1, 4096, 16 * MIB])
      expect(recordsIn(await log.read(1, maxBytes))[0]).toMatchObject({ offset: 1, value: large });
    expect((await readAll(log)).map((record) => record.value.length)).toEqual([6, large.length, 5]);
    expect(await log.offsetForTime(NOW_MS + 1)).toEqual({ offset: 1, timestamp: NOW_MS + 1 });
    expect(await log.offsetForTime(NOW_MS + 2)).toEqual({ offset: 2, timestamp: NOW_MS + 2 });
    await send(log, "next");
    await log.close(true);
    const again = await opened(storage, { ...OPTIONS, cleanShutdown: true });
    expect((await readAll(again.log)).map((record) => record.offset)).toEqual([0, 1, 2, 3]);
    await again.log.close(true);
  });

  it("torn in its middle, unacknowledged, is cut: what was acknowledged before it stays, and appends go on", async () => {
    for (const cutAt of [70, MIB, 2 * MIB + 17]) {
      const storage = memory();
      const { log } = await created(storage, OPTIONS);
      await send(log, "before");
      await log.close(false);
      const end = await lengthOf(storage);
      const second = await opened(storage, OPTIONS);
      const noted = await bytesOf(storage, STATE);
      await append(second.log, [{ value: large, timestamp: NOW_MS }]);
      const grown = await lengthOf(storage);
      expect(grown).toBeGreaterThan(end + 3 * MIB);
      await second.log.close(false);
      // What the power left: the note of the durable end as it was before, and a part of the batch.
      await overwrite(storage, STATE, noted);
      await change(storage, (file) => file.truncate(end + cutAt));
      for (const tornBy of ["short", "zeros"] as const) {
        if (tornBy === "zeros") await change(storage, (file) => file.truncate(grown));
        const third = await opened(storage, { ...OPTIONS, readOnly: true });
        expect(
          (await readAll(third.log)).map((record) => record.value),
          `${tornBy} at ${cutAt}`,
        ).toEqual(["before"]);
        await third.log.close(false);
      }
      const last = await opened(storage, OPTIONS);
      expect(last.log.failure).toBeNull();
      expect(last.events).toMatchObject([{ type: "recovery.cut", fields: { firstOffset: 1 } }]);
      await append(last.log, [{ value: large, timestamp: NOW_MS }]);
      await last.log.flush();
      expect((await readAll(last.log)).map((record) => record.value.length)).toEqual([6, large.length]);
      await last.log.close(true);
    }
  });

  it("with a flipped bit below the durable end is damage of that offset alone", async () => {
    const storage = await died();
    await change(storage, (file) => file.writeAt(new Uint8Array([0]), 2 * MIB));
    const { log } = await opened(storage, OPTIONS);
    await expect(log.read(1, 100)).rejects.toMatchObject({ offsetRange: [1, 1], nextReadableOffset: 2 });
    expect(recordsIn(await log.read(0, 1))).toMatchObject([{ value: "before" }]);
    expect(recordsIn(await log.read(2, 1))).toMatchObject([{ value: "after" }]);
    await log.close(false);
  });
});

describe("an unclean open (C7)", () => {
  it("reads no more than 64 MiB and what was unflushed, however long the segment is: the recovery point moves on the way", async () => {
    const storage = memory();
    const { log } = await created(storage);
    const value = "y".repeat(1_000_000);
    for (let count = 0; count < 150; count += 1) {
      await append(log, [{ value, timestamp: NOW_MS }]);
      if (count % 4 === 3) await log.flush();
    }
    await log.flush();
    expect(log.byteLength).toBeGreaterThan(140 * MIB);
    expect(log.recoveryPoint).toBeGreaterThan(100);
    expect(log.recoveryPoint).toBeLessThan(150);
    await log.close(false);
    const counted = counting(storage);
    const { context, spec } = rig(counted.storage);
    const again = await PartitionLog.open(context, spec);
    expect(again.watermarks.logEndOffset).toBe(150);
    expect(counted.readBytes()).toBeGreaterThan(0);
    expect(counted.readBytes()).toBeLessThan(64 * MIB + context.maxUnflushedBytes);
    await again.close(false);
  }, 60_000);
});

describe("a directory that was not closed, opened to be read", () => {
  async function snapshot(storage: StorageDriver): Promise<[string, string][]> {
    const found: [string, string][] = [];
    for (const { name } of await storage.list("orders-0")) {
      const file = await storage.open(`orders-0/${name}`, { create: "no", readOnly: true });
      const bytes = new Uint8Array(file.byteLength());
      file.readAt(bytes, 0);
      await file.close();
      found.push([name, Buffer.from(bytes).toString("base64")]);
    }
    return found.sort(([left], [right]) => (left < right ? -1 : 1));
  }

  it("of ours: readable up to the valid end, torn tail or not, and not a byte changes", async () => {
    const storage = memory();
    const options: RigOptions = { config: { segmentBytes: 400, indexIntervalBytes: 100 } };
    const { log } = await created(storage, options);
    const values = Array.from({ length: 20 }, (_, index) => `value ${index}`);
    for (const value of values) await send(log, value);
    await log.close(false);
    const names = (await storage.list("orders-0")).map((entry) => entry.name).filter((name) => name.endsWith(".log"));
    const last = await storage.open(`orders-0/${names.sort().at(-1)}`, { create: "no" });
    for (const tail of [0, 3, 70]) {
      last.writeAt(new Uint8Array(tail).fill(9), last.byteLength());
      const before = await snapshot(storage);
      for (const way of [{ readOnly: true }, { frozen: true }]) {
        const reader = await opened(storage, { ...options, ...way });
        expect((await readAll(reader.log)).map((record) => record.value)).toEqual(values);
        expect(await reader.log.offsetForTime(NOW_MS)).toEqual({ offset: 0, timestamp: NOW_MS });
        await expect((async () => await send(reader.log, "no"))()).rejects.toMatchObject({
          code: way.frozen === true ? "TOPIC_NOT_ADOPTED" : "READ_ONLY",
        });
        await reader.log.close(true);
        expect(await snapshot(storage)).toEqual(before);
      }
    }
    await last.close();
  });

  it("of Kafka's: likewise, with full-size indexes and with a torn tail", async () => {
    for (const [name, end] of [
      ["data-crash", 21],
      ["data-torn", 20],
    ] as const) {
      const storage = memory();
      await storage.createDirectory("orders-0");
      const directory = new URL(`../fixtures/golden/${name}/orders-0/`, import.meta.url);
      for (const found of readdirSync(directory)) {
        const file = await storage.open(`orders-0/${found}`, { create: "new" });
        file.writeAt(readFileSync(new URL(found, directory)), 0);
        await file.close();
      }
      const before = await snapshot(storage);
      const { log } = await opened(storage, { readOnly: true, topicId: "" });
      expect(log.watermarks).toMatchObject({ logStartOffset: 0, highWatermark: end });
      let offset = 0;
      while (offset < end) {
        const bytes = await log.read(offset, 1);
        offset = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4) + new DataView(bytes.buffer, bytes.byteOffset).getInt32(23) + 1;
      }
      expect(offset).toBe(end);
      await log.close(true);
      expect(await snapshot(storage)).toEqual(before);
    }
  });
});
