/** The prover of errors sees: an engine that breaks its word under faults turns it red, and the same seed finds the same. */
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import { FaultyStorage } from "../../../src/testing/faulty-storage.ts";
import type { Tally, Trial } from "../prover.ts";
import { logDays } from "./errors-prover.ts";

const trial = (seed: number): Trial => ({ seed, directory: () => "", say: () => {} });

/** The same trial with something planted, taken back afterwards. */
async function planted(plant: () => () => void, seeds: readonly number[]): Promise<Tally[]> {
  const takeBack = plant();
  try {
    const tallies: Tally[] = [];
    for (const seed of seeds) tallies.push(await logDays(trial(seed), DAYS));
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
});
