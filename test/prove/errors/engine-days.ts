/** Days of whole engines with their faults, counted. */
import type { CrashStorage } from "../../../src/testing/crash-storage.ts";
import { type FaultyStorage, type PlannedFault, STORAGE_CALLS, type StorageCall } from "../../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { failureOf } from "../failure.ts";
import type { Failure, Tally, Trial } from "../prover.ts";
import { EngineDay } from "./engine-day.ts";
import { type CallCounts, type CallPlace, drawFault, FAULTS_PER_HOUR_MAX, NOWHERE, placesOf, sayFault } from "./fault-draw.ts";
import { TransactionDay } from "./transaction-day.ts";

interface WholeDay {
  readonly disk: CrashStorage;
  readonly storage: FaultyStorage;
  readonly refusals: number;
  live(): Promise<void>;
}

class DayKind {
  readonly #name: string;
  readonly #make: (onHour: (day: WholeDay, hour: number) => void) => WholeDay;
  #places: Promise<(readonly CallPlace[])[]> | undefined;

  constructor(name: string, make: (onHour: (day: WholeDay, hour: number) => void) => WholeDay) {
    this.#name = name;
    this.#make = make;
  }

  async days({ seed, say }: Trial, dayCount: number): Promise<Tally> {
    this.#places ??= this.#quietPlaces();
    const places = await this.#places;
    const random = new SeededRandom(seed);
    const broken: Failure[] = [];
    let injectedErrors = 0;
    for (let count = 0; count < dayCount; count += 1) {
      const chance = random.fork();
      const said: string[] = [];
      const planned: PlannedFault[] = [];
      const day = this.#make(({ disk, storage }, hour) => {
        const faults = Array.from({ length: chance.integer(1, FAULTS_PER_HOUR_MAX + 1) }, () =>
          drawFault(chance, chance.pick(places[hour] ?? NOWHERE), disk, ["ext4"]),
        );
        said.push(...faults.map((fault) => `hour ${hour}: ${sayFault(fault)}`));
        planned.push(...faults.map((fault) => storage.fail(fault)));
      });
      try {
        await day.live();
        injectedErrors += planned.filter(({ metCount }) => metCount > 0).length;
      } catch (error) {
        const failure = failureOf(error);
        broken.push({ breach: failure.breach, what: `${this.#name}, day ${count}: ${said.join("; ")}: ${failure.what}` });
      }
      say(`${this.#name}, day ${count}: ${said.join("; ")}`);
    }
    return { counts: { injectedErrors }, failures: broken };
  }

  /** The calls of a day without faults, hour by hour. */
  async #quietPlaces(): Promise<(readonly CallPlace[])[]> {
    const hours: CallCounts[] = [];
    const before = new Map<StorageCall, number>();
    const look = ({ storage }: WholeDay): void => {
      hours.push(new Map(STORAGE_CALLS.map((call) => [call, storage.count(call) - (before.get(call) ?? 0)] as const)));
      for (const call of STORAGE_CALLS) before.set(call, storage.count(call));
    };
    const day = this.#make(look);
    await day.live();
    look(day);
    if (day.refusals > 0) throw new Error(`a day of ${this.#name} without faults had ${day.refusals} refusals`);
    // What is counted when an hour strikes lies before it.
    return hours.slice(1).map(placesOf);
  }
}

const ENGINE = new DayKind("engine", (onHour) => new EngineDay(onHour));
const TRANSACTIONS = new DayKind("transactions", (onHour) => new TransactionDay(onHour));

/** So many days of a whole engine: topics, groups, maintenance, backup. */
export const engineDays = (trial: Trial, dayCount: number): Promise<Tally> => ENGINE.days(trial, dayCount);

/** So many days of its transactions. */
export const transactionDays = (trial: Trial, dayCount: number): Promise<Tally> => TRANSACTIONS.days(trial, dayCount);
