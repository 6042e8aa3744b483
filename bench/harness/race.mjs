/**
 * A race between what we do and the raw loop of the same bytes: interleaved in one run, so that a noisy machine is noisy to both.
 * The ratio is the result; the figures beside it are what this machine showed at this hour.
 */
import { machine } from "./machine.mjs";

const flags = process.argv.slice(2);
export const json = flags.includes("--json");
export const quick = flags.includes("--quick");

const WARM_UP_ROUNDS = quick ? 1 : 2;

/**
 * @param {{ name: string, unit: string, better?: "higher" | "lower", rounds?: number,
 *   ours: (round: number) => Promise<number>, raw: (round: number) => Promise<number> }} race
 *   Each lap answers its figure, in `unit`: what it makes ready and clears away is not in it. The first laps are not counted: they
 *   warm caches and compilers. The ratio is the median of the rounds' own ratios: the two laps of a round stand side by side, while
 *   a shared machine may be threefold slower a second later.
 */
export async function race({ name, unit, better = "higher", rounds = quick ? 5 : 11, ours, raw }) {
  const figures = { ours: [], raw: [] };
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    // Who goes first changes from round to round: the second one finds the caches of the first.
    const laps = round % 2 === 0 ? ["raw", "ours"] : ["ours", "raw"];
    for (const lap of laps) {
      const figure = await (lap === "ours" ? ours : raw)(round);
      if (round >= 0) figures[lap].push(figure);
    }
  }
  const value = median(figures.ours);
  const rawLimit = median(figures.raw);
  const ratios = figures.ours.map((figure, round) => (better === "higher" ? figure / figures.raw[round] : figures.raw[round] / figure));
  return report({ name, value, unit, rawLimit, ratio: median(ratios), rounds, spread: [Math.min(...ratios), Math.max(...ratios)] });
}

/** A figure beside which there is no raw loop. */
export function report({ name, value, unit, rawLimit = null, ratio = null, rounds, spread = null }) {
  if (json) console.log(JSON.stringify({ name, value, unit, rawLimit, ratio, rounds, spread, machine: machine() }));
  else {
    const beside =
      rawLimit === null
        ? ""
        : `raw ${short(rawLimit).padStart(8)}  ${percent(ratio).padStart(4)} % of raw (${percent(spread[0])} to ${percent(spread[1])})`;
    console.log(`${name.padEnd(46)} ${short(value).padStart(8)} ${unit.padEnd(10)} ${beside}`);
  }
  return { value, rawLimit, ratio };
}

export function median(figures) {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Seconds that a lap took. */
export async function seconds(lap) {
  const started = performance.now();
  await lap();
  return (performance.now() - started) / 1000;
}

export function percentile(figures, share) {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function percent(ratio) {
  return (ratio * 100).toFixed(0);
}

function short(figure) {
  if (figure >= 1e6) return `${(figure / 1e6).toFixed(2)} M`;
  if (figure >= 1e3) return `${(figure / 1e3).toFixed(1)} k`;
  return figure.toFixed(figure < 10 ? 3 : 1);
}
