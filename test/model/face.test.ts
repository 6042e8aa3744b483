/**
 * The model test of the face: random programs of sends, transactions, reads, commits, cuts, cleanings and reopenings, each answer
 * compared with an array's. The number of commands that ran is counted and held to a floor; the seed is printed, and FC_SEED runs one again.
 */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type Command, commands } from "./face-commands.ts";
import { FaceRun } from "./face-run.ts";

const COMMANDS_MIN = 200_000;
const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);
/** So many programs, for a first look at a change: commands are then not counted, and what fails is told at once, unshrunk. */
const programs = process.env.ODRADEK_MODEL_RUNS;

const BEGINNING: readonly Command[] = [
  { do: "create", topic: 0, partitions: 2, codec: 0 },
  { do: "create", topic: 2, partitions: 1, codec: 0 },
];

let ran = 0;
const ranOf: Record<string, number> = {};

describe("the face against an array", () => {
  afterAll(() => console.log(`face model: ${ran} commands (seed ${seed}): ${JSON.stringify(ranOf)}`));

  it(`answers as an array does, in at least ${COMMANDS_MIN} commands`, { timeout: 1_000_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(commands, { minLength: 150, maxLength: 400, size: "max" }), async (program) => {
        const run = new FaceRun();
        await run.open();
        for (const command of [...BEGINNING, ...program]) {
          await run.step(command);
          ran += 1;
          ranOf[command.do] = (ranOf[command.do] ?? 0) + 1;
        }
        await run.log.close();
      }),
      // A counterexample is shrunk for so long at most: the smallest found by then is told, with its seed and path.
      {
        seed,
        numRuns: Number(programs ?? 820),
        endOnFailure: programs !== undefined,
        interruptAfterTimeLimit: 900_000,
        markInterruptAsFailure: true,
      },
    );
    if (programs === undefined) expect(ran).toBeGreaterThanOrEqual(COMMANDS_MIN);
  });
});
