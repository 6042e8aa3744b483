/**
 * `npm run mutate`: the mutation score of the TypeScript. Stryker plants one fault after the other; the tests near it must see each.
 *
 *   npm run mutate -- --files src/log/seal/seal.ts,src/log/append/settling.ts
 *   npm run mutate -- --sample 300 --seed 7        whole files in the seed's order, folders in turn, until there are 300 mutants
 *   npm run mutate -- --folder log --minutes 20    begins no other batch of files after that
 *   npm run mutate -- --files … --tests test/log/books/seal.test.ts    by these tests alone, while a test is being written
 *
 * `--record` puts the figures of each file into proof/mutation.json; `--json` ends with `{ mutants, killed, survived, score }`.
 * Survivors are printed with the line they stand in, so that they can be judged: equivalent, or a test that is missing.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { filesUnder } from "./files.mjs";
import { recordFiles, sumOf } from "./mutate-ledger.mjs";
import { folders, testsNear } from "./mutate-tests.mjs";
import { projectRoot, run, runNode } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

/** A batch is at least this many mutants: starting Stryker and running every test once costs as much as some twenty of them. */
const BATCH_MUTANTS_MIN = 150;
const home = join(projectRoot, "test/mutation");
const work = join(projectRoot, "build/mutation");

checkFlags(import.meta.url, ["--files", "--folder", "--tests", "--sample", "--seed", "--minutes", "--record", "--json"]);
const { values: options } = parseArgs({
  options: {
    files: { type: "string" },
    folder: { type: "string" },
    tests: { type: "string" },
    sample: { type: "string" },
    seed: { type: "string", default: String(Math.floor(Date.now() / 86_400_000)) },
    minutes: { type: "string" },
    record: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const say = (line) => console.log(line);
const endsAtMs = options.minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(options.minutes) * 60_000;

await install();
const count = await mutantCounter();
const results = new Map();
for (const batch of await batches()) {
  if (Date.now() >= endsAtMs) break;
  const found = new Map(await mutated(batch));
  for (const [file, mutants] of found) results.set(file, mutants);
  if (options.record) recordFiles(found);
}
const total = sumOf([...results.values()].flat());
for (const folder of folders) {
  const inFolder = [...results].filter(([file]) => file.startsWith(`src/${folder}/`));
  if (inFolder.length === 0) continue;
  const { mutants, killed, timeout, survived, score } = sumOf(inFolder.flatMap(([, found]) => found));
  say(
    `src/${folder}: ${inFolder.length} files, ${mutants} mutants, ${killed} killed (${timeout} by the clock), ${survived} survived, score ${score} %`,
  );
}
if (options.json) {
  const { mutants, killed, survived, score } = total;
  say(JSON.stringify({ mutants, killed, survived, score }));
}

/** Stryker, from its own package-lock, the first time only. */
async function install() {
  if (existsSync(join(home, "node_modules/@stryker-mutator/core"))) return;
  say("installing Stryker into test/mutation/node_modules");
  const { code, output } = await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: home });
  if (code !== 0) throw new Error(`npm ci in test/mutation failed:\n${output}`);
}

/** Answers how many mutants Stryker makes of a file. */
async function mutantCounter() {
  const { Instrumenter } = await import(pathToFileURL(join(home, "node_modules/@stryker-mutator/instrumenter/dist/src/index.js")).href);
  const { shouldIgnore } = await import(pathToFileURL(join(home, "prose.mjs")).href);
  const silent = { debug() {}, info() {}, warn() {}, isDebugEnabled: () => false };
  const instrumenter = new Instrumenter(silent);
  return async (file) => {
    const content = readFileSync(join(projectRoot, file), "utf8");
    const settings = { plugins: null, excludedMutations: [], ignorers: [{ shouldIgnore }], noHeader: true };
    const { mutants } = await instrumenter.instrument([{ name: file, mutate: true, content }], settings);
    return mutants.filter(({ status }) => status !== "Ignored").length;
  };
}

/** Files of one folder each, in the order in which they are to be tried. */
async function batches() {
  const wanted = options.sample === undefined ? Number.POSITIVE_INFINITY : Number(options.sample);
  const queues = new Map();
  const given = options.files?.split(",");
  for (const folder of folders) {
    const files = given ?? filesUnder(projectRoot, `src/${folder}`, [".ts"]);
    if (options.folder !== undefined && options.folder !== folder) continue;
    queues.set(
      folder,
      shuffled(
        files.filter((file) => file.startsWith(`src/${folder}/`)),
        Number(options.seed),
      ),
    );
  }
  const answer = [];
  let chosen = 0;
  while (chosen < wanted && [...queues.values()].some((files) => files.length > 0)) {
    for (const [folder, files] of queues) {
      const batch = { folder, files: [] };
      let mutants = 0;
      while (files.length > 0 && mutants < BATCH_MUTANTS_MIN && chosen < wanted) {
        const file = files.shift();
        const inFile = await count(file);
        if (inFile === 0) continue;
        batch.files.push(file);
        mutants += inFile;
        chosen += inFile;
      }
      if (batch.files.length > 0) answer.push(batch);
    }
  }
  return answer;
}

/** @param {{ folder: string, files: string[] }} batch */
async function mutated({ folder, files }) {
  const reportFile = join(work, `report-${process.pid}.json`);
  const configFile = join(work, `stryker-${process.pid}.json`);
  const sandbox = join(work, `sandbox-${process.pid}`);
  mkdirSync(work, { recursive: true });
  rmSync(reportFile, { force: true });
  const tests = options.tests?.split(",") ?? testsNear(folder, files, filesUnder(projectRoot, "test", [".test.ts"]));
  const config = {
    testRunner: "vitest",
    plugins: ["@stryker-mutator/vitest-runner", join(home, "prose.mjs")],
    ignorers: ["prose"],
    vitest: { configFile: "test/mutation/vitest.config.ts", related: false },
    mutate: files,
    // A mutant in what runs on import alone would need a new worker; nothing of ours does much there.
    ignoreStatic: true,
    concurrency: 1,
    timeoutMS: 15_000,
    timeoutFactor: 2,
    tempDirName: sandbox,
    ignorePatterns: [
      ...[
        ...["/dist/*", "!/dist/vendor"],
        "/docs",
        "/bench",
        "/examples",
        "/assembly",
        "/proof",
        "/coverage",
        "/data",
        "/demo-data",
        "test/runtimes",
        "test/compat",
      ],
      ...["/build/*", "!/build/core.release.wasm", "!/build/core.debug.wasm", "test/mutation/node_modules"],
    ],
    reporters: ["json"],
    jsonReporter: { fileName: reportFile },
    allowConsoleColors: false,
    warnings: false,
  };
  writeFileSync(configFile, JSON.stringify(config));
  say(`src/${folder}: ${files.map((file) => file.slice(folder.length + 5)).join(", ")}; ${tests.length} test files`);
  const { output } = await runNode("test/mutation/node_modules/@stryker-mutator/core/bin/stryker.js", ["run", configFile], {
    env: { ODRADEK_MUTATION_TESTS: tests.join(" ") },
    // What a batch may take beyond the end of the time given.
    // By the signal that Stryker hears: it ends its own processes first.
    ...(Number.isFinite(endsAtMs) ? { timeoutMs: endsAtMs - Date.now() + 120_000, timeoutSignal: "SIGTERM" } : {}),
  });
  rmSync(configFile, { force: true });
  rmSync(sandbox, { recursive: true, force: true });
  if (!existsSync(reportFile)) {
    say(`no report of these files; Stryker said:\n${output.split("\n").slice(-25).join("\n")}`);
    return [];
  }
  const report = JSON.parse(readFileSync(reportFile, "utf8"));
  rmSync(reportFile);
  const found = Object.entries(report.files).map(([file, { mutants }]) => [file, mutants]);
  for (const [file, mutants] of found) {
    const lines = readFileSync(join(projectRoot, file), "utf8").split("\n");
    for (const { status, mutatorName, location, replacement } of mutants) {
      if (status !== "Survived" && status !== "NoCoverage") continue;
      const { line, column } = location.start;
      const to = (replacement ?? "").replaceAll(/\s+/g, " ").slice(0, 90);
      say(
        `  ${status === "Survived" ? "survived" : "not run "} ${file}:${line}:${column} ${mutatorName} -> ${to}\n      ${lines[line - 1]?.trim()}`,
      );
    }
  }
  return found;
}

/** In the seed's order; the same for the same seed and list. */
function shuffled(list, seed) {
  const answer = [...list];
  let state = (seed ^ 0x9e3779b9) >>> 0;
  for (let at = answer.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (at + 1));
    [answer[at], answer[other]] = [answer[other], answer[at]];
  }
  return answer;
}
