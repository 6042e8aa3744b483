/**
 * A race between what we do and the raw loop of the same bytes: interleaved in one run, so that a noisy machine is noisy to both.
 * The ratio is the result; the figures beside it are what this machine showed at this hour.
 */
import { machine } from "./machine.mjs";

const flags = process.argv.slice(2);
export const json = flags.includes("--json");
export const quick = flags.includes("--quick");

/**
 * @param {{ name: string, unit: string, better?: "higher" | "lower", rounds?: number,
 *   ours: (round: number) => Promise<number>, raw: (round: number) => Promise<number> }} race
 *   Each lap answers its figure, in `unit`. The first lap of each is not counted: it warms caches and compilers.
 */
export async function race({ name, unit, better = "higher", rounds = quick ? 3 : 7, ours, raw }) {
  const figures = { ours: [], raw: [] };
  for (let round = 0; round <= rounds; round += 1) {
    // Who goes first changes from round to round: the second one finds the caches of the first.
    const laps = round % 2 === 0 ? ["raw", "ours"] : ["ours", "raw"];
    for (const lap of laps) {
      const figure = await (lap === "ours" ? ours : raw)(round);
      if (round > 0) figures[lap].push(figure);
    }
  }
  const value = median(figures.ours);
  const rawLimit = median(figures.raw);
  const ratio = better === "higher" ? value / rawLimit : rawLimit / value;
  if (json) console.log(JSON.stringify({ name, value, unit, rawLimit, ratio, rounds, machine: machine() }));
  else
    console.log(
      `${name.padEnd(44)} ${short(value).padStart(9)} ${unit.padEnd(10)} raw ${short(rawLimit).padStart(9)}   ${(ratio * 100).toFixed(0).padStart(4)} % of raw, ${rounds} rounds`,
    );
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

function short(figure) {
  if (figure >= 1e6) return `${(figure / 1e6).toFixed(2)} M`;
  if (figure >= 1e3) return `${(figure / 1e3).toFixed(1)} k`;
  return figure.toFixed(figure < 10 ? 3 : 1);
}
