/** How a score is counted, and what is left out of it. */
import { describe, expect, it } from "vitest";
import { scored, sumOf } from "../../scripts/mutate-ledger.mjs";
import { folders, testsNear } from "../../scripts/mutate-tests.mjs";
import { shouldIgnore } from "./prose.mjs";

describe("a mutation score", () => {
  it("counts those ended by the clock as killed, those that no test runs as survivors, and what is no mutant not at all", () => {
    const mutants = ["Killed", "Killed", "Timeout", "Survived", "NoCoverage", "Ignored", "CompileError"].map((status) => ({ status }));
    expect(sumOf(mutants)).toEqual({ mutants: 5, killed: 3, timeout: 1, survived: 2, notRun: 1, score: 60 });
    expect(scored({ killed: 0, survived: 0, timeout: 0, notRun: 0 }).score).toBe(0);
  });

  it("leaves sentences alone, and nothing that code goes by", () => {
    const literal = (value: string) => ({ node: { type: "StringLiteral", value } });
    for (const text of ["expected a topic id", " bytes behind its end"]) expect(shouldIgnore(literal(text)), text).toBe("prose");
    for (const text of ["BOOK_CORRUPT", "delete", "compact,delete", "", " ", "0"])
      expect(shouldIgnore(literal(text)), text).toBeUndefined();
    const template = (...raw: string[]) => ({ node: { type: "TemplateLiteral", quasis: raw.map((each) => ({ value: { raw: each } })) } });
    expect(shouldIgnore(template("found ", " bytes"))).toBe("prose");
    expect(shouldIgnore(template("", ".log"))).toBeUndefined();
  });

  it("asks tests of every folder that it is given for, the dear ones about their own files alone", () => {
    const tests = [
      "test/log/books/seal.test.ts",
      "test/log/repair.test.ts",
      "test/log/log-leftovers.test.ts",
      "test/group/coordinator.test.ts",
    ];
    expect(folders).toContain("log");
    expect(testsNear("log", ["src/log/seal/seal.ts"], tests)).toEqual(["test/log/books/seal.test.ts"]);
    expect(testsNear("log", ["src/log/survey/repair.ts"], tests)).toEqual(["test/log/books/seal.test.ts", "test/log/repair.test.ts"]);
    expect(() => testsNear("storage", [], tests)).toThrow(/src\/storage/);
  });
});
