/**
 * `npm run bench:compare [-- PEER...] [--json] [--quick] [--record]`: Odradek beside what a program in Node could take in its place, and
 * beside Apache Kafka. The peers are installed here first, in bench/compare, by its own lock; servers take part where they are installed.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot, run, runNode } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

checkFlags(import.meta.url, ["--json", "--quick", "--record"]);
const folder = join(projectRoot, "bench/compare");
const stamp = join(folder, "node_modules/.installed");
const installMsMax = 600_000;

const build = await runNode("scripts/build.mjs");
if (build.code !== 0) {
  process.stderr.write(build.output);
  process.exit(build.code);
}
const wanted = createHash("sha256")
  .update(readFileSync(join(folder, "package-lock.json")))
  .update(process.versions.modules)
  .digest("hex");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  process.stderr.write("compare: installing the peers\n");
  const { code, output } = await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: folder, timeoutMs: installMsMax });
  if (code !== 0) {
    process.stderr.write(`${output}\ncompare: the peers could not be installed\n`);
    process.exit(1);
  }
  writeFileSync(stamp, wanted);
}
const { code } = await runNode("bench/compare/run.mjs", process.argv.slice(2), { inherit: true });
process.exit(code);
