/**
 * `npm run coverage`: runs every test, and says which branches and which error handlers none of them met. Red when fewer branches
 * were met than the bound says, or when one error handler of `src/log` or `src/storage` never ran.
 *
 *   npm run coverage                        all of it, with a verdict
 *   npm run coverage -- test/log            these tests alone: what they met, and no verdict
 *   npm run coverage -- --again             a verdict on what was measured last
 *   npm run coverage -- --missed src/log    (with the others) names each branch of these sources that was never met
 *
 * A source is what is written by hand under `src`: not the types of `src/api`, nor the bundles in `src/vendor`, nor the core's bytes.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { missedBranches, sumBranches } from "./coverage-branches.mjs";
import { creditChildren } from "./coverage-children.mjs";
import { judgeHandlers } from "./coverage-handlers.mjs";
import { projectRoot, runNode } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

/** Percent of all branches: what was reached, so that it does not fall again. 97 is the aim; raise this with every step towards it. */
const BRANCHES_MIN = 99;

checkFlags(import.meta.url, ["--again", "--missed"]);
const { values: options, positionals: tests } = parseArgs({
  allowPositionals: true,
  options: { again: { type: "boolean", default: false }, missed: { type: "string" } },
});
const say = (line) => console.log(line);
const folder = join(projectRoot, "build/coverage");
const children = join(folder, "children");
const measured = join(folder, "coverage-final.json");

let testsCode = 0;
if (!options.again) {
  rmSync(folder, { recursive: true, force: true });
  const build = await runNode("scripts/build.mjs", [], { inherit: true });
  if (build.code !== 0) process.exit(build.code);
  const vitest = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--coverage",
    "--coverage.reporter=json",
    `--coverage.reportsDirectory=${folder}`,
  ];
  testsCode = (
    await runNode(vitest[0], [...vitest.slice(1), "--coverage.reportOnFailure", ...tests], {
      inherit: true,
      env: { ODRADEK_CHILD_COVERAGE: children },
    })
  ).code;
}
if (!existsSync(measured)) {
  say(`coverage: ${measured} is not there: nothing was measured`);
  process.exit(1);
}
const coverage = JSON.parse(readFileSync(measured, "utf8"));
const { processes, unknown } = await creditChildren(coverage, children);
if (processes > 0) say(`${processes} child processes were counted; of their branches, ${unknown} could not be placed`);
const { folders, all } = sumBranches(projectRoot, coverage);
for (const { name, total, met, percent } of folders)
  say(`${name.padEnd(18)} ${String(met).padStart(5)} of ${String(total).padStart(5)} branches  ${percent} %`);
say(`${"all".padEnd(18)} ${String(all.met).padStart(5)} of ${String(all.total).padStart(5)} branches  ${all.percent} %`);
if (options.missed !== undefined) for (const line of missedBranches(projectRoot, coverage, options.missed)) say(line);

const { problems, count } = judgeHandlers(projectRoot, coverage);
for (const problem of problems) say(problem);
say(`error handlers of src/log and src/storage: ${count - problems.length} of ${count} ran`);
if (all.percent < BRANCHES_MIN) say(`branches: ${all.percent} % were met, ${BRANCHES_MIN} % are asked for`);
if (testsCode !== 0) process.exit(testsCode);
if (tests.length === 0 && (problems.length > 0 || all.percent < BRANCHES_MIN)) process.exit(1);
