/** One day with its faults, and the evening after it: the log is readable, takes appends, and stands again after a loss of power. */
import type { Core } from "../../../src/core/core.ts";
import type { PartitionLog } from "../../../src/log/partition-log.ts";
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import { type Fault, type PlannedFault, STORAGE_CALLS, type StorageCall } from "../../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { core as quietCore } from "../../log/log-rig.ts";
import type { CallCounts } from "./fault-draw.ts";
import { Broken, LogDay } from "./log-day.ts";
import type { Workload } from "./workload.ts";

const NIGHTS = ["power", "close", "clean close", "death"] as const;
/** How many days end where they stand, with whatever was refused last: nobody tidies up. */
const SUDDEN_CHANCE = 0.3;

/** A disk as the day before left it, and what was promised on it. */
export interface Morning<State> {
  readonly workload: Workload<State>;
  readonly disk: CrashStorage;
  readonly state: State;
  /** Of a day without faults, from one hour to the next. */
  readonly hours: readonly CallCounts[];
}

/** `afterCrash`: the power went the night before, else only the process. */
export async function morningOf<State>(workload: Workload<State>, afterCrash: boolean): Promise<Morning<State>> {
  const day = new LogDay(
    crashStorage({ aheadByteLength: workload.aheadByteLength ?? 0 }),
    workload.options,
    quietCore,
    new SeededRandom(1),
  );
  const state = await workload.prepare(day);
  const disk = day.disk.crash(new SeededRandom(1), afterCrash ? { survival: "nothing" } : { kind: "process" });
  const morning: Morning<State> = { workload, disk, state, hours: [] };
  const quiet = await begin(morning, quietCore, () => {}, new SeededRandom(1));
  const hours: CallCounts[] = [];
  const before = new Map<StorageCall, number>();
  quiet.day.onHour = () => {
    const { storage } = quiet.day;
    hours.push(new Map(STORAGE_CALLS.map((call) => [call, storage.count(call) - (before.get(call) ?? 0)] as const)));
    for (const call of STORAGE_CALLS) before.set(call, storage.count(call));
  };
  await workload.live(quiet.day, quiet.state);
  quiet.day.hour();
  await evening(quiet, workload);
  if (quiet.day.refusals > 0) throw new Error(`${workload.name}: a day without faults had ${quiet.day.refusals} refusals`);
  return { ...morning, hours };
}

interface Begun<State> {
  readonly day: LogDay;
  readonly state: State;
}

async function begin<State>(
  { workload, disk, state }: Morning<State>,
  core: Core,
  mendCore: () => void,
  random: SeededRandom,
): Promise<Begun<State>> {
  const day = new LogDay(disk.crash(new SeededRandom(1), { kind: "process" }), workload.options, core, random, mendCore);
  day.circumstances.producers = workload.producers === true;
  return { day, state: workload.copy(state) };
}

/**
 * Runs a day; `plan` is asked in the morning (0) and at every hour what goes wrong from then on. Rejects with a `Broken` when a
 * promise was not kept. `mendCore`: that of a core that was made to fail. `random`: how the day ends.
 */
export async function runDay<State>(
  morning: Morning<State>,
  plan: (day: LogDay, hour: number) => readonly Fault[],
  core: Core = quietCore,
  mendCore: (() => void) | null = null,
  random: SeededRandom = new SeededRandom(1),
): Promise<{ readonly planned: readonly PlannedFault[]; readonly refusals: number }> {
  const begun = await begin(morning, core, mendCore ?? (() => {}), random);
  const { day } = begun;
  day.circumstances.core = mendCore !== null;
  const planned: PlannedFault[] = [];
  let hour = 0;
  day.onHour = () => {
    const faults = plan(day, hour);
    hour += 1;
    planned.push(...faults.map((fault) => day.storage.fail(fault)));
  };
  day.onHour();
  await morning.workload.live(begun.day, begun.state);
  if (random.chance(SUDDEN_CHANCE)) await night(begun, morning.workload, random.pick(["death", "power"]));
  else await evening(begun, morning.workload);
  return { planned, refusals: day.refusals };
}

async function evening<State>({ day, state }: Begun<State>, workload: Workload<State>): Promise<void> {
  day.mend();
  await told("when the fault had passed", () => workload.check(day, state, { isPowerLost: false, isReopened: false }));
  if (!(await workload.append(day, state))) {
    // Failed, the partition takes nothing until it is opened anew; then at once.
    await told("reopened", () => (day.log as PartitionLog).reopen());
    const refused = day.refusals;
    if (!(await workload.append(day, state))) throw new Broken(`no append is taken after a reopening (refusal ${refused + 1})`);
  }
  await told("when it takes appends again", () => workload.check(day, state, { isPowerLost: false, isReopened: false }));
  await night({ day, state }, workload, day.random.pick(NIGHTS));
}

/** How the day ends, and the morning after it. Faults that are still there then are the last that this process met. */
async function night<State>({ day, state }: Begun<State>, workload: Workload<State>, kind: (typeof NIGHTS)[number]): Promise<void> {
  if (kind === "close" || kind === "clean close") await day.close(kind === "clean close");
  const next = kind === "death" ? day.afterDeath() : day.afterPowerLoss();
  day.mend();
  next.isInOrder = day.isInOrder;
  next.circumstances.producers = workload.producers === true;
  const isPowerLost = kind !== "death";
  await told(`after a ${kind}`, () => next.open());
  await told(`after a ${kind}`, () => workload.check(next, state, { isPowerLost, isReopened: true }));
  if (!(await workload.append(next, state))) throw new Broken(`no append is taken the morning after a ${kind}`);
  await told(`after a ${kind}, and an append`, () => workload.check(next, state, { isPowerLost: false, isReopened: true }));
  await next.close(true);
}

async function told<T>(when: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Broken) throw new Broken(`${when}: ${error.message}`);
    throw new Broken(`${when}: C1: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
