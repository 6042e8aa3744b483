/** The same seed twice: whole lives of an engine, deaths of its machine and recoveries included, make the same calls of the storage in the same order. */
import { engineLives } from "../../simulation/engine-lives.ts";
import { guaranteesLives } from "../../simulation/guarantees-lives.ts";
import { failureOf } from "../failure.ts";
import type { Failure, Prover, Tally, Trial } from "../prover.ts";

const SIMULATIONS: readonly ((seed: number) => Promise<{ readonly trace: readonly string[] }>)[] = [
  engineLives,
  engineLives,
  guaranteesLives,
];

export const tracesProver: Prover = tracesProverOf(SIMULATIONS);

/** Seeds take the simulations in turn; the last is the dearest. */
export function tracesProverOf(simulations: typeof SIMULATIONS): Prover {
  return {
    name: "traces",
    unit: "tracesCompared",
    async run({ seed, say }: Trial): Promise<Tally> {
      const simulate = simulations[seed % simulations.length] as (typeof simulations)[number];
      try {
        const [one, other] = [(await simulate(seed)).trace, (await simulate(seed)).trace];
        say(`${one.length} calls`);
        const failures: Failure[] = [];
        const at = one.findIndex((call, index) => call !== other[index]);
        if (at >= 0 || one.length !== other.length)
          failures.push({
            breach: "other",
            what: `call ${at < 0 ? one.length : at}: once ${one[at] ?? "no more"}, again ${other[at < 0 ? one.length : at] ?? "no more"}`,
          });
        return { counts: { tracesCompared: 1, tracesEqual: failures.length === 0 ? 1 : 0 }, failures };
      } catch (error) {
        return { counts: { tracesCompared: 1, tracesEqual: 0 }, failures: [failureOf(error)] };
      }
    },
  };
}
