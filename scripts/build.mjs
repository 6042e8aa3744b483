/**
 * The build: the core's bytes, the vendored libraries, then TypeScript, bundled. Nothing else turns sources into dist.
 * `--quick` leaves TypeScript out: what the tests of the sources need. When nothing that it reads has changed since the last whole
 * build, and all that it wrote still stands, it does nothing; `--force` builds all the same.
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { performance } from "node:perf_hooks";
import { bundle } from "./bundle.mjs";
import { emit } from "./emit.mjs";
import { filesUnder } from "./files.mjs";
import { projectRoot, runNode } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

checkFlags(import.meta.url, ["--quick", "--force"]);
const dist = join(projectRoot, "dist");
/** What the build itself writes into src, and needs beside dist. */
const generated = ["src/core/core-bytes.ts", "src/vendor/msgpackr.js", "src/vendor/cli.js", "src/vendor/fflate.js", "src/vendor/fzstd.js"];
const builtBeside = [...generated, "build/core.release.wasm", "build/core.debug.wasm"];

const stampFile = join(projectRoot, "build/built.json");
const inputs = inputsHash();
if (!process.argv.includes("--force") && stands()) {
  process.stdout.write("build: nothing has changed\n");
  process.exit(0);
}
rmSync(stampFile, { force: true });

await step("core", buildCore);
await step("vendor", () => runNode("scripts/build-vendor.mjs"));
if (!process.argv.includes("--quick")) {
  await step("types and code", emitSources);
  writeStamp();
}

/** Everything that decides what dist holds. */
function inputsHash() {
  const hash = createHash("sha256").update(process.version);
  const files = ["src", "assembly", "scripts"].flatMap((folder) => filesUnder(projectRoot, folder));
  for (const file of [...files, "package-lock.json", "asconfig.json", "tsconfig.json", "tsconfig.build.json"]) {
    if (!generated.includes(file)) hash.update(`${file}\0`).update(readFileSync(join(projectRoot, file)));
  }
  return hash.digest("hex");
}

function stands() {
  if (!existsSync(stampFile)) return false;
  const { inputs: before, outputs } = JSON.parse(readFileSync(stampFile, "utf8"));
  return (
    before === inputs && Object.entries(outputs).every(([file, hash]) => existsSync(join(projectRoot, file)) && contentHash(file) === hash)
  );
}

function contentHash(file) {
  return createHash("sha256")
    .update(readFileSync(join(projectRoot, file)))
    .digest("hex");
}

function writeStamp() {
  // Changed under our hands: the next build begins anew.
  if (inputsHash() !== inputs) return;
  const inDist = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(projectRoot, join(entry.parentPath, entry.name)));
  const outputs = [...inDist, ...builtBeside.filter((file) => existsSync(join(projectRoot, file)))];
  writeFileSync(stampFile, JSON.stringify({ inputs, outputs: Object.fromEntries(outputs.map((file) => [file, contentHash(file)])) }));
}

async function buildCore() {
  const built = await runNode("scripts/build-core.mjs");
  if (built.code !== 0) return built;
  mkdirSync(dist, { recursive: true });
  copyFileSync(join(projectRoot, "build/core.release.wasm"), join(dist, "core.wasm"));
  return built;
}

async function emitSources() {
  const { declarations, problems } = emit(projectRoot);
  if (problems !== "") return { code: 1, output: problems };
  const bundled = await bundle(projectRoot);
  if (bundled.problems !== "") return { code: 1, output: bundled.problems };
  removeOthers([...declarations, ...bundled.files]);
  return { code: 0, output: "" };
}

/** A file whose source is gone would ship for ever. Not a clean build: tests that read dist at this moment find it whole. */
function removeOthers(emitted) {
  const kept = new Set([...emitted].map((file) => relative(dist, file)));
  for (const file of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const name = relative(dist, join(file.parentPath, file.name));
    if (!file.isFile() || kept.has(name) || name.startsWith(`vendor${sep}`) || !/\.(js|d\.ts|map)$/.test(name)) continue;
    rmSync(join(dist, name));
    for (let folder = join(dist, name, ".."); folder !== dist && readdirSync(folder).length === 0; folder = join(folder, ".."))
      rmdirSync(folder);
  }
}

async function step(name, work) {
  const started = performance.now();
  const { code, output } = await work();
  if (code !== 0) {
    process.stderr.write(`${output}\nbuild: ${name} failed\n`);
    process.exit(1);
  }
  process.stdout.write(`build: ${name} ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}
