import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../../scripts/run.mjs";
import { contextFor, verifyDirectory } from "../../../src/cli/verification.ts";
import { type Odradek, type OdradekEvent, open } from "../../../src/index.ts";
import { Broker } from "./broker.ts";
import { cleaned } from "./cleaner-wait.ts";
import { printedByConsole } from "./console-consumer.ts";
import { recordFixture } from "./fixture-recorder.ts";
import { recordLine } from "./history.ts";
import { type Isolation, KafkaClients, type ReadPartition } from "./kafka-clients.ts";
import { OdradekClients, writableCodecs } from "./odradek-clients.ts";
import { leaderEpochOf, replacePartition } from "./partition-files.ts";
import { allCodecs, Workload } from "./workload.ts";

const home = join(projectRoot, "build/kafka/guarantees");
const isolations: readonly Isolation[] = ["read_committed", "read_uncommitted"];
const rounds = 2;

/** By isolation level and partition, the records as lines. */
type View = ReadonlyMap<string, readonly string[]>;

function viewOf(isolation: Isolation, partitions: readonly ReadPartition[]): View {
  return new Map(partitions.map(({ topic, partition, records }) => [`${isolation} ${topic}-${partition}`, records.map(recordLine)]));
}

async function brokersView(clients: KafkaClients, workload: Workload): Promise<View> {
  const views: View[] = [];
  for (const isolation of isolations) views.push(viewOf(isolation, await clients.read(workload.topics, isolation)));
  return new Map(views.flatMap((view) => [...view]));
}

async function ourView(log: Odradek, workload: Workload): Promise<View> {
  const clients = new OdradekClients(log);
  const view = new Map<string, readonly string[]>();
  for (const isolation of isolations)
    for (const topic of workload.topics)
      for (const [partition, records] of (await clients.read(topic, isolation)).entries())
        view.set(`${isolation} ${topic}-${partition}`, records.map(recordLine));
  return view;
}

/** What the history says of topics that nobody compacts. */
function expectAsWritten(view: View, { history, packed, accounts }: Workload): void {
  for (const [name, lines] of view) {
    const [, isolation, topic, partition] = /^(\w+) (.*)-(\d+)$/.exec(name) as unknown as [string, Isolation, string, string];
    if (topic !== packed && topic !== accounts) continue;
    expect(lines, name).toEqual(history.records(topic, Number(partition), isolation).map(recordLine));
  }
}

/** One partition after another: the difference of two whole views would fill a book. */
function expectSame(view: View, expected: View | undefined): void {
  expect([...view.keys()].sort()).toEqual([...(expected?.keys() ?? [])].sort());
  for (const [name, lines] of view) expect(lines, name).toEqual(expected?.get(name));
}

function expectCompacted(view: View, workload: Workload): void {
  for (const partition of workload.compactedPartitions) {
    const [, topic, number] = /^(.*)-(\d+)$/.exec(partition) as unknown as [string, string, string];
    const faults = workload.history.compactionFaults(topic, Number(number), view.get(`read_committed ${partition}`) ?? []);
    expect(faults, partition).toEqual([]);
  }
}

const offsetLines = (offsets: readonly { topic: string; partition: number; nextOffset: number }[]): string[] =>
  offsets.map(({ topic, partition, nextOffset }) => `${topic} ${partition} ${nextOffset}`).sort();

/**
 * One story, told in order: a broker writes, Odradek reads, takes over and writes on, and writes logs of its own; the broker goes on with
 * all of it, and is killed; Odradek reads what is left. Two starts of a broker serve it all, since each takes seconds.
 */
describe(`compressed, compacted and transactional logs between a broker and Odradek (which writes ${writableCodecs.join(", ")} here)`, () => {
  const theirs = new Workload("their-", 1);
  const ours = new Workload("our-", 2);
  const copy = join(home, "copy");
  const killed = join(home, "killed");
  let broker: Broker;
  let found: ReadonlyMap<Isolation, readonly ReadPartition[]>;
  let topicIds: ReadonlyMap<string, string>;
  /** What the broker's state of producers was, and the largest of their ids. */
  let largestProducerId: number;
  /** What Odradek read before it handed over. */
  let handedOver: { readonly theirs: View; readonly ours: View };

  beforeAll(async () => {
    rmSync(home, { recursive: true, force: true });
    broker = await Broker.create(join(home, "broker"), { "log.cleaner.backoff.ms": 100 });
    await broker.start();
    const clients = new KafkaClients(broker.bootstrap);
    topicIds = await ours.create(clients, "internal.segment.bytes");
    await theirs.create(clients, "internal.segment.bytes");
    await theirs.compress(clients);
    await theirs.transact(clients);
    for (let round = 0; round < rounds; round++) {
      await theirs.overwrite(clients, round);
      await theirs.roll(clients);
      await cleaned(broker.logDirectory, theirs.compactedPartitions);
    }
    await theirs.leaveOpen(clients);
    found = new Map([
      ["read_committed", await clients.read(theirs.topics, "read_committed")],
      ["read_uncommitted", await clients.read(theirs.topics, "read_uncommitted")],
    ]);
    const { group } = theirs;
    const offsets = await clients.offsets(group);
    const producers = await clients.producers(theirs.topics);
    const transactions = await clients.transactions();
    largestProducerId = Math.max(...producers.map(({ producerId }) => producerId), ...transactions.map(({ producerId }) => producerId));
    await clients.close();
    await broker.stop();
    const fixture = process.env.ODRADEK_RECORD;
    if (fixture !== undefined) recordFixture(fixture, broker.logDirectory, { read: found, group, offsets, producers, transactions });
    cpSync(broker.logDirectory, copy, { recursive: true });
    for (const name of readdirSync(copy)) if (name.startsWith("our-")) rmSync(join(copy, name), { recursive: true });
  });
  afterAll(async () => {
    await broker.stop();
  });

  const seen = (): View => new Map(isolations.flatMap((isolation) => [...viewOf(isolation, found.get(isolation) ?? [])]));

  // Without these two, Odradek might be held against a history that nobody else believes.
  it("are seen by Kafka's own consumer as the history says, under both isolation levels", () => {
    expectAsWritten(seen(), theirs);
  });

  it("are compacted by the broker's cleaner to what the history allows, and to less than half", () => {
    expectCompacted(seen(), theirs);
    for (const { topic, partition, records } of found.get("read_committed") ?? []) {
      if (!theirs.isCompacted(topic)) continue;
      expect(records.length).toBeLessThan(theirs.history.records(topic, partition, "read_committed").length / 2);
    }
  });

  it("are read by Odradek as by Kafka's consumer, before they are adopted, with the same ends and committed offsets", async () => {
    const log = await open(copy);
    expectSame(await ourView(log, theirs), seen());
    for (const { topic, partition, endOffset } of found.get("read_committed") ?? [])
      expect((await log.describeTopic(topic)).partitions[partition]?.lastStableOffset, `${topic}-${partition}`).toBe(endOffset);
    expect(await new OdradekClients(log).offsets(theirs.group)).toEqual(theirs.history.offsets(theirs.group));
    await log.close();
  });

  it("are adopted, and what was left open is aborted at the next open", async () => {
    const log = await open(copy);
    for (const topic of theirs.topics) {
      const partitions = (await log.describeTopic(topic)).partitions.length;
      await log.adoptTopic(topic, { partitions, cleanupPolicy: theirs.isCompacted(topic) ? "compact" : "delete" });
      await log.alterTopic(topic, { retentionMs: Number.POSITIVE_INFINITY, segmentBytes: 6000, minCleanableDirtyRatio: 0.01 });
    }
    await log.close();
    theirs.history.abortOpen();
    const again = await open(copy);
    expectAsWritten(await ourView(again, theirs), theirs);
    expect(await new OdradekClients(again).offsets(theirs.group)).toEqual(theirs.history.offsets(theirs.group));
    await again.close();
  });

  it("are written on by Odradek, under producer ids of its own or the transactional ids that they have, and compacted", async () => {
    const events: OdradekEvent[] = [];
    const log = await open(copy, { onEvent: (event) => events.push(event) });
    const clients = new OdradekClients(log, topicIds);
    await ours.create(clients, "segment.bytes");
    for (const workload of [ours, theirs]) {
      workload.codecs = writableCodecs;
      await workload.compress(clients);
      await workload.transact(clients);
      for (let round = 0; round < rounds; round++) {
        await workload.overwrite(clients, rounds + round);
        await workload.roll(clients);
        await log.maintain();
      }
    }
    const fresh = await log
      .producer({ transactionalId: "fresh" })
      .transaction((tx) => tx.send({ topic: ours.packed, partition: 0, value: null }));
    ours.history.add(ours.packed, 0, { ...fresh, key: null, value: null, headers: [] }, { state: "committed" });
    expect(events.filter(({ type }) => type === "log.compacted").length).toBeGreaterThan(0);
    handedOver = { theirs: await ourView(log, theirs), ours: await ourView(log, ours) };
    for (const workload of [ours, theirs]) {
      expectAsWritten(await ourView(log, workload), workload);
      expect(await clients.offsets(workload.group)).toEqual(workload.history.offsets(workload.group));
    }
    await log.close();
  });

  it("are taken back by the broker without recovery, truncation, rebuilt index or stray directory, and read alike", async () => {
    for (const name of readdirSync(copy)) {
      if (!/^(?:our|their)-.*-\d+$|^__(?:consumer_offsets|transaction_state)-\d+$/.test(name)) continue;
      expect(existsSync(join(broker.logDirectory, name)), name).toBe(true);
      replacePartition(join(copy, name), join(broker.logDirectory, name), leaderEpochOf(broker.logDirectory, name));
    }
    copyFileSync(join(copy, "cleaner-offset-checkpoint"), join(broker.logDirectory, "cleaner-offset-checkpoint"));
    await broker.start();
    expect(broker.mendingLines()).toEqual([]);
    expect(readdirSync(broker.logDirectory).filter((name) => /stray|delete/.test(name))).toEqual([]);
    const clients = new KafkaClients(broker.bootstrap);
    expectSame(await brokersView(clients, theirs), handedOver.theirs);
    expectSame(await brokersView(clients, ours), handedOver.ours);
    for (const workload of [theirs, ours])
      expect(offsetLines(await clients.offsets(workload.group))).toEqual(workload.history.offsets(workload.group));
    const transactions = await clients.transactions();
    expect(transactions.map(({ state }) => state).filter((state) => !["CompleteCommit", "CompleteAbort", "Empty"].includes(state))).toEqual(
      [],
    );
    const idOf = (id: string): number => transactions.find(({ transactionalId }) => transactionalId === id)?.producerId ?? -1;
    // An id that both wrote under kept its producer id; a new one of Odradek's lies above all that the broker had given away.
    expect(idOf("their-first")).toBeLessThanOrEqual(largestProducerId);
    expect(idOf("fresh")).toBeGreaterThan(largestProducerId);
    await clients.close();
  });

  it("are printed alike by Kafka's console consumer, compressed, compacted and transactional", async () => {
    const [compacted] = ours.topics.filter((topic) => ours.isCompacted(topic));
    for (const [topic, isolation] of [
      [ours.packed, "read_committed"],
      [ours.accounts, "read_uncommitted"],
      [ours.accounts, "read_committed"],
      [compacted as string, "read_committed"],
    ] as const) {
      const printed = await printedByConsole(broker.bootstrap, topic, isolation);
      const prefix = `${isolation} ${topic}-`;
      let count = 0;
      for (const [name, lines] of handedOver.ours) {
        if (!name.startsWith(prefix)) continue;
        // Headers, the last of a line, are for the other consumer.
        const expected = lines.map((line) => line.split(" ").slice(0, 4).join(" "));
        expect(printed.get(Number(name.slice(prefix.length))) ?? [], name).toEqual(expected);
        count += expected.length;
      }
      expect(count, prefix).toBeGreaterThan(0);
    }
  });

  it("are written on by Kafka's idempotent and transactional producers, and cleaned by its cleaner", async () => {
    const clients = new KafkaClients(broker.bootstrap);
    for (const workload of [theirs, ours]) {
      workload.codecs = allCodecs;
      await workload.compress(clients);
      await workload.transact(clients);
      await workload.overwrite(clients, 2 * rounds);
      await workload.roll(clients);
      await cleaned(broker.logDirectory, workload.compactedPartitions);
      const view = await brokersView(clients, workload);
      expectAsWritten(view, workload);
      expectCompacted(view, workload);
    }
    await ours.leaveOpen(clients);
    const views = [await brokersView(clients, theirs), await brokersView(clients, ours)];
    const offsets = [offsetLines(await clients.offsets(theirs.group)), offsetLines(await clients.offsets(ours.group))];
    await broker.kill();
    await clients.close();
    cpSync(broker.logDirectory, killed, { recursive: true });
    // Read only: what the broker left open stays open, and is seen as the broker showed it.
    const log = await open(killed, { readOnly: true });
    expectSame(await ourView(log, theirs), views[0]);
    expectSame(await ourView(log, ours), views[1]);
    const read = new OdradekClients(log);
    expect([await read.offsets(theirs.group), await read.offsets(ours.group)]).toEqual(offsets);
    await log.close();
  });

  it("come back to Odradek, which knows them by its catalogue, aborts what the broker left open, and writes on", async () => {
    copyFileSync(join(copy, "odradek.json"), join(killed, "odradek.json"));
    const events: OdradekEvent[] = [];
    const log = await open(killed, { onEvent: (event) => events.push(event) });
    ours.history.abortOpen();
    const clients = new OdradekClients(log);
    for (const workload of [theirs, ours]) {
      workload.codecs = writableCodecs;
      expectAsWritten(await ourView(log, workload), workload);
      await workload.transact(clients);
      await workload.overwrite(clients, 2 * rounds + 1);
      await workload.roll(clients);
      await log.maintain();
      expectAsWritten(await ourView(log, workload), workload);
      expectCompacted(await ourView(log, workload), workload);
      expect(await clients.offsets(workload.group)).toEqual(workload.history.offsets(workload.group));
    }
    await log.close();
    expect(events.filter(({ type }) => type === "recovery.cut")).toEqual([]);
    const context = await contextFor(killed, true);
    const { defects, partitions } = await verifyDirectory(context, () => {});
    await context.storage.close();
    expect([...defects, ...partitions.flatMap((each) => each.defects)]).toEqual([]);
  });

  it("keep Odradek's own files out of the broker's way: it says not a word of them", () => {
    expect(broker.log()).not.toMatch(/odradek|\.seal/);
    expect(readFileSync(join(killed, "meta.properties"), "utf8")).toBe(readFileSync(join(copy, "meta.properties"), "utf8"));
  });
});
