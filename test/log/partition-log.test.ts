/** What a partition's log promises to the engine above it. */
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { append, created, NOW_MS, opened, readAll, recordsIn, rig, send } from "./log-rig.ts";

describe("a partition's log", () => {
  it("gives back what was appended, under the offsets it told", async () => {
    const { log } = await created(memory());
    expect(await send(log, "a", "b")).toMatchObject({ baseOffset: 0, lastOffset: 1, logAppendTime: -1 });
    expect(await send(log, "c")).toMatchObject({ baseOffset: 2, lastOffset: 2 });
    expect(log.watermarks).toEqual({ logStartOffset: 0, lastStableOffset: 3, highWatermark: 3, logEndOffset: 3 });
    expect((await readAll(log)).map((record) => record.value)).toEqual(["a", "b", "c"]);
    expect((await log.read(3, 4096)).length).toBe(0);
    await log.close(true);
  });

  it("shows a record to readers only when it is durable (C4)", async () => {
    const { log } = await created(memory());
    const appended = append(log, [{ value: "a", timestamp: NOW_MS }]);
    expect(appended).toMatchObject({ baseOffset: 0 });
    expect(log.watermarks).toMatchObject({ highWatermark: 0, logEndOffset: 1 });
    await log.flushed(1);
    expect(log.watermarks).toMatchObject({ highWatermark: 1, logEndOffset: 1 });
    await log.close(true);
  });

  it("goes on where it was after a clean close", async () => {
    const storage = memory();
    const first = await created(storage);
    await send(first.log, "a", "b");
    await first.log.close(true);
    const { log, events } = await opened(storage, { cleanShutdown: true });
    expect(events).toEqual([]);
    expect(await send(log, "c")).toMatchObject({ baseOffset: 2 });
    expect((await readAll(log)).map((record) => record.value)).toEqual(["a", "b", "c"]);
    await log.close(true);
  });

  it("goes on after an unclean end, under a new leader epoch", async () => {
    const storage = memory();
    const first = await created(storage);
    await send(first.log, "a", "b");
    await first.log.close(false);
    const { log } = await opened(storage);
    expect((await readAll(log)).map((record) => record.value)).toEqual(["a", "b"]);
    await send(log, "c");
    const bytes = await log.read(2, 4096);
    expect(new DataView(bytes.buffer, bytes.byteOffset).getInt32(12)).toBe(1);
    expect(recordsIn(bytes)).toMatchObject([{ offset: 2, value: "c" }]);
    await log.close(true);
  });

  it("rolls by size, seals the old segment, and reads across", async () => {
    const storage = memory();
    const { log, events } = await created(storage, { config: { segmentBytes: 300, indexIntervalBytes: 50 } });
    const values = Array.from({ length: 40 }, (_, index) => `value ${index}`);
    for (const value of values) await send(log, value);
    expect((await readAll(log)).map((record) => record.value)).toEqual(values);
    await log.close(true);
    const names = (await storage.list("orders-0")).map((entry) => entry.name).sort();
    const logs = names.filter((name) => name.endsWith(".log"));
    expect(logs.length).toBeGreaterThan(5);
    expect(names.filter((name) => name.endsWith(".seal")).length).toBe(logs.length - 1);
    expect(events.filter((event) => event.type === "segment.rolled").length).toBe(logs.length - 1);
    const again = await opened(storage, { cleanShutdown: true, config: { segmentBytes: 300, indexIntervalBytes: 50 } });
    expect((await readAll(again.log)).map((record) => record.value)).toEqual(values);
    for (const [offset, value] of values.entries()) expect(recordsIn(await again.log.read(offset, 1))).toMatchObject([{ offset, value }]);
    await again.log.close(true);
  });

  it("flushes an os topic by flushMessages and flushMs, and says that it outlives the process alone (C10)", async () => {
    const { log, clock } = await created(crashStorage(), { config: { durability: "os", flushMs: 1000, flushMessages: 3 } });
    expect(append(log, [{ value: "a", timestamp: NOW_MS }])).toMatchObject({ baseOffset: 0 });
    expect(await log.flushed(1)).toBe("process");
    expect(log.watermarks.highWatermark).toBe(1);
    expect(await durableEnd(log)).toBe(0);
    await clock.advance(1000);
    await settled();
    expect(await durableEnd(log)).toBeGreaterThan(0);
    const before = await durableEnd(log);
    await append(
      log,
      [1, 2, 3].map((value) => ({ value: `${value}`, timestamp: NOW_MS })),
    );
    await settled();
    expect(await durableEnd(log)).toBeGreaterThan(before);
    await log.close(true);
  });

  it("flushes an os topic no later than flushMs after the oldest unflushed append, and not before there is a reason", async () => {
    const { log, clock } = await created(crashStorage(), { config: { durability: "os", flushMs: 1000 } });
    await append(log, [{ value: "a", timestamp: NOW_MS }]);
    await clock.advance(600);
    await append(log, [{ value: "b", timestamp: NOW_MS }]);
    await clock.advance(399);
    await settled();
    expect(await durableEnd(log)).toBe(0);
    await clock.advance(1);
    await settled();
    const both = await durableEnd(log);
    expect(both).toBe(log.byteLength);
    // Nothing is unflushed: time alone is no reason. The next append has its own 1000 ms.
    await clock.advance(5000);
    await append(log, [{ value: "c", timestamp: NOW_MS }]);
    await clock.advance(999);
    await settled();
    expect(await durableEnd(log)).toBe(both);
    await clock.advance(1);
    await settled();
    expect(await durableEnd(log)).toBe(log.byteLength);
    await log.close(true);
  });

  it("flushes an os topic at the record that makes flushMessages full, counting records and not batches", async () => {
    const { log } = await created(crashStorage(), { config: { durability: "os", flushMessages: 5 } });
    const record = { value: "a", timestamp: NOW_MS };
    for (let round = 0; round < 3; round += 1) {
      const before = await durableEnd(log);
      await append(log, [record, record]);
      await append(log, [record, record]);
      await settled();
      expect(await durableEnd(log)).toBe(before);
      await append(log, [record]);
      await settled();
      expect(await durableEnd(log)).toBe(log.byteLength);
    }
    await log.close(true);
  });

  it("counts for flushMessages what was appended while a flush was under way", async () => {
    let letGo = (): void => {};
    let slow = false;
    const latency = (call: string): Promise<void> =>
      slow && call === "sync" ? new Promise((resolve) => (letGo = resolve)) : Promise.resolve();
    const { log } = await created(crashStorage({ latency }), { config: { durability: "os", flushMessages: 5 } });
    const records = (count: number): { value: string; timestamp: number }[] => Array(count).fill({ value: "a", timestamp: NOW_MS });
    await append(log, records(2));
    slow = true;
    const flushing = log.flush();
    await settled();
    await append(log, records(2));
    slow = false;
    letGo();
    await flushing;
    expect(await durableEnd(log)).toBeLessThan(log.byteLength);
    await append(log, records(3));
    await settled();
    expect(await durableEnd(log)).toBe(log.byteLength);
    await log.close(true);
  });

  it("flushes an os topic at every append when flushMs is 0, and a crash then loses nothing", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, { config: { durability: "os", flushMs: 0 } });
    await append(log, [{ value: "a", timestamp: NOW_MS }]);
    await settled();
    const again = await opened(disk.crash(), { config: { durability: "os" } });
    expect((await readAll(again.log)).map((record) => record.value)).toEqual(["a"]);
    await again.log.close(true);
  });

  it("stamps the time of the append where the topic says so", async () => {
    const { log } = await created(memory(), { config: { messageTimestampType: "LogAppendTime" } });
    const appended = await append(log, [
      { value: "a", timestamp: 5 },
      { value: "b", timestamp: 7 },
    ]);
    expect(appended.logAppendTime).toBe(NOW_MS);
    await log.flushed(2);
    expect(await readAll(log)).toMatchObject([{ timestamp: NOW_MS }, { timestamp: NOW_MS }]);
    expect(await log.offsetForTime(NOW_MS)).toEqual({ offset: 0, timestamp: NOW_MS });
    await log.close(true);
  });

  it("serves one flush to all who wait for it (C1)", async () => {
    const storage = memory();
    let syncs = 0;
    const counting = faultyStorage(storage, {
      clock: new ManualClock(),
      latencyMs: (call, name) => {
        if (call === "sync" && name.endsWith(".log")) syncs += 1;
        return 0;
      },
    });
    const { log } = await created(counting);
    syncs = 0;
    await Promise.all(Array.from({ length: 64 }, (_, index) => send(log, `value ${index}`)));
    expect(syncs).toBeLessThanOrEqual(2);
    await log.close(true);
  });

  it("lets a reader in the middle of a segment that retention deletes go on", async () => {
    const { log, clock } = await created(memory(), { config: { segmentBytes: 300, retentionMs: 1000 } });
    for (let index = 0; index < 20; index += 1) await send(log, `value ${index}`);
    clock.jump(10_000);
    const reads = [0, 5, 10].map((offset) => log.read(offset, 1));
    const retention = log.applyRetention();
    const read = await Promise.all(reads);
    expect(read.map((bytes) => recordsIn(bytes)[0]?.value)).toEqual(["value 0", "value 5", "value 10"]);
    expect((await retention).segmentsDeleted).toBeGreaterThan(2);
    expect(log.watermarks).toMatchObject({ logStartOffset: 20, logEndOffset: 20 });
    await expect(log.read(5, 1)).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
    await send(log, "next");
    expect(await readAll(log)).toMatchObject([{ offset: 20, value: "next" }]);
    await log.close(true);
  });

  it("opens a cleanly closed partition without reading its log", async () => {
    const storage = memory();
    const first = await created(storage, { config: { segmentBytes: 2000 } });
    for (let index = 0; index < 100; index += 1) await send(first.log, `value ${index}`);
    await first.log.close(true);
    const faulty = faultyStorage(storage);
    faulty.fail({ call: "readAt", name: /\.log$/, errno: "EIO", times: Number.POSITIVE_INFINITY });
    const { context, spec } = rig(faulty, { cleanShutdown: true, config: { segmentBytes: 2000 } });
    const log = await PartitionLog.open(context, spec);
    expect(log.watermarks).toMatchObject({ logStartOffset: 0, logEndOffset: 100 });
    await log.close(false);
  });
});

/** How many bytes of the log are durable: what a backup may copy. */
async function durableEnd(log: PartitionLog): Promise<number> {
  const { files } = await log.snapshot();
  return files.filter((file) => file.name.endsWith(".log")).reduce((total, file) => total + (file.byteLength ?? 0), 0);
}
