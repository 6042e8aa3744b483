/** Compacted topics, repeated batches and transactions on a machine that dies at any call of its storage, in recovery too. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { NOW_MS, SIM_SCALE } from "./engine-rig.ts";
import { BrokenPromise } from "./engine-world.ts";
import { openSubject, type Subject } from "./guarantees-rig.ts";
import { GuaranteesRun, randomGuaranteeStep } from "./guarantees-steps.ts";
import { GuaranteesWorld } from "./guarantees-world.ts";
import { eachSeed, type Life, type Lived, mortalLives } from "./mortal-lives.ts";

interface Outcome extends Lived {
  readonly world: GuaranteesWorld;
}

async function simulate(seed: number): Promise<Outcome> {
  const random = new SeededRandom(seed);
  const world = new GuaranteesWorld(NOW_MS);
  const lived = await mortalLives<GuaranteesRun>(random, {
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

describe("an engine with compaction and transactions whose machine dies at any call of its storage", () => {
  it("keeps the newest value of every key, all or nothing of every transaction, and every record once", async () => {
    const sums: Record<string, number> = { crashes: 0, recoveryCrashes: 0, calls: 0 };
    const seeds = await eachSeed(60, async (seed) => {
      const { crashes, recoveryCrashes, trace, world } = await simulate(seed);
      for (const [name, count] of Object.entries({ crashes, recoveryCrashes, calls: trace.length, ...world.sums }))
        sums[name] = (sums[name] ?? 0) + count;
    });
    if (SIM_SCALE > 1) console.log(`guarantees-crash: ${seeds} seeds, ${JSON.stringify(sums)}`);
    // A simulation in which nothing is compacted, committed, repeated or interrupted shows nothing.
    for (const [name, floor] of Object.entries({
      recoveryCrashes: 0.3,
      committed: 2,
      aborted: 0.5,
      duplicates: 1,
      fenced: 0.3,
      compactedAway: 10,
    }))
      expect(sums[name], `${name}: ${JSON.stringify(sums)}`).toBeGreaterThan(seeds * floor);
    expect(sums["tombstonesGone"]).toBeGreaterThan(seeds);
    expect(sums["doubts"]).toBeGreaterThan(seeds / 10);
  }, 3_600_000);

  it("makes the same storage calls again for the same seed", async () => {
    for (const seed of [7, 8]) expect((await simulate(seed)).trace).toEqual((await simulate(seed)).trace);
  }, 60_000);
});
