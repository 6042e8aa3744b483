/**
 * `node scripts/bench-guard.mjs [NAME...] [--package FILE]`: whether anything became several times slower than it was, by ratios to raw
 * loops in the same run (bench/guards.mjs). Exit code 1 when it did. On a busy machine some rounds are worthless, so the best quarter of
 * them counts, and what falls short is asked a second time: a slow change is slow in every round.
 */
import { pathToFileURL } from "node:url";
import { guards } from "../bench/guards.mjs";
import { percentile } from "../bench/harness/figures.mjs";
import { projectRoot, runNode } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

const GUARD_MS_MAX = 1_200;
const ROUNDS_MIN = 4;
const ROUNDS_MAX = 24;
/** Nothing is asked again after this: the whole ends within forty seconds. */
const SECOND_TRIES_UNTIL_MS = 28_000;
/** A guard that never answers is red as well. */
const ALL_MS_MAX = 240_000;

checkFlags(import.meta.url, ["--package"]);
const args = process.argv.slice(2);
const at = args.indexOf("--package");
const packageFile = at === -1 ? `${projectRoot}dist/index.js` : args[at + 1];
const names = at === -1 ? args : args.filter((_, index) => index !== at && index !== at + 1);
const unknown = names.filter((name) => !guards.some((guard) => guard.name === name));
if (unknown.length > 0) {
  process.stderr.write(`bench-guard: there is no ${unknown.join(", ")}; there are ${guards.map(({ name }) => name).join(", ")}\n`);
  process.exit(2);
}
if (at === -1) {
  const built = await runNode("scripts/build.mjs");
  if (built.code !== 0) {
    process.stderr.write(built.output);
    process.exit(built.code);
  }
}
const odradek = await import(pathToFileURL(packageFile).href);
const began = performance.now();
setTimeout(() => {
  process.stdout.write(`bench-guard: not done after ${ALL_MS_MAX / 1000} s\n`);
  process.exit(1);
}, ALL_MS_MAX).unref();
const red = [];
for (const guard of guards.filter(({ name }) => names.length === 0 || names.includes(name))) {
  let ratio = await ratioOf(guard);
  if (ratio < guard.floor && performance.now() - began < SECOND_TRIES_UNTIL_MS) ratio = Math.max(ratio, await ratioOf(guard));
  const isGood = ratio >= guard.floor;
  const percent = (share) => `${(share * 100).toFixed(0)} %`.padStart(6);
  process.stdout.write(
    `${isGood ? "ok   " : "RED  "}${guard.name.padEnd(32)} ${percent(ratio)} of raw, at least ${percent(guard.floor)}\n`,
  );
  if (!isGood) red.push(guard.name);
}
process.stdout.write(
  `bench-guard: ${red.length === 0 ? "clean" : `slower than its floor: ${red.join(", ")}`}, ${Math.round((performance.now() - began) / 1000)} s\n`,
);
process.exit(red.length === 0 ? 0 : 1);

/** The third quartile of the rounds' ratios. */
async function ratioOf({ prepare, clock }) {
  const now = clock === "processor" ? processorMs : () => performance.now();
  const { ours, raw, after = () => {}, close } = await prepare(odradek);
  const ratios = [];
  const until = performance.now() + GUARD_MS_MAX;
  for (let round = -1; round < ROUNDS_MIN || (performance.now() < until && round < ROUNDS_MAX); round += 1) {
    const took = { ours: 0, raw: 0 };
    // Who goes first changes from round to round: the second one finds the caches of the first.
    for (const [kind, lap] of round % 2 === 0
      ? [
          ["raw", raw],
          ["ours", ours],
        ]
      : [
          ["ours", ours],
          ["raw", raw],
        ]) {
      const started = now();
      await lap();
      took[kind] = now() - started;
    }
    await after();
    if (round >= 0) ratios.push(took.raw / took.ours);
  }
  await close();
  return percentile(ratios, 0.75);
}

function processorMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
