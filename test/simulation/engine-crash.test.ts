/** Whole programs on the whole engine, whose machine dies at a call of the storage, in recovery too: what was promised is there. */
import { describe, expect, it } from "vitest";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Life, openEngine, SIM_SCALE, watched } from "./engine-rig.ts";
import { Run, randomStep } from "./engine-steps.ts";
import { BrokenPromise, World } from "./engine-world.ts";

const LIVES = 6;

interface Outcome {
  readonly trace: readonly string[];
  readonly crashes: number;
  /** Of which in an open that was not over. */
  readonly recoveryCrashes: number;
  /** Of which one after another. */
  readonly deepest: number;
  readonly opens: number;
}

/** A few lives of one disk, each a program that ends with the machine's death, or in order. */
async function simulate(seed: number): Promise<Outcome> {
  const random = new SeededRandom(seed);
  const trace: string[] = [];
  let [crashes, recoveryCrashes, opens, inARow, deepest] = [0, 0, 0, 0, 0];
  const world = new World();
  const latencies = random.fork();
  const latency = async (call: string): Promise<void> => {
    for (let turns = Math.floor(latencies.next() * (call === "sync" ? 40 : 4)); turns > 0; turns -= 1) await null;
  };
  let disk: CrashStorage = crashStorage({ sectorByteLength: 64, latency });
  for (let life = 0; life <= LIVES; life += 1) {
    // Shorter lives die in recovery; the last one may live.
    let callsLeft =
      life === LIVES ? Number.POSITIVE_INFINITY : random.pick([random.integer(1, 20), random.integer(1, 60), random.integer(20, 400)]);
    const current = disk;
    const storage = watched(current, (call) => {
      trace.push(call);
      callsLeft -= 1;
      if (callsLeft === 0) current.halt();
    });
    const open = async (): Promise<Life> => {
      opens += 1;
      return await openEngine(storage, random.integer(0, 1e9));
    };
    let run: Run | null = null;
    // In some lives a flush fails too, and takes what it should have flushed with it: what was not durable may go without a crash.
    const disturbedFrom = life < LIVES && random.chance(0.25) ? random.integer(1, 15) : Number.POSITIVE_INFINITY;
    let stepCount = 0;
    try {
      const first = await open();
      if (callsLeft > 0) await world.check(first);
      run = new Run(world, first, open, random.integer(0, 1e9));
      for (let steps = random.integer(3, 30); steps > 0 && callsLeft > 0; steps -= 1) {
        stepCount += 1;
        if (stepCount === disturbedFrom) current.failSyncs(random.pick([/./, /\.log$/]), random.pick(["ext4", "btrfs", "xfs"] as const));
        const step = randomStep(random);
        if (stepCount < disturbedFrom || step.kind !== "reopen") await run.step(step);
      }
      if (random.chance(0.5)) await run.settled();
      if (life === LIVES) {
        await run.settled();
        await run.step({ kind: "reopen" });
        await thrive(run);
        if (run.errors.length > 0) throw run.errors[0];
        await run.life.engine.close();
        return { trace, crashes, recoveryCrashes, deepest, opens };
      }
    } catch (error) {
      // The dead machine refuses; a promise that is broken after its death was checked against a ghost.
      if (callsLeft > 0) throw error;
      if (run === null) recoveryCrashes += 1;
    }
    inARow = run === null ? inARow + 1 : 0;
    deepest = Math.max(deepest, inARow);
    const isDisturbed = stepCount >= disturbedFrom;
    // A refusal that nobody waited for must not come from a machine that lives.
    if (callsLeft > 0 && !isDisturbed && run !== null && run.errors.length > 0) throw run.errors[0];
    crashes += 1;
    const kind = random.pick(["process", "power", "power"] as const);
    if (kind === "power" || isDisturbed) world.losePower();
    disk = current.crash(random.fork(), { kind, tornSectors: random.chance(0.3) });
    await run?.settled();
  }
  throw new Error("not reached");
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
    const seeds = Math.ceil(150 * SIM_SCALE);
    const first = Number(process.env["ODRADEK_SEED"] ?? 1);
    const sums = { crashes: 0, recoveryCrashes: 0, deepest: 0, opens: 0, calls: 0 };
    for (let seed = first; seed < first + seeds; seed += 1) {
      try {
        const { crashes, recoveryCrashes, deepest, opens, trace } = await simulate(seed);
        sums.deepest = Math.max(sums.deepest, deepest);
        sums.crashes += crashes;
        sums.recoveryCrashes += recoveryCrashes;
        sums.opens += opens;
        sums.calls += trace.length;
      } catch (error) {
        const what = error instanceof BrokenPromise ? "broken promise" : "refusal on a machine that lives";
        throw new Error(`seed ${seed} (ODRADEK_SEED=${seed}): ${what}: ${String(error)}`, { cause: error });
      }
    }
    await settled();
    if (SIM_SCALE > 1) console.log(`engine-crash: seeds ${first} to ${first + seeds - 1}, ${JSON.stringify(sums)}`);
    // A simulation that never dies in recovery, or hardly works, shows nothing.
    expect(sums.recoveryCrashes).toBeGreaterThan(seeds / 4);
    expect(sums.deepest).toBeGreaterThanOrEqual(3);
    expect(sums.calls).toBeGreaterThan(seeds * 100);
  }, 3_600_000);

  it("makes the same storage calls again for the same seed", async () => {
    for (const seed of [7, 8, 9]) expect((await simulate(seed)).trace).toEqual((await simulate(seed)).trace);
  }, 60_000);
});
