/**
 * A directory that a broker left: topics in all codecs, compacted by its own cleaner, with transactions committed, aborted and one open.
 * What is to be read was said by the broker's own consumer.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readBatchHeader } from "../../src/base/record-batch.ts";
import { bytes, type Odradek, open } from "../../src/index.ts";
import { keep, type RawRecord, recordHash } from "../compat/kafka/record-hash.ts";

interface SeenRecords {
  readonly isolation: "read_committed" | "read_uncommitted";
  readonly topic: string;
  readonly partition: number;
  readonly endOffset: number;
  readonly recordCount: number;
  readonly hash: string;
}

const fixture = "test/fixtures/broker";
const seen = readFileSync(join(fixture, "seen.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Record<string, unknown>);
const seenRecords = seen.filter((line) => line["seen"] === "records") as unknown as SeenRecords[];
const topics = ["their-packed", "their-accounts", "their-users", "their-graves"];
const policies = { "their-packed": "delete", "their-accounts": "delete", "their-users": "compact", "their-graves": "compact" } as const;
const largestProducerId = 18n;
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function copy(filter: (name: string) => boolean = () => true): string {
  const folder = mkdtempSync(join(tmpdir(), "odradek-broker-"));
  folders.push(folder);
  cpSync(join(fixture, "data"), folder, { recursive: true, filter });
  return folder;
}

async function readAll(log: Odradek, topic: string, isolation: SeenRecords["isolation"]): Promise<RawRecord[][]> {
  const { length } = (await log.describeTopic(topic)).partitions;
  const consumer = log.consumer({
    key: bytes,
    value: bytes,
    isolationLevel: isolation === "read_committed" ? "readCommitted" : "readUncommitted",
  });
  await consumer.assign(Array.from({ length }, (_, partition) => ({ topic, partition })));
  const records: RawRecord[][] = Array.from({ length }, () => []);
  for await (const record of consumer.records({ until: "end" })) records[record.partition]?.push(keep(record));
  await consumer.close();
  return records;
}

async function expectAsSeen(log: Odradek): Promise<void> {
  for (const topic of topics) {
    for (const isolation of ["read_committed", "read_uncommitted"] as const) {
      const all = await readAll(log, topic, isolation);
      const expected = seenRecords.filter((each) => each.topic === topic && each.isolation === isolation);
      expect(all).toHaveLength(expected.length);
      for (const { partition, recordCount, hash } of expected) {
        const records = all[partition] as RawRecord[];
        expect({ recordCount: records.length, hash: recordHash(records) }, `${topic}-${partition} ${isolation}`).toEqual({
          recordCount,
          hash,
        });
      }
    }
  }
}

function filesOf(directory: string): Map<string, string> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map(({ name, parentPath }) => {
      const file = join(parentPath, name);
      return [file.slice(directory.length), readFileSync(file).toString("hex")];
    }),
  );
}

describe("a broker's directory, its topics not adopted", () => {
  it("is read as the broker's consumer read it, record by record, under both isolation levels", async () => {
    await using log = await open(copy());
    await expectAsSeen(log);
  });

  it("has the broker's last stable offsets, with a transaction still open", async () => {
    await using log = await open(copy());
    for (const topic of topics) {
      const { partitions } = await log.describeTopic(topic);
      for (const { partition, endOffset } of seenRecords.filter((each) => each.topic === topic && each.isolation === "read_committed"))
        expect(partitions[partition]?.lastStableOffset, `${topic}-${partition}`).toBe(endOffset);
    }
  });

  it("knows what the group committed, in a transaction that committed and in none that aborted or is open", async () => {
    await using log = await open(copy());
    const plain = ({ topic, partition, nextOffset }: Record<string, unknown>): string => `${topic} ${partition} ${nextOffset}`;
    const { offsets } = await log.describeGroup("their-group");
    expect(offsets.map((each) => plain({ ...each })).sort()).toEqual(
      seen
        .filter((line) => line["seen"] === "offset")
        .map(plain)
        .sort(),
    );
  });

  it("keeps every byte of those topics through reading, maintenance and a close", async () => {
    const directory = copy();
    const before = filesOf(directory);
    const log = await open(directory);
    await expectAsSeen(log);
    await log.maintain();
    await log.close();
    const after = filesOf(directory);
    for (const [name, contents] of before) if (name.startsWith("/their-")) expect(after.get(name) === contents, name).toBe(true);
    expect([...after.keys()].filter((name) => name.startsWith("/their-") && !before.has(name))).toEqual([]);
  });

  it.each([
    ["no marker of a clean stop", (name: string) => !name.endsWith(".kafka_cleanshutdown")],
    ["no producer snapshot", (name: string) => !name.endsWith(".snapshot")],
    // With its checkpoints and indexes: after those, a segment without a transaction index has no aborted transactions, for Kafka as for us.
    ["nothing but its logs", (name: string) => !/\.(txnindex|snapshot|index|timeindex)$|checkpoint$|cleanshutdown$/.test(name)],
  ])("is read alike with %s", async (_, filter) => {
    await using log = await open(copy(filter));
    await expectAsSeen(log);
  });
});

describe("a broker's directory, its topics adopted", () => {
  async function adopt(log: Odradek): Promise<void> {
    for (const topic of topics) {
      const partitions = (await log.describeTopic(topic)).partitions.length;
      await log.adoptTopic(topic, { partitions, cleanupPolicy: policies[topic as keyof typeof policies] });
    }
  }

  it("hands out producer ids above all that the broker did, also those that it has forgotten by now", async () => {
    const directory = copy();
    const log = await open(directory);
    await adopt(log);
    const producer = log.producer({ key: bytes, value: bytes });
    const { offset } = await producer.send({ topic: "their-packed", partition: 0, value: new Uint8Array(5) });
    await log.close();
    const [last] = readdirSync(join(directory, "their-packed-0"))
      .filter((name) => name.endsWith(".log"))
      .sort()
      .slice(-1);
    const file = readFileSync(join(directory, "their-packed-0", last as string));
    let written = readBatchHeader(file);
    for (let at = written.byteLength; at < file.byteLength; at += written.byteLength) written = readBatchHeader(file, at);
    expect(written.baseOffset).toBe(offset);
    expect(written.producerId).toBeGreaterThan(largestProducerId);
    expect(written.baseSequence).toBe(0);
  });

  it("shows the same records, and aborts what its producer left open", async () => {
    const directory = copy();
    const first = await open(directory);
    await adopt(first);
    await first.close();
    await using log = await open(directory);
    for (const topic of topics) {
      for (const { highWatermark, lastStableOffset } of (await log.describeTopic(topic)).partitions)
        expect(lastStableOffset).toBe(highWatermark);
    }
    const [uncommitted] = await readAll(log, "their-accounts", "read_uncommitted");
    const [committed] = await readAll(log, "their-accounts", "read_committed");
    const expected = seenRecords.find(
      (each) => each.topic === "their-accounts" && each.partition === 0 && each.isolation === "read_uncommitted",
    );
    expect(recordHash(uncommitted as RawRecord[])).toBe(expected?.hash);
    // Behind the open transaction of 5 stood a committed one of 6 and an aborted one of 6: now the committed one is seen.
    const before = seenRecords.find(
      (each) => each.topic === "their-accounts" && each.partition === 0 && each.isolation === "read_committed",
    );
    expect(committed).toHaveLength((before?.recordCount ?? 0) + 6);
  });
});

describe("a directory of ours that a broker went on with", () => {
  // A broker had gone on with partitions in which our state still stood, compacted them, and was killed. Without a catalogue their policy
  // passed for "delete", and the first gap that its cleaner had left for the torn end of the log: what stood behind it was not shown. And
  // the segment that our state names was cleaned, alone or together with the one before it: that passed for a loss.
  it.each([
    ["its topics not adopted", "alone", /^users-/],
    ["its topics not adopted", "merged", /^users-/],
    ["its catalogue kept", "alone", /^users-|odradek\.json/],
    ["its catalogue kept", "merged", /^users-|odradek\.json/],
  ] as const)("is read past the gaps that its cleaner left, by a state of before: %s, segments cleaned %s", async (_, how, kept) => {
    const directory = mkdtempSync(join(tmpdir(), "odradek-gone-on-"));
    folders.push(directory);
    const state = join(directory, "users-0/odradek.state");
    const overwrite = async (log: Odradek, round: number, count: number): Promise<void> => {
      const producer = log.producer({ key: bytes, value: bytes });
      for (let index = 0; index < count; index++) {
        const key = Buffer.from(`k${index % 7}-${index % 3 === 0 ? `${round}-${index}` : ""}`);
        await producer.send({ topic: "users", key, value: new Uint8Array(100) });
      }
      await producer.close();
    };
    const first = await open(directory);
    await first.createTopic("users", { cleanupPolicy: "compact", segmentBytes: 4000, minCleanableDirtyRatio: 0.01 });
    await overwrite(first, 0, how === "merged" ? 23 : 20);
    await first.close();
    const stateOfBefore = readFileSync(state);
    const [activeOfBefore] = readdirSync(join(directory, "users-0"))
      .filter((name) => name.endsWith(".log"))
      .sort()
      .slice(-1);
    const later = await open(directory);
    for (let round = 1; round < 4; round++) {
      await overwrite(later, round, 60);
      await later.maintain();
    }
    const records = await readAll(later, "users", "read_committed");
    await later.close();
    expect(existsSync(join(directory, "users-0", activeOfBefore as string))).toBe(how === "alone");
    writeFileSync(state, stateOfBefore);
    for (const name of readdirSync(directory)) if (!kept.test(name)) rmSync(join(directory, name), { recursive: true });
    for (const name of readdirSync(join(directory, "users-0"))) if (name.endsWith(".seal")) rmSync(join(directory, "users-0", name));
    const log = await open(directory);
    expect(recordHash((await readAll(log, "users", "read_committed"))[0] as RawRecord[])).toBe(recordHash(records[0] as RawRecord[]));
    if (kept.test("odradek.json")) await overwrite(log, 9, 10);
    await log.close();
  });
});
