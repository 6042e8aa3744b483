import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../../scripts/run.mjs";
import { bytes, open } from "../../../src/index.ts";
import { type GeneratedDirectory, type GeneratedTopic, generateDirectory } from "./generated-log.ts";
import { type DumpedRecord, dumpedBatches, dumpedRecords } from "./kafka-dump.ts";
import { writableCodecs } from "./odradek-clients.ts";
import { filesEndingIn, logFiles } from "./partition-files.ts";
import { SeededRandom } from "./random.ts";
import { keep, type RawRecord, recordHash } from "./record-hash.ts";
import { type KafkaDump, KafkaReader, withoutRolls } from "./rig.ts";

const logCount = 200;
const directoryCount = 20;
const seed = Number(process.env.ODRADEK_SEED ?? Date.now() % 2 ** 31);

function asDumped({ offset, timestamp, key, value, headers }: RawRecord): DumpedRecord {
  return {
    offset,
    timestamp,
    keyByteLength: key?.byteLength ?? -1,
    valueByteLength: value?.byteLength ?? -1,
    headerNames: headers.map(([name]) => name).join(","),
  };
}

function expectNoComplaint({ printed, complained }: KafkaDump): void {
  expect(withoutRolls(complained)).toBe("");
  expect(printed).not.toMatch(/isvalid: false|invalid bytes|Mismatch|out of order|Non-consecutive|Exception/i);
}

describe(`kafka-dump-log on ${logCount} logs that Odradek wrote (ODRADEK_SEED=${seed})`, () => {
  let reader: KafkaReader;
  const home = join(projectRoot, "build/kafka/generated");
  const directories: GeneratedDirectory[] = [];

  beforeAll(async () => {
    reader = new KafkaReader();
    const random = new SeededRandom(seed);
    for (let index = 0; index < directoryCount; index++) {
      directories.push(await generateDirectory(random, join(home, `d${index}`), logCount / directoryCount, 1 + (index % 3)));
    }
  });
  afterAll(async () => {
    await reader.close();
    rmSync(home, { recursive: true, force: true });
  });

  interface Log {
    readonly folder: string;
    readonly openCount: number;
    readonly config: GeneratedTopic["config"];
    readonly records: readonly RawRecord[];
  }
  function* logs(): Generator<Log> {
    for (const { directory, openCount, topics } of directories) {
      for (const { name, config, partitions } of topics) {
        for (const [partition, records] of partitions.entries()) {
          yield { folder: join(directory, `${name}-${partition}`), openCount, config, records };
        }
      }
    }
  }

  it("has that many logs, rolled ones and ones with index entries among them", () => {
    const all = [...logs()];
    expect(all).toHaveLength(logCount);
    expect(all.filter(({ folder }) => logFiles(folder).length > 3).length).toBeGreaterThan(20);
    expect(all.reduce((sum, { records }) => sum + records.length, 0)).toBeGreaterThan(20_000);
  });

  it("finds in each, by Kafka's own record classes and every checksum, exactly the records acknowledged", async () => {
    for (const { folder, records } of logs()) {
      const found = await reader.records(logFiles(folder));
      expect(found, folder).toMatchObject({ recordCount: records.length, unreadByteLength: 0, hash: recordHash(records) });
    }
  });

  it("prints each record as sent, of whatever codec and producer, and finds every offset index and time index right", async () => {
    const codecs = new Set<string>();
    const isIdempotent = new Set<boolean>();
    for (const { folder, records } of logs()) {
      const dump = await reader.dump(filesEndingIn(folder, [".log", ".index", ".timeindex"]), ["--print-data-log", "--deep-iteration"]);
      expectNoComplaint(dump);
      expect(dumpedRecords(dump.printed), folder).toEqual(records.map(asDumped));
      for (const { compressionType, producerId } of dumpedBatches(dump.printed)) {
        codecs.add(compressionType);
        isIdempotent.add(producerId !== "-1");
      }
    }
    expect([...codecs].sort()).toEqual([...writableCodecs, "none"].sort());
    expect(isIdempotent.size).toBe(2);
  });

  it("finds every index sane, as a broker asks at its start", async () => {
    for (const { folder } of logs()) {
      const indexes = filesEndingIn(folder, [".index", ".timeindex"]);
      const { printed, complained } = await reader.dump(indexes, ["--index-sanity-check"]);
      expect(complained).toBe("");
      expect(printed.match(/ (?:passed sanity check|is empty)\.$/gm)).toHaveLength(indexes.length);
    }
  });

  it("has, byte for byte, the indexes that Kafka's recovery makes of the same segments", async () => {
    const bench = join(home, "reindexed");
    let segmentCount = 0;
    for (const { folder, openCount, config } of logs()) {
      // The bytes since the last entry are counted anew at each open, by Kafka too; its recovery counts through.
      if (openCount > 1) continue;
      for (const file of logFiles(folder)) {
        rmSync(bench, { recursive: true, force: true });
        mkdirSync(bench, { recursive: true });
        copyFileSync(file, join(bench, basename(file)));
        const baseOffset = Number(basename(file, ".log"));
        await reader.reindex(bench, baseOffset, config.indexIntervalBytes ?? 4096, config.segmentIndexBytes ?? 10_485_760);
        for (const ending of [".index", ".timeindex"]) {
          const name = basename(file).replace(/\.log$/, ending);
          expect(readFileSync(join(folder, name)).toString("hex"), join(folder, name)).toBe(
            readFileSync(join(bench, name)).toString("hex"),
          );
        }
        segmentCount++;
      }
    }
    // Another draw each time: 99 of one seed were too few for a bound of 100.
    expect(segmentCount).toBeGreaterThan(60);
  });

  it("agrees with what Odradek itself reads", async () => {
    for (const { directory, topics } of directories) {
      const log = await open(directory);
      for (const { name, partitions } of topics) {
        const consumer = log.consumer({ key: bytes, value: bytes });
        await consumer.assign(partitions.map((_, partition) => ({ topic: name, partition })));
        const read: RawRecord[][] = partitions.map(() => []);
        for await (const record of consumer.records({ until: "end" })) read[record.partition]?.push(keep(record));
        expect(read.map(recordHash)).toEqual(partitions.map(recordHash));
        await consumer.close();
      }
      await log.close();
    }
  });
});

describe("kafka-dump-log on what a group committed through Odradek", () => {
  const directory = join(projectRoot, "build/kafka/committed");

  it("decodes each commit", async () => {
    rmSync(directory, { recursive: true, force: true });
    const log = await open(directory);
    await log.createTopic("orders", { partitions: 3 });
    const producer = log.producer({ key: bytes, value: bytes });
    await producer.sendBatch(
      Array.from({ length: 30 }, (_, index) => ({ topic: "orders", partition: index % 3, value: new Uint8Array(10) })),
    );
    const consumer = log.consumer({ groupId: "billing", key: bytes, value: bytes, enableAutoCommit: false });
    await consumer.subscribe(["orders"]);
    for await (const record of consumer.records({ until: "end" })) if (record.offset === 9) await consumer.commit(record);
    await consumer.commit([{ topic: "orders", partition: 2, nextOffset: 4 }], { durable: true });
    await consumer.close();
    await log.close();

    const folders = readdirSync(directory).filter((name) => name.startsWith("__consumer_offsets-"));
    const files = folders.flatMap((name) => logFiles(join(directory, name)));
    expect(files.length).toBeGreaterThan(0);
    const reader = new KafkaReader();
    const dump = await reader.dump(files, ["--offsets-decoder"]);
    await reader.close();
    expectNoComplaint(dump);
    const commits = new Map<string, number>();
    for (const [, key, payload] of dump.printed.matchAll(/ key: (\{.*?\}) payload: (\{.*\})$/gm)) {
      const { type, data } = JSON.parse(key ?? "") as { type: string; data: { group: string; topic: string; partition: number } };
      const { data: value } = JSON.parse(payload ?? "") as { data: { offset: number } };
      if (type === "1") commits.set(`${data.group} ${data.topic} ${data.partition}`, value.offset);
    }
    expect(Object.fromEntries(commits)).toEqual({ "billing orders 0": 10, "billing orders 1": 10, "billing orders 2": 4 });
    rmSync(directory, { recursive: true, force: true });
  });
});
