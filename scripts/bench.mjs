/**
 * `npm run bench [-- NAME...] [--json] [--quick] [--record]`: runs the files of bench/ whose names were given, or all, one after another
 * and each in a process of its own. `--json` prints a line for each result; `--quick` is a look at all of them within a minute, and its
 * figures are worth little; `--record` writes bench/results/NAME.json, from which `npm run bench:page` makes docs/BENCHMARKS.md.
 * `--mode` goes to the bench of growth (`npm run bench -- growth --mode senders`).
 */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { record } from "./bench/recording.mjs";
import { projectRoot, runNode } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

// `--mode` is a bench's own.
checkFlags(import.meta.url, ["--json", "--quick", "--record", "--mode"]);
const { names, flags } = parsed(process.argv.slice(2));
const isRecorded = flags.includes("--record");
if (isRecorded && flags.includes("--quick")) fail("--record and --quick: what is quick is not worth recording");
const benches = readdirSync(join(projectRoot, "bench"))
  .filter((file) => file.endsWith(".bench.mjs"))
  .filter((file) => names.length === 0 || names.includes(basename(file, ".bench.mjs")))
  .sort();
const known = readdirSync(join(projectRoot, "bench")).map((file) => basename(file, ".bench.mjs"));
const unknown = names.filter((name) => !known.includes(name));
if (benches.length === 0 || unknown.length > 0)
  fail(`no file bench/<name>.bench.mjs ${names.length === 0 ? "exists" : `is called ${unknown.join(" or ")}`}`);

const build = await runNode("scripts/build.mjs");
if (build.code !== 0) {
  process.stderr.write(build.output);
  process.exit(build.code);
}
const failed = [];
for (const bench of benches) {
  const name = basename(bench, ".bench.mjs");
  const isGood = isRecorded ? await record(name, flags) : (await runNode(join("bench", bench), flags, { inherit: true })).code === 0;
  if (!isGood) failed.push(name);
}
if (failed.length > 0) fail(`failed: ${failed.join(", ")}`, 1);

/** A flag of the benches' own takes the word behind it, if that is no flag and no bench. */
function parsed(args) {
  const names = [];
  const flags = [];
  for (let at = 0; at < args.length; at += 1) {
    if (!args[at].startsWith("-")) names.push(args[at]);
    else if (args[at] === "--mode" && at + 1 < args.length) flags.push(args[at], args[++at]);
    else flags.push(args[at]);
  }
  return { names, flags };
}

function fail(sentence, code = 2) {
  process.stderr.write(`bench: ${sentence}\n`);
  process.exit(code);
}
