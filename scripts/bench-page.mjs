/**
 * `npm run bench:page [-- --check]`: docs/BENCHMARKS.md and the charts in docs/bench, made from bench/page.md, bench/shortfalls.md and bench/results/*.json.
 * With `--check` nothing is written, and what differs is named with exit code 1. A test does the same.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { benchPage } from "./bench/page.mjs";
import { projectRoot } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

const docs = join(projectRoot, "docs");
const charts = join(docs, "bench");

/** What stands in docs/ and is not what the recordings give: paths below docs/. */
export async function staleFiles() {
  const files = await made();
  const others = existing().filter((path) => !files.has(path));
  const differs = [...files].filter(([path, text]) => !existsSync(join(docs, path)) || readFileSync(join(docs, path), "utf8") !== text);
  return [...differs.map(([path]) => path), ...others];
}

function made() {
  const results = join(projectRoot, "bench/results");
  const names = existsSync(results) ? readdirSync(results).filter((name) => name.endsWith(".json")) : [];
  const recordings = new Map(
    names.sort().map((name) => [name.slice(0, -".json".length), JSON.parse(readFileSync(join(results, name), "utf8"))]),
  );
  const [template, shortfalls] = ["page", "shortfalls"].map((name) => readFileSync(join(projectRoot, `bench/${name}.md`), "utf8"));
  return benchPage(template, recordings, shortfalls);
}

function existing() {
  return existsSync(charts) ? readdirSync(charts).map((name) => `bench/${name}`) : [];
}

if (process.argv[1]?.endsWith("bench-page.mjs")) {
  checkFlags(import.meta.url, ["--check"]);
  if (process.argv.includes("--check")) {
    const stale = await staleFiles();
    for (const path of stale) process.stderr.write(`bench:page: docs/${path} is not what the recordings give\n`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    const files = await made();
    for (const path of existing().filter((each) => !files.has(each))) rmSync(join(docs, path));
    for (const [path, text] of files) {
      mkdirSync(join(docs, path, ".."), { recursive: true });
      writeFileSync(join(docs, path), text);
    }
    process.stdout.write(`bench:page: ${[...files.keys()].join(", ")}\n`);
  }
}
