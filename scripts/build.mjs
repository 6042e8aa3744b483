/**
 * The build: the core's bytes, the vendored libraries, then TypeScript. Nothing else turns sources into dist.
 * `--quick` leaves TypeScript out: what the tests of the sources need.
 */
import { copyFileSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { performance } from "node:perf_hooks";
import { emit } from "./emit.mjs";
import { projectRoot, runNode } from "./run.mjs";

const dist = join(projectRoot, "dist");

await step("core", buildCore);
await step("vendor", () => runNode("scripts/build-vendor.mjs"));
if (!process.argv.includes("--quick")) await step("types and code", emitSources);

async function buildCore() {
  const built = await runNode("scripts/build-core.mjs");
  if (built.code !== 0) return built;
  mkdirSync(dist, { recursive: true });
  copyFileSync(join(projectRoot, "build/core.release.wasm"), join(dist, "core.wasm"));
  return built;
}

function emitSources() {
  const { files, problems } = emit(projectRoot);
  if (problems !== "") return { code: 1, output: problems };
  removeOthers(files);
  return { code: 0, output: "" };
}

/** A file whose source is gone would ship for ever. Not a clean build: tests that read dist at this moment find it whole. */
function removeOthers(emitted) {
  const kept = new Set([...emitted].map((file) => relative(dist, file)));
  for (const file of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const name = relative(dist, join(file.parentPath, file.name));
    if (!file.isFile() || kept.has(name) || name.startsWith(`vendor${sep}`) || !/\.(js|d\.ts|map)$/.test(name)) continue;
    rmSync(join(dist, name));
    const folder = join(dist, name, "..");
    if (readdirSync(folder).length === 0) rmdirSync(folder);
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
