/** A script that is given a flag it does not know does nothing, and one that is asked for help does no more than give it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { filesUnder } from "../../scripts/files.mjs";
import { projectRoot, runNode } from "../../scripts/run.mjs";

/** What they are given goes to vitest, or to the example, which refuse for themselves; sum-results is given no flag. */
const PASSED_ON = ["demo", "dev", "sum-results", "test", "test-kafka"].map((name) => `scripts/${name}.mjs`);

it.each(["bench", "check", "prove"])("%s refuses a flag that it does not know, by name, with exit code 2", async (name) => {
  // One that goes on all the same is ended: there are hours in it.
  const { code, output } = await runNode(`scripts/${name}.mjs`, ["--no-such-flag"], { timeoutMs: 60_000 });
  expect(output).toMatch(/^.*--no-such-flag.*\n$/);
  expect(code).toBe(2);
});

it.each(["bench", "prove"])("%s --help says how it is run, and ends", async (name) => {
  const { code, output } = await runNode(`scripts/${name}.mjs`, ["--help"], { timeoutMs: 60_000 });
  expect(output).toContain(name);
  expect(output).toContain("--record");
  expect(output).not.toMatch(/^[ /]\*/m);
  expect(code).toBe(0);
});

it("every script that reads what it was given looks at the flags before anything else of it", () => {
  const uses = /process\.argv\.(slice|includes)|= parseArgs\(|new Command\(/;
  const readers = filesUnder(projectRoot, "scripts", [".mjs"])
    .filter((file) => file.split("/").length === 2 && !PASSED_ON.includes(file) && file !== "scripts/usage.mjs")
    .map((file) => ({ file, text: readFileSync(join(projectRoot, file), "utf8") }))
    .filter(({ text }) => uses.test(text));
  expect(readers.length).toBeGreaterThan(12);
  for (const { file, text } of readers) {
    // Commander looks at them itself.
    const looksAt = text.search(/^ *checkFlags\(import\.meta\.url, \[|new Command\(/m);
    expect(looksAt, file).toBeGreaterThan(-1);
    expect(text.search(uses), file).toBeGreaterThanOrEqual(looksAt);
  }
});
