/** Loss of power at any call of the storage, of logs and of whole engines, again while they recover: what was promised is there (C1 to C5, C9). */
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Prover, Tally, Trial } from "../prover.ts";
import { Account } from "./account.ts";
import { KINDS } from "./kinds.ts";

export const crashProver: Prover = {
  name: "crash",
  unit: "crashStates",
  async run({ seed, say }: Trial): Promise<Tally> {
    const account = new Account();
    const { stackTraceLimit } = Error;
    // The simulated disk refuses by errors, thousands in a trial: where each of them was made costs as much as a recovery.
    Error.stackTraceLimit = 0;
    try {
      for (const { name, turns, run } of KINDS) {
        // The n-th trial has the turns from n·turns up to (n+1)·turns: as many as that in the mean, none of them twice.
        for (let turn = Math.ceil(seed * turns); turn < (seed + 1) * turns && !account.isFull; turn += 1) {
          const before = account.stateCount;
          // Before any crash nothing is refused.
          await run(account, new SeededRandom(`${seed}/${name}/${turn}`), turn).catch((error: unknown) =>
            account.fail(name, "without a crash", error),
          );
          say(`${name}, turn ${turn}: ${account.stateCount - before} crash states`);
        }
      }
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
    say(`opened and held against what was promised: ${JSON.stringify(account.byKind)}`);
    return account.tally();
  },
};
