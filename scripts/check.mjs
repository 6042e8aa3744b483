/**
 * `npm run check [-- NAME...] [--tested]`: every check in order, each with what it saw; exit 1 when one is red. With `--tested`, `npm test` has
 * just ended here: the core's tests are not run a second time, but their results judged.
 */
import { performance } from "node:perf_hooks";
import { projectRoot } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

checkFlags(import.meta.url, ["--tested"]);
const names = ["types", "lint", "layers", "source", "reference", "core", "package"];
const wanted = process.argv.slice(2).filter((word) => word !== "--tested");
const tested = process.argv.includes("--tested");
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`check: there is no ${unknown.join(", ")}; there are ${names.join(", ")}\n`);
  process.exit(2);
}

let red = 0;
for (const name of names.filter((each) => wanted.length === 0 || wanted.includes(each))) {
  const started = performance.now();
  const { check } = await import(`./checks/${name}.mjs`);
  const { problems, notes = [], saw } = await (name === "core" ? check(projectRoot, { tested }) : check(projectRoot));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  for (const note of notes) process.stdout.write(`      ${note}\n`);
  for (const problem of problems) process.stdout.write(`  ${problem.replaceAll("\n", "\n  ")}\n`);
  process.stdout.write(`${problems.length === 0 ? "ok   " : "RED  "}${name.padEnd(9)} ${seconds.padStart(5)} s  ${saw}\n`);
  if (problems.length > 0) red++;
}
process.stdout.write(red === 0 ? "check: clean\n" : `check: ${red} red\n`);
process.exit(red === 0 ? 0 : 1);
