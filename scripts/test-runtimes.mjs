/**
 * `npm run test:runtimes [-- NAME...] [--measure] [--record]`: the packed library in every runtime that can be had here, each with the same suites
 * (test/runtimes), one line each. What cannot be installed is said in its line; then the exit code is 3, as something is not proven. `--measure` also
 * measures each beside its own raw limit, and `--record` keeps that in bench/results/runtimes.json. The last line: `runtimes: N passed, N failed`.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { build } from "esbuild";
import { writeRecording } from "./bench/recording.mjs";
import {
  chromiumInstall,
  installChromium,
  installPackages,
  installTarball,
  chromium as pathOfChromium,
  runtimesRig as rig,
  tell,
} from "./rigs.mjs";
import { projectRoot, run } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

const modules = join(rig, "node_modules");
const home = join(projectRoot, "build/runtimes");
const suiteMsMax = 120_000;
/** Whoever has not had its turn by then has failed. */
const allMsMax = 600_000;

/** The core as an edge function's bundler hands it over: compiled, under a name that the suite's runner put there. */
const givenModule = {
  name: "core-as-module",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.wasm\?module$/ }, () => ({ path: "core", namespace: "given" }));
    onLoad({ filter: /.*/, namespace: "given" }, () => ({ contents: "export default globalThis.odradekCore;" }));
  },
};

const WORKERD_CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "suite", worker = .suite),
    (name = "disk", disk = (path = "given on the command line", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "suite")],
);
const suite :Workerd.Worker = (
  compatibilityDate = "2026-10-01",
  modules = [
    (name = "worker.js", esModule = embed "workerd.js"),
    (name = "./core.wasm", wasm = embed "core.wasm"),
  ],
  durableObjectNamespaces = [(className = "Log", uniqueKey = "odradek-test", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "LOG", durableObjectNamespace = "Log")],
);
`;

/** In a table, where the line says what it is about. */
const shownAs = {
  "Deno with -A": "Deno",
  workerd: "workerd, a Durable Object",
  "Chromium, a worker under a strict policy": "Chromium, OPFS",
};

checkFlags(import.meta.url, ["--measure", "--record"]);
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const isRecorded = process.argv.includes("--record");
const isMeasured = isRecorded || process.argv.includes("--measure");
const measure = isMeasured ? ["measure"] : [];
const beganMs = performance.now();
const work = mkdtempSync(join(tmpdir(), "odradek-runtimes-"));
let passed = 0;
let failed = 0;
let notProven = 0;
/** What was measured, with the runtime's name. */
const results = [];
try {
  await prepare();
  for (const runtime of runtimes()) {
    if (wanted.length > 0 && !wanted.some((name) => runtime.name.startsWith(name))) continue;
    await prove(runtime);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
if (isRecorded) await writeRecording("runtimes", sorted(results), (performance.now() - beganMs) / 1000);
if (notProven > 0) process.stdout.write(`${notProven} runtimes were not proven: the lines above say which, and what installs them\n`);
process.exitCode = tell("runtimes", { passed, failed, notProven });

/** The tarball as npm would publish it, installed in a folder of its own, and the bundles for isolates made from it. */
async function prepare() {
  await installPackages(rig);
  await installChromium();
  await installTarball(work, { type: "module" });
  mkdirSync(join(work, "data"));
  // Copies: a runtime looks for `odradek` from where a file really lies.
  for (const name of readdirSync(rig).filter((file) => file.endsWith(".mjs"))) copyFileSync(join(rig, name), join(work, name));
  for (const name of existsSync(modules) ? ["edge-runtime", "playwright-core"] : []) {
    if (existsSync(join(modules, name))) symlinkSync(join(modules, name), join(work, "node_modules", name), "dir");
  }
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  await bundle("edge-entry.mjs", "edge.js", { platform: "neutral", conditions: ["edge-light"], plugins: [givenModule] });
  await bundle("edge-bytes-entry.mjs", "edge-bytes.js", { platform: "neutral", conditions: ["browser"] });
  await bundle("workerd-entry.mjs", "workerd.js", { platform: "neutral", conditions: ["workerd"], external: ["*.wasm", "cloudflare:*"] });
  await bundle("browser-entry.mjs", "browser.js", { platform: "browser" });
  await bundle("browser-page.mjs", "browser-page.js", { platform: "browser" });
  await prepareElectron();
  const core = join(work, "node_modules/odradek/dist/core.wasm");
  // Its configuration embeds files by names beside it alone.
  copyFileSync(core, join(home, "core.wasm"));
  writeFileSync(join(home, "workerd.capnp"), WORKERD_CONFIG);
}

/** The example as it stands, and what stands in for Electron under its name. */
async function prepareElectron() {
  const example = join(work, "electron");
  cpSync(join(projectRoot, "examples/electron"), example, { recursive: true });
  await bundle("electron/renderer.mjs", "renderer.js", { platform: "browser" });
  copyFileSync(join(home, "renderer.js"), join(example, "renderer.js"));
  const standIn = join(work, "node_modules/electron");
  mkdirSync(standIn);
  copyFileSync(join(rig, "electron-stand-in.mjs"), join(standIn, "index.mjs"));
  writeFileSync(join(standIn, "package.json"), '{ "name": "electron", "type": "module", "exports": "./index.mjs" }\n');
}

function runtimes() {
  const core = join(work, "node_modules/odradek/dist/core.wasm");
  const script = (name, path, flags, ...suite) => ({ name, program: path, args: [...flags, ...suite] });
  const n = (version) => join(modules, `n${version}/bin/node`);
  const bun = join(modules, "@oven/bun-linux-x64/bin/bun");
  const deno = join(modules, "@deno/linux-x64-glibc/deno");
  const denoAll = ["run", "-A", "--no-prompt"];
  const data = join(work, "data");
  const sockets = join(tmpdir(), "odradek-attach-*");
  // What docs/STORAGE.md names, and nothing more.
  const reads = ["--permission", `--allow-fs-read=${work}/`];
  const permissions = [...reads, `--allow-fs-write=${data}/`];
  const lock = ["--allow-fs-read=/usr/bin/flock", "--allow-fs-read=/proc/self/fdinfo/", "--allow-child-process"];
  const chromium = pathOfChromium() ?? "";
  const attaching = (name, program, rules) => ({
    name,
    program: process.execPath,
    needsFile: [program],
    args: [
      "attach-permissions.mjs",
      JSON.stringify({ directory: data, free: [program], owner: null, ownerAlone: null, attached: null, blind: null, ...rules }),
    ],
  });
  const permittedNode = (version) =>
    attaching(`Node ${version} with --permission, attached`, n(version), {
      owner: [n(version), ...permissions, ...lock, `--allow-fs-write=${sockets}`],
      ownerAlone: [n(version), ...permissions, ...lock],
      attached: [n(version), ...reads],
    });
  const denoFiles = [`--allow-read=${work},${tmpdir()}`, `--allow-write=${tmpdir()}`];
  const files = [
    [`Node ${process.versions.node}`, process.execPath],
    ["Node 22", n(22)],
    ["Node 24", n(24)],
    ["Node 26", n(26)],
    ["Bun", bun],
    ["Deno", deno, ...denoAll],
  ];
  return [
    script(`Node ${process.versions.node}`, process.execPath, [], "node-like.mjs", ...measure),
    script(`Node ${process.versions.node} without WebAssembly`, process.execPath, ["--jitless"], "without.mjs"),
    script(`Node ${process.versions.node} without SharedArrayBuffer`, process.execPath, [], "without-shared-memory.mjs"),
    script("Node 22", n(22), [], "node-like.mjs", ...measure),
    script("Node 22 with --permission", n(22), [...permissions, ...lock], "node-like.mjs", data, "alone"),
    permittedNode(22),
    script("Node 24", n(24), ["--throw-deprecation"], "node-like.mjs", ...measure),
    script("Node 24 with --permission", n(24), [...permissions, ...lock], "node-like.mjs", data, "alone"),
    permittedNode(24),
    script("Node 26", n(26), ["--throw-deprecation"], "node-like.mjs", ...measure),
    script("Node 26 with --permission, which allows no flush", n(26), [...permissions, ...lock], "no-flush.mjs", join(data, "log")),
    attaching("Node 26 with --permission, attached", n(26), { attached: [n(26), ...reads, "--allow-net"], blind: [n(26), ...reads] }),
    script("Bun", bun, [], "node-like.mjs", ...measure),
    script("Deno with -A", deno, denoAll, "node-like.mjs", ...measure),
    script("Deno without a permission, in memory", deno, ["run", "--no-prompt"], "memory-only.mjs"),
    attaching("Deno with files and sockets alone, attached", deno, {
      free: [deno, ...denoAll],
      attached: [deno, "run", "--no-prompt", ...denoFiles, "--allow-net"],
      blind: [deno, "run", "--no-prompt", ...denoFiles],
    }),
    {
      name: "Nodes, Bun and Deno with one directory, owner after owner killed",
      program: process.execPath,
      needsFile: files.map(([, program]) => program),
      needsAll: true,
      args: ["mixed.mjs", join(data, "mixed"), JSON.stringify(files.map(([name, ...command]) => [name, command]))],
    },
    {
      name: "Vercel's edge runtime",
      program: process.execPath,
      needs: "edge-runtime",
      args: ["edge.mjs", join(home, "edge.js"), join(home, "edge-bytes.js"), core],
    },
    {
      name: "workerd",
      program: process.execPath,
      needs: "@cloudflare/workerd-linux-64",
      args: [
        "workerd.mjs",
        join(modules, "@cloudflare/workerd-linux-64/bin/workerd"),
        join(home, "workerd.capnp"),
        join(work, "objects"),
        ...measure,
      ],
    },
    {
      name: "Chromium, a worker under a strict policy",
      program: process.execPath,
      needs: "playwright-core",
      needsChromium: true,
      args: ["chromium.mjs", home, chromium, ...measure],
    },
    {
      name: "Electron's likeness, examples/electron with Node 24 as main and Chromium as renderer",
      program: n(24),
      needs: "playwright-core",
      needsChromium: true,
      args: ["electron.mjs", join(work, "electron"), join(work, "user-data"), chromium],
    },
  ];
}

async function prove({ name, program, args, needs, needsFile, needsAll, needsChromium = false }) {
  const isThere = (path) => existsSync(path);
  const lacks =
    !existsSync(program) ||
    (needsChromium && pathOfChromium() === undefined) ||
    (needs !== undefined && !existsSync(join(modules, needs))) ||
    (needsFile !== undefined && !(needsAll ? needsFile.every(isThere) : needsFile.some(isThere)));
  if (lacks) {
    notProven += 1;
    const installs = needsChromium && existsSync(modules) ? chromiumInstall : "npm ci in test/runtimes";
    process.stdout.write(`${name}: not proven: it is not installed here; ${installs} installs it\n`);
    return;
  }
  const leftMs = allMsMax - (performance.now() - beganMs);
  if (leftMs <= 0) {
    failed += 1;
    process.stdout.write(`${name}: failed: the others took ${allMsMax / 1000} s, and nothing is left for it\n`);
    return;
  }
  const startedMs = performance.now();
  const { code, output } = await run(program, args, { cwd: work, timeoutMs: Math.min(suiteMsMax, leftMs), env: { NO_COLOR: "1" } });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const outcome = outcomeIn(output);
  if (code !== 0 || outcome === null || outcome.passed + outcome.failed.length === 0) {
    failed += 1;
    process.stdout.write(`${name}: failed after ${seconds} s, before it could tell how:\n${output}\n`);
    return;
  }
  passed += outcome.passed;
  failed += outcome.failed.length;
  for (const result of outcome.measured ?? []) {
    results.push({ runtime: name, ...result });
    const ratio = result.ratio === null ? "" : `, ${result.ratio.toPrecision(2)} of ${result.rawLimit.toPrecision(4)}`;
    process.stdout.write(`  ${result.name}: ${result.value.toPrecision(4)} ${result.unit}${ratio}\n`);
  }
  const figures = Object.entries(outcome.figures ?? {}).map(([what, figure]) => `; ${what} ${figure}`);
  process.stdout.write(`${name}: ${outcome.passed} passed, ${outcome.failed.length} failed in ${seconds} s${figures.join("")}\n`);
  for (const { name: test, problem } of outcome.failed) process.stdout.write(`  ${test}\n    ${problem.replaceAll("\n", "\n    ")}\n`);
}

/** As bench/results has them: measure by measure, the runtimes in their order. */
function sorted(measured) {
  const names = [...new Set(measured.map(({ name }) => name))];
  return names.flatMap((name) =>
    measured
      .filter((result) => result.name === name)
      .map(({ runtime, ...result }) => ({
        ...result,
        name: `${name}: ${shownAs[runtime] ?? runtime}`,
      })),
  );
}

/** The suite prints one line of JSON; a runtime may print warnings of its own beside it. */
function outcomeIn(output) {
  for (const line of output.split("\n")) {
    if (!line.startsWith('{"passed":')) continue;
    return JSON.parse(line);
  }
  return null;
}

function bundle(entry, outfile, options) {
  return build({
    entryPoints: [join(work, entry)],
    bundle: true,
    format: "esm",
    outfile: join(home, outfile),
    logLevel: "error",
    ...options,
  });
}
