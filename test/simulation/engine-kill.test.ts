/** A process that is killed in the middle of its work, again and again on one real directory; a reader that is not ours looks at what it left. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { open, utf8 } from "../../src/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SIM_SCALE } from "./engine-rig.ts";
import { committedOffsets as committedOffsetsOf, readPartitionFiles as readFilesOf } from "./independent-reader.mjs";

interface FileRecords {
  readonly records: readonly { readonly offset: number; readonly key: Buffer | null; readonly value: Buffer | null }[];
  readonly nextOffset: number;
}
const readPartitionFiles = readFilesOf as (directory: string) => FileRecords;
const committedOffsets = committedOffsetsOf as (records: FileRecords["records"]) => ReadonlyMap<string, number>;

const CYCLES = Math.ceil(20 * SIM_SCALE);
const entry = new URL("../../dist/index.js", import.meta.url).href;
const child = fileURLToPath(new URL("kill-child.mjs", import.meta.url));
const PARTITIONS = [
  ["sync", 0],
  ["sync", 1],
  ["os", 0],
] as const;

/** What was acknowledged, by partition and offset, and how far commits came. */
class Acknowledged {
  readonly values: Map<string, Map<number, string>> = new Map(PARTITIONS.map(([topic, partition]) => [`${topic}-${partition}`, new Map()]));
  /** The last commit acknowledged, and those begun after it. */
  commits: number[] = [];
  isOpen = false;

  hear(line: string): void {
    const [word, ...rest] = line.split(" ");
    if (word === "open") this.isOpen = true;
    if (word === "try") this.commits.push(Number(rest[0]));
    if (word === "commit") this.commits = [Number(rest[0])];
    if (word !== "ack") return;
    const [topic, partition, offset, value] = rest as [string, string, string, string];
    const values = this.values.get(`${topic}-${partition}`)!;
    if (values.has(Number(offset))) throw new Error(`${topic}-${partition}: offset ${offset} was acknowledged twice`);
    values.set(Number(offset), value);
  }
}

/** Runs until it is open and some time more, kills it, and hears it out to the last whole line. */
async function liveAndDie(directory: string, life: number, random: SeededRandom, acknowledged: Acknowledged): Promise<void> {
  acknowledged.isOpen = false;
  const running: ChildProcess = spawn(process.execPath, [child, entry, directory, String(life)], { stdio: ["ignore", "pipe", "pipe"] });
  let rest = "";
  let complaint = "";
  let onOpen: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    onOpen = resolve;
  });
  running.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    complaint += chunk;
  });
  running.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) acknowledged.hear(line);
    if (acknowledged.isOpen) onOpen();
  });
  const closed = new Promise<NodeJS.Signals | null>((resolve) => {
    running.on("close", (_code, signal) => resolve(signal));
  });
  // Some die while they open.
  if (random.chance(0.75)) await Promise.race([opened, closed]);
  await new Promise((resolve) => {
    setTimeout(resolve, random.integer(1, 250));
  });
  running.kill("SIGKILL");
  expect(await closed, complaint).toBe("SIGKILL");
  expect(complaint).toBe("");
}

function checkFiles(directory: string, acknowledged: Acknowledged): void {
  for (const [name, values] of acknowledged.values) {
    if (!existsSync(join(directory, name))) {
      expect(values.size, `${name} is not there`).toBe(0);
      continue;
    }
    const { records } = readPartitionFiles(join(directory, name));
    for (const [index, { offset }] of records.entries())
      if (offset !== index) throw new Error(`${name}: offset ${offset} at place ${index}`);
    for (const [offset, value] of values) {
      if (records[offset]?.value?.toString() !== value)
        throw new Error(`${name}: ${value} was acknowledged at ${offset}, found ${records[offset]?.value?.toString()}`);
    }
    const once = new Set(records.map(({ value }) => value?.toString()));
    if (once.size !== records.length) throw new Error(`${name}: ${records.length} records, ${once.size} of them different`);
  }
  const offsetDirectories = readdirSync(directory).filter((name) => name.startsWith("__consumer_offsets-"));
  const found = offsetDirectories.flatMap((name) => [...committedOffsets(readPartitionFiles(join(directory, name)).records)]);
  const committed = new Map(found).get("killed/sync/0");
  if (acknowledged.commits.length > 0 && acknowledged.commits.some((each) => each > 0)) {
    if (committed === undefined ? acknowledged.commits.length === 1 : !acknowledged.commits.includes(committed))
      throw new Error(`committed: expected one of ${acknowledged.commits.join(", ")}, found ${committed}`);
  }
}

it("leaves every acknowledged record where it was acknowledged, however often it is killed", async () => {
  const seed = Number(process.env["ODRADEK_SEED"] ?? Date.now() % 1e6);
  const random = new SeededRandom(seed);
  const directory = mkdtempSync(join(tmpdir(), "odradek-kill-"));
  const acknowledged = new Acknowledged();
  try {
    for (let life = 0; life < CYCLES; life += 1) {
      await liveAndDie(directory, life, random, acknowledged);
      try {
        checkFiles(directory, acknowledged);
      } catch (error) {
        throw new Error(`seed ${seed}, life ${life}: ${String(error)}`, { cause: error });
      }
    }
    // And ours finds the same.
    const log = await open(directory);
    for (const [name, values] of acknowledged.values) {
      const [topic, partition] = name.split("-") as [string, string];
      const last = Math.max(-1, ...values.keys());
      if (last < 0) continue;
      const record = await log.read({ topic, partition: Number(partition), offset: last }, { key: utf8, value: utf8 });
      expect(record?.value).toBe(values.get(last));
    }
    await log.close();
    checkFiles(directory, acknowledged);
    const heard = [...acknowledged.values.values()].reduce((sum, values) => sum + values.size, 0);
    if (SIM_SCALE > 1) console.log(`engine-kill: seed ${seed}, ${CYCLES} kills, ${heard} records acknowledged and found`);
    // Lives that acknowledge nothing show nothing.
    expect(heard).toBeGreaterThan(CYCLES * 5);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 3_600_000);
