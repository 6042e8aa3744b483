/** What the engine does at its hours, by a clock that is moved: retention, checkpoints, the expiry of offsets; and what waits for records. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/index.ts";
import { memory } from "../../src/index.ts";
import { crashStorage, faultyStorage, ManualClock } from "../../src/testing/index.ts";
import { heard, openLog, sendAll, valuesIn } from "../face/support.ts";

async function textOf(storage: StorageDriver, name: string): Promise<string | null> {
  try {
    const file = await storage.open(name, { create: "no", readOnly: true });
    const bytes = new Uint8Array(file.byteLength());
    file.readAt(bytes, 0);
    await file.close();
    return new TextDecoder().decode(bytes);
  } catch {
    return null;
  }
}

/** Lets time pass, and what it set off be done, storage included. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  await clock.advance(ms);
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const DAY_MS = 86_400_000;

describe("retention", () => {
  it("comes half a minute after the open and every five minutes from then on, as Kafka's does", async () => {
    const clock = new ManualClock();
    const told = heard();
    const log = await openLog(memory({ clock }), { clock, onEvent: told.onEvent });
    await log.createTopic("orders", { retentionMs: 10_000 });
    await sendAll(log, "orders", ["a"]);
    await pass(clock, 29_000);
    expect(told.of("segment.deleted")).toEqual([]);
    await pass(clock, 2_000);
    expect(told.of("segment.deleted")).toHaveLength(1);
    await sendAll(log, "orders", ["b"]);
    await pass(clock, 290_000);
    expect(told.of("segment.deleted")).toHaveLength(1);
    await pass(clock, 20_000);
    expect(told.of("segment.deleted")).toHaveLength(2);
    expect(await valuesIn(log, "orders")).toEqual([]);
  });

  it("that fails is told and comes again", async () => {
    const clock = new ManualClock();
    const told = heard();
    const storage = faultyStorage(memory({ clock }));
    const log = await openLog(storage, { clock, onEvent: told.onEvent });
    await log.createTopic("orders", { retentionMs: 10_000 });
    await sendAll(log, "orders", ["a"]);
    storage.fail({ call: "remove", name: /\.log$/, errno: "EIO" });
    await pass(clock, 31_000);
    expect(told.of("maintenance.failed")).toMatchObject([{ task: "retention" }]);
    await sendAll(log, "orders", ["b"]);
    await pass(clock, 301_000);
    expect(told.of("maintenance.failed")).toHaveLength(1);
    expect(await valuesIn(log, "orders")).toEqual([]);
  });

  it("is over with the log: nothing comes after close", async () => {
    const clock = new ManualClock();
    const log = await openLog(memory({ clock }), { clock });
    await log.createTopic("orders");
    await log.close();
    expect(clock.pendingCount).toBe(0);
  });
});

describe("checkpoints", () => {
  it("are written every minute in Kafka's words, and only where something moved", async () => {
    const clock = new ManualClock();
    const storage = faultyStorage(memory({ clock }));
    const log = await openLog(storage, { clock });
    await log.createTopic("orders", { partitions: 2, segmentBytes: 150 });
    for (let index = 0; index < 6; index += 1) await sendAll(log, "orders", [index], 1);
    await log.deleteRecords({ topic: "orders", partition: 1 }, 2);
    expect(await textOf(storage, "recovery-point-offset-checkpoint")).toBeNull();
    await pass(clock, 61_000);
    expect(await textOf(storage, "recovery-point-offset-checkpoint")).toMatch(/^0\n2\norders 0 0\norders 1 [2-6]\n$/);
    expect(await textOf(storage, "log-start-offset-checkpoint")).toBe("0\n2\norders 0 0\norders 1 2\n");
    expect(await textOf(storage, "replication-offset-checkpoint")).toBe("0\n2\norders 0 0\norders 1 6\n");
    const replaced = storage.count("replace");
    await pass(clock, 61_000);
    expect(storage.count("replace")).toBe(replaced);
  });

  it("that cannot be believed are set aside, told of, and made anew; nothing is lost by it", async () => {
    for (const file of ["recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint"]) {
      const storage = memory();
      const log = await openLog(storage);
      await log.createTopic("orders");
      await sendAll(log, "orders", ["a", "b", "c"]);
      await log.deleteRecords({ topic: "orders", partition: 0 }, 1);
      await log.close();
      const handle = await storage.open(file, { create: "no" });
      handle.truncate(0);
      handle.writeAt(new TextEncoder().encode("0\nnine\nlives\n"), 0);
      await handle.close();
      const told = heard();
      const again = await openLog(storage, { onEvent: told.onEvent });
      expect(told.of("book.rebuilt")).toMatchObject([{ file, setAsideAs: `${file}.set-aside-1` }]);
      expect(await textOf(storage, `${file}.set-aside-1`)).toBe("0\nnine\nlives\n");
      expect(await valuesIn(again, "orders")).toEqual(["b", "c"]);
      await again.close();
      expect(await textOf(storage, file)).toMatch(/^0\n1\norders 0 [13]\n$/);
    }
  });
});

describe("the expiry of offsets", () => {
  it("comes every ten minutes, to groups that were not there for a week", async () => {
    const clock = new ManualClock();
    const log = await openLog(memory({ clock }), { clock });
    await log.createTopic("orders", { retentionMs: Number.POSITIVE_INFINITY });
    await sendAll(log, "orders", ["a"]);
    await log.resetOffsets("g", "orders", "latest");
    clock.jump(8 * DAY_MS);
    expect(await log.listGroups()).toEqual(["g"]);
    await pass(clock, 601_000);
    expect(await log.listGroups()).toEqual([]);
  });
});

describe("C4: nothing is delivered before it is durable", () => {
  it("a record that is written waits for its flush, and then whoever waits for it has it at once", async () => {
    let release: (() => void) | null = null;
    let holds = false;
    const disk = crashStorage({
      latency: (call) =>
        holds && call === "sync"
          ? new Promise((resolve) => {
              release = resolve;
            })
          : Promise.resolve(),
    });
    const log = await openLog(disk);
    await log.createTopic("orders");
    await sendAll(log, "orders", ["first"]);
    const consumer = log.consumer();
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    expect((await consumer.poll()).map(({ value }) => value)).toEqual(["first"]);
    holds = true;
    const producer = log.producer({ acks: 1 });
    expect(await producer.send({ topic: "orders", value: "second" })).toMatchObject({ offset: 1, durability: "process" });
    const waiting = consumer.poll({ timeoutMs: 10_000 });
    expect(await log.read({ topic: "orders", partition: 0, offset: 1 })).toBeNull();
    expect((await log.describeTopic("orders")).partitions[0]).toMatchObject({ highWatermark: 1, logEndOffset: 2 });
    holds = false;
    expect(release).not.toBeNull();
    (release as unknown as () => void)();
    expect((await waiting).map(({ value }) => value)).toEqual(["second"]);
    expect((await log.describeTopic("orders")).partitions[0]).toMatchObject({ highWatermark: 2 });
  });
});

describe("who waits for records", () => {
  it("has them as they come, and is let go by the close of the log", async () => {
    const log = await openLog(memory());
    await log.createTopic("orders", { partitions: 2 });
    const consumer = log.consumer();
    await consumer.assign([0, 1].map((partition) => ({ topic: "orders", partition })));
    const waiting = consumer.poll({ timeoutMs: 60_000 });
    await sendAll(log, "orders", ["late"], 1);
    expect((await waiting).map(({ value }) => value)).toEqual(["late"]);
    const idle = consumer.poll({ timeoutMs: 60_000 }).then(
      (records) => records.length,
      (error: { code?: string }) => error.code,
    );
    const loop = log.consumer();
    await loop.assign([{ topic: "orders", partition: 0 }]);
    const looping = (async (): Promise<number> => {
      let count = 0;
      for await (const record of loop) count += record.offset === 0 ? 1 : 0;
      return count;
    })();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await log.close();
    expect([0, "CONSUMER_CLOSED", "LOG_CLOSED"]).toContain(await idle);
    expect(await looping).toBe(0);
  });
});
