/** The prover of errors sees: an engine that breaks its word under faults turns it red, and the same seed finds the same. */
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import { FaultyStorage } from "../../../src/testing/faulty-storage.ts";
import type { Tally, Trial } from "../prover.ts";
import { faceDays } from "./engine-days.ts";
import { logDays } from "./errors-prover.ts";

const trial = (seed: number): Trial => ({ seed, directory: () => "", say: () => {} });

/** The same trial with something planted, taken back afterwards. */
async function planted(
  plant: () => () => void,
  seeds: readonly number[],
  run = (seed: number): Promise<Tally> => logDays(trial(seed), DAYS),
): Promise<Tally[]> {
  const takeBack = plant();
  try {
    const tallies: Tally[] = [];
    for (const seed of seeds) tallies.push(await run(seed));
    return tallies;
  } finally {
    takeBack();
  }
}

function replacing<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  by: (real: Owner[Name]) => Owner[Name],
): () => void {
  const real = owner[name];
  owner[name] = by(real);
  return () => {
    owner[name] = real;
  };
}

const DAYS = 8;

const told = (tallies: readonly Tally[]): string => tallies.flatMap(({ failures }) => failures.map(({ what }) => what)).join("\n");

describe("the prover of errors", () => {
  it("finds nothing in an engine that keeps its word, and the same in the same seed", async () => {
    const [first, again] = [await logDays(trial(5), DAYS), await logDays(trial(5), DAYS)];
    expect(first.failures).toEqual([]);
    expect(first.counts.injectedErrors).toBeGreaterThan(DAYS);
    expect(again).toEqual(first);
  }, 60_000);

  it("sees a flush that was acknowledged and did not happen", async () => {
    const plant = (): (() => void) =>
      replacing(FaultyStorage.prototype, "later", (real) => {
        return function (this: FaultyStorage, call, name, body) {
          return call === "sync" && name.endsWith(".log") ? (Promise.resolve() as never) : real.call(this, call, name, body);
        } as typeof real;
      });
    const tallies = await planted(plant, [5]);
    expect(told(tallies)).toContain("C1");
  }, 60_000);

  it("sees a bare error", async () => {
    const plant = (): (() => void) =>
      replacing(PartitionLog.prototype, "deleteRecordsBefore", (real) => {
        return function (this: PartitionLog, offset) {
          return real.call(this, offset).catch(() => Promise.reject(new TypeError("planted")));
        };
      });
    expect(told(await planted(plant, [6]))).toContain("TypeError : planted");
  }, 60_000);

  it("sees a handle that is not given back", async () => {
    const plant = (): (() => void) =>
      replacing(PartitionLog.prototype, "close", (real) => {
        return function (this: PartitionLog, clean) {
          return clean ? real.call(this, clean) : Promise.resolve();
        };
      });
    expect(told(await planted(plant, [5]))).toMatch(/left \d+ files open/);
  }, 60_000);

  it("finds nothing in days on the face, with their cores; sees a transaction of which a part is lost, and a lock that is kept", async () => {
    const quiet = await faceDays(trial(8), 3);
    expect(quiet.failures).toEqual([]);
    expect(quiet.counts.injectedErrors).toBeGreaterThan(3);
    const lost = await planted(
      () =>
        replacing(FaultyStorage.prototype, "later", (real) => {
          return function (this: FaultyStorage, call, name, body) {
            return call === "sync" && /^keyed-0.*\.log$/.test(name) ? (Promise.resolve() as never) : real.call(this, call, name, body);
          } as typeof real;
        }),
      [8],
      (seed) => faceDays(trial(seed), 1),
    );
    expect(told(lost)).toMatch(/C1|C2/);
    const kept = await planted(
      () =>
        replacing(FaultyStorage.prototype, "lock", (real) => {
          return async function (this: FaultyStorage, holder, options) {
            const lock = await real.call(this, holder, options);
            return { stillHeld: () => lock.stillHeld(), release: async () => {} };
          };
        }),
      [8],
      (seed) => faceDays(trial(seed), 1),
    );
    expect(told(kept)).toContain("left the lock held");
  }, 60_000);
});
