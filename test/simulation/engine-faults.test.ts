/** Calls of the storage refuse while a whole engine works: errors are typed, the lock and every handle are given back, nothing acknowledged is lost. */
import { describe, expect, it } from "vitest";
import { engineDays } from "../prove/errors/engine-days.ts";
import { SIM_SCALE } from "./engine-rig.ts";

const DAYS = 40;

describe("an engine whose storage refuses calls", () => {
  // The same days as `npm run prove` has, by the thousand; on the first of them nothing is refused, and every step must do something.
  it("lives through the day, and takes records when the fault has passed", async () => {
    const { counts, failures } = await engineDays({ seed: 1, directory: () => "", say: () => {} }, Math.ceil(DAYS * SIM_SCALE));
    expect(failures).toEqual([]);
    expect(counts.injectedErrors).toBeGreaterThan(DAYS * SIM_SCALE);
  }, 3_600_000);
});
