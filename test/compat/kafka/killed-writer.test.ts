/** What a writer leaves that is killed while its newest file is longer than what was written to it, as Apache Kafka's classes find it. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytes, open } from "../../../src/index.ts";
import { dumpedRecords } from "./kafka-dump.ts";
import { logFiles } from "./partition-files.ts";
import { KafkaReader } from "./rig.ts";
import { writeAndDie } from "./unclean-writer.ts";

/** Enough acknowledgements for more than the 64 KiB from which on a file is sized ahead. */
const SAID_BYTE_LENGTH = 16_000;

describe("the directory of a writer that was killed", () => {
  const home = mkdtempSync(join(tmpdir(), "odradek-killed-"));
  const folder = join(home, "orders-0");
  let reader: KafkaReader;
  let promised: number[];

  beforeAll(async () => {
    const log = await open(home);
    await log.createTopic("orders");
    await log.close();
    promised = (await writeAndDie(home, "orders", 1, 0, SAID_BYTE_LENGTH)).map((each) => Number(each.split(" ")[1]));
    reader = new KafkaReader();
  });
  afterAll(async () => {
    await reader.close();
    rmSync(home, { recursive: true, force: true });
  });

  it("ends in space behind its last batch", () => {
    const newest = readFileSync(logFiles(folder).at(-1) as string);
    expect(newest.subarray(-64).every((byte) => byte === 0)).toBe(true);
  });

  it("is printed record by record by kafka-dump-log before it says that there is no batch in the space", async () => {
    const { printed, complained } = await reader.dump(logFiles(folder), ["--print-data-log", "--deep-iteration"]);
    const offsets = dumpedRecords(printed).map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.map((_, index) => index));
    expect(offsets).toEqual(expect.arrayContaining(promised));
    expect(complained).toMatch(/^Found record size 0 /);
  });

  it("is cut by a broker's recovery where Odradek's own cuts it, behind the last record acknowledged", async () => {
    const brokers = join(home, "broker");
    cpSync(folder, brokers, { recursive: true });
    const [file] = logFiles(brokers);
    const cut = await reader.recover(brokers, 0, 4096, 10_485_760);
    expect(cut).toBeGreaterThan(0);

    const log = await open(home);
    const consumer = log.consumer({ key: bytes, value: bytes });
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    let count = 0;
    for await (const { offset } of consumer.records({ until: "end" })) expect(offset).toBe(count++);
    await log.close();
    expect(count).toBeGreaterThan(Math.max(...promised));
    expect(readFileSync(file as string)).toEqual(readFileSync(logFiles(folder)[0] as string));
  });
});
