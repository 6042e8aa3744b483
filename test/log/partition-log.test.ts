/** What a partition's log promises to the engine above it. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { append, created, NOW_MS, opened, readAll, recordsIn, send } from "./log-rig.ts";

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
});
