/** The runner of the proofs: what it adds up, how far a tier goes, what it writes down, and that a failure turns it red. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Book } from "../../scripts/prove-book.mjs";
import { readLedger, withTable } from "../../scripts/prove-ledger.mjs";
import { TEN_MINUTES, targetsOf } from "../../scripts/prove-tiers.mjs";
import { failureOf } from "./failure.ts";
import { provers } from "./provers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const prove = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, "scripts/prove.mjs"), ...args], { cwd: root, encoding: "utf8" });

describe("the book of a run", () => {
  it("sums what is counted, and counts a disk that was met twice once", () => {
    const book = new Book();
    book.enter("crash", 1, { counts: { crashStates: 3, recrashed: 1 }, failures: [], stateHashes: [7, 8, 9] }, 5);
    book.enter("crash", 2, { counts: { crashStates: 2 }, failures: [], stateHashes: [9, 10] }, 5);
    expect(book.sums).toMatchObject({ crashStates: 4, recrashed: 1, lost: 0 });
    expect(JSON.parse(book.line({ seed: 1 }))).toMatchObject({ crashStates: 4, failures: 0, seed: 1 });
  });

  it("names a failure so that it can be had again, and counts what was lost, missing, made up or unseen", () => {
    const book = new Book();
    const failures = (["lost", "hole", "phantom", "undetectedFlip", "other"] as const).map((breach) => ({ breach, what: "it" }));
    book.enter("bits", 12, { counts: {}, failures }, 1);
    book.broke("kills", 13, "it hung");
    expect(book.sums).toMatchObject({ lost: 1, holes: 1, phantoms: 1, undetectedFlips: 1 });
    expect(book.failed.map(({ name }) => name)).toEqual([...Array(5).fill("bits:12"), "kills:13"]);
    expect(JSON.parse(book.line({})).failures).toBe(6);
  });

  it("has every figure in its line, of what was not run as well", () => {
    const names = Object.keys(JSON.parse(new Book().line({})));
    const asked = "crashStates recrashed injectedErrors bitFlips killCycles modelCommands lost holes phantoms undetectedFlips";
    expect(names).toEqual(expect.arrayContaining([...asked.split(" "), "zooCaught", "zooTotal", "tracesEqual", "failures"]));
  });
});

describe("what is wrong", () => {
  it("is sorted by the clause that its sentence names", () => {
    const breaches = ["C1/C4: ends at 3", "a-0: C2: expected offset 3", "C3: x was not sent", "the lock was kept"].map(
      (what) => failureOf(new Error(what)).breach,
    );
    expect(breaches).toEqual(["lost", "hole", "phantom", "other"]);
  });
});

describe("a tier", () => {
  it("is in proportion to its minutes, with ten of the zoo in ten minutes and all of it in a night", () => {
    expect(targetsOf(10, false, 60)).toEqual({ ...TEN_MINUTES, zoo: 10 });
    expect(targetsOf(2, false, 60)).toMatchObject({ crash: 50_000, kills: 60, zoo: 2 });
    expect(targetsOf(120, true, 60)).toMatchObject({ bits: 12_000_000, zoo: 60 });
  });

  it("has a share for every prover there is", () => {
    expect([...provers.keys()].sort()).toEqual(Object.keys(TEN_MINUTES).sort());
  });
});

describe("the ledger", () => {
  it("is a table of the newest runs between its marks, and nothing else of the page moves", () => {
    const page = "before\n<!-- ledger: begin -->\nold\n<!-- ledger: end -->\nafter\n";
    const run = { ...new Book().sums, date: "2026-01-02", commit: "abc", node: "20", seconds: 600, failures: 0, crashStates: 1234567 };
    const text = withTable(page, [run]);
    expect(text).toMatch(/^before\n/);
    expect(text).toMatch(/\nafter\n$/);
    expect(text).toContain("| 2026-01-02, abc, Node 20 | 10.0 | 1,234,567 (0) |");
    expect(text).not.toContain("old");
    expect(withTable(text, [run])).toBe(text);
    expect(() => withTable("no marks", [run])).toThrow("ledger: begin");
  });

  it("that is committed can be read, and each run of it says where it stood", () => {
    if (!existsSync(join(root, "proof/ledger.jsonl"))) throw new Error("proof/ledger.jsonl is not there");
    for (const run of readLedger()) {
      // A run that found something stands there as well, and names what it found.
      expect(run).toMatchObject({ commit: expect.any(String), seed: expect.any(Number) });
      expect(run.lost + run.holes + run.phantoms + run.undetectedFlips).toBeLessThanOrEqual(run.failures);
      expect(run.failed).toHaveLength(run.failures);
    }
  });
});

describe("npm run prove", () => {
  it("ends with a line of JSON, and the same seed does the same again", { timeout: 120_000 }, () => {
    const run = () => prove("--only", "model", "--minutes", "0.02", "--seed", "3", "--workers", "1", "--json");
    const [first, second] = [run(), run()].map(({ status, stdout, stderr }) => {
      expect(status, stdout + stderr).toBe(0);
      return JSON.parse(stdout.trim().split("\n").at(-1) as string);
    });
    expect(first).toMatchObject({ failures: 0, seed: 3, lost: 0 });
    expect(first.modelCommands).toBeGreaterThan(200);
    expect({ ...second, seconds: 0 }).toEqual({ ...first, seconds: 0 });
  });

  it("refuses a prover that there is not, by the names of those there are", { timeout: 60_000 }, () => {
    const { status, stderr } = prove("--only", "luck");
    expect(status).not.toBe(0);
    expect(stderr).toContain("crash");
  });
});
