/** Segments without a seal to believe get one, once all of them was looked at; damage never does. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { CorruptionError } from "../../src/base/errors.ts";
import { memory } from "../../src/storage/memory.ts";
import { append, created, NOW_MS, opened, type RigOptions, readAll, recordsIn, send } from "./log-rig.ts";

const OPTIONS: RigOptions = { cleanShutdown: true, config: { segmentBytes: 450, indexIntervalBytes: 100 } };
const COUNT = 20;

async function partition(): Promise<StorageDriver> {
  const storage = memory();
  const { log } = await created(storage, OPTIONS);
  for (let value = 0; value < COUNT; value += 1) await send(log, `value ${String(value).padStart(2, "0")}`);
  await log.close(true);
  return storage;
}

async function names(storage: StorageDriver, suffix: string): Promise<string[]> {
  return (await storage.list("orders-0"))
    .map((entry) => entry.name)
    .filter((name) => name.endsWith(suffix))
    .sort();
}

async function bytesOf(storage: StorageDriver, name: string): Promise<Uint8Array> {
  const file = await storage.open(`orders-0/${name}`, { create: "no", readOnly: true });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  return bytes;
}

async function change(
  storage: StorageDriver,
  name: string,
  body: (file: Awaited<ReturnType<StorageDriver["open"]>>) => void,
): Promise<void> {
  const file = await storage.open(`orders-0/${name}`, { create: "no" });
  body(file);
  await file.close();
}

const told = (events: readonly { type: string }[], type: string): number => events.filter((event) => event.type === type).length;

describe("sealing what was left unsealed", () => {
  it("makes the seals again as they were, a bounded part at a time, and looks at nothing twice", async () => {
    const storage = await partition();
    const seals = await names(storage, ".seal");
    const before = await Promise.all(seals.map((name) => bytesOf(storage, name)));
    for (const name of seals) await storage.remove(`orders-0/${name}`);
    const { log, events } = await opened(storage, OPTIONS);
    let calls = 0;
    for (let complete = false; !complete; calls += 1) complete = (await log.sealUnsealed(1)).isComplete;
    expect(calls).toBe(seals.length);
    expect(told(events, "seal.made")).toBe(seals.length);
    expect(await Promise.all(seals.map((name) => bytesOf(storage, name)))).toEqual(before);
    expect(await log.sealUnsealed()).toEqual({ segmentsSealed: 0, segmentsRefused: 0, byteLength: 0, isComplete: true });
    expect((await readAll(log)).length).toBe(COUNT);
    await log.close(true);
    const again = await opened(storage, OPTIONS);
    expect(await again.log.sealUnsealed()).toMatchObject({ segmentsSealed: 0, byteLength: 0 });
    await again.log.close(true);
  });

  it("seals what Kafka left once it is adopted, and a flip of what batches leave open is then seen", async () => {
    const storage = memory();
    await storage.createDirectory("orders-0");
    const directory = new URL("../fixtures/golden/data-clean/orders-0/", import.meta.url);
    for (const name of readdirSync(directory)) {
      const file = await storage.open(`orders-0/${name}`, { create: "new" });
      file.writeAt(readFileSync(new URL(name, directory)), 0);
      await file.close();
    }
    const topicId = /topic_id: (.*)$/.exec(new TextDecoder().decode(await bytesOf(storage, "partition.metadata")))?.[1] ?? "";
    const options: RigOptions = { ...OPTIONS, topicId };
    const { log } = await opened(storage, options);
    expect(await log.sealUnsealed()).toMatchObject({ segmentsSealed: 1, isComplete: true });
    await log.close(true);
    await change(storage, "00000000000000000000.log", (file) => file.writeAt(new Uint8Array([1]), 7));
    const again = await opened(storage, options);
    await expect(again.log.read(0, 1)).rejects.toBeInstanceOf(CorruptionError);
    await again.log.close(false);
  });

  it("makes a seal anew that another writer made stale by compacting, and reports it", async () => {
    const storage = await partition();
    const [, name = ""] = await names(storage, ".log");
    const whole = await bytesOf(storage, name);
    // Equal batches: the first one goes, as compaction would take it.
    const batchByteLength = new DataView(whole.buffer).getInt32(8) + 12;
    await change(storage, name, (file) => {
      file.truncate(0);
      file.writeAt(whole.subarray(batchByteLength), 0);
    });
    for (const index of [name.replace(".log", ".index"), name.replace(".log", ".timeindex")]) await storage.remove(`orders-0/${index}`);
    const { log, events } = await opened(storage, OPTIONS);
    expect(await log.sealUnsealed()).toMatchObject({ segmentsSealed: 1, segmentsRefused: 0 });
    expect(events.filter((event) => event.type === "seal.made")).toMatchObject([
      { fields: { why: expect.stringMatching(/^it was of \d+ bytes, the segment has \d+$/) } },
    ]);
    expect((await readAll(log)).length).toBe(COUNT - 1);
    await log.close(true);
    const again = await opened(storage, OPTIONS);
    expect((await readAll(again.log)).length).toBe(COUNT - 1);
    expect(told(again.events, "seal.ignored")).toBe(0);
    await again.log.close(true);
  });

  // A broker's cleaner keeps the last batch of all that it cleans, not of each segment. What it left before the next segment was called damage
  // once; and when it no longer was, a segment that went missing from a compacted topic passed for such a gap.
  it("knows what another's compaction left out before the next segment from a segment that went missing later", async () => {
    const compacted: RigOptions = { ...OPTIONS, config: { ...OPTIONS.config, cleanupPolicy: "compact" } };
    const storage = await partition();
    const [, name = "", gone = "", behind = ""] = await names(storage, ".log");
    const whole = await bytesOf(storage, name);
    const batchByteLength = new DataView(whole.buffer).getInt32(8) + 12;
    await change(storage, name, (file) => file.truncate(whole.length - batchByteLength));
    for (const kind of [".index", ".timeindex", ".seal"]) await storage.remove(`orders-0/${name.replace(".log", kind)}`);
    const lacking = Number(gone.slice(0, 20)) - 1;
    const first = await opened(storage, compacted);
    expect(recordsIn(await first.log.read(lacking, 1))).toMatchObject([{ offset: lacking + 1 }]);
    expect(await first.log.sealUnsealed()).toMatchObject({ segmentsSealed: 1, segmentsRefused: 0 });
    await first.log.close(true);
    const second = await opened(storage, compacted);
    expect(recordsIn(await second.log.read(lacking, 1))).toMatchObject([{ offset: lacking + 1 }]);
    await second.log.close(true);
    for (const kind of [".log", ".index", ".timeindex", ".seal"]) await storage.remove(`orders-0/${gone.replace(".log", kind)}`);
    const third = await opened(storage, { ...compacted, readOnly: true });
    const [from, to] = [lacking + 1, Number(behind.slice(0, 20))];
    await expect(third.log.read(from, 1)).rejects.toMatchObject({ offsetRange: [from, to - 1], nextReadableOffset: to });
    await third.log.close(false);
  });

  // Sealed again as having a gap, a segment that had lost its end made its reader wait for ever: nothing stood behind it, and nothing was told.
  it("tells of an end that is missing below the high watermark, rather than let its reader wait", async () => {
    const storage = await partition();
    const logs = await names(storage, ".log");
    const [name = "", last = ""] = logs.slice(-2);
    const whole = await bytesOf(storage, name);
    await change(storage, name, (file) => file.truncate(whole.length - (new DataView(whole.buffer).getInt32(8) + 12)));
    await change(storage, last, (file) => file.truncate(0));
    await storage.remove("orders-0/odradek.state");
    for (const seal of await names(storage, ".seal")) await storage.remove(`orders-0/${seal}`);
    const compacted: RigOptions = { ...OPTIONS, cleanShutdown: false, config: { ...OPTIONS.config, cleanupPolicy: "compact" } };
    const { log } = await opened(storage, compacted);
    const end = Number(last.slice(0, 20));
    expect(log.watermarks.highWatermark).toBe(end);
    await expect(log.read(end - 1, 1)).rejects.toMatchObject({ offsetRange: [end - 1, end - 1], nextReadableOffset: null });
    expect(recordsIn(await log.read(end - 2, 1))).toMatchObject([{ offset: end - 2 }]);
    await log.close(true);
  });

  it("never seals damage: a flip, a lost end, an epoch that cannot be, are told and stay to be seen", async () => {
    const flips: readonly [string, (file: Awaited<ReturnType<StorageDriver["open"]>>) => void][] = [
      ["a record", (file) => file.writeAt(new Uint8Array([0xff]), 70)],
      ["an epoch", (file) => file.writeAt(new Uint8Array([3]), 15)],
      ["a length", (file) => file.writeAt(new Uint8Array([0xff]), 11)],
    ];
    for (const [what, flip] of flips) {
      const storage = await partition();
      const [, name = ""] = await names(storage, ".log");
      await change(storage, name, flip);
      await storage.remove(`orders-0/${name.replace(".log", ".seal")}`);
      const { log, events } = await opened(storage, OPTIONS);
      expect(await log.sealUnsealed(), what).toMatchObject({ segmentsSealed: 0, segmentsRefused: 1, isComplete: true });
      expect(
        events.filter((event) => event.type === "seal.refused"),
        what,
      ).toMatchObject([{ fields: { file: `orders-0/${name}` } }]);
      expect(await names(storage, ".seal")).not.toContain(name.replace(".log", ".seal"));
      await expect(log.read(Number(name.slice(0, 20)), 1), what).rejects.toBeInstanceOf(CorruptionError);
      await log.close(true);
    }
  });

  it("does not take a segment that lost its last batches for a rewritten one", async () => {
    const storage = await partition();
    const [, name = ""] = await names(storage, ".log");
    const whole = await bytesOf(storage, name);
    await change(storage, name, (file) => file.truncate(whole.length - (new DataView(whole.buffer).getInt32(8) + 12)));
    const seal = await bytesOf(storage, name.replace(".log", ".seal"));
    const { log, events } = await opened(storage, OPTIONS);
    expect(await log.sealUnsealed()).toMatchObject({ segmentsSealed: 0, segmentsRefused: 1 });
    expect(events.find((event) => event.type === "seal.refused")?.fields["problem"]).toMatch(
      /it ends at offset \d+, and went up to \d+ when it was sealed/,
    );
    expect(await bytesOf(storage, name.replace(".log", ".seal"))).toEqual(seal);
    await log.close(true);
  });

  it("goes on beside appends and reads", async () => {
    const storage = await partition();
    for (const name of await names(storage, ".seal")) await storage.remove(`orders-0/${name}`);
    const { log } = await opened(storage, OPTIONS);
    const [sealing] = await Promise.all([
      log.sealUnsealed(),
      (async () => {
        for (let count = 0; count < 20; count += 1) {
          await append(log, [{ value: "more", timestamp: NOW_MS }]);
          expect(recordsIn(await log.read(count, 1))).toMatchObject([{ offset: count }]);
        }
      })(),
    ]);
    expect(sealing.segmentsRefused).toBe(0);
    await log.close(true);
    const again = await opened(storage, OPTIONS);
    expect(again.events).toEqual([]);
    expect((await readAll(again.log)).length).toBe(COUNT + 20);
    expect((await names(storage, ".seal")).length).toBe((await names(storage, ".log")).length - 1);
    await again.log.close(true);
  });
});
