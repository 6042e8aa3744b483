/** The oracle of the simulation sees: held against a broker that keeps every promise it is silent, against one that breaks one it is not. */
import { describe, expect, it } from "vitest";
import { loadCore } from "../../src/core/load-core.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { NOW_MS } from "./engine-rig.ts";
import { BrokenPromise } from "./engine-world.ts";
import type { Subject } from "./guarantees-rig.ts";
import { GuaranteesRun, randomGuaranteeStep } from "./guarantees-steps.ts";
import { GuaranteesWorld } from "./guarantees-world.ts";
import { type Lie, LyingBroker, LyingDisk } from "./lying-broker.ts";

const STEPS = 160;
const SEEDS = 12;

/** The first promise that a program of this seed finds broken; null: none. */
async function run(seed: number, lie: Lie | null): Promise<string | null> {
  const random = new SeededRandom(seed);
  const disk = new LyingDisk();
  const world = new GuaranteesWorld(NOW_MS);
  const core = await loadCore({});
  const open = async (): Promise<Subject> => new LyingBroker(disk, core, new ManualClock(world.nowMs), lie).subject();
  const program = new GuaranteesRun(world, await open(), open);
  try {
    await program.createTopics();
    for (let step = 0; step < STEPS; step += 1) {
      await program.step(randomGuaranteeStep(random));
      if (program.errors.length > 0) throw program.errors[0];
    }
    await program.step({ kind: "audit" });
    await program.step({ kind: "reopen" });
    if (program.errors.length > 0) throw program.errors[0];
    return null;
  } catch (error) {
    if (error instanceof BrokenPromise) return error.message;
    throw error;
  }
}

const LIES: readonly (readonly [Lie, RegExp])[] = [
  ["drops the newest value of a key", /the newest is record|is gone/],
  ["gives up a tombstone and keeps what it deleted", /the newest is record \d+ at \d+, \w=\(tombstone\).*a reader ends with/],
  ["gives up a tombstone before its horizon", /\(tombstone\).*a reader finds nothing/],
  ["moves a record to another offset", /stood at \d+, now at|acknowledged at/],
  ["lets the log end go back", /the log ends at/],
  ["loses an acknowledged record", /was acknowledged .* is gone|finds nothing|ends with record|nothing at/],
  ["alters a value", /sent .*, found/],
  ["appends a repetition again", /its repetition at|stands here twice/],
  ["answers a repetition with another offset", /its repetition at/],
  ["commits one partition of two", /is committed, and a reader is not given it|finds nothing|ends with record/],
  ["commits records without offsets", /committed offset/],
  ["commits offsets without records", /is committed, and a reader is not given it|finds nothing|ends with record/],
  ["shows what was aborted", /of transaction \d+, which is|never to be committed/],
  ["shows what is open", /of transaction \d+, which is open|told before/],
  ["hides what was committed", /is not given it/],
  ["commits what was never ended", /was never to be committed/],
  ["leaves a transaction open", /just opened: high watermark/],
  ["gives a producer id twice", /was given to/],
  ["lets a fenced producer in", /was let in/],
  ["keeps the epoch", /epoch/],
  ["skips a committed batch for a slow reader", /a slow reader/],
];

describe("the oracle of compaction, idempotence and transactions", () => {
  it("is silent about a broker that keeps every promise", async () => {
    for (let seed = 1; seed <= 4 * SEEDS; seed += 1) expect(await run(seed, null), `seed ${seed}`).toBeNull();
  });

  it.each(LIES)("sees a broker that %s", async (lie, told) => {
    const seen: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const broken = await run(seed, lie);
      if (broken !== null) seen.push(broken);
    }
    expect(seen.length, "of these seeds none saw it").toBeGreaterThan(0);
    for (const message of seen) expect(message).toMatch(told);
  });
});
