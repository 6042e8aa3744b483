/** Compacted topics, repeated batches and transactions on a machine that dies at any call of its storage, in recovery too. */
import { describe, expect, it } from "vitest";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { NOW_MS, SIM_SCALE, watched } from "./engine-rig.ts";
import { BrokenPromise } from "./engine-world.ts";
import { openSubject, type Subject } from "./guarantees-rig.ts";
import { GuaranteesRun, randomGuaranteeStep } from "./guarantees-steps.ts";
import { GuaranteesWorld } from "./guarantees-world.ts";

const LIVES = 5;

interface Outcome {
  readonly trace: readonly string[];
  readonly crashes: number;
  readonly recoveryCrashes: number;
  readonly world: GuaranteesWorld;
}

/** A few lives of one disk, each a program that ends with the machine's death, or in order. */
async function simulate(seed: number): Promise<Outcome> {
  const random = new SeededRandom(seed);
  const trace: string[] = [];
  let [crashes, recoveryCrashes] = [0, 0];
  const world = new GuaranteesWorld(NOW_MS);
  const latencies = random.fork();
  const latency = async (call: string): Promise<void> => {
    for (let turns = Math.floor(latencies.next() * (call === "sync" ? 40 : 4)); turns > 0; turns -= 1) await null;
  };
  let disk: CrashStorage = crashStorage({ sectorByteLength: 64, latency });
  for (let life = 0; life <= LIVES; life += 1) {
    let callsLeft =
      life === LIVES ? Number.POSITIVE_INFINITY : random.pick([random.integer(1, 30), random.integer(50, 600), random.integer(200, 1500)]);
    const current = disk;
    const storage = watched(current, (call) => {
      trace.push(call);
      callsLeft -= 1;
      if (callsLeft === 0) current.halt();
    });
    const open = (): Promise<Subject> => openSubject(storage, random.integer(0, 1e9), world.nowMs);
    // In some lives a flush fails too, and takes what it should have flushed with it.
    const disturbedFrom = life < LIVES && random.chance(0.15) ? random.integer(1, 40) : Number.POSITIVE_INFINITY;
    // Most lives end anywhere; some in the middle of what takes many steps.
    const diesIn = life < LIVES ? random.pick([null, "txnEnd", "txnEnd", "maintain", "fence"] as const) : null;
    let run: GuaranteesRun | null = null;
    let stepCount = 0;
    try {
      const first = await open();
      if (callsLeft > 0) await world.check(first, "just opened");
      run = new GuaranteesRun(world, first, open);
      await run.createTopics();
      for (let steps = random.integer(10, 80); steps > 0 && callsLeft > 0; steps -= 1) {
        stepCount += 1;
        if (stepCount === disturbedFrom) {
          current.failSyncs(random.pick([/./, /\.log$/]), random.pick(["ext4", "btrfs", "xfs"] as const));
          run.isDisturbed = true;
        }
        const step = randomGuaranteeStep(random);
        const isIdle = step.kind === "txnEnd" && (!step.commit || world.clients.get(step.client)?.transaction === null);
        if (step.kind === diesIn && !isIdle && random.chance(0.7))
          callsLeft = Math.min(callsLeft, random.integer(1, diesIn === "maintain" ? 120 : 25));
        // Audits ask for a broker that was refused nothing.
        if (stepCount < disturbedFrom || (step.kind !== "reopen" && step.kind !== "audit" && step.kind !== "zombie")) await run.step(step);
        const broken = run.errors.find((error) => error instanceof BrokenPromise);
        if (broken !== undefined) throw broken;
      }
      if (random.chance(0.5)) await run.settled();
      if (life === LIVES) {
        await thrive(run);
        if (run.errors.length > 0) throw run.errors[0];
        await run.subject.broker.close();
        return { trace, crashes, recoveryCrashes, world };
      }
    } catch (error) {
      // The dead machine refuses; a promise that is broken after its death was checked against a ghost.
      if (callsLeft > 0) throw error;
      if (run === null) recoveryCrashes += 1;
    }
    const isDisturbed = stepCount >= disturbedFrom;
    // A refusal that nobody waited for must not come from a machine that lives.
    if (callsLeft > 0 && !isDisturbed && run !== null && run.errors.length > 0) throw run.errors[0];
    crashes += 1;
    const kind = random.pick(["process", "power", "power"] as const);
    if (kind === "power" || isDisturbed) world.losePower();
    disk = current.crash(random.fork(), { kind, tornSectors: random.chance(0.3) });
    await run?.lastWords();
  }
  throw new Error("not reached");
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
    const seeds = Math.ceil(60 * SIM_SCALE);
    const first = Number(process.env["ODRADEK_SEED"] ?? 1);
    const sums: Record<string, number> = { crashes: 0, recoveryCrashes: 0, calls: 0 };
    const add = (name: string, count: number): void => {
      sums[name] = (sums[name] ?? 0) + count;
    };
    for (let seed = first; seed < first + seeds; seed += 1) {
      try {
        const { crashes, recoveryCrashes, trace, world } = await simulate(seed);
        add("crashes", crashes);
        add("recoveryCrashes", recoveryCrashes);
        add("calls", trace.length);
        for (const [name, count] of Object.entries(world.sums)) add(name, count);
      } catch (error) {
        const what = error instanceof BrokenPromise ? "broken promise" : "refusal on a machine that lives";
        throw new Error(`seed ${seed} (ODRADEK_SEED=${seed}): ${what}: ${String(error)}`, { cause: error });
      }
    }
    await settled();
    if (SIM_SCALE > 1) console.log(`guarantees-crash: seeds ${first} to ${first + seeds - 1}, ${JSON.stringify(sums)}`);
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
