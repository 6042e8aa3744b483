/** Processes that are killed in the middle of their work, again and again on one real directory; more of them: `npm run prove`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { diskGround } from "../prove/kills/ground.ts";
import { Heard } from "../prove/kills/heard.ts";
import { runLives } from "../prove/kills/kills-prover.ts";
import type { DeathKind } from "../prove/kills/life-plan.ts";
import { SIM_SCALE } from "./engine-rig.ts";

const DEATHS: readonly DeathKind[] = ["time", "call", "close", "term", "time", "exit", "stop", "call"];

it("leaves every acknowledged record, all or nothing of every transaction, and the newest value of every key, however often it is killed", async () => {
  const seed = Number(process.env["ODRADEK_SEED"] ?? Date.now() % 1e6);
  const directory = mkdtempSync(join(tmpdir(), "odradek-kill-"));
  const heard = new Heard();
  const deaths = Array.from({ length: Math.ceil(SIM_SCALE) }, () => DEATHS).flat();
  const entry = new URL("../../dist/index.js", import.meta.url).href;
  const trial = { seed, directory: () => directory, say: () => {} };
  try {
    const place = { trial, random: new SeededRandom(seed), entry, ground: diskGround(directory), isSmall: false, heard };
    const { counts, failures } = await runLives(place, deaths);
    expect(failures).toEqual([]);
    expect(counts.killCycles).toBeGreaterThan(deaths.length / 2);
    // Lives that acknowledge nothing show nothing.
    expect([...heard.values.values()].reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(deaths.length);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 3_600_000);
