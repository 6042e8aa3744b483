/**
 * `npm run mutate:core`: the mutation score of the core. One instruction of build/core.release.wasm is changed at a time,
 * and the tests of test/core are run on what came of it, in a worker that is kept from mutant to mutant.
 *
 *   npm run mutate:core -- --sample 500 --seed 7    of all mutants, drawn by the seed
 *   npm run mutate:core -- --all | --minutes 20     all of them in the seed's order, until the time is over
 *   npm run mutate:core -- --fn scan                 those of the functions whose name or number this is
 *
 * `--record` puts the figures into proof/mutation.json; `--json` ends with `{ mutants, killed, survived, score }`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { recordCore, scored } from "./mutate-ledger.mjs";
import { mutantsOf, panicFunctions } from "./mutate-operators.mjs";
import { WasmModuleBytes } from "./mutate-wasm.mjs";
import { projectRoot } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

/** First a part of each law's runs, then the whole of it for what is still alive. */
const QUICK_SHARE = 0.04;
const SAMPLE = 400;

checkFlags(import.meta.url, ["--sample", "--all", "--seed", "--minutes", "--fn", "--record", "--json"]);
const { values: options } = parseArgs({
  options: {
    sample: { type: "string" },
    all: { type: "boolean", default: false },
    seed: { type: "string", default: String(Math.floor(Date.now() / 86_400_000)) },
    minutes: { type: "string" },
    fn: { type: "string" },
    record: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const seed = Number(options.seed);
const endsAtMs = options.minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(options.minutes) * 60_000;
const say = (line) => console.log(line);

const binary = new Uint8Array(readFileSync(join(projectRoot, "build/core.release.wasm")));
const module = new WasmModuleBytes(binary);
const bundleFile = await bundled();
let catcher = new Worker(bundleFile);

// What each test enters, how long it takes, and whether it holds with so few runs.
const whole = await ask({ binary: module.withProbes(), share: 1, all: true }, 600_000);
const quick = await ask({ binary, share: QUICK_SHARE, all: true }, 600_000);
const broken = whole.filter(({ wrong, name }) => wrong !== null && !/the binary:/.test(name));
if (whole.length === 0) throw new Error("no test was collected");
if (broken.length > 0) throw new Error(`the core itself does not pass: ${broken.map(({ name, wrong }) => `${name}: ${wrong}`).join("\n")}`);

const panics = panicFunctions(module);
const every = module.functions
  .filter(({ index, names }) => options.fn === undefined || names.includes(options.fn) || String(index) === options.fn)
  .flatMap((fn) => mutantsOf(module, fn, panics));
const wanted = options.all || options.minutes !== undefined ? every.length : Number(options.sample ?? SAMPLE);
const counts = { killed: 0, timeout: 0, survived: 0, notRun: 0 };
for (const mutant of shuffled(every, seed).slice(0, wanted)) {
  if (Date.now() >= endsAtMs) break;
  const verdict = await judged(mutant);
  if (verdict === "killed" || verdict === "timeout") counts.killed++;
  else counts.survived++;
  if (verdict === "timeout") counts.timeout++;
  if (verdict === "not run") counts.notRun++;
  if (verdict === "survived" || verdict === "not run") say(`  ${verdict} ${placeOf(mutant)}: ${mutant.what}`);
}
await catcher.terminate();
const total = scored(counts);
const { mutants, killed, timeout, survived, score } = total;
say(
  `the core: ${mutants} of ${every.length} mutants (seed ${seed}), ${killed} killed (${timeout} by the clock), ${survived} survived, score ${score} %`,
);
if (options.record) recordCore({ ...total, of: every.length, seed });
if (options.json) say(JSON.stringify({ mutants, killed, survived, score }));

/** @returns {Promise<"killed" | "timeout" | "survived" | "not run">} */
async function judged({ fn, body }) {
  const mutated = module.withBody(fn, body());
  const meets = whole.filter(({ entered }) => entered.includes(fn)).map(({ number }) => number);
  if (meets.length === 0) return "not run";
  for (const { share, baseline } of [
    { share: QUICK_SHARE, baseline: quick },
    { share: 1, baseline: whole },
  ]) {
    const rows = baseline.filter(({ number, wrong }) => meets.includes(number) && wrong === null).sort((left, right) => left.ms - right.ms);
    const expectedMs = rows.reduce((sum, { ms }) => sum + ms, 0);
    const ran = await ask({ binary: mutated, share, chosen: rows.map(({ number }) => number) }, 4000 + expectedMs * 6);
    if (ran === "timeout") return "timeout";
    if (ran.some(({ wrong }) => wrong !== null)) return "killed";
  }
  return "survived";
}

/** The worker's answer, or "timeout": a worker that does not answer is ended, and another takes its place. */
function ask(question, timeoutMs) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(async () => {
      await catcher.terminate();
      catcher = new Worker(bundleFile);
      resolve("timeout");
    }, timeoutMs);
    const worker = catcher;
    const settle = (act, given) => {
      clearTimeout(timer);
      worker.off("message", onMessage);
      worker.off("error", onError);
      act(given);
    };
    const onMessage = (ran) => settle(resolve, ran);
    const onError = (error) => {
      // Out of memory, say: the mutant's doing, when the core itself passes.
      catcher = new Worker(bundleFile);
      if (question.all) settle(reject, error);
      else settle(resolve, [{ wrong: error.message }]);
    };
    worker.on("message", onMessage);
    worker.on("error", onError);
    catcher.postMessage({ seed, ...question });
  });
}

function placeOf({ fn, instruction }) {
  const { names, instructions, body } = module.functions[fn];
  const { op, at } = instructions[instruction];
  const near = instructions.slice(Math.max(0, instruction - 3), instruction + 3);
  const shown = near
    .map((each) => `${each.at === at ? ">" : ""}${each.op.toString(16)}${each.immediate === undefined ? "" : `(${each.immediate})`}`)
    .join(" ");
  return `function ${fn}${names.length === 0 ? "" : ` (${names.join(", ")})`} of ${body.length} bytes, at ${at}, 0x${op.toString(16)} [${shown}]`;
}

/** The tests of test/core in one file for a bare worker, with a mutant in the place of their builds. */
async function bundled() {
  const outfile = join(projectRoot, "build/mutation/core-catcher.mjs");
  const home = join(projectRoot, "test/mutation/core");
  await build({
    entryPoints: [join(home, "catcher.mjs")],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    outfile,
    // package.json says that importing has no side effects; of a test it is all it has.
    ignoreAnnotations: true,
    logLevel: "error",
    banner: { js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);' },
    plugins: [
      {
        name: "mutant",
        setup(esbuild) {
          esbuild.onResolve({ filter: /^vitest$/ }, () => ({ path: join(home, "collected.mjs") }));
          esbuild.onResolve({ filter: /^fast-check$/ }, () => ({ path: join(home, "seeded-check.mjs") }));
          esbuild.onResolve({ filter: /^\.\/builds\.ts$/ }, () => ({ path: join(home, "mutant-builds.ts") }));
          // It finds the vectors beside itself.
          esbuild.onLoad({ filter: /test\/core\/vectors\.ts$/ }, ({ path }) => ({
            contents: readFileSync(path, "utf8").replace("import.meta.url", JSON.stringify(pathToFileURL(path).href)),
            loader: "ts",
          }));
        },
      },
    ],
  });
  return outfile;
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
