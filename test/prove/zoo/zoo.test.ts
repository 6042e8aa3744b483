/** The zoo is in order: every entry can still be planted, every flush in the sources has one, and what is planted is met. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../../../scripts/run.mjs";
import { entries } from "./entries.ts";
import type { ZooEntry } from "./entry.ts";
import { changedRange, flushSites } from "./flush-sites.ts";
import { unneeded } from "./unneeded.ts";
import { meet, staleness } from "./zoo-prover.ts";

const textOf = (file: string): string => readFileSync(join(projectRoot, file), "utf8");

describe("the zoo", () => {
  it("has sixty entries and more, each with a name and a text of its own that stands once where it is planted", () => {
    expect(entries.length).toBeGreaterThanOrEqual(60);
    expect(entries.flatMap((entry) => staleness(projectRoot, entry) ?? [])).toEqual([]);
    for (const { name, tale, file, find, replace, budgetMs } of entries) {
      expect(name).toMatch(/^[a-z0-9'-]+$/);
      expect(tale.length, name).toBeGreaterThan(40);
      expect(file, name).toMatch(/^(src|assembly)\//);
      expect(find, name).not.toBe(replace);
      expect(budgetMs, name).toBeLessThanOrEqual(60_000);
    }
    expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length);
  });

  it("names catchers that are there", () => {
    for (const { name, caughtBy } of entries) {
      const path = "test" in caughtBy ? caughtBy.test : `test/prove/${caughtBy.prover}/${caughtBy.prover}-prover.ts`;
      expect(existsSync(join(projectRoot, path)), `${name}: ${path}`).toBe(true);
      if ("test" in caughtBy && caughtBy.name !== undefined) expect(textOf(path), name).toContain(caughtBy.name);
    }
  });

  it("has an entry that takes away each flush in the sources, or a sentence that says why none is needed", () => {
    const sites = flushSites(projectRoot);
    expect(sites.length).toBeGreaterThan(70);
    const bare = sites.filter(({ file, at }) => {
      const text = textOf(file);
      const isTaken = entries.some((entry) => {
        if (entry.file !== file || !text.includes(entry.find)) return false;
        const [from, to] = changedRange(text, entry);
        return at >= from && at < to;
      });
      const isExcused = unneeded.some(({ file: where, find }) => {
        const from = where === file ? text.indexOf(find) : -1;
        return from >= 0 && at >= from && at < from + find.length;
      });
      return !isTaken && !isExcused;
    });
    expect(bare.map(({ file, line }) => `${file}: ${line}`)).toEqual([]);
  });

  it("excuses no flush that is not there", () => {
    for (const { file, find } of unneeded) expect(textOf(file).split(find).length - 1, `${file}: ${find}`).toBe(1);
  });
});

describe("what is planted", () => {
  const harmless: ZooEntry = {
    name: "harmless",
    tale: "A plant that changes nothing: whatever finds it would find anything.",
    file: "src/log/append/roll-policy.ts",
    find: "  if (segment.byteLength === 0) return null;\n",
    replace: "  if (segment.byteLength <= 0) return null;\n",
    caughtBy: { test: "test/log/books/retention.test.ts" },
    budgetMs: 20_000,
  };
  const said: string[] = [];
  const meeting = (entry: ZooEntry) => meet(projectRoot, entry, 1, (line) => said.push(line));

  it("is caught, or is a failure: nothing passes for caught that was not", async () => {
    const bug = entries.find(({ name }) => name === "retention-of-what-has-no-time") as ZooEntry;
    expect(await meeting(bug)).toEqual({ counts: { zooTotal: 1, zooCaught: 1, zooAlwaysRed: 0 }, failures: [] });
    expect(said[0]).toMatch(/caught by .*\(green without it, seen /);
    const missed = await meeting(harmless);
    expect(missed.counts).toEqual({ zooTotal: 1, zooCaught: 0, zooAlwaysRed: 0 });
    expect(missed.failures[0]?.what).toMatch(/^harmless, planted in .* was not caught by .*: \d+ tests passed$/);
    const late = await meeting({ ...bug, budgetMs: 1 });
    expect(late.failures[0]?.what).toContain("its budget is 1 ms");
    expect(said.length).toBe(3);
  });

  it("is not caught by what is red without it as well", async () => {
    const { counts, failures } = await meeting({ ...harmless, caughtBy: { test: "test/prove/zoo/always-red.test.ts" } });
    expect(counts).toEqual({ zooTotal: 1, zooCaught: 0, zooAlwaysRed: 1 });
    expect(failures[0]?.what).toMatch(/^harmless, planted in .*: it is no better without the plant: a hunt has no need of it/);
  });

  it("must be there to be planted, and must compile", async () => {
    const stale = await meeting({ ...harmless, find: "text that stands nowhere" });
    expect(stale.failures[0]?.what).toContain("stale entry harmless: expected its text once");
    const broken = await meeting({
      ...harmless,
      file: "src/log/upkeep/retention.ts",
      find: "export function segmentsToDelete(",
      replace: "export function (",
    });
    expect(broken.counts.zooCaught).toBe(0);
    expect(broken.failures[0]?.what).toContain("no test was run");
  });
});
