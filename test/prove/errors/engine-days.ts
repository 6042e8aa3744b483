/** Days of whole engines with their faults, counted. */
import type { CrashStorage } from "../../../src/testing/crash-storage.ts";
import { type FaultyStorage, STORAGE_CALLS, type StorageCall } from "../../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { failureOf } from "../failure.ts";
import type { Failure, Tally, Trial } from "../prover.ts";
import { drawCoreFaults, sayCoreFault } from "./core-draw.ts";
import { EngineDay } from "./engine-day.ts";
import { FaceDay } from "./face-day.ts";
import { type CallCounts, type CallPlace, drawFault, FAULTS_PER_HOUR_MAX, NOWHERE, placesOf, sayFault } from "./fault-draw.ts";
import { FaultyCore } from "./faulty-core.ts";
import { TransactionDay } from "./transaction-day.ts";

export interface WholeDay {
  readonly disk: CrashStorage;
  readonly storage: FaultyStorage;
  readonly refusals: number;
  live(): Promise<void>;
}

type Make = (onHour: (day: WholeDay, hour: number) => void, mendCore: (() => void) | null) => WholeDay;

/** Of the days whose cores are their own, those on which they fail as well. */
const CORE_SHARE = 0.4;

class DayKind {
  readonly #name: string;
  readonly #make: Make;
  readonly #hasCores: boolean;
  #places: Promise<(readonly CallPlace[])[]> | undefined;
  #quietCore: Promise<FaultyCore> | undefined;

  /** `hasCores`: all instances of the core that such a day uses are made in it. */
  constructor(name: string, make: Make, hasCores = false) {
    this.#name = name;
    this.#make = make;
    this.#hasCores = hasCores;
  }

  async days({ seed, say }: Trial, dayCount: number): Promise<Tally> {
    this.#places ??= this.#quietPlaces();
    const places = await this.#places.catch((error: unknown) => failureOf(error));
    if ("breach" in places)
      return { counts: { injectedErrors: 0 }, failures: [{ ...places, what: `${this.#name}, nothing failing: ${places.what}` }] };
    const random = new SeededRandom(seed);
    const broken: Failure[] = [];
    let injectedErrors = 0;
    for (let count = 0; count < dayCount; count += 1) {
      const chance = random.fork();
      const said: string[] = [];
      const planned: { readonly metCount: number }[] = [];
      const core = this.#hasCores && chance.chance(CORE_SHARE) ? new FaultyCore() : null;
      this.#quietCore ??= core === null ? undefined : this.#coreOfQuietDay();
      const quietCore = core === null ? null : ((await this.#quietCore) as FaultyCore);
      const onHour = ({ disk, storage }: WholeDay, hour: number): void => {
        const faults = Array.from({ length: chance.integer(core === null ? 1 : 0, FAULTS_PER_HOUR_MAX + 1) }, () =>
          drawFault(chance, chance.pick(places[hour] ?? NOWHERE), disk, ["ext4"]),
        );
        said.push(...faults.map((fault) => `hour ${hour}: ${sayFault(fault)}`));
        planned.push(...faults.map((fault) => storage.fail(fault)));
        if (core === null || quietCore === null) return;
        const ofCore = drawCoreFaults(chance, quietCore, 1 / places.length, core);
        said.push(...ofCore.map((fault) => `hour ${hour}: ${sayCoreFault(fault)}`));
        planned.push(...ofCore.map((fault) => core.fail(fault)));
      };
      const day = this.#make(onHour, core === null ? null : () => core.mend());
      try {
        await (core === null ? day.live() : core.during(() => day.live()));
        injectedErrors += planned.filter(({ metCount }) => metCount > 0).length;
      } catch (error) {
        const failure = failureOf(error);
        broken.push({ breach: failure.breach, what: `${this.#name}, day ${count}: ${said.join("; ")}: ${failure.what}` });
      }
      say(`${this.#name}, day ${count}: ${said.join("; ")}`);
    }
    return { counts: { injectedErrors }, failures: broken };
  }

  async #coreOfQuietDay(): Promise<FaultyCore> {
    const core = new FaultyCore();
    await core.during(() => this.#make(() => {}, null).live());
    return core;
  }

  /** The calls of a day without faults, hour by hour. */
  async #quietPlaces(): Promise<(readonly CallPlace[])[]> {
    const hours: CallCounts[] = [];
    const before = new Map<StorageCall, number>();
    const look = ({ storage }: WholeDay): void => {
      hours.push(new Map(STORAGE_CALLS.map((call) => [call, storage.count(call) - (before.get(call) ?? 0)] as const)));
      for (const call of STORAGE_CALLS) before.set(call, storage.count(call));
    };
    const day = this.#make(look, null);
    await day.live();
    look(day);
    if (day.refusals > 0) throw new Error(`a day of ${this.#name} without faults had ${day.refusals} refusals`);
    // What is counted when an hour strikes lies before it.
    return hours.slice(1).map(placesOf);
  }
}

const ENGINE = new DayKind("engine", (onHour) => new EngineDay(onHour));
const TRANSACTIONS = new DayKind("transactions", (onHour) => new TransactionDay(onHour));
const FACE = new DayKind("face", (onHour, mendCore) => new FaceDay(onHour, mendCore), true);

/** So many days of a whole engine: topics, groups, maintenance, backup. */
export const engineDays = (trial: Trial, dayCount: number): Promise<Tally> => ENGINE.days(trial, dayCount);

/** So many days of its transactions. */
export const transactionDays = (trial: Trial, dayCount: number): Promise<Tally> => TRANSACTIONS.days(trial, dayCount);

/** So many days of a program on the face, the cores of its engine, of its cleaner and of its codecs included. */
export const faceDays = (trial: Trial, dayCount: number): Promise<Tally> => FACE.days(trial, dayCount);
