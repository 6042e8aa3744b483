/** The prover of traces sees a simulation that does not repeat. */
import { describe, expect, it } from "vitest";
import { tracesProver, tracesProverOf } from "./traces-prover.ts";

const trialOf = (seed: number) => ({ seed, directory: () => "", say: () => {} });

describe("the prover of traces", () => {
  it("finds the same calls for the same seed, of engines that die", async () => {
    for (const seed of [7, 8])
      expect(await tracesProver.run(trialOf(seed))).toEqual({ counts: { tracesCompared: 1, tracesEqual: 1 }, failures: [] });
  });

  it("says where two runs of a seed part, be it one call or the end", async () => {
    let run = 0;
    const drifting = async () => ({ trace: ["open a", "sync a", ...(++run % 2 === 0 ? ["sync b"] : ["remove b"])] });
    const drift = await tracesProverOf([drifting]).run(trialOf(1));
    expect(drift.counts).toEqual({ tracesCompared: 1, tracesEqual: 0 });
    expect(drift.failures).toEqual([{ breach: "other", what: "call 2: once remove b, again sync b" }]);
    const growing = async () => ({ trace: ["open a", "sync a"].slice(0, ++run % 2 === 0 ? 2 : 1) });
    expect((await tracesProverOf([growing]).run(trialOf(1))).counts.tracesEqual).toBe(0);
  });

  it("tells what a simulation threw, a broken promise by its clause", async () => {
    const broken = async () => Promise.reject(new Error("C1: gone"));
    expect((await tracesProverOf([broken]).run(trialOf(1))).failures).toEqual([{ breach: "lost", what: "Error: C1: gone" }]);
  });
});
