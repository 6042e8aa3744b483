/**
 * A process in which provers meet a planted bug: `node hunt.mjs TASK`. Bundles them with the plant, lets one of them run its trials from
 * a seed on until it finds a failure or the processor time is used up, and writes what came of it to the task's `outcome`.
 */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stop } from "esbuild";
import { esbuildPlant } from "../../../scripts/plant.mjs";
import { bundleProvers } from "../../../scripts/prove-bundle.mjs";

/** In /proc/PID/stat, counted behind the name in brackets: user time of the process itself, in ticks of 10 ms. */
const USER_TICKS_AT = 11;

const { plant, prover, seed, budgetMs, outcome } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const folder = mkdtempSync(join(tmpdir(), "odradek-hunt-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const bundle = join(folder, "worker.mjs");
await bundleProvers(bundle, [esbuildPlant(plant)]);
await stop();

const worker = fork(bundle, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
const begunMs = performance.now();
let trials = 0;
let isReady = false;

worker.on("message", ({ tally, broken }) => {
  if (isReady) trials += 1;
  isReady = true;
  if (broken !== undefined) tell(false, `the prover itself broke: ${broken}`);
  else if (tally !== undefined && tally.failures.length > 0) tell(true, `${tally.failures[0].breach}: ${tally.failures[0].what}`);
  else if (processorMs() >= budgetMs) tell(false, `${trials} trials found nothing wrong`);
  else worker.send({ prover, seed: (seed + trials) >>> 0 });
});
worker.on("exit", (code, signal) => tell(isReady, `the provers' process ended, with ${signal ?? `code ${code}`}, in trial ${trials}`));

function tell(caught, how) {
  writeFileSync(outcome, JSON.stringify({ caught, how }));
  worker.removeAllListeners();
  worker.kill("SIGKILL");
  worker.on("exit", () => process.exit(0));
}

function processorMs() {
  try {
    const stat = readFileSync(`/proc/${worker.pid}/stat`, "latin1");
    return 10 * Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[USER_TICKS_AT]);
  } catch {
    return performance.now() - begunMs;
  }
}
