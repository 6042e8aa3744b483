/** Lets a catcher loose on a planted bug, in processes of its own, and says whether it was caught, how, and at what cost. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ZooEntry } from "./entry.ts";
import { childrenProcessorMs } from "./processor-time.ts";

export interface Caught {
  readonly caught: boolean;
  /** What the catcher said; where nothing was caught, why. */
  readonly how: string;
  readonly processorMs: number;
}

/** A machine with other things to do takes longer than the processor time. */
const PATIENCE = 4;
const PATIENCE_MS_MIN = 30_000;
const HOW_LENGTH_MAX = 400;

/** `root`: of the project. `seed`: where a prover's trials begin. Rejects only when a process cannot be started. */
export async function hunt(root: string, entry: ZooEntry, seed: number): Promise<Caught> {
  const folder = mkdtempSync(join(tmpdir(), "odradek-zoo-"));
  const before = { processorMs: childrenProcessorMs(), wallMs: performance.now() };
  try {
    const found = "prover" in entry.caughtBy ? await proverHunt(root, folder, entry, seed) : await testHunt(root, folder, entry);
    const after = childrenProcessorMs();
    const processorMs = before.processorMs === null || after === null ? performance.now() - before.wallMs : after - before.processorMs;
    return { ...found, how: found.how.slice(0, HOW_LENGTH_MAX), processorMs: Math.round(processorMs) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Found = Pick<Caught, "caught" | "how">;

async function proverHunt(
  root: string,
  folder: string,
  { caughtBy, budgetMs, file, find, replace }: ZooEntry,
  seed: number,
): Promise<Found> {
  const outcome = join(folder, "outcome.json");
  const task = join(folder, "task.json");
  writeFileSync(task, JSON.stringify({ plant: { file, find, replace }, ...caughtBy, seed, budgetMs, outcome }));
  const { output } = await run(root, ["test/prove/zoo/hunt.mjs", task], {}, budgetMs);
  if (!existsSync(outcome)) return { caught: false, how: `the hunt came to no end: ${output}` };
  return JSON.parse(readFileSync(outcome, "utf8")) as Found;
}

interface TestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Red is a test that failed. A file that does not even load has met a plant that does not compile, and has caught nothing. */
async function testHunt(root: string, folder: string, { caughtBy, budgetMs, file, find, replace }: ZooEntry): Promise<Found> {
  if (!("test" in caughtBy)) throw new TypeError(`expected a file of tests, found ${JSON.stringify(caughtBy)}`);
  const report = join(folder, "report.json");
  const plant = join(folder, "plant.json");
  writeFileSync(plant, JSON.stringify({ file, find, replace }));
  const named = caughtBy.name === undefined ? [] : ["--testNamePattern", caughtBy.name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")];
  const options = ["--bail=1", "--maxWorkers=1", "--reporter=json", `--outputFile=${report}`];
  const args = ["node_modules/vitest/vitest.mjs", "run", caughtBy.test, ...named, ...options];
  const { code, output } = await run(root, args, { ODRADEK_PLANT: plant }, budgetMs);
  if (!existsSync(report)) return { caught: false, how: `the tests came to no end: ${output.slice(-HOW_LENGTH_MAX)}` };
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as TestReport;
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const red = tests.find(({ status }) => status === "failed");
  if (red !== undefined) return { caught: true, how: `${red.fullName}: ${red.failureMessages[0]?.split("\n")[0] ?? ""}` };
  const ran = tests.filter(({ status }) => status === "passed").length;
  if (ran === 0) return { caught: false, how: `no test was run: ${testResults[0]?.message ?? ""}` };
  // An error that nobody waited for makes a run red as well.
  return code === 0 ? { caught: false, how: `${ran} tests passed` } : { caught: true, how: output.slice(-HOW_LENGTH_MAX) };
}

/** In a group of its own, so that what it starts can be ended with it. */
function run(
  root: string,
  args: readonly string[],
  env: Record<string, string>,
  budgetMs: number,
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const pieces: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => pieces.push(piece));
    const timer = setTimeout(() => process.kill(-(child.pid as number), "SIGKILL"), Math.max(PATIENCE_MS_MIN, PATIENCE * budgetMs));
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 128, output: Buffer.concat(pieces).toString("utf8") });
    });
  });
}
