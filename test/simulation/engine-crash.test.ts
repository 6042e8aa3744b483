/** Whole programs on the whole engine, whose machine dies at a call of the storage, in recovery too: what was promised is there. */
import { describe, expect, it } from "vitest";
import { engineLives } from "./engine-lives.ts";
import { SIM_SCALE } from "./engine-rig.ts";
import { eachSeed } from "./mortal-lives.ts";

describe("an engine whose machine dies at any call of its storage", () => {
  it("keeps every promise across topics, partitions, groups and clean closes, whatever was under way", async () => {
    const sums = { crashes: 0, recoveryCrashes: 0, deepest: 0, opens: 0, calls: 0 };
    const seeds = await eachSeed(150, async (seed) => {
      const { crashes, recoveryCrashes, deepest, opens, trace } = await engineLives(seed);
      sums.deepest = Math.max(sums.deepest, deepest);
      sums.crashes += crashes;
      sums.recoveryCrashes += recoveryCrashes;
      sums.opens += opens;
      sums.calls += trace.length;
    });
    if (SIM_SCALE > 1) console.log(`engine-crash: ${seeds} seeds, ${JSON.stringify(sums)}`);
    // A simulation that never dies in recovery, or hardly works, shows nothing.
    expect(sums.recoveryCrashes).toBeGreaterThan(seeds / 4);
    expect(sums.deepest).toBeGreaterThanOrEqual(3);
    expect(sums.calls).toBeGreaterThan(seeds * 100);
  }, 3_600_000);

  it("makes the same storage calls again for the same seed", async () => {
    for (const seed of [7, 8, 9]) expect((await engineLives(seed)).trace).toEqual((await engineLives(seed)).trace);
  }, 60_000);
});
