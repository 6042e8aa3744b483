/** A bench's results as they are kept: bench/results/NAME.json, one result a line, under a head that says when, where and of what. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileSystemOf, machine } from "../../bench/harness/machine.mjs";
import { placesRoot } from "../../bench/harness/places.mjs";
import { projectRoot, run, runNode } from "../run.mjs";

export const resultsFolder = join(projectRoot, "bench/results");

/** Runs the bench and keeps what it found; answers whether it ended well. Prints one line a result. */
export async function record(name, flags) {
  const started = performance.now();
  const { code, output } = await runNode(join("bench", `${name}.bench.mjs`), [...flags, "--json"]);
  const results = output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  if (code !== 0 || results.length === 0) {
    process.stderr.write(`${output}\nbench: ${name} ended with ${code} and ${results.length} results: nothing is recorded\n`);
    return false;
  }
  await writeRecording(name, results, (performance.now() - started) / 1000);
  return true;
}

/**
 * @param {string} name
 * @param {readonly object[]} results
 * @param {number} tookSeconds
 * @param {object} [versions] of what else took part
 */
export async function writeRecording(name, results, tookSeconds, versions = {}) {
  const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  const { output: commit } = await run("git", ["rev-parse", "--short=12", "HEAD"]);
  const head = {
    bench: name,
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    fileSystem: fileSystemOf(placesRoot),
    versions: { odradek: `${version} (${commit.trim()})`, node: process.versions.node, v8: process.versions.v8, ...versions },
    seconds: Math.round(tookSeconds),
    // Recordings older than the lanes that measure limits do not say it: what they lack is no mistake. See shortfalls.mjs.
    limitLanes: results.filter(({ limitOf }) => limitOf !== undefined).length,
  };
  const lines = results.map(({ machine: _, ...result }) => `    ${JSON.stringify(rounded(result))}`);
  const text = `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "results": [\n${lines.join(",\n")}\n  ]\n}\n`;
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(join(resultsFolder, `${name}.json`), text);
  process.stdout.write(`${name}: ${results.length} results in ${head.seconds} s\n`);
}

/** Five digits say all that such a machine can. */
function rounded(result) {
  return JSON.parse(JSON.stringify(result), (_, value) => (typeof value === "number" ? Number(value.toPrecision(5)) : value));
}
