/**
 * `npm run test:package [-- WORD...]`: what other people's tools make of the packed tarball. Four bundlers build a page and a program of
 * it, with no configuration, and both run; four compilers read its types; Node loads it by require(). Then each of these checks is given
 * an offender, and must turn red. Without Chromium pages are evaluated in node instead: the exit code is 3, as something is not proven.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installChromium, installPackages, installTarball, runtimesRig, tell } from "./rigs.mjs";
import { projectRoot } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

checkFlags(import.meta.url, []);
const rig = join(projectRoot, "test/package");
/** Two cores is what there is at the least; more at once would only wait for each other. */
const atOnce = 2;
/** A check that is not done by then has failed: webpack's page, the slowest, takes 12 s. */
const checkMsMax = 150_000;

for (const folder of [rig, runtimesRig]) if (!(await installPackages(folder))) throw new Error(`test-package: ${folder} does not install`);
await installChromium();
const { bundles, withViteServer } = await import("../test/package/bundlers.mjs");
const { Pages, evaluate } = await import("../test/package/pages.mjs");
const { programProblem, nodes } = await import("../test/package/programs.mjs");
const { compilers, settings, typesProblem } = await import("../test/package/types.mjs");
const { offenders } = await import("../test/package/offenders.mjs");

const wanted = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), "odradek-package-"));
const pages = new Pages();
let missing = null;
let passed = 0;
let failed = 0;
try {
  await installTarball(work);
  placePrograms(work);
  missing = await pages.start();
  const checks = [...bundleChecks(work), ...serverChecks(work), ...typeChecks(work), ...requireChecks(work), ...offenderChecks()];
  await inPairs(checks.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word))));
} finally {
  await inTime("the browser's end", pages.stop()).catch((error) => process.stdout.write(`${error.message}\n`));
  rmSync(work, { recursive: true, force: true });
}
if (missing !== null) process.stdout.write(`no page ran in a browser: ${missing} brings what is missing\n`);
// Whatever a check that was given up still waits for.
process.exit(tell("package", { passed, failed, notProven: missing === null ? 0 : 1 }));

function placePrograms(folder) {
  cpSync(join(rig, "app"), folder, { recursive: true });
  // The same programs for rollup alone, which finds nothing by a package's name.
  const byPath = (name, entry) => {
    const named = (file) => (file === undefined ? `./node_modules/odradek/dist/${entry}.js` : `./node_modules/odradek/dist/${file}.js`);
    const text = readFileSync(join(folder, name), "utf8").replace(/"odradek(?:\/([a-z]+))?"/g, (_, file) => JSON.stringify(named(file)));
    writeFileSync(join(folder, name.replace(".", "-by-path.")), text.replaceAll("./worker.mjs", "./worker-by-path.mjs"));
  };
  byPath("node.mjs", "index");
  byPath("page.mjs", "index.browser");
  byPath("worker.mjs", "index.browser");
  writeFileSync(join(folder, "by-path.html"), readFileSync(join(folder, "index.html"), "utf8").replace("page.mjs", "page-by-path.mjs"));
  for (const name of readdirSync(join(rig, "consumer"))) {
    cpSync(join(rig, "consumer", name), join(folder, name));
    if (name.endsWith(".ts")) cpSync(join(rig, "consumer", name), join(folder, name.replace(".ts", ".mts")));
  }
}

/** Each check: `{ name, problem }`, and `problem()` answers what is wrong, or null. */
function bundleChecks(folder) {
  return bundles.flatMap(({ name, page, program }) => {
    const out = (kind) => join("out", `${name.replaceAll(/[^a-z]+/g, "-")}-${kind}`);
    const checks = [];
    if (program !== undefined) {
      const problem = async () => programProblem(join(folder, await program(folder, out("program"))), join(folder, out("data")));
      checks.push({ name: `${name}: a program for Node`, problem });
    }
    if (page !== undefined) {
      const problem = async () => {
        await page(folder, out("page"));
        return missing === null ? pages.problemOf(join(folder, out("page"))) : evaluate(join(folder, out("page")));
      };
      checks.push({ name: missing === null ? `${name}: a page in Chromium` : `${name}: a page, evaluated in node`, problem });
    }
    return checks;
  });
}

/** What vite serves while one writes is another build than its bundle: packages are put together on demand. */
function serverChecks(folder) {
  if (missing !== null) return [];
  // At first sight of a package in the worker vite puts it together and loads the page anew, whatever it was doing; then it has it.
  const untilSettled = async (url) => {
    let problem = null;
    for (let visit = 0; visit < 3; visit += 1) {
      problem = await pages.problemAt(url);
      if (problem === null) return null;
    }
    return problem;
  };
  return [{ name: "vite's server: a page in Chromium", problem: () => withViteServer(folder, untilSettled) }];
}

function typeChecks(folder) {
  return compilers.flatMap((compiler) =>
    settings.map((setting) => ({
      name: `${compiler.name}: ${setting.name}`,
      problem: () => typesProblem(folder, compiler, setting),
    })),
  );
}

function requireChecks(folder) {
  return nodes.map(({ name, program, flags }) => ({
    name: `${name}: require(), nothing else printed, and the process ends`,
    problem: () => programProblem("required.cjs", join(folder, "data", name), { node: program, flags, cwd: folder }),
  }));
}

/** A package that is wrong in one way, and the check that must see it. */
function offenderChecks() {
  return offenders.map(({ name, files, sees, judge }, index) => ({
    name: `turns red for ${name}`,
    async problem() {
      const folder = join(work, `offender-${index}`);
      cpSync(join(work, "node_modules/odradek"), join(folder, "node_modules/odradek"), { recursive: true });
      writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
      placePrograms(folder);
      for (const [file, change] of Object.entries(files)) {
        const path = join(folder, file);
        writeFileSync(path, change(readFileSync(path, "utf8")));
      }
      const found = await judge(folder, { pages, missing }).catch((error) => String(error.message));
      if (found === undefined) return null;
      return found !== null && sees.test(found) ? null : `it was not seen; found: ${found}`;
    },
  }));
}

async function inPairs(checks) {
  const waiting = [...checks];
  const worker = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const started = performance.now();
      const problem = await inTime(check.name, check.problem()).catch((error) => String(error.stack));
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      if (problem === null) passed += 1;
      else failed += 1;
      process.stdout.write(`${problem === null ? "ok    " : "FAILED"} ${check.name} (${seconds} s)\n`);
      if (problem !== null) process.stdout.write(`  ${String(problem).trim().slice(0, 3000).replaceAll("\n", "\n  ")}\n`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** As `promise`; rejects when that takes too long. */
async function inTime(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not done after ${checkMsMax / 1000} s`)), checkMsMax);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
