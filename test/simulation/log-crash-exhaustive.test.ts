/** Small scopes, every way out: each disk that a loss of power may leave after each call of a short life (C1 to C4, C9); `npm run prove` takes all of them. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { Account } from "../prove/crash/account.ts";
import { CrashTree } from "../prove/crash/crash-tree.ts";
import { plainSubject } from "../prove/crash/plain-log.ts";
import { PROGRAM_COUNT, smallCrashes, smallProgram } from "../prove/crash/small-log.ts";
import { SIM_SCALE } from "./engine-rig.ts";

/** Of the programs every so manyth, or all of them; no multiple of three, so that files of each kind have their turn. */
const STRIDE = SIM_SCALE > 1 ? 1 : 91;

describe("every disk that a short life may leave", () => {
  it("keeps what was promised, whatever came of each write, with room from the start, sized ahead and neither", async () => {
    const account = new Account();
    for (let number = 0; number < PROGRAM_COUNT; number += STRIDE) {
      const program = smallProgram(number);
      const tree = new CrashTree(plainSubject("log", program.settings), account, new SeededRandom(`exhaustive ${number}`));
      await tree.explore(await smallCrashes(tree, program));
    }
    const { failures, counts } = account.tally();
    expect(failures).toEqual([]);
    expect(counts.crashStates).toBeGreaterThan(300);
  }, 120_000);
});
