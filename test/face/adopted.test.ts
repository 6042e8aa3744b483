/**
 * Topics that another writer left: read as they are, and nothing in them changed, whatever time it is and whatever is asked, until
 * adoptTopic names their settings. Kafka keeps a topic's settings elsewhere: with our defaults the first maintenance would delete such data.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { batchByteLengthAt, readBatchHeader } from "../../src/base/record-batch.ts";
import { bytes } from "../../src/index.ts";
import { brokersDirectory, hashesOf, heard, MovedClock, openLog, sendAll, temporaryDirectory, valuesIn } from "./support.ts";

const YEAR_MS = 365 * 86_400_000;
const OURS = /(^|\/)(odradek\.|\.odradek-lock)|\.seal$/;

/** The files that a broker wrote, without what stands there of ours. */
function brokersFiles(directory: string): Record<string, string> {
  return Object.fromEntries(Object.entries(hashesOf(directory)).filter(([name]) => !OURS.test(name)));
}

/** A directory of two topics as a broker leaves it: records of our own making in Kafka's files, without any file of ours. */
async function leftByABroker(): Promise<string> {
  const directory = temporaryDirectory();
  const log = await openLog(directory, { topicDefaults: { segmentBytes: 1200, indexIntervalBytes: 100 } });
  await log.createTopic("orders", { partitions: 2 });
  await log.createTopic("audit");
  for (let round = 0; round < 30; round += 1) {
    await sendAll(log, "orders", [`first ${round}`, "x".repeat(50)], 0);
    await sendAll(log, "orders", [`second ${round}`], 1);
  }
  await sendAll(log, "audit", ["a"]);
  await log.close();
  const { rmSync } = await import("node:fs");
  for (const name of Object.keys(hashesOf(directory))) if (OURS.test(name)) rmSync(join(directory, name));
  writeFileSync(
    join(directory, "meta.properties"),
    "#\n#Sat Jan 01 00:00:00 UTC 2022\nversion=1\ncluster.id=0Vy9Wkj1T2aCiYyLz7rZgA\nnode.id=1\ndirectory.id=abcdefghijklmnopqrstuv\n",
  );
  return directory;
}

describe("a directory that a broker wrote, its records a year old", () => {
  it.each([
    ["Kafka's own classes wrote", async (): Promise<string> => brokersDirectory("data-clean")],
    ["a broker's files hold", leftByABroker],
  ])("is byte for byte what it was after open, maintain, the hours of maintenance, and close (%#: %s)", async (_, make) => {
    const directory = await make();
    const before = brokersFiles(directory);
    const clock = new MovedClock();
    clock.shiftMs = YEAR_MS * 3;
    for (const reopen of [1, 2]) {
      const log = await openLog(directory, { clock });
      const topics = await log.listTopics();
      expect(topics).toContain("orders");
      expect(await log.maintain()).toEqual({ segmentsDeleted: 0, bytesReclaimed: 0 });
      for (const topic of topics)
        for (const { logEndOffset, logStartOffset } of (await log.describeTopic(topic)).partitions)
          expect(logEndOffset - logStartOffset).toBeGreaterThan(0);
      await log.maintain();
      await log.close();
      expect(brokersFiles(directory), `open ${reopen}`).toEqual(before);
    }
  });

  it("gives its records to whoever reads, by offset, time and group; the group's offsets stand", async () => {
    const directory = await leftByABroker();
    const before = brokersFiles(directory);
    const log = await openLog(directory);
    expect((await log.describeTopic("orders")).partitions.map(({ logEndOffset }) => logEndOffset)).toEqual([60, 30]);
    expect(await log.read({ topic: "orders", partition: 1, offset: 29 })).toMatchObject({ value: "second 29" });
    const consumer = log.consumer({ groupId: "g" });
    await consumer.subscribe(["orders"]);
    let count = 0;
    for await (const { value } of consumer.records({ until: "end" })) count += value === null ? 0 : 1;
    expect(count).toBe(90);
    expect(await consumer.offsetForTime({ topic: "orders", partition: 0 }, 0)).toMatchObject({ offset: 0 });
    await consumer.close();
    await log.close();
    const after = brokersFiles(directory);
    for (const [name, hash] of Object.entries(before))
      if (!name.endsWith("-checkpoint") || name.includes("/")) expect(after[name], name).toBe(hash);
    const again = await openLog(directory);
    expect((await again.describeGroup("g")).offsets).toHaveLength(2);
  });

  it("refuses to change, by name, until it is adopted", async () => {
    const log = await openLog(await leftByABroker());
    const frozen = { name: "UsageError", code: "TOPIC_NOT_ADOPTED" };
    await expect(log.producer().send({ topic: "orders", value: 1 })).rejects.toMatchObject(frozen);
    await expect(log.producer().sendBatch([{ topic: "orders", value: 1 }])).rejects.toMatchObject(frozen);
    await expect(log.alterTopic("orders", { retentionMs: 1 })).rejects.toMatchObject(frozen);
    await expect(log.alterTopic("orders", {})).rejects.toMatchObject(frozen);
    await expect(log.deleteRecords({ topic: "orders", partition: 0 }, 1)).rejects.toMatchObject(frozen);
    await expect(log.createPartitions("orders", 9)).rejects.toMatchObject(frozen);
    await expect(log.deleteTopic("orders")).rejects.toMatchObject(frozen);
    await expect(log.createTopic("orders")).rejects.toMatchObject({ code: "TOPIC_ALREADY_EXISTS" });
    for (const options of [
      undefined,
      {},
      { partitions: 2 },
      { cleanupPolicy: "delete" },
      { partitions: 1, cleanupPolicy: "delete" },
      { partitions: 2, cleanupPolicy: "keep" },
    ]) {
      await expect(log.adoptTopic("orders", options as never), JSON.stringify(options)).rejects.toMatchObject({ name: "UsageError" });
    }
    expect((await log.describeTopic("orders")).partitions).toHaveLength(2);
  });

  it("is ours after adoptTopic: appended to behind its records, altered, retained, with the id it had", async () => {
    const directory = await leftByABroker();
    const clock = new MovedClock();
    const log = await openLog(directory, { clock });
    const { topicId } = await log.describeTopic("orders");
    expect(topicId).toMatch(/^[\w-]{22}$/);
    const metadata = readFileSync(join(directory, "orders-0", "partition.metadata"));
    const adopted = await log.adoptTopic("orders", { partitions: 3, cleanupPolicy: "delete" });
    expect(adopted).toMatchObject({ topicId, config: { cleanupPolicy: "delete" } });
    expect(adopted.partitions.map(({ logEndOffset }) => logEndOffset)).toEqual([60, 30, 0]);
    expect(await sendAll(log, "orders", ["ours"], 0)).toBe(60);
    expect(await sendAll(log, "orders", ["ours"], 2)).toBe(0);
    await expect(log.adoptTopic("orders", { partitions: 3, cleanupPolicy: "delete" })).rejects.toMatchObject({ name: "UsageError" });
    expect(readFileSync(join(directory, "orders-0", "partition.metadata"))).toEqual(metadata);
    await log.close();
    const again = await openLog(directory, { clock });
    expect(await again.read({ topic: "orders", partition: 0, offset: 60 })).toMatchObject({ value: "ours" });
    expect(await valuesIn(again, "orders")).toHaveLength(92);
    clock.shiftMs = YEAR_MS;
    expect((await again.maintain()).segmentsDeleted).toBeGreaterThan(0);
    expect(await valuesIn(again, "orders")).toEqual([]);
    expect(await valuesIn(again, "audit")).toEqual(["a"]);
  });

  it("may be read while another writes to nothing: with readOnly not a byte of it changes, nor one of ours comes", async () => {
    const directory = await leftByABroker();
    const before = hashesOf(directory);
    const log = await openLog(directory, { readOnly: true });
    expect(await log.read({ topic: "orders", partition: 0, offset: 0 })).toMatchObject({ value: "first 0" });
    await expect(log.adoptTopic("orders", { partitions: 2, cleanupPolicy: "delete" })).rejects.toMatchObject({ code: "READ_ONLY" });
    await log.close();
    expect(hashesOf(directory)).toEqual(before);
  });
});

describe("what else a broker keeps in its directory", () => {
  it("is left alone: -delete, -stray, -future, __cluster_metadata-0, and what nobody knows", async () => {
    const directory = await leftByABroker();
    const others = [
      "old-0.0123456789abcdef0123456789abcdef-delete",
      "odd-1.0123456789abcdef0123456789abcdef-stray",
      "new-2.0123456789abcdef0123456789abcdef-future",
      "__cluster_metadata-0",
      "lost+found",
      "not a partition",
    ];
    for (const name of others) {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, "00000000000000000000.log"), `bytes of ${name}`);
    }
    writeFileSync(join(directory, "bootstrap.checkpoint"), "kraft");
    const before = hashesOf(directory);
    const told = heard();
    const log = await openLog(directory, { onEvent: told.onEvent });
    expect(await log.listTopics()).toEqual(["audit", "orders"]);
    await log.createTopic("old");
    await log.maintain();
    await log.deleteTopic("old");
    await log.close();
    const after = hashesOf(directory);
    for (const [name, hash] of Object.entries(before)) {
      if (others.some((other) => name.startsWith(other)) || name === "bootstrap.checkpoint" || name === "meta.properties")
        expect(after[name], name).toBe(hash);
    }
    expect(readdirSync(directory).filter((name) => name.startsWith("old"))).toEqual([others[0]]);
  });
});

describe("the clean-shutdown marker", () => {
  const marker = (directory: string): boolean => readdirSync(directory).includes(".kafka_cleanshutdown");

  it("stands after our close where it stood before, so that a broker trusts the directory as it did", async () => {
    const directory = await leftByABroker();
    expect(marker(directory)).toBe(true);
    const log = await openLog(directory);
    expect(marker(directory)).toBe(false);
    await sendAll(log, "orders", ["no"]).catch(() => {});
    await log.close();
    expect(marker(directory)).toBe(true);
    const reader = await openLog(directory, { readOnly: true });
    expect(marker(directory)).toBe(true);
    await reader.close();
  });

  it("does not stand after our close where a broker's crash left topics of its own unrecovered", async () => {
    const directory = brokersDirectory("data-torn");
    expect(marker(directory)).toBe(false);
    const before = brokersFiles(directory);
    const log = await openLog(directory);
    await log.createTopic("ours");
    await sendAll(log, "ours", ["a"]);
    // Read up to the torn batch, which is passed over, not cut.
    const [{ logEndOffset } = { logEndOffset: 0 }] = (await log.describeTopic("orders")).partitions;
    expect(logEndOffset).toBeGreaterThan(0);
    await log.close();
    expect(marker(directory)).toBe(false);
    const after = brokersFiles(directory);
    for (const [name, hash] of Object.entries(before)) expect(after[name], name).toBe(hash);
    expect(await valuesIn(await openLog(directory), "ours")).toEqual(["a"]);
  });

  it("is there after every clean close of our own, and not while open", async () => {
    const directory = temporaryDirectory();
    const log = await openLog(directory);
    await log.createTopic("orders");
    expect(marker(directory)).toBe(false);
    await log.close();
    expect(marker(directory)).toBe(true);
  });
});

describe("what Kafka's classes wrote", () => {
  it("is read batch for batch, with the offsets the build log names", async () => {
    const directory = brokersDirectory("data-clean");
    const log = await openLog(directory);
    const [described] = (await log.describeTopic("orders")).partitions;
    const stored = ["00000000000000000000.log", "00000000000000000016.log"].flatMap((name) => {
      const file = new Uint8Array(readFileSync(join(directory, "orders-0", name)));
      const found: { baseOffset: number; lastOffset: number }[] = [];
      for (let position = 0; position < file.length; position += batchByteLengthAt(file, position)) {
        const { baseOffset, lastOffset } = readBatchHeader(file, position);
        found.push({ baseOffset, lastOffset });
      }
      return found;
    });
    expect(described).toMatchObject({ logStartOffset: stored[0]?.baseOffset, logEndOffset: (stored.at(-1)?.lastOffset ?? 0) + 1 });
    const consumer = log.consumer({ key: bytes, value: bytes, isolationLevel: "readUncommitted" });
    const orders = { topic: "orders", partition: 0 };
    await consumer.assign([orders]);
    const offsets: number[] = [];
    for await (const batch of consumer.batches({ until: "end" })) for (const record of batch) offsets.push(record.offset);
    expect(offsets.length).toBeGreaterThan(8);
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
    for (const offset of offsets) expect(stored.some((batch) => batch.baseOffset <= offset && offset <= batch.lastOffset)).toBe(true);
  });
});
