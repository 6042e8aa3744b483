/**
 * The model test of the face: random programs of sends, transactions, reads, commits, cuts, cleanings and reopenings, each answer
 * compared with an array's. The seed is printed, and FC_SEED runs one again. What fails is shrunk here; `npm run prove` runs many more.
 */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { programs, runProgram } from "./face-program.ts";

const COMMANDS_MIN = 40_000;
const PROGRAMS = 170;
const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);
/** So many programs instead, for a first look at a change: what fails is told at once, unshrunk. */
const few = process.env.ODRADEK_MODEL_RUNS;

let ran = 0;
const ranOf: Record<string, number> = {};

describe("the face against an array", () => {
  afterAll(() => console.log(`face model: ${ran} commands (seed ${seed}): ${JSON.stringify(ranOf)}`));

  it(`answers as an array does, in at least ${COMMANDS_MIN} commands`, { timeout: 1_000_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(programs, (program) =>
        runProgram(program, (command) => {
          ran += 1;
          ranOf[command.do] = (ranOf[command.do] ?? 0) + 1;
        }),
      ),
      // A counterexample is shrunk for so long at most: the smallest found by then is told, with its seed and path.
      {
        seed,
        numRuns: Number(few ?? PROGRAMS),
        endOnFailure: few !== undefined,
        interruptAfterTimeLimit: 600_000,
        markInterruptAsFailure: true,
      },
    );
    if (few === undefined) expect(ran).toBeGreaterThanOrEqual(COMMANDS_MIN);
  });
});
