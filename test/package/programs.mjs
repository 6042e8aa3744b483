/** Programs that node runs with the package: what they must print, and that they end by themselves. */
import { run } from "../../scripts/run.mjs";
import { expected } from "./app/story.mjs";
import { differenceOf, parsed } from "./pages.mjs";

const programMsMax = 30_000;

/** Runs a bundle on a new directory and answers what is wrong, or null: its answer must be all that is printed, warnings included. */
export async function programProblem(file, directory, { node = process.execPath, flags = [], cwd, msMax = programMsMax } = {}) {
  const { code, output } = await run(node, [...flags, file, directory], { cwd, timeoutMs: msMax });
  if (output.includes("(ended by SIGKILL)")) return `it did not end within ${msMax / 1000} s; it printed: ${output}`;
  if (code !== 0) return output;
  return differenceOf(parsed(output), expected);
}

/** The Nodes that the suites of the runtimes bring, beside our own: from 22 on require() takes a module. */
const alias = (name) => new URL(`../runtimes/node_modules/${name}/bin/node`, import.meta.url).pathname;

export const nodes = [
  { name: "Node 22", program: alias("n22"), flags: ["--throw-deprecation"] },
  { name: "Node 24", program: alias("n24"), flags: ["--throw-deprecation"] },
  { name: "Node 26", program: alias("n26"), flags: ["--throw-deprecation", "--pending-deprecation"] },
];
