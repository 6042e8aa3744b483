/**
 * `npm run release:check [-- --checked]`: all of a release but the publishing, which this script cannot do. The core is compiled a second
 * time, in another folder, and must be the same bytes; dist is built again from nothing, and must be the same; what npm would publish is
 * judged by `npm run check package` (publint, are-the-types-wrong, contents, sizes; left out with `--checked`, where that was just green)
 * and packed; and what is in it is listed in CycloneDX's format. Leaves the tarball, the list and the hashes in build/release.
 */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildsProblem, changesProblem, tarballProblem } from "./release-judge.mjs";
import { billOfMaterials } from "./release-sbom.mjs";
import { projectRoot, run, runNode } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

const release = join(projectRoot, "build/release");
/** What has not ended by then has failed: the whole takes a quarter of a minute at rest, and half a minute more with the package's check. */
const stepMsMax = 180_000;

checkFlags(import.meta.url, ["--checked"]);
rmSync(release, { recursive: true, force: true });
mkdirSync(release, { recursive: true });
await build();
const again = await builtElsewhere();
compare();
if (!process.argv.includes("--checked")) await must("check", "scripts/check.mjs", "package");
const tarball = await pack();
const bill = await billOfMaterials(projectRoot, tarball);
const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
writeFileSync(join(release, `${manifest.name}-${manifest.version}.cdx.json`), `${JSON.stringify(bill, null, 2)}\n`);
const hashes = readdirSync(release).map((name) => `${sha256(join(release, name))}  ${name}`);
hashes.push(`${sha256(join(projectRoot, "dist/core.wasm"))}  core.wasm`);
writeFileSync(join(release, "SHA256SUMS"), `${hashes.join("\n")}\n`);
process.stdout.write(`${hashes.join("\n")}\nrelease: ${manifest.name} ${manifest.version} could be published; nothing was\n`);

async function build() {
  await must("build", "scripts/build.mjs");
}

/** The same sources in a folder of another name, from nothing. Answers the folder of what came out, in memory. */
async function builtElsewhere() {
  const folder = mkdtempSync(join(tmpdir(), "odradek-release-"));
  try {
    const tracked = ["package.json", "package-lock.json", "asconfig.json", "tsconfig.json", "tsconfig.build.json"];
    for (const name of [...tracked, "src", "assembly", "scripts"]) cpSync(join(projectRoot, name), join(folder, name), { recursive: true });
    for (const name of ["src/core/core-bytes.ts", "src/vendor/msgpackr.js"]) rmSync(join(folder, name), { force: true });
    symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"), "dir");
    const { code, output } = await runNode("scripts/build.mjs", ["--force"], { cwd: folder, timeoutMs: stepMsMax });
    if (code !== 0) fail(`the second build failed:\n${output}`);
    return contents(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function contents(root) {
  const dist = join(root, "dist");
  const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => [join(entry.parentPath, entry.name).slice(dist.length + 1), sha256(join(entry.parentPath, entry.name))]),
  );
}

function compare() {
  const first = contents(projectRoot);
  mustBeNull(buildsProblem(first, again));
  process.stdout.write(`release: two builds, ${first.size} files each, are the same; the core is ${first.get("core.wasm")}\n`);
}

async function pack() {
  const { code, output } = await run("npm", ["pack", "--ignore-scripts", "--pack-destination", release], { timeoutMs: stepMsMax });
  const name = readdirSync(release).find((file) => file.endsWith(".tgz"));
  if (code !== 0 || name === undefined) fail(`npm pack failed:\n${output}`);
  const listed = await run("tar", ["-tzf", join(release, name)]);
  mustBeNull(tarballProblem(listed.output));
  const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  mustBeNull(changesProblem(readFileSync(join(projectRoot, "CHANGELOG.md"), "utf8"), version));
  return join(release, name);
}

async function must(what, script, ...args) {
  const { code, output } = await runNode(script, args, { timeoutMs: stepMsMax });
  if (code !== 0) fail(`${what} failed:\n${output}`);
  process.stdout.write(output);
}

function sha256(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function mustBeNull(problem) {
  if (problem !== null) fail(problem);
}

function fail(sentence) {
  process.stderr.write(`release: ${sentence}\n`);
  process.exit(1);
}
