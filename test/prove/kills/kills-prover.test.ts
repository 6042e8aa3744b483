/** Whether the trials of killed processes see what they look for: planted lies and harms turn them red. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Tally } from "../prover.ts";
import { diskGround, smallGround } from "./ground.ts";
import { Heard } from "./heard.ts";
import { runLives } from "./kills-prover.ts";
import type { DeathKind } from "./life-plan.ts";
import { checkRemains } from "./remains.ts";

const HONEST = new URL("../../../dist/index.js", import.meta.url);
const LYING = new URL("lying-package.mjs", import.meta.url);
const root = mkdtempSync(join(tmpdir(), "odradek-kills-"));
let made = 0;

afterAll(() => rmSync(root, { recursive: true, force: true }));

function lives(seed: number, entry: URL, deaths: readonly DeathKind[], directory: string, heard: Heard = new Heard()): Promise<Tally> {
  const trial = { seed, directory: () => directory, say: () => {} };
  return runLives(
    { trial, random: new SeededRandom(seed), entry: entry.href, ground: diskGround(directory), isSmall: false, heard },
    deaths,
  );
}

const fresh = (): string => join(root, `${made++}`);

it("counts the killed, and finds nothing wrong with what they left", async () => {
  const tally = await lives(7, HONEST, ["time", "call", "exit"], fresh());
  expect(tally.failures).toEqual([]);
  expect(tally.counts.killCycles).toBeGreaterThan(0);
  expect(tally.counts.killCycles).toBeLessThanOrEqual(3);
});

it("turns red on a disk that keeps the log to itself", async () => {
  const tally = await lives(3, LYING, ["time", "time", "time", "time", "time", "time"], fresh());
  expect(tally.failures.map(({ breach, what }) => `${breach}: ${what}`).join("\n")).toMatch(/^lost: .*C1: \w+-\d: .* was acknowledged at/m);
});

it("turns red on a lock that everyone can have", async () => {
  const tally = await lives(3, new URL("?lie=lock", LYING), ["stop", "stop"], fresh());
  expect(tally.failures.map(({ what }) => what).join()).toMatch(/C6: a second process opened/);
});

it("has a file system of 1 MiB that is gone with its keeper, or none", async () => {
  const directory = mkdtempSync(join(root, "small-"));
  const ground = await smallGround(directory);
  if (ground === null) return;
  expect(existsSync(join(ground.seenAs, ".."))).toBe(true);
  writeFileSync(join(ground.seenAs, "..", "there"), "there");
  expect(readdirSync(directory)).toEqual([]);
  expect(() => writeFileSync(join(ground.seenAs, "..", "large"), new Uint8Array(2 << 20))).toThrow(/ENOSPC/);
  ground.leave();
});

describe("in a directory with something in it", () => {
  const heard = new Heard();
  const directory = fresh();

  beforeAll(async () => {
    expect((await lives(20, HONEST, [], directory, heard)).failures).toEqual([]);
  });

  function harmed(harm: (data: string) => void): string[] {
    const copy = fresh();
    cpSync(directory, copy, { recursive: true });
    harm(join(copy, "data"));
    return checkRemains(join(copy, "data"), heard).map(({ breach, what }) => `${breach}: ${what}`);
  }

  const newestLog = (data: string, partition: string): string =>
    join(
      data,
      partition,
      readdirSync(join(data, partition))
        .filter((name) => name.endsWith(".log"))
        .sort()
        .at(-1) ?? "",
    );

  it("finds nothing before it is harmed", () => {
    expect(harmed(() => {})).toEqual([]);
  });

  it("misses the end of a log that was acknowledged", () => {
    const found = harmed((data) => {
      const log = newestLog(data, "sync-0");
      writeFileSync(log, readFileSync(log).subarray(0, -1));
    });
    expect(found.join("\n")).toMatch(/lost: C1: sync-0/);
  });

  it("misses one side of a transaction", () => {
    const found = harmed((data) => {
      const log = newestLog(data, "right-0");
      writeFileSync(log, new Uint8Array(0));
    });
    expect(found.join("\n")).toMatch(/other: transaction t\d:\d+ is there in part/);
  });

  it("sees a value that stands there twice", () => {
    const found = harmed((data) => {
      const log = newestLog(data, "sync-1");
      const bytes = readFileSync(log);
      const first = Buffer.from(bytes.subarray(0, 12 + bytes.readInt32BE(8)));
      let next = 0n;
      for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8))
        next = bytes.readBigInt64BE(at) + BigInt(bytes.readInt32BE(at + 23)) + 1n;
      // The base offset is not under the checksum.
      first.writeBigInt64BE(next, 0);
      writeFileSync(log, Buffer.concat([bytes, first]));
    });
    expect(found.join("\n")).toMatch(/phantom: C3: sync-1: .* stands at offset/);
  });

  it("sees a gap", () => {
    const found = harmed((data) => {
      const log = newestLog(data, "sync-1");
      const bytes = readFileSync(log);
      bytes.writeBigInt64BE(bytes.readBigInt64BE(0) + 1n, 0);
      writeFileSync(log, bytes);
    });
    expect(found.join("\n")).toMatch(/hole: sync-1/);
  });

  it("misses the committed offsets", () => {
    const found = harmed((data) => {
      for (const name of readdirSync(data)) if (name.startsWith("__consumer_offsets-")) rmSync(join(data, name), { recursive: true });
    });
    expect(found.join("\n")).toMatch(/group/);
  });

  it("compares what was read through the face", () => {
    const reading = heard.readings.get("sync-0");
    if (reading === undefined) throw new Error("sync-0 was not read");
    heard.readings.set("sync-0", { ...reading, count: reading.count + 1 });
    expect(harmed(() => {}).join("\n")).toMatch(/sync-0: read \d+ records/);
    heard.readings.set("sync-0", reading);
  });
});
