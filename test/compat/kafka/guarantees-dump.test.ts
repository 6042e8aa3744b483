import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../../scripts/run.mjs";
import { dumpLog } from "../../../src/cli/dump-log.ts";
import type { Dumped } from "../../../src/cli/dump-source.ts";
import { contextFor, verifyDirectory } from "../../../src/cli/verification.ts";
import { open } from "../../../src/index.ts";
import { recordLine } from "./history.ts";
import type { Isolation } from "./kafka-clients.ts";
import { dumpedBatches, dumpedMarkers, dumpedProducers, dumpedRecords, dumpedWords } from "./kafka-dump.ts";
import { OdradekClients, writableCodecs } from "./odradek-clients.ts";
import { filesEndingIn, logFiles } from "./partition-files.ts";
import { type RawRecord, recordHash } from "./record-hash.ts";
import { KafkaReader, withoutRolls } from "./rig.ts";
import { Workload, workloadIndexIntervalBytes } from "./workload.ts";

const home = join(projectRoot, "build/kafka/guarantees-dump");
const directory = join(home, "ours");
const seed = Number(process.env.ODRADEK_SEED ?? Date.now() % 2 ** 31);
const isolations: readonly Isolation[] = ["read_committed", "read_uncommitted"];
const rounds = 3;

describe(`kafka-dump-log on what Odradek compressed (${writableCodecs.join(", ")}), compacted and committed (ODRADEK_SEED=${seed})`, () => {
  const ours = new Workload("our-", seed);
  /** By isolation level and topic, what Odradek reads at the end. */
  const read = new Map<string, readonly (readonly RawRecord[])[]>();
  let reader: KafkaReader;
  let offsets: readonly string[];

  beforeAll(async () => {
    rmSync(home, { recursive: true, force: true });
    reader = new KafkaReader();
    ours.codecs = writableCodecs;
    const log = await open(directory);
    const clients = new OdradekClients(log);
    await ours.create(clients, "segment.bytes");
    await ours.compress(clients);
    await ours.transact(clients);
    for (let round = 0; round < rounds; round++) {
      await ours.overwrite(clients, round);
      await ours.roll(clients);
      await log.maintain();
    }
    for (const isolation of isolations)
      for (const topic of ours.topics) read.set(`${isolation} ${topic}`, await clients.read(topic, isolation));
    offsets = await clients.offsets(ours.group);
    await log.close();
  });
  afterAll(async () => {
    await reader.close();
  });

  const partitions = (): { topic: string; partition: number; folder: string }[] =>
    ours.topics.flatMap((topic) =>
      (read.get(`read_committed ${topic}`) ?? []).map((_, partition) => ({
        topic,
        partition,
        folder: join(directory, `${topic}-${partition}`),
      })),
    );

  it("is first read by Odradek itself as it was written, compacted topics as the history allows", () => {
    for (const isolation of isolations) {
      for (const topic of ours.topics) {
        for (const [partition, records] of (read.get(`${isolation} ${topic}`) ?? []).entries()) {
          if (!ours.isCompacted(topic)) {
            expect(records.map(recordLine)).toEqual(ours.history.records(topic, partition, isolation).map(recordLine));
          } else if (isolation === "read_committed") {
            expect(ours.history.compactionFaults(topic, partition, records.map(recordLine))).toEqual([]);
            expect(records.length).toBeLessThan(ours.history.records(topic, partition, isolation).length / 2);
          }
        }
      }
    }
    expect(offsets).toEqual(ours.history.offsets(ours.group));
  });

  it("has the same records for Kafka's classes, every checksum right", async () => {
    for (const { topic, partition, folder } of partitions()) {
      const records = read.get(`read_uncommitted ${topic}`)?.[partition] ?? [];
      const found = await reader.records(logFiles(folder));
      expect(found, folder).toMatchObject({ recordCount: records.length, unreadByteLength: 0, hash: recordHash(records) });
    }
  });

  it("prints batch by batch what our dump prints: producers, sequences, codecs, control batches, delete horizons, emptied ones", async () => {
    const codecs = new Set<string>();
    let emptied = 0;
    let horizons = 0;
    for (const { topic, folder } of partitions()) {
      for (const file of logFiles(folder)) {
        const { printed, complained } = await reader.dump([file], ["--print-data-log", "--deep-iteration"]);
        expect(printed).not.toMatch(/isvalid: false|invalid bytes|Exception/i);
        if (!ours.isCompacted(topic)) expect(withoutRolls(complained)).toBe("");
        const dumped = await ourDump(file);
        const batches = dumpedBatches(printed);
        expect(batches, file).toEqual(dumped.filter(({ type }) => type === "batch").map(asKafkas));
        expect(dumpedMarkers(printed), file).toEqual(
          dumped.filter(({ type }) => type === "marker").map(({ type: _, timestamp: __, ...marker }) => marker),
        );
        expect(
          dumpedRecords(printed).map(({ offset, timestamp }) => [offset, timestamp]),
          file,
        ).toEqual(dumped.filter(({ type }) => type === "record").map(({ offset, timestamp }) => [offset, timestamp]));
        for (const batch of batches) {
          codecs.add(batch.compressionType);
          if (batch.recordCount === 0) emptied++;
          if (batch.deleteHorizonMs !== null) horizons++;
        }
      }
    }
    expect([...codecs].sort()).toEqual([...writableCodecs, "none"].sort());
    expect(emptied).toBeGreaterThan(0);
    expect(horizons).toBeGreaterThan(0);
  });

  it("has the indexes, transaction indexes and producer states that Kafka's recovery makes of the same logs", async () => {
    let transactionIndexCount = 0;
    for (const { topic, folder } of partitions()) {
      const copy = join(home, "rebuilt", basename(folder));
      mkdirSync(copy, { recursive: true });
      for (const file of logFiles(folder)) copyFileSync(file, join(copy, basename(file)));
      await reader.rebuild(copy, workloadIndexIntervalBytes, 10_485_760);
      const isCompacted = ours.isCompacted(topic);
      for (const file of filesEndingIn(copy, [".index", ".timeindex", ".txnindex"])) {
        const name = basename(file);
        const [theirs, mine] = [hexOf(copy, name), hexOf(folder, name)];
        if (name.endsWith(".txnindex")) transactionIndexCount += theirs === "" ? 0 : 1;
        if (!isCompacted) expect(mine, join(folder, name)).toBe(theirs);
        // Recovery writes none for a transaction of which the cleaner has left its marker alone; the cleaner leaves its entry for a pass.
        else if (name.endsWith(".txnindex")) expect(entriesOf(mine), join(folder, name)).toEqual(expect.arrayContaining(entriesOf(theirs)));
      }
      for (const file of isCompacted ? [] : filesEndingIn(copy, [".snapshot"])) {
        const ourFile = join(folder, basename(file));
        expect(await dumpSnapshot(ourFile), ourFile).toEqual(await dumpSnapshot(file));
      }
    }
    expect(transactionIndexCount).toBeGreaterThan(2);
  });

  const dumpSnapshot = async (file: string): Promise<string[]> =>
    readdirSync(dirname(file)).includes(basename(file)) ? dumpedProducers((await reader.dump([file], [])).printed) : [];

  it("is whole to verify", async () => {
    const context = await contextFor(directory, true);
    const { defects, partitions: all } = await verifyDirectory(context, () => {});
    await context.storage.close();
    expect([...defects, ...all.flatMap((each) => each.defects)]).toEqual([]);
  });

  it("decodes where each transaction stands, and what the group committed within them and without", async () => {
    const states = new Map<string, { transactionStatus: number; producerId: number }>();
    for (const { key, value } of await words("__transaction_state-", "--transaction-log-decoder")) {
      const { transactionalId } = (key as { data: { transactionalId: string } }).data;
      states.set(transactionalId, (value as { data: { transactionStatus: number; producerId: number } }).data);
    }
    // 4 and 5: complete.
    expect([...states].map(([id, { transactionStatus }]) => [id, [4, 5].includes(transactionStatus)]).sort()).toEqual([
      ["our-first", true],
      ["our-second", true],
    ]);
    const seen = new Map<string, number>();
    for (const { key, value } of await words("__consumer_offsets-", "--offsets-decoder")) {
      const { data } = key as { data: { group: string; topic: string; partition: number } };
      if (data.group === ours.group) seen.set(`${data.topic} ${data.partition}`, (value as { data: { offset: number } }).data.offset);
    }
    // Offsets of a transaction that aborts are not even written.
    expect([...seen].map((each) => each.join(" ")).sort()).toEqual(ours.history.offsets(ours.group));
  });

  async function words(prefix: string, flag: string): Promise<ReturnType<typeof dumpedWords>> {
    const files = readdirSync(directory)
      .filter((name) => name.startsWith(prefix))
      .flatMap((name) => logFiles(join(directory, name)));
    expect(files.length).toBeGreaterThan(0);
    return dumpedWords((await reader.dump(files, [flag])).printed);
  }
});

/** "" where there is no such file: an empty transaction index may be missing. */
function hexOf(folder: string, name: string): string {
  return readdirSync(folder).includes(name) ? readFileSync(join(folder, name)).toString("hex") : "";
}

function entriesOf(hex: string): string[] {
  return hex.match(/.{68}/g) ?? [];
}

async function ourDump(file: string): Promise<Dumped[]> {
  const { storage, core, compression } = await contextFor(dirname(file), true);
  const name = basename(file);
  const log = await storage.open(name, { create: "no", readOnly: true });
  const dumped: Dumped[] = [];
  const source = { core, compression, file: log, name, topic: "", partition: 0, baseOffset: Number(basename(file, ".log")) };
  for await (const line of dumpLog(source, true)) dumped.push(line);
  await log.close();
  await storage.close();
  return dumped;
}

/** Our line of a batch, in the fields that kafka-dump-log prints as well. */
function asKafkas(line: Dumped): object {
  const { baseOffset, lastOffset, recordCount, baseSequence, producerEpoch, transactional, control, deleteHorizonMs } = line;
  const { position, byteLength, compressionType } = line;
  return {
    baseOffset,
    lastOffset,
    recordCount,
    baseSequence,
    producerId: String(line["producerId"]),
    producerEpoch,
    transactional,
    control,
    deleteHorizonMs,
    position,
    byteLength,
    compressionType,
    crc: Number.parseInt(line["crc"] as string, 16),
  };
}
