/** A few lives of one disk, each a program on a machine that dies at a call of its storage, or in order; the last one lives. */
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import type { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SIM_SCALE, watched } from "./engine-rig.ts";
import { BrokenPromise } from "./engine-world.ts";

/** What a program leaves to be asked of it. */
export interface MortalRun {
  /** Of calls that nobody waited for. */
  readonly errors: readonly unknown[];
}

export interface Life<Run extends MortalRun> {
  readonly random: SeededRandom;
  readonly disk: CrashStorage;
  /** The disk, each call counted. */
  readonly storage: StorageDriver;
  readonly isLast: boolean;
  /** From this step on a flush fails, and takes what it should have flushed with it: what was not durable may go without a crash. */
  readonly disturbedFrom: number;
  /** Calls of the storage until the machine dies. */
  callsLeft: number;
  stepCount: number;
  /** null while the log is being opened. */
  run: Run | null;
}

export interface Mortality<Run extends MortalRun> {
  readonly lives: number;
  /** How many calls a life has. */
  readonly callsLeft: (random: SeededRandom) => number;
  /** How likely a life is disturbed, and at which step at the latest. */
  readonly disturbed: readonly [chance: number, stepMax: number];
  readonly losePower: () => void;
  /** Told of each disk that a crash left, before it is opened. */
  readonly onCrash?: ((left: CrashStorage) => void) | undefined;
  /** One life. Rejects when the machine is dead, or a promise broken. The last one must close what it opened. */
  readonly live: (life: Life<Run>) => Promise<void>;
  /** Waits for what is under way on the dead machine. */
  readonly afterDeath: (run: Run) => Promise<void>;
}

export interface Lived {
  readonly trace: readonly string[];
  readonly crashes: number;
  /** Of which in an open that was not over. */
  readonly recoveryCrashes: number;
  /** Of each crash's disk, in order, whether the life on it came to its end of opening; not so: it was crashed again in recovery. */
  readonly recoveredFrom: readonly boolean[];
  /** Of which one after another. */
  readonly deepest: number;
}

export async function mortalLives<Run extends MortalRun>(random: SeededRandom, mortality: Mortality<Run>): Promise<Lived> {
  const trace: string[] = [];
  const recoveredFrom: boolean[] = [];
  let [crashes, recoveryCrashes, inARow, deepest] = [0, 0, 0, 0];
  const latencies = random.fork();
  const latency = async (call: string): Promise<void> => {
    for (let turns = Math.floor(latencies.next() * (call === "sync" ? 40 : 4)); turns > 0; turns -= 1) await null;
  };
  let disk: CrashStorage = crashStorage({ sectorByteLength: 64, latency, aheadByteLength: 500 });
  const [chance, stepMax] = mortality.disturbed;
  for (let number = 0; number <= mortality.lives; number += 1) {
    const isLast = number === mortality.lives;
    const callsLeft = isLast ? Number.POSITIVE_INFINITY : mortality.callsLeft(random);
    const current = disk;
    const storage = watched(current, (call) => {
      trace.push(call);
      life.callsLeft -= 1;
      if (life.callsLeft === 0) current.halt();
    });
    const disturbedFrom = !isLast && random.chance(chance) ? random.integer(1, stepMax) : Number.POSITIVE_INFINITY;
    const life: Life<Run> = { random, disk: current, storage, isLast, disturbedFrom, callsLeft, stepCount: 0, run: null };
    try {
      await mortality.live(life);
      if (number > 0) recoveredFrom.push(life.run !== null);
      if (isLast) return { trace, crashes, recoveryCrashes, recoveredFrom, deepest };
    } catch (error) {
      // The dead machine refuses; a promise that is broken after its death was checked against a ghost.
      if (life.callsLeft > 0) throw error;
      if (life.run === null) recoveryCrashes += 1;
      if (number > 0) recoveredFrom.push(life.run !== null);
    }
    const { run, stepCount } = life;
    inARow = run === null ? inARow + 1 : 0;
    deepest = Math.max(deepest, inARow);
    const isDisturbed = stepCount >= disturbedFrom;
    // A refusal that nobody waited for must not come from a machine that lives.
    if (life.callsLeft > 0 && !isDisturbed && run !== null && run.errors.length > 0) throw run.errors[0];
    crashes += 1;
    const drawn = random.pick(["process", "power", "power"] as const);
    const kind = current.isShutDown ? "power" : drawn;
    if (kind === "power" || isDisturbed) mortality.losePower();
    disk = current.crash(random.fork(), { kind, tornSectors: random.chance(0.3) });
    mortality.onCrash?.(disk);
    if (run !== null) await mortality.afterDeath(run);
  }
  throw new Error("not reached");
}

/** `perScale` seeds, or as many times that as ODRADEK_SIM_SCALE says, from ODRADEK_SEED on. Answers their number; what fails says its seed. */
export async function eachSeed(perScale: number, simulate: (seed: number) => Promise<void>): Promise<number> {
  const seeds = Math.ceil(perScale * SIM_SCALE);
  const first = Number(process.env["ODRADEK_SEED"] ?? 1);
  for (let seed = first; seed < first + seeds; seed += 1) {
    try {
      await simulate(seed);
    } catch (error) {
      const what = error instanceof BrokenPromise ? "broken promise" : "refusal on a machine that lives";
      throw new Error(`seed ${seed} (ODRADEK_SEED=${seed}): ${what}: ${String(error)}`, { cause: error });
    }
  }
  await settled();
  return seeds;
}
