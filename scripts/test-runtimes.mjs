/**
 * `npm run test:runtimes [-- NAME...]`: the packed library in every runtime that can be had here, each with the same suites
 * (test/runtimes), one line each. What cannot be installed is said in its line; then the exit code is 3, as something is not proven.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { projectRoot, run, runNode } from "./run.mjs";

const rig = join(projectRoot, "test/runtimes");
const modules = join(rig, "node_modules");
const home = join(projectRoot, "build/runtimes");
const installMsMax = 300_000;
const suiteMsMax = 180_000;
const chromiumPaths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const chromiumInstall = "apt-get install -y --no-install-recommends chromium";

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

const wanted = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), "odradek-runtimes-"));
let passed = 0;
let failed = 0;
let notProven = 0;
try {
  await prepare();
  for (const runtime of runtimes()) {
    if (wanted.length > 0 && !wanted.some((name) => runtime.name.startsWith(name))) continue;
    await prove(runtime);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
mkdirSync(join(projectRoot, "build/results"), { recursive: true });
const result = {
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: 0,
  numTodoTests: 0,
  success: failed === 0,
  testResults: [],
};
writeFileSync(join(projectRoot, "build/results/runtimes.json"), JSON.stringify(result));
process.stdout.write(`${passed} passed, ${failed} failed${notProven > 0 ? `, ${notProven} runtimes not proven` : ""}\n`);
process.exitCode = failed > 0 ? 1 : notProven > 0 ? 3 : 0;

/** The tarball as npm would publish it, installed in a folder of its own, and the bundles for isolates made from it. */
async function prepare() {
  if (!existsSync(join(modules, ".package-lock.json"))) {
    const { code, output } = await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: rig, timeoutMs: installMsMax });
    if (code !== 0) process.stdout.write(`${output}\n`);
  }
  await installChromium();
  await mustRun("scripts/build.mjs");
  const packed = await run("npm", ["pack", "--ignore-scripts", "--pack-destination", work]);
  const tarball = readdirSync(work).find((name) => name.endsWith(".tgz"));
  if (packed.code !== 0 || tarball === undefined) throw new Error(`test-runtimes: npm pack failed:\n${packed.output}`);
  writeFileSync(join(work, "package.json"), '{ "private": true, "type": "module" }\n');
  const installed = await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", join(work, tarball)], { cwd: work });
  if (installed.code !== 0) throw new Error(`test-runtimes: the tarball does not install:\n${installed.output}`);
  mkdirSync(join(work, "data"));
  // Copies: a runtime looks for `odradek` from where a file really lies.
  for (const name of readdirSync(rig).filter((file) => file.endsWith(".mjs"))) copyFileSync(join(rig, name), join(work, name));
  for (const name of existsSync(modules) ? ["edge-runtime", "playwright-core"] : []) {
    if (existsSync(join(modules, name))) symlinkSync(join(modules, name), join(work, "node_modules", name), "dir");
  }
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  await bundle("edge-entry.mjs", "edge.js", { platform: "neutral", conditions: ["edge-light"], plugins: [givenModule] });
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

/** The system's package, where there is none and we may: npm has no browser. */
async function installChromium() {
  if (chromiumPaths.some((path) => existsSync(path)) || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  const options = { timeoutMs: installMsMax, env: { DEBIAN_FRONTEND: "noninteractive" } };
  const { code, output } = await run("sh", ["-c", `apt-get update && ${chromiumInstall}`], options);
  if (code !== 0) process.stdout.write(`${output}\n`);
}

function runtimes() {
  const core = join(work, "node_modules/odradek/dist/core.wasm");
  const node = (name, path, flags = [], suite = ["node-like.mjs"]) => ({ name, program: path, args: [...flags, ...suite] });
  const n = (version) => join(modules, `n${version}/bin/node`);
  const data = join(work, "data");
  // What docs/STORAGE.md names, and nothing more.
  const permissions = ["--permission", `--allow-fs-read=${work}/`, `--allow-fs-write=${data}/`];
  const lock = ["--allow-fs-read=/usr/bin/flock", "--allow-fs-read=/proc/self/fdinfo/", "--allow-child-process"];
  const chromium = chromiumPaths.find((path) => existsSync(path)) ?? "";
  const deno = join(modules, "@deno/linux-x64-glibc/deno");
  return [
    node(`Node ${process.versions.node}`, process.execPath),
    node("Node 22", n(22)),
    node("Node 22 with --permission", n(22), [...permissions, ...lock], ["node-like.mjs", data, "alone"]),
    node("Node 24", n(24), ["--throw-deprecation"]),
    node("Node 24 with --permission", n(24), [...permissions, ...lock], ["node-like.mjs", data, "alone"]),
    node("Node 26", n(26), ["--throw-deprecation"]),
    node("Node 26 with --permission, which allows no flush", n(26), [...permissions, ...lock], ["no-flush.mjs", join(data, "log")]),
    node("Bun", join(modules, "@oven/bun-linux-x64/bin/bun")),
    node("Deno with -A", deno, ["run", "-A", "--no-prompt"]),
    node("Deno without a permission, in memory", deno, ["run", "--no-prompt"], ["memory-only.mjs"]),
    { name: "Vercel's edge runtime", program: process.execPath, needs: "edge-runtime", args: ["edge.mjs", join(home, "edge.js"), core] },
    {
      name: "workerd",
      program: process.execPath,
      needs: "@cloudflare/workerd-linux-64",
      args: ["workerd.mjs", join(modules, "@cloudflare/workerd-linux-64/bin/workerd"), join(home, "workerd.capnp"), join(work, "objects")],
    },
    {
      name: "Chromium, a worker under a strict policy",
      program: process.execPath,
      needs: "playwright-core",
      needsFile: chromiumPaths,
      args: ["chromium.mjs", home, chromium],
    },
    {
      name: "Electron's likeness, examples/electron with Node 24 as main and Chromium as renderer",
      program: n(24),
      needs: "playwright-core",
      needsFile: chromiumPaths,
      args: ["electron.mjs", join(work, "electron"), join(work, "user-data"), chromium],
    },
  ];
}

async function prove({ name, program, args, needs, needsFile }) {
  const missing =
    !existsSync(program) ||
    (needs !== undefined && !existsSync(join(modules, needs))) ||
    (needsFile && !needsFile.some((path) => existsSync(path)));
  if (missing) {
    notProven += 1;
    process.stdout.write(
      `${name}: not proven: it is not installed here; ${needsFile ? chromiumInstall : "npm ci in test/runtimes"} installs it\n`,
    );
    return;
  }
  const { code, output } = await run(program, args, { cwd: work, timeoutMs: suiteMsMax, env: { NO_COLOR: "1" } });
  const outcome = outcomeIn(output);
  if (code !== 0 || outcome === null || outcome.passed + outcome.failed.length === 0) {
    failed += 1;
    process.stdout.write(`${name}: failed before it could tell how:\n${output}\n`);
    return;
  }
  passed += outcome.passed;
  failed += outcome.failed.length;
  const figures = Object.entries(outcome.figures ?? {}).map(([what, figure]) => `; ${what} ${figure}`);
  process.stdout.write(`${name}: ${outcome.passed} passed, ${outcome.failed.length} failed${figures.join("")}\n`);
  for (const { name: test, problem } of outcome.failed) process.stdout.write(`  ${test}\n    ${problem.replaceAll("\n", "\n    ")}\n`);
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

async function mustRun(script) {
  const { code, output } = await runNode(script);
  if (code !== 0) throw new Error(`test-runtimes: ${script} failed:\n${output}`);
}
