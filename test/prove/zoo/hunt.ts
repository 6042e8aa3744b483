/** Lets a catcher loose on a planted bug, in processes of its own, and says whether it was caught, how, and at what cost. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controlled, type Verdict } from "./control.ts";
import type { ZooEntry } from "./entry.ts";
import { childrenProcessorMs } from "./processor-time.ts";

export interface Caught {
  readonly caught: boolean;
  /** What the catcher said; where nothing was caught, why. */
  readonly how: string;
  /** The catcher turned red, and does without the bug as well. */
  readonly isAlwaysRed: boolean;
  /** Of the catch alone. */
  readonly processorMs: number;
  /** Of the control behind it; 0 where it had been made before, or was not needed. */
  readonly controlMs: number;
}

/** A machine with other things to do takes longer than the processor time. Both together are less than a trial may take. */
const PATIENCE = 12;
const PATIENCE_MS = { min: 60_000, max: 150_000 };
/** Green takes longer than red, which ends at the first failure. */
const CONTROL_BUDGET_MS = 60_000;
const HOW_LENGTH_MAX = 400;

/** `root`: of the project. `seed`: where a prover's trials begin, unless the entry says. Rejects only when a process cannot be started. */
export async function hunt(root: string, entry: ZooEntry, seed: number): Promise<Caught> {
  const catcher: Catcher =
    "prover" in entry.caughtBy ? new ProverCatcher(root, entry.caughtBy, seed) : new TestCatcher(root, entry.caughtBy);
  const before = spent();
  const { red, how } = await catcher.meet(entry, entry.budgetMs);
  const caught = spent();
  const processorMs = caught - before;
  const said = how.slice(0, HOW_LENGTH_MAX);
  if (red === null) return { caught: false, how: said, isAlwaysRed: false, processorMs, controlMs: 0 };
  const control = await controlled(root, red, () => catcher.control(red));
  const controlMs = spent() - caught;
  if (control.isGreen) return { caught: true, how: said, isAlwaysRed: false, processorMs, controlMs };
  const without = control.isDone ? "it is no better without the plant" : "nobody knows whether it is better without the plant";
  const alike = `${without}: ${control.how.slice(0, HOW_LENGTH_MAX)}; with it: ${said}`;
  return { caught: false, how: alike, isAlwaysRed: control.isDone, processorMs, controlMs };
}

/** `red`: the names of what turned red, by which it can be run again; null: nothing did. */
interface Met {
  readonly red: readonly string[] | null;
  readonly how: string;
}

interface Catcher {
  meet(entry: ZooEntry, budgetMs: number): Promise<Met>;
  /** What was red, once more, without a plant. */
  control(red: readonly string[]): Promise<Verdict>;
}

/** Trials of a prover, one after another, until one finds a failure. */
class ProverCatcher implements Catcher {
  readonly #root: string;
  readonly #prover: string;
  readonly #seed: number;

  constructor(root: string, { prover, seed }: Extract<ZooEntry["caughtBy"], { readonly prover: string }>, otherSeed: number) {
    this.#root = root;
    this.#prover = prover;
    this.#seed = seed ?? otherSeed;
  }

  async meet({ file, find, replace }: ZooEntry, budgetMs: number): Promise<Met> {
    const { isRed, seed, how } = await this.#trials({ plant: { file, find, replace }, seed: this.#seed }, budgetMs);
    return { red: isRed ? ["prover", this.#prover, String(seed)] : null, how };
  }

  async control([, , seed]: readonly string[]): Promise<Verdict> {
    const { isRed, isDone, how } = await this.#trials({ plant: null, seed: Number(seed), trialsMax: 1 }, CONTROL_BUDGET_MS);
    return { isGreen: isDone && !isRed, isDone, how };
  }

  #trials(
    task: Readonly<Record<string, unknown>>,
    budgetMs: number,
  ): Promise<{ readonly isRed: boolean; readonly isDone: boolean; readonly seed: number; readonly how: string }> {
    return inFolder(async (folder) => {
      const outcome = join(folder, "outcome.json");
      const file = join(folder, "task.json");
      writeFileSync(file, JSON.stringify({ ...task, prover: this.#prover, budgetMs, outcome }));
      const { output } = await run(this.#root, ["test/prove/zoo/hunt.mjs", file], {}, budgetMs);
      if (!existsSync(outcome)) return { isRed: false, isDone: false, seed: 0, how: `the hunt came to no end: ${output}` };
      return JSON.parse(readFileSync(outcome, "utf8"));
    });
  }
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

/** A file of tests, or those of it whose names hold some text. */
class TestCatcher implements Catcher {
  readonly #root: string;
  readonly #file: string;
  readonly #name: string | undefined;

  constructor(root: string, { test, name }: Extract<ZooEntry["caughtBy"], { readonly test: string }>) {
    this.#root = root;
    this.#file = test;
    this.#name = name;
  }

  async meet({ file, find, replace }: ZooEntry, budgetMs: number): Promise<Met> {
    const named = this.#name === undefined ? null : literally(this.#name);
    const { red, how } = await this.#run({ file, find, replace }, named, budgetMs);
    return { red: red === null ? null : ["test", this.#file, red], how };
  }

  async control([, , name]: readonly string[]): Promise<Verdict> {
    const whole = this.#name === undefined ? null : literally(this.#name);
    const { red, ran, how } = await this.#run(null, name === "" ? whole : `${literally(name as string)}$`, CONTROL_BUDGET_MS);
    return { isGreen: red === null && ran > 0, isDone: ran > 0, how };
  }

  /** Red is a test that failed; "" is the run itself. A file that does not even load has met a plant that does not compile, and has caught nothing. */
  #run(plant: object | null, pattern: string | null, budgetMs: number): Promise<{ red: string | null; ran: number; how: string }> {
    return inFolder(async (folder) => {
      const report = join(folder, "report.json");
      const planted = join(folder, "plant.json");
      if (plant !== null) writeFileSync(planted, JSON.stringify(plant));
      const named = pattern === null ? [] : ["--testNamePattern", pattern];
      const options = ["--bail=1", "--maxWorkers=1", "--reporter=json", `--outputFile=${report}`];
      const args = ["node_modules/vitest/vitest.mjs", "run", this.#file, ...named, ...options];
      const env = { ODRADEK_HUNT: "1", ...(plant === null ? {} : { ODRADEK_PLANT: planted }) };
      const { code, output } = await run(this.#root, args, env, budgetMs);
      if (!existsSync(report)) return { red: null, ran: 0, how: `the tests came to no end: ${output.slice(-HOW_LENGTH_MAX)}` };
      const { testResults } = JSON.parse(readFileSync(report, "utf8")) as TestReport;
      const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
      const failed = tests.find(({ status }) => status === "failed");
      const ran = tests.filter(({ status }) => status === "passed" || status === "failed").length;
      if (failed !== undefined) {
        const name = failed.fullName.trim();
        return { red: name, ran, how: `${name}: ${failed.failureMessages[0]?.split("\n")[0] ?? ""}` };
      }
      if (ran === 0) return { red: null, ran, how: `no test was run: ${testResults[0]?.message ?? ""}` };
      // An error that nobody waited for makes a run red as well.
      return code === 0 ? { red: null, ran, how: `${ran} tests passed` } : { red: "", ran, how: output.slice(-HOW_LENGTH_MAX) };
    });
  }
}

const literally = (name: string): string => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Processor time of the children that have ended, or where the system does not say the time that has passed. */
function spent(): number {
  return Math.round(childrenProcessorMs() ?? performance.now());
}

async function inFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "odradek-zoo-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
    const patienceMs = Math.min(PATIENCE_MS.max, Math.max(PATIENCE_MS.min, PATIENCE * budgetMs));
    const timer = setTimeout(() => process.kill(-(child.pid as number), "SIGKILL"), patienceMs);
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
