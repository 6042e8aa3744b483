/**
 * A process in which provers meet a planted bug: `node hunt.mjs TASK`. Bundles them with the plant (or without one), lets one of them run
 * its trials from a seed on until it finds a failure, has made as many as it may, or the processor time is used up, and writes what came
 * of it to the task's `outcome`.
 */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stop } from "esbuild";
import { esbuildPlant, plantPackage } from "../../../scripts/plant.mjs";
import { bundleProvers } from "../../../scripts/prove-bundle.mjs";

/** In /proc/PID/stat, counted behind the name in brackets: user time of the process itself and of its children that have ended, in ticks of 10 ms. */
const USER_TICKS_AT = 11;
const CHILDREN_USER_TICKS_AT = 13;

/** No trial takes so much of the processor, but one that kills others; a hunt that waits for one that goes round and round would find nothing. */
const TRIAL_MS_MAX = 25_000;
const LOOKED_AT_EVERY_MS = 1000;

const { plant, prover, seed, trialsMax = Number.POSITIVE_INFINITY, budgetMs, outcome } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const folder = mkdtempSync(join(tmpdir(), "odradek-hunt-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const bundle = join(folder, "worker.mjs");
await bundleProvers(bundle, plant === null ? [] : [esbuildPlant(plant)]);
// Killed processes run the package: it has the bug in it, and in a control it is made in the same way.
if (prover === "kills") await plantPackage(plant, bundle, join(folder, "package.mjs"));
await stop();

const worker = fork(bundle, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
const begunMs = performance.now();
let trials = 0;
let isReady = false;
let spentBeforeMs = 0;

worker.on("message", ({ tally, broken }) => {
  if (isReady) trials += 1;
  isReady = true;
  spentBeforeMs = processorMs();
  // In a run it fails as much: whether it is the plant that keeps the trial from its end, the control says.
  if (broken !== undefined) tell(true, `the trial did not come to its end: ${broken}`);
  else if (tally !== undefined && tally.failures.length > 0) tell(true, `${tally.failures[0].breach}: ${tally.failures[0].what}`);
  else if (trials >= trialsMax || processorMs() >= budgetMs) tell(false, `${trials} trials found nothing wrong`);
  else worker.send({ prover, seed: seedOf(trials) });
});
worker.on("exit", (code, signal) => {
  trials += 1;
  tell(isReady, `the provers' process ended, with ${signal ?? `code ${code}`}, in trial ${trials}`, isReady);
});

setInterval(() => {
  const spentMs = processorMs() - spentBeforeMs;
  if (!isReady || spentMs < TRIAL_MS_MAX || prover === "kills") return;
  trials += 1;
  tell(true, `the trial came to no end in ${spentMs} ms of the processor`);
}, LOOKED_AT_EVERY_MS);

/** Of the n-th trial, from 0 on. */
function seedOf(trial) {
  return (seed + trial) >>> 0;
}

function tell(isRed, how, isDone = true) {
  writeFileSync(outcome, JSON.stringify({ isRed, isDone, seed: seedOf(trials - 1), how }));
  worker.removeAllListeners();
  if (worker.exitCode !== null || worker.signalCode !== null) process.exit(0);
  worker.on("exit", () => process.exit(0));
  worker.kill("SIGKILL");
}

function processorMs() {
  try {
    const stat = readFileSync(`/proc/${worker.pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return 10 * (Number(fields[USER_TICKS_AT]) + Number(fields[CHILDREN_USER_TICKS_AT]));
  } catch {
    return performance.now() - begunMs;
  }
}
