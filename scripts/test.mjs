/**
 * `npm test`: builds what the tests read, then runs vitest with the arguments given. Results also go to build/results as JSON.
 * Without arguments, which mean all of it, two minutes of proof follow.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { projectRoot, runNode } from "./run.mjs";

const results = join(projectRoot, "build/results");
mkdirSync(results, { recursive: true });

const build = await runNode("scripts/build.mjs", [], { inherit: true });
if (build.code !== 0) process.exit(build.code);

const { code } = await runNode(
  "node_modules/vitest/vitest.mjs",
  ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${join(results, "test.json")}`, ...process.argv.slice(2)],
  { inherit: true },
);
if (code !== 0 || process.argv.length > 2) process.exit(code);
// Always from the same seeds, so that a test that turns red was turned by a change; `npm run prove` looks where nobody has looked.
const SEED = "410385652";
const proof = await runNode("scripts/prove.mjs", ["--tier", "two", "--seed", SEED], { inherit: true });
process.exit(proof.code);
