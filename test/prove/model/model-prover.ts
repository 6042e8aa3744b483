/** Random programs on the face and on its model, each answer compared. */
import fc from "fast-check";
import type { Command } from "../../model/face-commands.ts";
import { programs, runProgram } from "../../model/face-program.ts";
import { failureOf } from "../failure.ts";
import type { Prover, Trial } from "../prover.ts";

export const modelProver: Prover = {
  name: "model",
  unit: "modelCommands",
  async run({ seed, say }: Trial) {
    const [program] = fc.sample(programs, { seed, numRuns: 1 }) as [Command[]];
    let ran = 0;
    try {
      await runProgram(program, (command) => {
        ran += 1;
        say(JSON.stringify(command));
      });
      return { counts: { modelCommands: ran }, failures: [] };
    } catch (error) {
      const { breach, what } = failureOf(error);
      return {
        counts: { modelCommands: ran },
        failures: [{ breach, what: `command ${ran}, ${JSON.stringify(program[ran - 2])}: ${what}` }],
      };
    }
  },
};
