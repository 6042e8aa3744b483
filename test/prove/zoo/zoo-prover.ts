/** Plants bugs that other engines had, one to a trial, and has the suite catch them: who tests the tests. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Prover, Tally, Trial } from "../prover.ts";
import { entries } from "./entries.ts";
import type { ZooEntry } from "./entry.ts";
import { hunt } from "./hunt.ts";

/** How many there are: so many trials, whose seeds follow one another, meet each of them once. */
export const ZOO_COUNT: number = entries.length;

export const zooProver: Prover = {
  name: "zoo",
  unit: "zooTotal",
  run: ({ seed, say }: Trial) => meet(projectRoot(), entries[seed % entries.length] as ZooEntry, seed, say),
};

/**
 * One entry, its catcher let loose on it; what is not caught, or no longer there to be planted, is a failure. Caught is what turned a
 * catcher red that is green without it.
 */
export async function meet(root: string, entry: ZooEntry, seed: number, say: (line: string) => void): Promise<Tally> {
  const stale = staleness(root, entry);
  if (stale !== null) return tally(0, stale);
  const { caught, how, isAlwaysRed, processorMs, controlMs } = await hunt(root, entry, seed);
  const by = "prover" in entry.caughtBy ? `the prover ${entry.caughtBy.prover}` : entry.caughtBy.test;
  const control = caught ? ` (green without it, seen ${controlMs === 0 ? "before" : `in ${controlMs} ms`})` : "";
  say(`${entry.name}: ${caught ? "caught" : "not caught"} by ${by} in ${processorMs} ms of ${entry.budgetMs}${control}: ${how}`);
  const planted = `${entry.name}, planted in ${entry.file}`;
  if (!caught) return tally(0, `${planted}, was not caught by ${by}: ${how}`, isAlwaysRed);
  if (processorMs <= entry.budgetMs) return tally(1, null);
  return tally(0, `${planted}, was caught by ${by} in ${processorMs} ms of processor time; its budget is ${entry.budgetMs} ms`);
}

/** Why the entry cannot be planted; null: it can. */
export function staleness(root: string, { name, file, find }: ZooEntry): string | null {
  const path = join(root, file);
  if (!existsSync(path)) return `stale entry ${name}: there is no ${file}`;
  const count = readFileSync(path, "utf8").split(find).length - 1;
  return count === 1 ? null : `stale entry ${name}: expected its text once in ${file}, found it ${count} times`;
}

function tally(zooCaught: 0 | 1, failure: string | null, isAlwaysRed = false): Tally {
  return {
    counts: { zooTotal: 1, zooCaught, zooAlwaysRed: isAlwaysRed ? 1 : 0 },
    failures: failure === null ? [] : [{ breach: "other", what: failure }],
  };
}

/** The folder of package.json above this file, or above the bundle that it was made part of. */
function projectRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json")) && existsSync(join(folder, "test/prove/zoo"))) return folder;
    if (folder === dirname(folder)) throw new Error("zoo: expected to run below the project's folder");
  }
}
