/** Whole programs on the whole engine, whose machine dies at a call of the storage, in recovery too: what was promised is there. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Life as OpenEngine, openEngine, SIM_SCALE } from "./engine-rig.ts";
import { Run, randomStep } from "./engine-steps.ts";
import { World } from "./engine-world.ts";
import { eachSeed, type Lived, mortalLives } from "./mortal-lives.ts";

interface Outcome extends Lived {
  readonly opens: number;
}

async function simulate(seed: number): Promise<Outcome> {
  const random = new SeededRandom(seed);
  const world = new World();
  let opens = 0;
  const lived = await mortalLives<Run>(random, {
    lives: 6,
    // Shorter lives die in recovery.
    callsLeft: () => random.pick([random.integer(1, 20), random.integer(1, 60), random.integer(20, 400)]),
    disturbed: [0.25, 15],
    losePower: () => world.losePower(),
    afterDeath: (run) => run.settled(),
    live: async (life) => {
      const open = async (): Promise<OpenEngine> => {
        opens += 1;
        return await openEngine(life.storage, random.integer(0, 1e9));
      };
      const first = await open();
      if (life.callsLeft > 0) await world.check(first);
      const run = new Run(world, first, open, random.integer(0, 1e9));
      life.run = run;
      for (let steps = random.integer(3, 30); steps > 0 && life.callsLeft > 0; steps -= 1) {
        life.stepCount += 1;
        if (life.stepCount === life.disturbedFrom)
          life.disk.failSyncs(random.pick([/./, /\.log$/]), random.pick(["ext4", "btrfs", "xfs"] as const));
        const step = randomStep(random);
        if (life.stepCount < life.disturbedFrom || step.kind !== "reopen") await run.step(step);
      }
      if (random.chance(0.5)) await run.settled();
      if (!life.isLast) return;
      await run.settled();
      await run.step({ kind: "reopen" });
      await thrive(run);
      if (run.errors.length > 0) throw run.errors[0];
      await run.life.engine.close();
    },
  });
  return { ...lived, opens };
}

/** After the faults: every topic takes records, a new one can be made, and it closes. */
async function thrive(run: Run): Promise<void> {
  for (const topic of ["a", "b"]) await run.step({ kind: "create", topic, partitions: 2, os: false });
  for (const topic of ["a", "b"]) {
    for (let partition = 0; partition < 3; partition += 1) {
      await run.step({ kind: "produce", topic, partition, count: 2, length: 30, wait: true });
      await run.step({ kind: "commit", group: "g", topic, partition, share: 1, durable: true, wait: true });
    }
  }
  await run.step({ kind: "reopen" });
}

describe("an engine whose machine dies at any call of its storage", () => {
  it("keeps every promise across topics, partitions, groups and clean closes, whatever was under way", async () => {
    const sums = { crashes: 0, recoveryCrashes: 0, deepest: 0, opens: 0, calls: 0 };
    const seeds = await eachSeed(150, async (seed) => {
      const { crashes, recoveryCrashes, deepest, opens, trace } = await simulate(seed);
      sums.deepest = Math.max(sums.deepest, deepest);
      sums.crashes += crashes;
      sums.recoveryCrashes += recoveryCrashes;
      sums.opens += opens;
      sums.calls += trace.length;
    });
    if (SIM_SCALE > 1) console.log(`engine-crash: ${seeds} seeds, ${JSON.stringify(sums)}`);
    // A simulation that never dies in recovery, or hardly works, shows nothing.
    expect(sums.recoveryCrashes).toBeGreaterThan(seeds / 4);
    expect(sums.deepest).toBeGreaterThanOrEqual(3);
    expect(sums.calls).toBeGreaterThan(seeds * 100);
  }, 3_600_000);

  it("makes the same storage calls again for the same seed", async () => {
    for (const seed of [7, 8, 9]) expect((await simulate(seed)).trace).toEqual((await simulate(seed)).trace);
  }, 60_000);
});
