/** Whole programs on the whole engine, life after life on a machine that dies at a call of its storage. */
import type { CrashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Life as OpenEngine, openEngine } from "./engine-rig.ts";
import { Run, randomStep } from "./engine-steps.ts";
import { World } from "./engine-world.ts";
import { type Lived, mortalLives } from "./mortal-lives.ts";

export interface EngineLived extends Lived {
  readonly opens: number;
}

export async function engineLives(seed: number, onCrash?: (left: CrashStorage) => void): Promise<EngineLived> {
  const random = new SeededRandom(seed);
  const world = new World();
  let opens = 0;
  const lived = await mortalLives<Run>(random, {
    onCrash,
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
