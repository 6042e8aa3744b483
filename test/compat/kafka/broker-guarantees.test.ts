import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../../scripts/run.mjs";
import { Broker } from "./broker.ts";
import { cleaned } from "./cleaner-wait.ts";
import { recordFixture } from "./fixture-recorder.ts";
import { recordLine } from "./history.ts";
import { type Isolation, KafkaClients, type ReadPartition } from "./kafka-clients.ts";
import { Workload } from "./workload.ts";

const home = join(projectRoot, "build/kafka/guarantees");
const isolations: readonly Isolation[] = ["read_committed", "read_uncommitted"];
const rounds = 3;

describe("what a broker compressed, compacted and committed", () => {
  const theirs = new Workload("their-", 1);
  const found = new Map<Isolation, readonly ReadPartition[]>();
  let broker: Broker;

  beforeAll(async () => {
    rmSync(home, { recursive: true, force: true });
    broker = await Broker.create(join(home, "broker"), { "log.cleaner.backoff.ms": 100 });
    await broker.start();
    const clients = new KafkaClients(broker.bootstrap);
    await theirs.create(clients, "internal.segment.bytes");
    await theirs.compress(clients);
    await theirs.transact(clients);
    for (let round = 0; round < rounds; round++) {
      await theirs.overwrite(clients, round);
      await theirs.roll(clients);
      await cleaned(broker.logDirectory, theirs.compactedPartitions);
    }
    await theirs.leaveOpen(clients);
    for (const isolation of isolations) found.set(isolation, await clients.read(theirs.topics, isolation));
    const { group } = theirs;
    const [offsets, producers, transactions] = [
      await clients.offsets(group),
      await clients.producers(theirs.topics),
      await clients.transactions(),
    ];
    await clients.close();
    await broker.stop();
    const fixture = process.env.ODRADEK_RECORD;
    if (fixture !== undefined) recordFixture(fixture, broker.logDirectory, { read: found, group, offsets, producers, transactions });
  });
  afterAll(async () => {
    await broker.stop();
  });

  // Without this, Odradek might be held against a history that nobody else believes.
  it("is seen by Kafka's own consumer as the history says, under both isolation levels", () => {
    for (const isolation of isolations) {
      for (const { topic, partition, records } of found.get(isolation) ?? []) {
        if (theirs.isCompacted(topic)) continue;
        const expected = theirs.history.records(topic, partition, isolation);
        expect(records.map(recordLine), `${topic}-${partition} ${isolation}`).toEqual(expected.map(recordLine));
      }
    }
  });

  it("is compacted by the broker's cleaner to what the history allows, and to less than half", () => {
    for (const { topic, partition, records } of found.get("read_committed") ?? []) {
      if (!theirs.isCompacted(topic)) continue;
      expect(theirs.history.compactionFaults(topic, partition, records)).toEqual([]);
      expect(records.length).toBeLessThan(theirs.history.records(topic, partition, "read_committed").length / 2);
    }
  });
});
