/**
 * How do costs grow: with the records in a topic, with segments, partitions, members of a group, the size of a record, concurrent senders?
 * What should be constant and grows, and what should be linear and is worse, is named, and so is the first wall in each direction.
 * `--mode NAME` asks for one direction; each runs in a process of its own. A direction ends where its next step would take too long.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { short } from "./harness/figures.mjs";
import { judge } from "./harness/growth.mjs";
import { json, quick, report } from "./harness/race.mjs";

/** A direction goes no further when its next point would end beyond this. */
const MODE_SECONDS_MAX = quick ? 2.5 : 75;
/** What a point takes beside the one before it, at least and at most, is guessed from the two before. */
const STEP_MIN = 1.2;
const modes = readdirSync(new URL("growth/", import.meta.url)).map((file) => basename(file, ".mjs"));
const at = process.argv.indexOf("--mode");
if (at === -1) everyMode();
else await oneMode(process.argv[at + 1]);

function everyMode() {
  for (const mode of modes) {
    const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2), "--mode", mode];
    const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
    if (status !== 0) process.exitCode = 1;
  }
}

async function oneMode(mode) {
  if (!modes.includes(mode)) throw new Error(`growth: there is no mode ${mode}; there are ${modes.join(", ")}`);
  const { axis, points, series, visit, ...more } = await import(`./growth/${mode}.mjs`);
  const secondsMax = quick ? MODE_SECONDS_MAX : (more.secondsMax ?? MODE_SECONDS_MAX);
  const measured = new Map(Object.keys(series).map((key) => [key, []]));
  let stopped = null;
  const began = performance.now();
  const tookMs = [];
  const steps = quick ? points.quick : points.full;
  for (const [index, x] of steps.entries()) {
    if (index >= 2 && performance.now() - began + nextMs(tookMs, x / steps[index - 1]) > secondsMax * 1000) {
      stopped = { x, reason: `not tried: it would have taken more than ${secondsMax} s` };
      break;
    }
    const started = performance.now();
    try {
      await visit(x, (key, value, rawLimit = null, rounds = 1) => tell(key, x, value, rawLimit, rounds));
    } catch (error) {
      // Without the path at its end, which is this machine's.
      stopped = { x, reason: `${error.code ?? error.name}: ${error.message.replace(/, \w+ '[^']*'$/, "")}` };
      break;
    }
    tookMs.push(performance.now() - started);
  }
  for (const [key, all] of measured) conclude(key, all);

  function tell(key, x, value, rawLimit, rounds) {
    const { unit, expected, against } = series[key];
    measured.get(key).push({ x, value, rawLimit });
    report({
      name: `${short(x)} ${axis}: ${key}`,
      value,
      unit,
      rawLimit,
      ratio: rawLimit === null ? null : rawLimit / value,
      rounds,
      ...(rawLimit !== null && { spread: [rawLimit / value, rawLimit / value], against }),
      mode,
      axis,
      series: key,
      x,
      expected,
    });
  }

  function conclude(key, all) {
    if (all.length < 2) return;
    const { unit, expected, isRawShared = false } = series[key];
    const { verdict, exponent, wall } = judge(expected, isRawShared ? all.map((point) => ({ ...point, rawLimit: null })) : all);
    const result = { mode, axis, series: key, expected, verdict, exponent, wall: wall ?? stopped };
    if (json) report({ name: `growth in ${axis}: ${key}`, value: exponent, unit: "exponent", rounds: all.length, ...result });
    else {
      const place = wall === null ? `no wall up to ${short(all.at(-1).x)}` : `${wall.factor.toFixed(1)}-fold at ${short(wall.x)}`;
      const end = stopped === null ? "" : `; at ${short(stopped.x)} ${stopped.reason}`;
      console.log(`  ${key} (${unit}) is expected ${expected}, is ${verdict} (exponent ${exponent.toFixed(2)}); ${place}${end}`);
    }
  }
}

/** As much more than the last point as that took more than the one before it, but not more than what grows does. */
function nextMs(tookMs, step) {
  const [before, last] = tookMs.slice(-2);
  return last * Math.min(step, Math.max(STEP_MIN, last / before));
}
