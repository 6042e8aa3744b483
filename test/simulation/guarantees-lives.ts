/** Programs of compacted topics, repeated batches and transactions, life after life on a machine that dies at a call of its storage. */
import type { CrashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { NOW_MS } from "./engine-rig.ts";
import { BrokenPromise } from "./engine-world.ts";
import { openSubject, type Subject } from "./guarantees-rig.ts";
import { GuaranteesRun, randomGuaranteeStep } from "./guarantees-steps.ts";
import { GuaranteesWorld } from "./guarantees-world.ts";
import { type Life, type Lived, mortalLives } from "./mortal-lives.ts";

export interface GuaranteesLived extends Lived {
  readonly world: GuaranteesWorld;
}

export async function guaranteesLives(seed: number, onCrash?: (left: CrashStorage) => void): Promise<GuaranteesLived> {
  const random = new SeededRandom(seed);
  const world = new GuaranteesWorld(NOW_MS);
  const lived = await mortalLives<GuaranteesRun>(random, {
    onCrash,
    lives: 5,
    callsLeft: () => random.pick([random.integer(1, 30), random.integer(50, 600), random.integer(200, 1500)]),
    disturbed: [0.15, 40],
    losePower: () => world.losePower(),
    afterDeath: (run) => run.lastWords(),
    live: (life) => live(life, world),
  });
  return { ...lived, world };
}

async function live(life: Life<GuaranteesRun>, world: GuaranteesWorld): Promise<void> {
  const { random } = life;
  const open = (): Promise<Subject> => openSubject(life.storage, random.integer(0, 1e9), world.nowMs);
  // Most lives end anywhere; some in the middle of what takes many steps.
  const diesIn = life.isLast ? null : random.pick([null, "txnEnd", "txnEnd", "maintain", "fence"] as const);
  const first = await open();
  if (life.callsLeft > 0) await world.check(first, "just opened");
  const run = new GuaranteesRun(world, first, open);
  life.run = run;
  await run.createTopics();
  for (let steps = random.integer(10, 80); steps > 0 && life.callsLeft > 0; steps -= 1) {
    life.stepCount += 1;
    if (life.stepCount === life.disturbedFrom) {
      life.disk.failSyncs(random.pick([/./, /\.log$/]), random.pick(["ext4", "btrfs", "xfs"] as const));
      run.isDisturbed = true;
    }
    const step = randomGuaranteeStep(random);
    const isIdle = step.kind === "txnEnd" && (!step.commit || world.clients.get(step.client)?.transaction === null);
    if (step.kind === diesIn && !isIdle && random.chance(0.7))
      life.callsLeft = Math.min(life.callsLeft, random.integer(1, diesIn === "maintain" ? 120 : 25));
    // Audits ask for a broker that was refused nothing.
    if (life.stepCount < life.disturbedFrom || (step.kind !== "reopen" && step.kind !== "audit" && step.kind !== "zombie"))
      await run.step(step);
    const broken = run.errors.find((error) => error instanceof BrokenPromise);
    if (broken !== undefined) throw broken;
  }
  if (random.chance(0.5)) await run.settled();
  if (!life.isLast) return;
  await thrive(run);
  if (run.errors.length > 0) throw run.errors[0];
  await run.subject.broker.close();
}

/** After the faults: everything works, and what was cleaned twice with a horizon between holds no old value and no tombstone. */
async function thrive(run: GuaranteesRun): Promise<void> {
  await run.settled();
  await run.step({ kind: "audit" });
  for (const client of ["t0", "t1"]) {
    await run.step({ kind: "fence", client });
    const puts = ["plain", "kept", "quick"].map((topic) => ({
      topic,
      partition: 0,
      keys: ["a", "b"],
      tombstones: [false, true],
      length: 20,
      codec: null,
    }));
    await run.step({ kind: "txnSend", client, puts, wait: true });
    await run.step({ kind: "txnOffsets", client, share: 1, wait: true });
    await run.step({ kind: "txnEnd", client, commit: true, wait: true });
  }
  for (let pass = 0; pass < 2; pass += 1) {
    await run.step({ kind: "maintain", wait: true });
    await run.step({ kind: "jump", ms: 61_000 });
  }
  await run.step({ kind: "audit" });
  await run.step({ kind: "reopen" });
}
