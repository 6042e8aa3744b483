/** A process that is killed between begin and end of transactions and in the middle of compaction; a reader that is not ours looks at what it left. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { open, utf8 } from "../../src/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SIM_SCALE } from "./engine-rig.ts";
import * as independent from "./independent-reader.mjs";

interface FileRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly producerId: bigint;
}
interface Files {
  readonly records: readonly FileRecord[];
  readonly markers: readonly unknown[];
}
const reader = independent as unknown as {
  readPartitionFiles(directory: string, options?: { readonly compacted?: boolean }): Files;
  preparedTransactions(directory: string): ReadonlyMap<bigint, boolean>;
  committedRecords(files: Files, prepared: ReadonlyMap<bigint, boolean>): FileRecord[];
  committedOffsets(records: readonly FileRecord[]): ReadonlyMap<string, number>;
};

const CYCLES = Math.ceil(10 * SIM_SCALE);
const entry = new URL("../../dist/index.js", import.meta.url).href;
const child = fileURLToPath(new URL("kill-guarantees-child.mjs", import.meta.url));
const CLIENTS = ["t0", "t1"] as const;

/** What the killed processes said. */
class Heard {
  /** "t0:17" of every transaction that was begun, and whether it was to be committed, and was. */
  readonly transactions: Map<string, "abort" | "commit" | "committed"> = new Map();
  /** By key: the newest put that was acknowledged, and what was begun after it. */
  readonly puts: Map<string, { readonly offset: number; readonly value: string }> = new Map();
  readonly tries: Map<string, string[]> = new Map();
  /** Of this life: whether it is open, and whether a transaction of it was committed. */
  isOpen = false;
  hasCommitted = false;

  hear(line: string): void {
    const [word, name = "", ...rest] = line.split(" ") as [string, string, ...string[]];
    if (word === "open") this.isOpen = true;
    if (word === "committed") this.hasCommitted = true;
    if (word === "begin") this.transactions.set(`${name}:${rest[0]}`, rest[1] as "abort" | "commit");
    if (word === "committed") this.transactions.set(`${name}:${rest[0]}`, "committed");
    if (word === "try") this.tries.set(name, [...(this.tries.get(name) ?? []), rest[0] as string]);
    if (word !== "put") return;
    this.puts.set(name, { offset: Number(rest[0]), value: rest[1] as string });
    this.tries.delete(name);
  }
}

async function liveAndDie(directory: string, life: number, random: SeededRandom, heard: Heard): Promise<void> {
  heard.isOpen = heard.hasCommitted = false;
  // Some die while they open, and end what the life before had begun; some in the middle of a first transaction.
  const diesAfter = random.pick(["start", "open", "commit", "commit"] as const);
  const running: ChildProcess = spawn(process.execPath, [child, entry, directory, String(life)], { stdio: ["ignore", "pipe", "pipe"] });
  let rest = "";
  let complaint = "";
  let onReady: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  running.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    complaint += chunk;
  });
  running.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) heard.hear(line);
    if (diesAfter === "open" ? heard.isOpen : heard.hasCommitted) onReady();
  });
  const closed = new Promise<NodeJS.Signals | null>((resolve) => {
    running.on("close", (_code, signal) => resolve(signal));
  });
  if (diesAfter !== "start") await Promise.race([ready, closed]);
  await new Promise((resolve) => {
    setTimeout(resolve, random.integer(1, 400));
  });
  running.kill("SIGKILL");
  expect(await closed, complaint).toBe("SIGKILL");
  expect(complaint).toBe("");
}

/** Of each transaction everything or nothing, whoever was told of its end; and of each key what was acknowledged last, or something newer. */
function checkFiles(directory: string, heard: Heard): void {
  const partition = (name: string): string => join(directory, `${name}-0`);
  if (!["left", "right", "keyed"].every((name) => existsSync(partition(name)))) {
    expect(heard.transactions.size).toBe(0);
    return;
  }
  const prepared = reader.preparedTransactions(directory);
  const idsIn = (topic: string): string[] =>
    reader.committedRecords(reader.readPartitionFiles(partition(topic)), prepared).map(({ key }) => key?.toString() as string);
  const left = idsIn("left");
  const right = idsIn("right");
  expect(new Set(left).size, "a transaction stands in `left` twice").toBe(left.length);
  expect(right.filter((id, index) => right.indexOf(id) === index)).toEqual([...new Set(right)]);
  for (const id of new Set([...left, ...right])) {
    const there = `${left.filter((each) => each === id).length}+${right.filter((each) => each === id).length}`;
    if (there !== "1+2") throw new Error(`transaction ${id} is there in part: ${there} of 1+2`);
    if (heard.transactions.get(id) === "abort") throw new Error(`transaction ${id} was taken back, and is there`);
  }
  for (const [id, state] of heard.transactions)
    if (state === "committed" && !left.includes(id)) throw new Error(`transaction ${id} was committed, and is gone`);
  checkOffsets(directory, prepared, left);
  checkKeys(reader.committedRecords(reader.readPartitionFiles(partition("keyed"), { compacted: true }), prepared), heard, left);
}

/** A group stands behind the last transaction of its client that is there. */
function checkOffsets(directory: string, prepared: ReadonlyMap<bigint, boolean>, ids: readonly string[]): void {
  const offsetDirectories = readdirSync(directory).filter((name) => name.startsWith("__consumer_offsets-"));
  const committed = new Map(
    offsetDirectories.flatMap((name) => [
      ...reader.committedOffsets(reader.committedRecords(reader.readPartitionFiles(join(directory, name), { compacted: true }), prepared)),
    ]),
  );
  for (const client of CLIENTS) {
    const last = ids.filter((id) => id.startsWith(`${client}:`)).at(-1);
    const expected = last === undefined ? undefined : Number(last.split(":")[1]) + 1;
    const found = committed.get(`${client}/input/0`);
    if (found !== expected) throw new Error(`group ${client}: committed ${found}, its last transaction says ${expected}`);
  }
}

function checkKeys(records: readonly FileRecord[], heard: Heard, ids: readonly string[]): void {
  const newest = new Map(records.map((record) => [record.key?.toString() as string, record]));
  for (const [key, { offset, value }] of heard.puts) {
    const found = newest.get(key);
    if (found === undefined && value === "null") continue;
    const text = found?.value === null ? "null" : String(found?.value);
    const isSame = found?.offset === offset && text === value;
    const isNewer = (found?.offset ?? -1) > offset && heard.tries.get(key)?.includes(text) === true;
    if (!isSame && !isNewer) throw new Error(`key ${key}: ${value} was acknowledged at ${offset}, found ${text} at ${found?.offset}`);
  }
  for (const client of CLIENTS) {
    const last = ids.filter((id) => id.startsWith(`${client}:`)).at(-1);
    const found = newest.get(client)?.value?.toString();
    if (found !== last) throw new Error(`key ${client}: the last transaction there is ${last}, the key says ${found}`);
  }
}

it("leaves all or nothing of every transaction, and the newest value of every key, however often it is killed", async () => {
  const seed = Number(process.env["ODRADEK_SEED"] ?? Date.now() % 1e6);
  const random = new SeededRandom(seed);
  const directory = mkdtempSync(join(tmpdir(), "odradek-kill-guarantees-"));
  const heard = new Heard();
  try {
    for (let life = 0; life < CYCLES; life += 1) {
      await liveAndDie(directory, life, random, heard);
      try {
        checkFiles(directory, heard);
      } catch (error) {
        throw new Error(`seed ${seed}, life ${life}: ${String(error)}`, { cause: error });
      }
    }
    // And ours finds the same, with nothing left open.
    const log = await open(directory);
    const described = await Promise.all(["left", "right", "keyed"].map((topic) => log.describeTopic(topic)));
    for (const { name, partitions } of described)
      for (const { lastStableOffset, logEndOffset } of partitions) expect(lastStableOffset, name).toBe(logEndOffset);
    const table = await log.table("keyed", { key: utf8, value: utf8 });
    for (const [key, { value }] of heard.puts)
      if (!heard.tries.has(key)) expect(await table.get(key), key).toBe(value === "null" ? undefined : value);
    await table.close();
    await log.close();
    checkFiles(directory, heard);
    const committed = [...heard.transactions.values()].filter((state) => state === "committed").length;
    if (SIM_SCALE > 1) console.log(`guarantees-kill: seed ${seed}, ${CYCLES} kills, ${committed} transactions, ${heard.puts.size} keys`);
    // Lives that commit nothing show nothing.
    expect(committed).toBeGreaterThan(CYCLES / 4);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 3_600_000);
