import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { projectRoot, runNode } from "../../scripts/run.mjs";

const script = join(projectRoot, "scripts/sum-results.mjs");
const sound = { success: true, numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };

describe("the sum of the suites", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "odradek-sum-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function sum(results: Readonly<Record<string, object>>, ...expected: readonly string[]): Promise<{ code: number; last: string }> {
    for (const [name, result] of Object.entries(results)) writeFileSync(join(folder, `${name}.json`), JSON.stringify(result));
    const { code, output } = await runNode(script, [folder, ...expected]);
    return { code, last: output.trimEnd().split("\n").at(-1) ?? "" };
  }

  it("adds up every suite in one line, the last", async () => {
    expect(await sum({ test: sound, kafka: { ...sound, numPassedTests: 4 } }, "test", "kafka")).toEqual({
      code: 0,
      last: "7 passed, 0 failed",
    });
  });
  it("is red for a failed test", async () => {
    expect(await sum({ test: { ...sound, success: false, numFailedTests: 1 } }, "test")).toEqual({ code: 1, last: "3 passed, 1 failed" });
  });
  it("counts a file that does not load as failed", async () => {
    const testResults = [{ status: "failed", assertionResults: [] }];
    expect(await sum({ test: { ...sound, success: false, testResults } }, "test")).toEqual({ code: 1, last: "3 passed, 1 failed" });
  });
  it("is red for a suite that said nothing", async () => {
    expect(await sum({ test: sound }, "test", "kafka")).toEqual({ code: 1, last: "3 passed, 0 failed" });
  });
  it("is red for a suite that ran nothing", async () => {
    expect(await sum({ test: sound, kafka: { ...sound, numPassedTests: 0 } }, "test")).toEqual({ code: 1, last: "3 passed, 0 failed" });
  });
  it("is red for a test that was left out", async () => {
    expect(await sum({ test: { ...sound, numPendingTests: 1 } }, "test")).toEqual({ code: 1, last: "3 passed, 0 failed" });
  });
});
