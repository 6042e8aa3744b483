import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../../scripts/run.mjs";
import { Broker } from "./broker.ts";
import { filesEndingIn, logFiles } from "./partition-files.ts";
import { client, KafkaReader, withoutRolls } from "./rig.ts";

interface Consumed {
  readonly recordCount: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly firstOffset: number;
    readonly nextOffset: number;
    readonly hash: string;
  }[];
}

/** Without this, a suite that finds nothing wrong might have looked at nothing. */
describe("the rig alone, Kafka against Kafka", () => {
  let broker: Broker;
  let reader: KafkaReader;
  beforeAll(async () => {
    reader = new KafkaReader();
    broker = await Broker.create(join(projectRoot, "build/kafka/rig-broker"));
    await broker.start();
  });
  afterAll(async () => {
    await broker.stop();
    await reader.close();
  });

  it("reads in a broker's files the records that a group consumer got, hash for hash", async () => {
    await client(broker.bootstrap, "create", "rig", 2);
    await client(broker.bootstrap, "produce", "rig", 3000, 7);
    const first = await client<Consumed>(broker.bootstrap, "consume", "rig", "rig-group", 1000);
    expect(first.recordCount).toBe(1000);
    const whole = await client<Consumed>(broker.bootstrap, "consume", "rig", "rig-witness", 3000);
    await broker.stop();

    for (const { partition, hash } of whole.partitions) {
      const records = await reader.records(logFiles(join(broker.logDirectory, `rig-${partition}`)));
      expect(records).toMatchObject({ unreadByteLength: 0, hash });
    }

    await broker.start();
    expect(broker.mendingLines()).toEqual([]);
    const rest = await client<Consumed>(broker.bootstrap, "consume", "rig", "rig-group", 2000);
    expect(rest.recordCount).toBe(2000);
    const group = await client<{ offsets: readonly { partition: number; nextOffset: number }[] }>(broker.bootstrap, "group", "rig-group");
    expect(new Map(group.offsets.map(({ partition, nextOffset }) => [partition, nextOffset]))).toEqual(
      new Map(whole.partitions.map(({ partition, nextOffset }) => [partition, nextOffset])),
    );
  });

  it("hears kafka-dump-log complain of a broker's own rolled segments, of nothing else", async () => {
    await client(broker.bootstrap, "create", "rolled", 1, "segment.bytes=1048576");
    await client(broker.bootstrap, "produce", "rolled", 20_000, 8);
    await broker.stop();
    const files = filesEndingIn(join(broker.logDirectory, "rolled-0"), [".log", ".index", ".timeindex"]);
    const { complained } = await reader.dump(files, ["--print-data-log", "--deep-iteration"]);
    expect(complained).toMatch(/-1 is followed by [1-9]/);
    expect(withoutRolls(complained)).toBe("");
    expect(withoutRolls("Non-consecutive offsets in /a/00000000000000000007.log\n  9 is followed by 11\n")).not.toBe("");
    await broker.start();
  });

  it("sees what a broker does to a log that it must mend", async () => {
    await broker.stop();
    for (const index of filesEndingIn(join(broker.logDirectory, "rig-0"), [".index"])) rmSync(index);
    await broker.start();
    expect(broker.mendingLines().join("\n")).toMatch(/rig-0.* rebuilding index files/);
  });

  it("hears kafka-dump-log complain of an index that lies", async () => {
    await broker.stop();
    const directory = join(broker.logDirectory, "rig-1");
    const [log] = logFiles(directory);
    const folder = join(projectRoot, "build/kafka/lying");
    mkdirSync(folder, { recursive: true });
    copyFileSync(log as string, join(folder, "00000000000000000000.log"));
    const lie = Buffer.alloc(8);
    lie.writeInt32BE(5, 0);
    lie.writeInt32BE(0, 4);
    writeFileSync(join(folder, "00000000000000000000.index"), lie);
    const { complained } = await reader.dump([join(folder, "00000000000000000000.index")], []);
    expect(complained).toMatch(/Mismatches in/);
  });
});
