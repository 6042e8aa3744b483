/** Short programs from a small alphabet, a loss of power at the calls of their last step, and disks that it may leave; `npm run prove` takes all of them. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { Account } from "../prove/crash/account.ts";
import { CrashTree } from "../prove/crash/crash-tree.ts";
import { PROGRAM_COUNT, shortCrashes, shortProgram, topicsSubject } from "../prove/crash/engine-topics.ts";
import { SIM_SCALE } from "./engine-rig.ts";

/** Of the programs every so manyth, or all of them. */
const STRIDE = SIM_SCALE > 1 ? 1 : 13;

describe("programs of up to three steps", () => {
  it("leave whole topics, offsets and records, at whichever call the power goes", async () => {
    const account = new Account();
    for (let number = 0; number < PROGRAM_COUNT; number += STRIDE) {
      const random = new SeededRandom(`small scope ${number}`);
      const tree = new CrashTree(topicsSubject, account, random);
      await tree.explore(await shortCrashes(tree, shortProgram(number), 0.5 * SIM_SCALE, random));
    }
    const { failures, counts } = account.tally();
    expect(failures).toEqual([]);
    expect(counts.crashStates).toBeGreaterThan(200);
  }, 3_600_000);
});
