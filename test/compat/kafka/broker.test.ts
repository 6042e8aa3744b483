import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../../scripts/run.mjs";
import { bytes, type Odradek, open } from "../../../src/index.ts";
import { Broker } from "./broker.ts";
import { leaderEpochOf, logFiles, replacePartition } from "./partition-files.ts";
import { keep, type RawRecord, recordHash } from "./record-hash.ts";
import { client, java, KafkaReader } from "./rig.ts";
import { writeAndDie } from "./unclean-writer.ts";

const home = join(projectRoot, "build/kafka/exchange");
const partitionCount = 3;
const codecs = ["gzip", "snappy", "lz4", "zstd"];

interface Consumed {
  readonly recordCount: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly firstOffset: number;
    readonly nextOffset: number;
    readonly recordCount: number;
    readonly hash: string;
  }[];
}
interface Group {
  readonly offsets: readonly { readonly topic: string; readonly partition: number; readonly nextOffset: number }[];
}

/** Everything in a topic, by partition, as bytes. */
async function readTopic(log: Odradek, topic: string, partitions: number): Promise<RawRecord[][]> {
  const consumer = log.consumer({ key: bytes, value: bytes });
  await consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition })));
  const records: RawRecord[][] = Array.from({ length: partitions }, () => []);
  for await (const record of consumer.records({ until: "end" })) records[record.partition]?.push(keep(record));
  await consumer.close();
  return records;
}

describe("a broker on files that Odradek wrote", () => {
  const ours = join(home, "ours");
  let broker: Broker;
  let reader: KafkaReader;
  let written: RawRecord[][];
  let topicId: string;

  beforeAll(async () => {
    rmSync(ours, { recursive: true, force: true });
    reader = new KafkaReader();
    broker = await Broker.create(join(home, "broker"));
    await broker.start();
    ({ topicId } = await client<{ topicId: string }>(broker.bootstrap, "create", "orders", partitionCount));
    // An empty topic leaves no epoch behind; one record does.
    await client(broker.bootstrap, "produce", "orders", 60, 1);
    await broker.stop();
  });
  afterAll(async () => {
    await broker.stop();
    await reader.close();
  });

  it("keeps every acknowledged record through five unclean opens", async () => {
    const first = await open(ours);
    await first.createTopic("orders", { partitions: partitionCount, segmentBytes: 20_000, indexIntervalBytes: 200, topicId });
    await first.close();
    const promised = new Set<string>();
    for (let round = 0; round < 5; round++) for (const each of await writeAndDie(ours, "orders", partitionCount, round)) promised.add(each);
    const log = await open(ours);
    written = await readTopic(log, "orders", partitionCount);
    await log.close();
    const kept = new Set(written.flatMap((records, partition) => records.map(({ offset }) => `${partition} ${offset}`)));
    expect([...promised].filter((each) => !kept.has(each))).toEqual([]);
    expect(promised.size).toBeGreaterThan(1000);
  });

  it("starts on them without recovery, truncation, rebuilt index or stray directory, and has every record", async () => {
    for (let partition = 0; partition < partitionCount; partition++) {
      const name = `orders-${partition}`;
      // Made with the broker's topic id, ours says the same as the broker's, byte for byte.
      expect(readFileSync(join(ours, name, "partition.metadata"))).toEqual(
        readFileSync(join(broker.logDirectory, name, "partition.metadata")),
      );
      replacePartition(join(ours, name), join(broker.logDirectory, name), leaderEpochOf(broker.logDirectory, name));
    }
    await broker.start();
    expect(broker.mendingLines()).toEqual([]);
    expect(readdirSync(broker.logDirectory).filter((name) => /stray|delete/.test(name))).toEqual([]);
    const total = written.reduce((sum, records) => sum + records.length, 0);
    const consumed = await client<Consumed>(broker.bootstrap, "consume", "orders", "witness", total);
    expect(consumed.partitions).toEqual(
      written.map((records, partition) => ({
        partition,
        firstOffset: 0,
        nextOffset: (records.at(-1)?.offset ?? -1) + 1,
        recordCount: records.length,
        hash: recordHash(records),
      })),
    );
  });

  it("lets a Java group read, commit, end, and go on in another process", async () => {
    const total = written.reduce((sum, records) => sum + records.length, 0);
    const half = Math.floor(total / 2);
    const before = await client<Consumed>(broker.bootstrap, "consume", "orders", "billing", half);
    const after = await client<Consumed>(broker.bootstrap, "consume", "orders", "billing", total - half);
    expect(before.recordCount + after.recordCount).toBe(total);
    const stopped = new Map(before.partitions.map(({ partition, nextOffset }) => [partition, nextOffset]));
    for (const { partition, firstOffset, hash } of after.partitions) {
      expect(firstOffset).toBe(stopped.get(partition) ?? 0);
      expect(hash).toBe(recordHash((written[partition] ?? []).filter(({ offset }) => offset >= firstOffset)));
    }
  });

  it("appends to them, and starts on them once more", async () => {
    await client(broker.bootstrap, "produce", "orders", 500, 2);
    await broker.stop();
    await broker.start();
    expect(broker.mendingLines()).toEqual([]);
    const total = written.reduce((sum, records) => sum + records.length, 500);
    expect((await client<Consumed>(broker.bootstrap, "consume", "orders", "late", total)).recordCount).toBe(total);
  });
});

describe("Odradek on files that a broker wrote", () => {
  const copy = join(home, "theirs");
  let broker: Broker;
  let reader: KafkaReader;
  let committed: Group;

  beforeAll(async () => {
    reader = new KafkaReader();
    broker = await Broker.create(join(home, "origin"));
    await broker.start();
    await client(broker.bootstrap, "create", "events", partitionCount, "segment.bytes=1048576", "index.interval.bytes=100");
    await client(broker.bootstrap, "produce", "events", 20_000, 3);
    for (const codec of codecs) {
      await client(broker.bootstrap, "create", codec, 1);
      await client(broker.bootstrap, "produce", codec, 100, 4, codec);
    }
    await client(broker.bootstrap, "consume", "events", "readers", 7000);
    committed = await client<Group>(broker.bootstrap, "group", "readers");
    await broker.stop();
    rmSync(copy, { recursive: true, force: true });
    cpSync(broker.logDirectory, copy, { recursive: true });
  });
  afterAll(async () => {
    await broker.stop();
    await reader.close();
  });

  it("reads every record, header and timestamp as Kafka's own classes do", async () => {
    const log = await open(copy);
    const records = await readTopic(log, "events", partitionCount);
    // Old enough for any retention: the next test shows that nothing was deleted.
    await log.maintain();
    await log.close();
    expect(records.reduce((sum, each) => sum + each.length, 0)).toBe(20_000);
    for (const [partition, each] of records.entries()) {
      const theirs = await reader.records(logFiles(join(broker.logDirectory, `events-${partition}`)));
      expect(theirs).toMatchObject({ recordCount: each.length, hash: recordHash(each) });
    }
  });

  it.each(codecs)("reads what was compressed with %s as Kafka's own classes do", async (codec) => {
    const log = await open(copy);
    const [records] = await readTopic(log, codec, 1);
    await log.close();
    const theirs = await reader.records(logFiles(join(broker.logDirectory, `${codec}-0`)));
    expect(theirs).toMatchObject({ recordCount: 100, hash: recordHash(records as RawRecord[]) });
  });

  it("leaves the broker's segments and identity as they were", () => {
    const kept = /\.log$|^meta\.properties$|^partition\.metadata$/;
    const names = readdirSync(broker.logDirectory, { recursive: true, withFileTypes: true });
    expect(logFiles(join(copy, "events-0")).length).toBeGreaterThan(1);
    for (const { name, parentPath } of names.filter((entry) => entry.isFile() && kept.test(entry.name))) {
      const file = join(parentPath, name);
      const twin = join(copy, file.slice(broker.logDirectory.length));
      expect(readFileSync(twin).equals(readFileSync(file)), file).toBe(true);
    }
  });

  it("knows what a group committed at the broker", async () => {
    const log = await open(copy);
    const { offsets } = await log.describeGroup("readers");
    await log.close();
    const plain = (all: Group["offsets"]): string[] =>
      all.map(({ topic, partition, nextOffset }) => `${topic} ${partition} ${nextOffset}`).sort();
    expect(committed.offsets.length).toBeGreaterThan(0);
    expect(plain(offsets)).toEqual(plain(committed.offsets));
  });
});

describe("a group that committed through Odradek, at a broker", () => {
  it("is shown with its offsets by Kafka's tools", async () => {
    const ours = join(home, "groups");
    rmSync(ours, { recursive: true, force: true });
    const log = await open(ours);
    await log.createTopic("orders", { partitions: partitionCount });
    const producer = log.producer({ key: bytes, value: bytes });
    await producer.sendBatch(
      Array.from({ length: 90 }, (_, index) => ({ topic: "orders", partition: index % partitionCount, value: new Uint8Array(5) })),
    );
    const consumer = log.consumer({ groupId: "shipping", key: bytes, value: bytes, enableAutoCommit: false });
    await consumer.subscribe(["orders"]);
    for await (const record of consumer.records({ until: "end" }))
      if (record.offset === 11 + record.partition) await consumer.commit(record);
    await consumer.close();
    await log.close();

    const broker = await Broker.create(join(home, "tools"));
    try {
      await broker.start();
      await client(broker.bootstrap, "create", "orders", partitionCount);
      await client(broker.bootstrap, "produce", "orders", 3, 5);
      // The broker makes __consumer_offsets when a group first commits.
      await client(broker.bootstrap, "consume", "orders", "someone", 3);
      await broker.stop();
      for (const name of readdirSync(ours).filter((each) => /^(?:__consumer_offsets|orders)-\d+$/.test(each))) {
        replacePartition(join(ours, name), join(broker.logDirectory, name), leaderEpochOf(broker.logDirectory, name));
      }
      await broker.start();
      expect(broker.mendingLines()).toEqual([]);
      const table = await java("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", [
        "--bootstrap-server",
        broker.bootstrap,
        "--describe",
        "--group",
        "shipping",
      ]);
      const shown = [...table.matchAll(/^shipping\s+orders\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/gm)].map((row) => row.slice(1).map(Number));
      expect(shown.sort()).toEqual([
        [0, 12, 30, 18],
        [1, 13, 30, 17],
        [2, 14, 30, 16],
      ]);
      const group = await client<Group>(broker.bootstrap, "group", "shipping");
      expect(group.offsets.map(({ partition, nextOffset }) => [partition, nextOffset]).sort()).toEqual([
        [0, 12],
        [1, 13],
        [2, 14],
      ]);
    } finally {
      await broker.stop();
    }
  });
});
