/**
 * `npm run test:examples [-- NAME...]`: the examples that need packages, a browser or a server of their own, each copied into a folder beside
 * the packed tarball and run as its README says. The light ones run in `npm test`. One line each; what cannot be installed is said in its line,
 * and the exit code is 3, as something is not proven. Ends in `examples: N passed, N failed`.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { outcomeOf } from "./examples/outcome.mjs";
import { chromium, chromiumInstall, installChromium, installPackages, installTarball, must, runtimesRig, tell } from "./rigs.mjs";
import { projectRoot, run } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

checkFlags(import.meta.url, []);
const rig = join(projectRoot, "test/examples/rig");
const modules = join(runtimesRig, "node_modules");
const installMsMax = 300_000;
const exampleMsMax = 120_000;
const npmQuietly = ["--ignore-scripts", "--no-audit", "--no-fund"];

const WORKERD_CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "orders", worker = .orders), (name = "disk", disk = (path = "given on the command line", writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "orders")],
);
const orders :Workerd.Worker = (
  compatibilityDate = "2026-01-01",
  modules = [(name = "worker.js", esModule = embed "bundled.js"), (name = "./core.wasm", wasm = embed "core.wasm")],
  durableObjectNamespaces = [(className = "Orders", uniqueKey = "example", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "ORDERS", durableObjectNamespace = "Orders")],
);
`;

/** By name: what is prepared in its folder, and what then runs there and prints how it went. */
const EXAMPLES = {
  "express-outbox": { run: expressOutbox },
  "browser-tabs": { run: browserTabs, chromium: true },
  "durable-object": { run: durableObject },
  electron: { run: electron, chromium: true },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(EXAMPLES, name));
if (unknown.length > 0) {
  process.stderr.write(`test:examples: there is no ${unknown.join(", ")}; there are ${Object.keys(EXAMPLES).join(", ")}\n`);
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), "odradek-examples-"));
let [passed, failed, notProven] = [0, 0, 0];
let isInstalled = false;
try {
  await prepare();
  for (const [name, example] of Object.entries(EXAMPLES)) if (wanted.length === 0 || wanted.includes(name)) await prove(name, example);
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = tell("examples", { passed, failed, notProven });

async function prepare() {
  await installTarball(work, { type: "module" });
  // The runtimes' suite has the same packages and more.
  isInstalled = await installPackages(runtimesRig);
  await installChromium();
  // Copies: a package is looked for from where a file really lies.
  for (const folder of [runtimesRig, rig]) {
    for (const name of readdirSync(folder)) if (name.endsWith(".mjs")) cpSync(join(folder, name), join(work, name));
  }
  if (isInstalled) symlinkSync(join(modules, "playwright-core"), join(work, "node_modules/playwright-core"), "dir");
}

async function expressOutbox(folder) {
  await must("npm ci", run("npm", ["ci", ...npmQuietly], { cwd: folder, timeoutMs: installMsMax }));
  return run("npm", ["test"], { cwd: folder, timeoutMs: exampleMsMax });
}

async function browserTabs(folder) {
  await must("npm ci", run("npm", ["ci", ...npmQuietly], { cwd: folder, timeoutMs: installMsMax }));
  await must("npm run build", run("npm", ["run", "build"], { cwd: folder, timeoutMs: exampleMsMax }));
  return driven(process.execPath, "browser-tabs.mjs", folder, join(work, "profile"), chromium());
}

/** Bundled as wrangler does: its conditions, and the core as a module of its own. */
async function durableObject(folder) {
  const external = ["*.wasm", "cloudflare:*"];
  await bundle(join(folder, "worker.js"), join(folder, "bundled.js"), { platform: "neutral", conditions: ["workerd"], external });
  cpSync(join(work, "node_modules/odradek/dist/core.wasm"), join(folder, "core.wasm"));
  writeFileSync(join(folder, "workerd.capnp"), WORKERD_CONFIG);
  const workerd = join(modules, "@cloudflare/workerd-linux-64/bin/workerd");
  return driven(process.execPath, "durable-object.mjs", workerd, join(folder, "workerd.capnp"), join(work, "objects"));
}

/** Its files as they stand, with what the runtimes' suite has in the place of Electron. */
async function electron(folder) {
  await bundle(join(folder, "renderer.mjs"), join(folder, "renderer.js"), { platform: "browser" });
  const standIn = join(work, "node_modules/electron");
  mkdirSync(standIn);
  cpSync(join(runtimesRig, "electron-stand-in.mjs"), join(standIn, "index.mjs"));
  writeFileSync(join(standIn, "package.json"), '{ "name": "electron", "type": "module", "exports": "./index.mjs" }\n');
  return driven(join(modules, "n24/bin/node"), "electron.mjs", folder, join(work, "user-data"), chromium());
}

async function prove(name, { run: runExample, chromium: needsChromium }) {
  if (name !== "express-outbox" && !isInstalled) return unproven(name, "npm ci in test/runtimes did not succeed");
  if (needsChromium && chromium() === undefined) return unproven(name, `there is no Chromium; ${chromiumInstall} brings it`);
  const folder = join(work, name);
  cpSync(join(projectRoot, "examples", name), folder, { recursive: true, filter: (path) => !path.endsWith("node_modules") });
  // What cannot even be prepared is one failure, and the others are tried all the same.
  const outcome = outcomeOf(await runExample(folder).catch((error) => ({ code: 1, output: error.message })));
  passed += outcome.passed;
  failed += outcome.failed.length;
  process.stdout.write(`${name}: ${outcome.passed} passed, ${outcome.failed.length} failed\n`);
  for (const { name: test, problem } of outcome.failed) process.stdout.write(`  ${test}\n    ${problem.replaceAll("\n", "\n    ")}\n`);
}

function unproven(name, why) {
  notProven += 1;
  process.stdout.write(`${name}: not proven: ${why}\n`);
}

function driven(program, driver, ...args) {
  return run(program, [driver, ...args], { cwd: work, timeoutMs: exampleMsMax, env: { NO_COLOR: "1" } });
}

function bundle(entry, outfile, options) {
  return build({ entryPoints: [entry], bundle: true, format: "esm", outfile, logLevel: "error", ...options });
}
