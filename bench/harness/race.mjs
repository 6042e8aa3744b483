/**
 * A race between what we do and the raw loop of the same bytes: interleaved in one run, so that a noisy machine is noisy to both.
 * The ratio is the result; the figures beside it are what this machine showed at this hour.
 */
import { judged, median, percent, short } from "./figures.mjs";
import { machine } from "./machine.mjs";

export { median, percentile, seconds } from "./figures.mjs";

const flags = process.argv.slice(2);
export const json = flags.includes("--json");
export const quick = flags.includes("--quick");

const WARM_UP_ROUNDS = quick ? 1 : 2;
/** A race ends here, if it has had the fewest rounds that a median may stand on: so the whole of them fits into its minutes. */
const RACE_SECONDS_MAX = quick ? 0.4 : 4.5;
export const ROUNDS_MIN = quick ? 3 : 7;

/**
 * @param {{ name: string, unit: string, better?: "higher" | "lower", rounds?: number, secondsMax?: number,
 *   against?: string, budget?: { ratio: number } | { atMost: number } | { atLeast: number },
 *   ours: (round: number) => Promise<number>, raw: (round: number) => Promise<number>,
 *   limits?: readonly { name: string, does: string, isPart?: boolean, isLimit?: boolean, lap: (round: number) => Promise<number> }[] }} race
 *   Each lap answers its figure, in `unit`: what it makes ready and clears away is not in it. The first laps are not counted: they
 *   warm caches and compilers. The ratio is the median of the rounds' own ratios: the two laps of a round stand side by side, while
 *   a shared machine may be threefold slower a second later. `against` says what the raw loop does. `limits` are further lanes of the same
 *   rounds, each a result of its own, "NAME: LANE": what nobody who does our work can leave out, and so what the budget may ask at most.
 */
export async function race({ name, unit, better = "higher", rounds = quick ? 5 : 11, secondsMax = RACE_SECONDS_MAX, ...rest }) {
  const { ours, raw, against, budget, limits = [] } = rest;
  const lanes = [raw, ours, ...limits.map(({ lap }) => lap)].map((lap) => ({ lap, figures: [] }));
  const began = performance.now();
  const isOver = (round) => round >= rounds || (round >= ROUNDS_MIN && performance.now() - began > (secondsMax * 1000 * lanes.length) / 2);
  for (let round = -WARM_UP_ROUNDS; !isOver(round); round += 1) {
    for (const { lap, figures } of turns(lanes, round + WARM_UP_ROUNDS)) {
      const figure = await lap(round);
      if (round >= 0) figures.push(figure);
    }
  }
  const [ofRaw, ofOurs, ...ofLimits] = lanes.map(({ figures }) => figures);
  const result = told({ name, unit, better, against, budget, figures: { ours: ofOurs, raw: ofRaw } });
  for (const [at, limit] of limits.entries()) toldLimit({ of: result, limit, figures: { limit: ofLimits[at], ours: ofOurs, raw: ofRaw } });
  return result;
}

/** Who goes first changes from round to round, and which way round: the next one finds the caches of the one before. */
function turns(lanes, round) {
  const first = round % lanes.length;
  const turned = [...lanes.slice(first), ...lanes.slice(0, first)];
  return Math.floor(round / lanes.length) % 2 === 0 ? turned : turned.reverse();
}

/**
 * A lane that measures what limits `of`, a result, in the rounds in which that was taken. `isPart`: it is a part of our own work, and no
 * more of a limit than that we do it. `isLimit` false: a lane to compare with, which nobody has to do.
 */
export function toldLimit({ of, limit, figures }) {
  const { name, unit, better, against } = of;
  const share = figures.ours.map((ours, round) => (better === "higher" ? ours / figures.limit[round] : figures.limit[round] / ours));
  return told({
    name: `${name}: ${limit.name}`,
    unit,
    better,
    against,
    figures: { ours: figures.limit, raw: figures.raw },
    ...(limit.isLimit !== false && { limitOf: name }),
    does: limit.does,
    isPart: limit.isPart,
    oursOfIt: median(share),
  });
}

/** The result of laps that were taken in turns elsewhere: `figures` holds those of ours and of raw, round by round. */
export function told({ name, unit, better = "higher", against, budget, figures, ...more }) {
  const ratios = figures.ours.map((figure, round) => (better === "higher" ? figure / figures.raw[round] : figures.raw[round] / figure));
  return report({
    name,
    value: median(figures.ours),
    unit,
    rawLimit: median(figures.raw),
    ratio: median(ratios),
    rounds: ratios.length,
    spread: [Math.min(...ratios), Math.max(...ratios)],
    better,
    against,
    budget,
    ...more,
  });
}

/** One line. Without `rawLimit` it is a figure beside which there is no raw loop. What else is given goes into the JSON as it is. */
export function report({ name, value, unit, rawLimit = null, ratio = null, rounds, spread = null, ...more }) {
  const result = { name, value, unit, rawLimit, ratio, rounds, spread, machine: machine(), ...more };
  if (json) console.log(JSON.stringify(result));
  else {
    const range = spread === null ? "" : ` (${percent(spread[0])} to ${percent(spread[1])})`;
    const beside = rawLimit === null ? "" : `raw ${short(rawLimit).padStart(8)}  ${percent(ratio).padStart(4)} % of raw${range}`;
    const kept = more.budget === undefined ? "" : judgement(more.budget, { value, ratio });
    console.log(`${name.padEnd(46)} ${short(value).padStart(8)} ${unit.padEnd(10)} ${beside}${kept}`.trimEnd());
  }
  return result;
}

function judgement(budget, result) {
  const { isMet, words } = judged(budget, result);
  return `  budget ${words}: ${isMet ? "kept" : "NOT KEPT"}`;
}
