/** Upkeep through the face: maintain, metrics, reopenPartition, readOnly, events, and manners of a library in a process. */
import { execFile } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memory, open } from "../../src/index.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { crashStorage, faultyStorage } from "../../src/testing/index.ts";
import { hashesOf, heard, MovedClock, openLog, PLACES, sendAll, temporaryDirectory, valuesIn } from "./support.ts";

const at = (partition: number, topic = "orders"): { topic: string; partition: number } => ({ topic, partition });

describe.each(PLACES)("maintain() in $place", ({ make }) => {
  it("deletes what is older than retentionMs or more than retentionBytes, and says how much", async () => {
    const clock = new MovedClock();
    const told = heard();
    const log = await openLog(make(), { clock, onEvent: told.onEvent });
    await log.createTopic("old", { segmentBytes: 300, retentionMs: 60_000 });
    await log.createTopic("large", { segmentBytes: 300, retentionBytes: 900, retentionMs: Number.POSITIVE_INFINITY });
    await log.createTopic("kept", { segmentBytes: 300, retentionMs: Number.POSITIVE_INFINITY });
    for (const topic of ["old", "large", "kept"])
      for (let index = 0; index < 20; index += 1) await sendAll(log, topic, [`${topic} ${index}`]);
    const before = (await log.describeTopic("large")).partitions[0]?.byteLength as number;
    clock.shiftMs += 120_000;
    const report = await log.maintain();
    expect(report.segmentsDeleted).toBe(told.of("segment.deleted").length);
    expect(report.bytesReclaimed).toBeGreaterThan(before - 1200);
    expect(await valuesIn(log, "old")).toEqual([]);
    expect((await log.describeTopic("old")).partitions[0]).toMatchObject({ logStartOffset: 20, logEndOffset: 20 });
    const large = (await log.describeTopic("large")).partitions[0];
    expect(large?.byteLength).toBeGreaterThanOrEqual(900);
    expect(large?.byteLength).toBeLessThan(1300);
    expect(await valuesIn(log, "kept")).toHaveLength(20);
    expect(await log.maintain()).toEqual({ segmentsDeleted: 0, bytesReclaimed: 0 });
    expect(await sendAll(log, "old", ["new"])).toBe(20);
  });

  it("takes away the segments below what deleteRecords cut, and the cut outlives a reopening", async () => {
    const storage = make();
    const log = await openLog(storage);
    await log.createTopic("orders", { segmentBytes: 200 });
    for (let index = 0; index < 20; index += 1) await sendAll(log, "orders", [index]);
    expect(await log.deleteRecords(at(0), 10)).toBe(10);
    expect((await log.maintain()).segmentsDeleted).toBeGreaterThan(2);
    await log.close();
    const again = await openLog(storage);
    expect(await valuesIn(again, "orders")).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  it("holds nobody up who is reading what it deletes: the reader goes on at the new start", async () => {
    const clock = new MovedClock();
    const log = await openLog(make(), { clock });
    await log.createTopic("orders", { segmentBytes: 300, retentionMs: 1000 });
    for (let index = 0; index < 30; index += 1) await sendAll(log, "orders", [index]);
    const consumer = log.consumer({ fetchMaxBytes: 1 });
    await consumer.assign([at(0)]);
    const iterator = consumer.records();
    expect((await iterator.next()).value?.value).toBe(0);
    clock.shiftMs += 60_000;
    await log.maintain();
    await sendAll(log, "orders", ["new"]);
    const seen: unknown[] = [];
    while (seen.at(-1) !== "new") seen.push((await iterator.next()).value?.value);
    expect(seen.every((value) => value === "new" || typeof value === "number")).toBe(true);
    await consumer.close();
  });
});

describe("a failed flush", () => {
  it("fails its partition alone, durable reads go on, and reopenPartition recovers it", async () => {
    const storage = faultyStorage(nodeStorage(temporaryDirectory()));
    const told = heard();
    const log = await openLog(storage, { onEvent: told.onEvent });
    await log.createTopic("orders", { partitions: 2 });
    await sendAll(log, "orders", ["durable"]);
    storage.fail({ call: "sync", errno: "EIO", name: /^orders-0\/.*\.log$/ });
    const producer = log.producer();
    await expect(producer.send({ ...at(0), value: "doubtful" })).rejects.toMatchObject({ name: "StorageError", code: "PARTITION_FAILED" });
    await expect(producer.send({ ...at(0), value: "refused" })).rejects.toMatchObject({ name: "StorageError", code: "PARTITION_FAILED" });
    expect(told.of("storage.failed").length).toBeGreaterThan(0);
    expect(log.metrics()).toMatchObject({ partitionsFailed: 1 });
    const [failed, well] = (await log.describeTopic("orders")).partitions;
    expect(failed).toMatchObject({ highWatermark: 1, error: { code: "PARTITION_FAILED", message: expect.stringContaining("orders-0") } });
    expect(well).not.toHaveProperty("error");
    expect(await log.read({ ...at(0), offset: 0 })).toMatchObject({ value: "durable" });
    expect((await producer.send({ ...at(1), value: "other" })).offset).toBe(0);
    await log.reopenPartition(at(0));
    expect(log.metrics()).toMatchObject({ partitionsFailed: 0 });
    expect((await log.describeTopic("orders")).partitions[0]).not.toHaveProperty("error");
    const { offset } = await producer.send({ ...at(0), value: "on" });
    expect(await log.read({ ...at(0), offset })).toMatchObject({ value: "on" });
    expect((await valuesIn(log, "orders")).filter((value) => value !== "doubtful").sort()).toEqual(["durable", "on", "other"]);
    await log.reopenPartition(at(0));
  });
});

describe("readOnly", () => {
  it("changes not a byte, beside a writer too, and refuses every change by name", async () => {
    const directory = temporaryDirectory();
    const writer = await openLog(directory);
    await writer.createTopic("orders", { partitions: 2, segmentBytes: 300 });
    for (let index = 0; index < 10; index += 1) await sendAll(writer, "orders", [index]);
    await writer.resetOffsets("g", "orders", "earliest");
    for (const isOpen of [true, false]) {
      if (!isOpen) await writer.close();
      const before = hashesOf(directory);
      const log = await openLog(directory, { readOnly: true });
      expect(await valuesIn(log, "orders")).toHaveLength(10);
      expect((await log.describeGroup("g")).offsets).toHaveLength(2);
      expect(await log.maintain()).toEqual({ segmentsDeleted: 0, bytesReclaimed: 0 });
      const refused = { name: "UsageError", code: "READ_ONLY" };
      for (const call of [
        () => log.createTopic("x"),
        () => log.deleteTopic("orders"),
        () => log.alterTopic("orders", { retentionMs: 1 }),
        () => log.createPartitions("orders", 5),
        () => log.deleteRecords(at(0), 1),
        () => log.resetOffsets("g", "orders", "latest"),
        () => log.deleteGroup("g"),
        () => log.reopenPartition(at(0)),
        () => log.producer().send({ topic: "orders", value: 1 }),
        () => log.producer().sendBatch([{ topic: "orders", value: 1 }]),
      ]) {
        await expect(call(), String(call)).rejects.toMatchObject(refused);
      }
      await log.close();
      expect(hashesOf(directory), isOpen ? "beside a writer" : "alone").toEqual(before);
    }
  });

  it("refuses what is sent in the words of the face, to a producer of transactions too", async () => {
    const storage = memory();
    const writer = await openLog(storage);
    await writer.createTopic("orders");
    await writer.close();
    const log = await openLog(storage, { readOnly: true });
    const refused = (call: string) => `${call}: the log was opened with readOnly`;
    await expect(log.producer().send({ topic: "orders", value: 1 })).rejects.toThrow(refused("send"));
    await expect(log.producer({ enableIdempotence: false }).send({ topic: "orders", value: 1 })).rejects.toThrow(refused("send"));
    await expect(log.producer({ transactionalId: "t" }).transaction(async () => {})).rejects.toThrow(refused("transaction"));
  });

  it("lets a group read: what it cannot commit is told, and its consumer closes", async () => {
    const directory = temporaryDirectory();
    const writer = await openLog(directory);
    await writer.createTopic("orders");
    await sendAll(writer, "orders", [1, 2, 3]);
    await writer.close();
    const log = await openLog(directory, { readOnly: true });
    const consumer = log.consumer({ groupId: "g" });
    await consumer.subscribe(["orders"]);
    const seen: unknown[] = [];
    for await (const { value } of consumer.records({ until: "end" })) seen.push(value);
    expect(seen).toEqual([1, 2, 3]);
    await expect(consumer.commit()).rejects.toMatchObject({ name: "UsageError", code: "READ_ONLY" });
    await consumer.close();
    await log.close();
  });

  it("of what is not there is refused, by its path in full, and makes nothing", async () => {
    const directory = join(temporaryDirectory(), "misspelt");
    for (const path of [directory, relative(".", directory), pathToFileURL(directory)]) {
      const refused = open(path, { readOnly: true });
      await expect(refused).rejects.toMatchObject({ name: "StorageError", code: "FILE_NOT_FOUND", retriable: false });
      await expect(refused).rejects.toThrow(directory);
    }
    expect(existsSync(directory)).toBe(false);
  });

  it("of an empty directory is a log without topics, in which those that a writer then makes are seen", async () => {
    const directory = temporaryDirectory();
    const log = await open(directory, { readOnly: true });
    expect(await log.listTopics()).toEqual([]);
    const writer = await openLog(directory);
    await writer.createTopic("orders");
    await expect.poll(() => log.listTopics(), { timeout: 10_000 }).toEqual(["orders"]);
    await log.close();
  });
});

describe("a directory already open", () => {
  it("in this process is refused, and says where it was opened; after close it is free", async () => {
    const directory = temporaryDirectory();
    const log = await openLog(directory);
    const second = openLog(directory);
    await expect(second).rejects.toMatchObject({ name: "UsageError", code: "ALREADY_OPEN" });
    await expect(second).rejects.toThrow(/support\.ts|upkeep\.test\.ts/);
    await log.close();
    await (await openLog(directory)).close();
    const shared = memory();
    await openLog(shared);
    await expect(openLog(shared)).rejects.toMatchObject({ name: "UsageError", code: "ALREADY_OPEN" });
  });
});

describe("events", () => {
  it("are the same object on the diagnostics channel, to onEvent and to the logger, and a listener that throws harms nobody", async () => {
    const told = heard();
    const published: unknown[] = [];
    const logged: unknown[] = [];
    const onMessage = (message: unknown): void => void published.push(message);
    subscribe("odradek:segment.rolled", onMessage);
    const log = await openLog(memory(), {
      onEvent: (event) => {
        told.onEvent(event);
        throw new Error("the listener's own");
      },
      logger: {
        debug: (fields) => void logged.push(fields),
        info: (fields) => void logged.push(fields),
        warn: (fields) => void logged.push(fields),
        error: (fields) => void logged.push(fields),
      },
    });
    await log.createTopic("orders", { segmentBytes: 200 });
    for (let index = 0; index < 6; index += 1) await sendAll(log, "orders", [index]);
    unsubscribe("odradek:segment.rolled", onMessage);
    const rolled = told.of("segment.rolled");
    expect(rolled.length).toBeGreaterThan(0);
    expect(published).toHaveLength(rolled.length);
    for (const [index, event] of rolled.entries()) {
      expect(published[index]).toBe(event);
      expect(logged).toContain(event);
      expect(event).toMatchObject({ type: "segment.rolled", partition: at(0), timestamp: expect.any(Number) });
      expect(Object.isFrozen(event)).toBe(true);
    }
    expect(log.metrics()).toMatchObject({ "events.segment.rolled": rolled.length });
  });
});

describe("metrics()", () => {
  it("counts what went in and out, and what there is", async () => {
    const log = await openLog(memory());
    expect(log.metrics()).toMatchObject({ topics: 0, partitions: 0, groups: 0, produceRecords: 0 });
    await log.createTopic("orders", { partitions: 3 });
    await sendAll(log, "orders", [1, 2, 3]);
    await valuesIn(log, "orders");
    const metrics = log.metrics();
    expect(metrics).toMatchObject({ topics: 1, partitions: 3, partitionsFailed: 0, produceRecords: 3, produceBatches: 1 });
    expect(metrics["fetchBytes"]).toBeGreaterThan(0);
    expect(metrics["byteLength"]).toBe(metrics["produceBytes"]);
    for (const value of Object.values(metrics)) expect(value).toBeTypeOf("number");
  });
});

describe("an unclean end", () => {
  it("loses nothing acknowledged and says what was cut", async () => {
    const disk = crashStorage();
    const log = await openLog(disk);
    await log.createTopic("orders");
    await sendAll(log, "orders", ["a", "b"]);
    const after = await openLog(disk.crash(undefined, { survival: "nothing" }));
    expect(await valuesIn(after, "orders")).toEqual(["a", "b"]);
  });
});

describe("manners", () => {
  let bundle = "";
  let directory = "";

  beforeAll(async () => {
    directory = join(process.cwd(), "node_modules", ".cache", `odradek-manners-${process.pid}`);
    mkdirSync(directory, { recursive: true });
    bundle = join(directory, "odradek.mjs");
    await build({ entryPoints: ["src/index.ts"], bundle: true, platform: "node", format: "esm", outfile: bundle, logLevel: "error" });
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** Runs a program that imports the package; answers what it printed, and fails if it does not end by itself. */
  async function run(program: string): Promise<{ stdout: string; stderr: string }> {
    const file = join(directory, `program-${Math.abs(program.length)}.mjs`);
    writeFileSync(file, program.replace('"odradek"', JSON.stringify(bundle)));
    return promisify(execFile)(process.execPath, [file, temporaryDirectory()], { timeout: 20_000 });
  }

  it.each([
    ["nothing but the import", 'import "odradek";'],
    ["open and close", 'import { open } from "odradek"; await (await open(process.argv[2])).close();'],
    [
      "a round of everything, closed",
      `import { open } from "odradek";
       const log = await open(process.argv[2]);
       await log.createTopic("orders", { ifNotExists: true });
       await log.producer({ lingerMs: 5 }).send({ topic: "orders", key: "k", value: 1 });
       const consumer = log.consumer({ groupId: "g" });
       await consumer.subscribe(["orders"]);
       for await (const record of consumer.records({ until: "end" })) if (record.value !== 1) throw new Error("lost");
       await log.close();`,
    ],
    [
      "a log that is left open and idle",
      `import { open } from "odradek";
       const log = await open(process.argv[2]);
       await log.createTopic("orders");
       await log.producer().send({ topic: "orders", value: 1 });
       log.consumer({ groupId: "g" });`,
    ],
  ])("%s: the process ends by itself and prints nothing", async (_, program) => {
    expect(await run(program)).toEqual({ stdout: "", stderr: "" });
  });
});

it("the exported open is the one that all of this is about", async () => {
  const log = await open({ storage: memory() });
  expect(await log.listTopics()).toEqual([]);
  await log.close();
});
