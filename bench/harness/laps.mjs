/** What a piece of work takes, by the median of some laps; and what a process holds that has a log open. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { open } from "odradek";
import { median } from "./figures.mjs";

/** Milliseconds, the median of `rounds` laps behind one that is not counted; a single lap stands for itself. */
export async function medianMs(rounds, lap) {
  const laps = [];
  for (let round = rounds === 1 ? 0 : -1; round < rounds; round += 1) {
    const started = performance.now();
    await lap(round);
    if (round >= 0) laps.push(performance.now() - started);
  }
  return median(laps);
}

/** Microseconds that one of `count` calls takes, by the median of `rounds` laps of that many. */
export async function medianCallUs(rounds, count, call) {
  const lap = async () => {
    for (let done = 0; done < count; done += 1) await call(done);
  };
  return ((await medianMs(rounds, lap)) * 1000) / count;
}

/** Milliseconds that `open` of this directory takes, and `close` after it, with nothing in between. */
export async function openAndClose(directory, rounds) {
  const laps = { open: [], close: [] };
  for (let round = rounds === 1 ? 0 : -1; round < rounds; round += 1) {
    const started = performance.now();
    const log = await open(directory);
    const opened = performance.now();
    await log.close();
    if (round < 0) continue;
    laps.open.push(opened - started);
    laps.close.push(performance.now() - opened);
  }
  return { openMs: median(laps.open), closeMs: median(laps.close) };
}

/** Numbers that look random and are the same each time, below `bound`. */
export function scattered(bound) {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

const HOLD = `
import { readFileSync } from "node:fs";
import { open } from "odradek";
const log = await open(process.argv[1]);
console.log(/^Anonymous:\\s+(\\d+) kB/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8"))[1]);
await log.close();
`;

/** Anonymous mebibytes of a process that has this directory open and has done nothing else. */
export function heldMiB(directory) {
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", HOLD, directory], {
    encoding: "utf8",
    cwd: fileURLToPath(new URL("..", import.meta.url)),
  });
  if (status !== 0) throw new Error(`a process that only opens ${directory}: ${stderr}`);
  return Number(stdout) / 1024;
}
