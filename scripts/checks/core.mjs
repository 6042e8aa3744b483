/** Whether the core builds (no unknown option, no import), and keeps its promises on the release and the debug build alike. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot, runNode } from "../run.mjs";

/**
 * Answers `{ problems, saw }`. With `tested`, `npm test` has just built the core and run all tests: what it found of the core is judged,
 * and nothing is built, so that others may read dist meanwhile.
 * @param {string} root
 * @param {{ tested?: boolean }} [options]
 * @returns {Promise<{ problems: string[], saw: string }>}
 */
export async function check(root, { tested = false } = {}) {
  const mistyped = configProblems(JSON.parse(readFileSync(join(root, "asconfig.json"), "utf8")));
  if (mistyped.length > 0) return { problems: mistyped, saw: "" };
  if (tested) return judgeTested(root);
  const built = await runNode("scripts/build-core.mjs", [], { cwd: root });
  if (built.code !== 0) return { problems: [built.output], saw: "" };
  const folder = mkdtempSync(join(tmpdir(), "odradek-core-"));
  try {
    const results = join(folder, "core.json");
    const vitest = join(projectRoot, "node_modules/vitest/vitest.mjs");
    const { code, output } = await runNode(vitest, ["run", "test/core", "--reporter=json", `--outputFile=${results}`], { cwd: root });
    let judged;
    try {
      judged = judge(JSON.parse(readFileSync(results, "utf8")));
    } catch {
      return { problems: [`vitest left no results: ${output.slice(-4000)}`], saw: "" };
    }
    if (code !== 0 && judged.problems.length === 0) judged.problems.push(output.slice(-4000));
    return judged;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Named here, not in an import: its declarations redefine half of JavaScript. */
const compiler = "assemblyscript/asc";
const { options: known } = await import(compiler);

const fits = {
  b: (value) => typeof value === "boolean",
  i: Number.isInteger,
  I: Number.isInteger,
  f: (value) => typeof value === "number",
  s: (value) => typeof value === "string",
  S: (value) => typeof value === "string" || (Array.isArray(value) && value.every((each) => typeof each === "string")),
};

/**
 * asc passes over an option that it does not know: on its command line with a warning, in asconfig.json without a word.
 * @param {{ options?: object, targets?: Record<string, object> }} config
 * @returns {string[]}
 */
export function configProblems({ options = {}, targets = {}, entries, extends: base, ...rest }) {
  const problems = Object.keys(rest).map((key) => `asconfig.json: asc does not know "${key}"`);
  for (const [place, given] of Object.entries({ options, ...targets })) {
    for (const [name, value] of Object.entries(given)) {
      if (known[name] === undefined) problems.push(`asconfig.json: ${place}: asc does not know the option "${name}"`);
      else if (name === "noAssert" && value) problems.push(`asconfig.json: ${place}: asserts stay on, in release too`);
      else if (!fits[known[name].type]?.(value)) problems.push(`asconfig.json: ${place}: ${name} cannot be ${JSON.stringify(value)}`);
    }
  }
  if (!Array.isArray(entries) || base !== undefined) problems.push("asconfig.json: expected a list `entries` and no `extends`");
  return problems;
}

/**
 * Of the results that `npm test` has left, those of the core: none is a problem as well.
 * @param {string} root
 * @returns {{ problems: string[], saw: string }}
 */
export function judgeTested(root) {
  const file = join(root, "build/results/test.json");
  if (!existsSync(file)) return { problems: [`${file} is not there: no npm test has ended here`], saw: "" };
  const { testResults } = JSON.parse(readFileSync(file, "utf8"));
  return judge({ testResults: testResults.filter(({ name }) => name.replaceAll("\\", "/").includes("/test/core/")) });
}

/**
 * From vitest's JSON: what failed, and whether both builds were under test.
 * @param {{ testResults: { name: string, message?: string, assertionResults: { fullName: string, ancestorTitles: string[], status: string, failureMessages: string[] }[] }[] }} results
 * @returns {{ problems: string[], saw: string }}
 */
export function judge(results) {
  const tests = results.testResults.flatMap(({ assertionResults }) => assertionResults);
  const problems = tests
    .filter(({ status }) => status !== "passed")
    .map(({ fullName, status, failureMessages }) => `${fullName}: ${status} ${failureMessages.join("\n").slice(0, 1500)}`);
  for (const { name, message, assertionResults } of results.testResults) {
    if (assertionResults.length === 0) problems.push(`${name} ran no test: ${message ?? ""}`);
  }
  const count = (build) =>
    tests.filter(({ ancestorTitles }) => ancestorTitles.some((title) => new RegExp(`\\b${build}\\b`).test(title))).length;
  const [release, debug] = [count("release"), count("debug")];
  if (release === 0 || release !== debug)
    problems.push(`${release} tests ran on the release build and ${debug} on the debug build: each is for both`);
  return { problems, saw: `${release} tests on the release build, ${debug} on the debug build` };
}
