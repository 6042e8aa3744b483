/** A trial that never ends is a failure, not a night in which nothing else is tried. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Prover, Tally, Trial } from "./prover.ts";
import { boundedRun } from "./trial-bound.ts";

const TRIAL: Trial = { seed: 1, directory: () => "", say: () => {} };
const proverOf = (run: () => Promise<Tally>, name = "crash"): Prover => ({ name, unit: "crashStates", run });
const FINE: Tally = { counts: { crashStates: 1 }, failures: [] };

it("ends a trial that waits for what never comes, and says so", async () => {
  const { counts, failures } = await boundedRun(
    proverOf(() => new Promise(() => {})),
    TRIAL,
    60,
  );
  expect(counts).toEqual({});
  expect(failures.map(({ breach, what }) => `${breach}: ${what}`)).toEqual([expect.stringMatching(/^other: the trial hangs/)]);
});

it("lets a trial that works take as long as it takes, and one that waits for other processes", async () => {
  const works = async (): Promise<Tally> => {
    const endsAt = performance.now() + 200;
    while (performance.now() < endsAt) await new Promise((resolve) => setImmediate(resolve));
    return FINE;
  };
  expect(await boundedRun(proverOf(works), TRIAL, 60)).toBe(FINE);
  const waits = async (): Promise<Tally> => await sleep(150, FINE);
  expect(await boundedRun(proverOf(waits, "kills"), TRIAL, 60)).toBe(FINE);
});
