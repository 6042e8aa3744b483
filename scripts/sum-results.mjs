/**
 * Adds up what the suites of a run reported (vitest's JSON, one file a suite) and says so in one line, `N passed, N failed`,
 * the last of standard output. Exit 1 when something failed, when a suite ran nothing, or when a test was left out.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

const [folder, ...expected] = process.argv.slice(2);
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
let passed = 0;
let failed = 0;
let sound = true;
for (const name of expected) {
  if (files.includes(`${name}.json`)) continue;
  process.stdout.write(`${name}: no results\n`);
  sound = false;
}
for (const file of files.sort()) {
  const result = JSON.parse(readFileSync(join(folder, file), "utf8"));
  // A file that does not even load has no tests: it counts as one that failed.
  const broken = result.testResults.filter(({ status, assertionResults }) => status === "failed" && assertionResults.length === 0).length;
  const leftOut = result.numPendingTests + result.numTodoTests;
  const suite = { passed: result.numPassedTests, failed: result.numFailedTests + broken };
  process.stdout.write(
    `${basename(file, ".json")}: ${suite.passed} passed, ${suite.failed} failed${leftOut > 0 ? `, ${leftOut} left out` : ""}\n`,
  );
  if (suite.passed === 0 || suite.failed > 0 || leftOut > 0 || !result.success) sound = false;
  passed += suite.passed;
  failed += suite.failed;
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = sound && passed > 0 ? 0 : 1;
