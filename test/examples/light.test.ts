/** The examples that need nothing but the package do what their README says. They import the built package by its name, as a stranger's copy does. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const examples = fileURLToPath(new URL("../../examples", import.meta.url));
let folder: string;
const running: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "odradek-examples-"));
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Runs to the end, in a folder of its own; answers its lines. Nothing may be said on standard error. */
async function lines(script: string, ...args: string[]): Promise<string[]> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(examples, script), ...args], { cwd: folder });
  expect(stderr).toBe("");
  return stdout.trim().split("\n");
}

/** One that runs until it is stopped. */
class Running {
  readonly child: ChildProcess;
  output = "";
  #ended: Promise<number | null>;

  constructor(script: string, ...args: string[]) {
    this.child = spawn(process.execPath, [join(examples, script), ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    running.push(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.on("data", (piece: Buffer) => (this.output += piece.toString()));
    this.#ended = new Promise((resolve) => this.child.once("close", resolve));
  }

  async says(what: RegExp): Promise<void> {
    await expect.poll(() => this.output, { timeout: 30_000, interval: 20 }).toMatch(what);
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.#ended;
  }
}

describe("examples", () => {
  it("hello: the second run finds what the first one kept", async () => {
    expect((await lines("hello/hello.mjs"))[0]).toBe("kept at offset 0; outlives power");
    const again = await lines("hello/hello.mjs");
    expect(again.map((line) => line.replace(/\d{4}-\S+Z/, "TIME"))).toEqual([
      "kept at offset 1; outlives power",
      "0 TIME hello",
      "1 TIME hello",
    ]);
  });

  it("tail: shows the last records, then those that come, and ends by Ctrl-C in order", { timeout: 60_000 }, async () => {
    await lines("consumer-group/orders.mjs", "./data", "8");
    const tail = new Running("tail/tail.mjs", "./data", "orders", "1");
    await tail.says(/^orders-\d@/m);
    const before = tail.output.trim().split("\n").length;
    // Another process writes: the tail has no lock.
    await lines("consumer-group/orders.mjs", "./data", "20");
    await tail.says(/"number":19/);
    expect(before).toBeLessThan(8);
    expect(await tail.stop("SIGINT")).toBe(0);
  });

  it("consumer group: every order is done, though a worker is killed in the middle of it", { timeout: 60_000 }, async () => {
    const first = new Running("consumer-group/worker.mjs");
    await first.says(/has 0 1 2 3 4 5/);
    const second = new Running("consumer-group/worker.mjs");
    await second.says(/has/);
    await lines("consumer-group/orders.mjs", "./data", "200");
    await first.says(/did/);
    await second.says(/did/);
    // The first has the log: the second must take that over, too.
    await first.stop("SIGKILL");
    await second.says(/has 0 1 2 3 4 5/);
    const done = () => new Set([...`${first.output}${second.output}`.matchAll(/did (\d+) of/g)].map(([, number]) => Number(number)));
    await expect.poll(() => done().size, { timeout: 30_000 }).toBe(200);
    expect(await second.stop("SIGINT"), second.output).toBe(0);
  });

  it("compacted table: is the same after compaction and a restart", { timeout: 60_000 }, async () => {
    expect(await lines("compacted-table/stock.mjs")).toEqual([
      "anvils left: 5",
      "easels: undefined",
      "1001 changes; at last: easel is no longer sold",
      "compaction gave back space",
      "anvil 5 (day 200)",
      "bellows 1 (day 200)",
      "chisel 14 (day 200)",
      "drill 10 (day 200)",
    ]);
  });

  // Their own tests, by Node's own runner. Each ends by itself.
  it.each([
    ["own storage", "own-storage/own-storage.test.mjs", 34],
    ["test double for a Kafka app", "kafka-test-double/invoicing.test.mjs", 4],
  ])("%s: its tests pass", { timeout: 60_000 }, async (_, script, count) => {
    const { NODE_TEST_CONTEXT: __, ...env } = process.env;
    const { stdout } = await promisify(execFile)(process.execPath, ["--test", join(examples, script)], { cwd: folder, env });
    expect(stdout).toMatch(new RegExp(`^# pass ${count}$`, "m"));
    expect(stdout).toMatch(/^# fail 0$/m);
  });
});
