/** fast-check with one seed for all, with fewer runs when a quick answer is wanted, and without shrinking: nobody reads the counterexample. */
// The path behind the package's name, which leads here in the bundle.
import fc from "../../../node_modules/fast-check/lib/fast-check.js";

let seed = 1;
let share = 1;

/** `runsShare`: of the runs that a law asks for, at least four. */
export function setChance(newSeed, runsShare) {
  seed = newSeed;
  share = runsShare;
}

const RUNS = 100;

export default {
  ...fc,
  assert: (property, options = {}) =>
    fc.assert(property, { ...options, seed, endOnFailure: true, numRuns: Math.max(4, Math.ceil((options.numRuns ?? RUNS) * share)) }),
};
