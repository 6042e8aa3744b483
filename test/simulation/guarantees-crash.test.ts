/** Compacted topics, repeated batches and transactions on a machine that dies at any call of its storage, in recovery too. */
import { describe, expect, it } from "vitest";
import { SIM_SCALE } from "./engine-rig.ts";
import { guaranteesLives } from "./guarantees-lives.ts";
import { eachSeed } from "./mortal-lives.ts";

describe("an engine with compaction and transactions whose machine dies at any call of its storage", () => {
  it("keeps the newest value of every key, all or nothing of every transaction, and every record once", async () => {
    const sums: Record<string, number> = { crashes: 0, recoveryCrashes: 0, calls: 0 };
    const seeds = await eachSeed(60, async (seed) => {
      const { crashes, recoveryCrashes, trace, world } = await guaranteesLives(seed);
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

  // A tombstone that only the system had came through a loss of power by luck, and was given up at its horizon: the oracle took it for lost,
  // and what it had deleted for missing. Something stood behind it, and what is lost is a suffix.
  it("knows what was compacted away from what was lost, in a life where both could be", async () => {
    await guaranteesLives(1_329_259_334);
  }, 60_000);

  it("makes the same storage calls again for the same seed", async () => {
    for (const seed of [7, 8]) expect((await guaranteesLives(seed)).trace).toEqual((await guaranteesLives(seed)).trace);
  }, 60_000);
});
