/** Calls of the storage, and of the core, fail in turn: no acknowledged record is lost, errors say who can mend them, and when the fault has passed the log goes on. */
import type { SyncFailure } from "../../../src/testing/crash-storage.ts";
import type { Fault } from "../../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { failureOf } from "../failure.ts";
import type { Failure, Prover, Tally, Trial } from "../prover.ts";
import { drawCoreFaults, sayCoreFault } from "./core-draw.ts";
import { engineDays, faceDays, transactionDays } from "./engine-days.ts";
import { drawFault, FAULTS_PER_HOUR_MAX, NOWHERE, placesOf, sayFault } from "./fault-draw.ts";
import { FaultyCore } from "./faulty-core.ts";
import { hungDays } from "./hung-days.ts";
import { KEYS } from "./keyed-workload.ts";
import type { LogDay } from "./log-day.ts";
import { BIRTH, plainWorkload } from "./plain-workload.ts";
import { PRODUCERS } from "./producer-workload.ts";
import { type Morning, morningOf, runDay } from "./run-day.ts";
import type { Workload } from "./workload.ts";

const WORKLOADS: readonly Workload<never>[] = [
  plainWorkload("sync", {}),
  plainWorkload("os", { durability: "os", flushMessages: 3 }),
  plainWorkload("preallocate", { preallocate: true }, { maxUnflushedBytes: 300 }),
  { ...plainWorkload("sized ahead", {}, { maxUnflushedBytes: 300 }), aheadByteLength: 8192 },
  BIRTH,
  KEYS,
  PRODUCERS,
] as readonly Workload<unknown>[] as readonly Workload<never>[];

const DAYS_PER_TRIAL = 40;
/** Of so many trials one is of a whole engine, one of its transactions, and one of a program on the face. */
const TRIALS_PER_ROUND = 6;
const ENGINE_DAYS_PER_TRIAL = 40;
const TRANSACTION_DAYS_PER_TRIAL = 30;
const FACE_DAYS_PER_TRIAL = 12;
/** Of two rounds one trial is of a disk that hangs. */
const HUNG_DAYS_PER_TRIAL = 50;
/** Of all days, those on which the core fails as well. */
const CORE_SHARE = 0.2;

/** By workload and night: a template that days begin with. */
const mornings = new Map<string, Promise<Morning<never>>>();

function morning(workload: Workload<never>, afterCrash: boolean): Promise<Morning<never>> {
  const key = `${workload.name} ${afterCrash}`;
  let found = mornings.get(key);
  if (found === undefined) {
    found = morningOf(workload, afterCrash);
    mornings.set(key, found);
  }
  return found;
}

/** How many calls of the core a day makes that nothing befalls. */
const coreCounts = new Map<Morning<never>, Promise<FaultyCore>>();

async function coreOfQuietDay(begun: Morning<never>): Promise<FaultyCore> {
  const core = new FaultyCore();
  await core.during((each) => runDay(begun, () => [], each));
  return core;
}

async function coreCountsOf(begun: Morning<never>): Promise<FaultyCore> {
  let found = coreCounts.get(begun);
  if (found === undefined) {
    found = coreOfQuietDay(begun);
    coreCounts.set(begun, found);
  }
  return await found;
}

export const errorsProver: Prover = {
  name: "errors",
  unit: "injectedErrors",
  run(trial) {
    if (trial.seed % TRIALS_PER_ROUND === 0) return engineDays(trial, ENGINE_DAYS_PER_TRIAL);
    if (trial.seed % TRIALS_PER_ROUND === 1) return transactionDays(trial, TRANSACTION_DAYS_PER_TRIAL);
    if (trial.seed % TRIALS_PER_ROUND === 2) return faceDays(trial, FACE_DAYS_PER_TRIAL);
    if (trial.seed % (2 * TRIALS_PER_ROUND) === 3) return hungDays(trial, HUNG_DAYS_PER_TRIAL);
    return logDays(trial, DAYS_PER_TRIAL);
  },
};

/** So many days of one partition. */
export async function logDays({ seed, say }: Trial, dayCount: number): Promise<Tally> {
  const random = new SeededRandom(seed);
  const broken: Failure[] = [];
  let injectedErrors = 0;
  const workload = random.pick(WORKLOADS);
  const begun = await morning(workload, random.chance(0.5)).catch((error: unknown) => failureOf(error));
  if ("breach" in begun)
    return { counts: { injectedErrors: 0 }, failures: [{ ...begun, what: `${workload.name}, nothing failing: ${begun.what}` }] };
  const places = begun.hours.map(placesOf);
  const failures: readonly SyncFailure[] = workload.options.config?.durability === "os" ? ["ext4"] : ["ext4", "btrfs"];
  for (let day = 0; day < dayCount; day += 1) {
    const chance = random.fork();
    const ofCore = chance.chance(CORE_SHARE) ? drawCoreFaults(chance, await coreCountsOf(begun)) : [];
    const said = ofCore.map(sayCoreFault);
    const plan = ({ disk }: LogDay, hour: number): Fault[] => {
      const count = chance.integer(ofCore.length > 0 ? 0 : 1, FAULTS_PER_HOUR_MAX + 1);
      const faults = Array.from({ length: count }, () => drawFault(chance, chance.pick(places[hour] ?? NOWHERE), disk, failures));
      said.push(...faults.map((fault) => `hour ${hour}: ${sayFault(fault)}`));
      return faults;
    };
    try {
      const core = new FaultyCore();
      const planned: { readonly metCount: number }[] = [];
      const end = chance.fork();
      if (ofCore.length === 0) planned.push(...(await runDay(begun, plan, undefined, null, end)).planned);
      else {
        await core.during(async (each) => {
          planned.push(...ofCore.map((fault) => core.fail(fault)));
          planned.push(...(await runDay(begun, plan, each, () => core.mend(), end)).planned);
        });
      }
      injectedErrors += planned.filter(({ metCount }) => metCount > 0).length;
    } catch (error) {
      const failure = failureOf(error);
      broken.push({ breach: failure.breach, what: `${workload.name}, day ${day}: ${said.join("; ")}: ${failure.what}` });
    }
    say(`${workload.name}, day ${day}: ${said.join("; ")}`);
  }
  return { counts: { injectedErrors }, failures: broken };
}
