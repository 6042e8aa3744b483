/** `npm run bench [name ...] [-- --json]`: runs the files of bench/ whose names were given, or all, one after another on a quiet machine. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { projectRoot, runNode } from "./run.mjs";

const flags = process.argv.slice(2).filter((argument) => argument.startsWith("-"));
const names = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const benches = readdirSync(join(projectRoot, "bench"))
  .filter((file) => file.endsWith(".bench.mjs"))
  .filter((file) => names.length === 0 || names.includes(basename(file, ".bench.mjs")))
  .sort();
if (benches.length === 0) {
  process.stderr.write(`bench: no file bench/<name>.bench.mjs ${names.length === 0 ? "exists" : `is called ${names.join(" or ")}`}\n`);
  process.exit(2);
}

const build = await runNode("scripts/build.mjs");
if (build.code !== 0) {
  process.stderr.write(build.output);
  process.exit(build.code);
}
let failed = 0;
for (const bench of benches) {
  const { code } = await runNode(join("bench", bench), flags, { inherit: true });
  if (code !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
