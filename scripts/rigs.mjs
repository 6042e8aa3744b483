/** What the suites of the packed package stand on: runtimes from npm, a Chromium, the tarball installed in a folder of its own, and what is told in the end. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot, run, runNode } from "./run.mjs";

const installMsMax = 300_000;
const buildMsMax = 180_000;
const packMsMax = 60_000;
/** A registry that does not answer once may answer the next time. */
const installTries = 2;
const chromiumPaths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const quietly = ["--ignore-scripts", "--no-audit", "--no-fund"];

/** Says where a Chromium comes from. */
export const chromiumInstall = "apt-get install -y --no-install-recommends chromium";
/** The folder whose lock file brings every runtime, and the browser's driver. */
export const runtimesRig = join(projectRoot, "test/runtimes");

/** The path of Chromium, or undefined. */
export function chromium() {
  return chromiumPaths.find((path) => existsSync(path));
}

/** The system's package, where there is none and we may: npm has no browser. What kept it away is printed. */
export async function installChromium() {
  if (chromium() !== undefined || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  const options = { timeoutMs: installMsMax, env: { DEBIAN_FRONTEND: "noninteractive" } };
  const { code, output } = await run("sh", ["-c", `apt-get update && ${chromiumInstall}`], options);
  if (code !== 0) process.stdout.write(`${output}\n`);
}

/** Whether the packages of `folder` are as its lock file says; those that are not are installed. What kept them away is printed. */
export async function installPackages(folder) {
  const stamp = join(folder, "node_modules/.odradek-installed");
  const lock = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return true;
  for (let tries = 0; tries < installTries; tries += 1) {
    const { code, output } = await run("npm", ["ci", ...quietly], { cwd: folder, timeoutMs: installMsMax });
    if (code === 0) {
      writeFileSync(stamp, lock);
      return true;
    }
    process.stdout.write(`${folder}: its packages could not be installed by npm:\n${output}\n`);
  }
  return false;
}

/** The package as npm would publish it, installed in `folder`, which becomes a project of its own. */
export async function installTarball(folder, manifest = {}) {
  await must("the build", runNode("scripts/build.mjs", [], { timeoutMs: buildMsMax }));
  await must("npm pack", run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], { timeoutMs: packMsMax }));
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ private: true, ...manifest })}\n`);
  await must(
    "the tarball's installation",
    run("npm", ["install", ...quietly, join(folder, tarball)], { cwd: folder, timeoutMs: packMsMax }),
  );
}

/** Rejects with all that a program said when it failed. */
export async function must(what, running) {
  const { code, output } = await running;
  if (code !== 0) throw new Error(`${what} failed:\n${output}`);
}

/**
 * Keeps a suite's counts where `scripts/sum-results.mjs` adds them up, and says them in a last line. Answers the exit code: 3 when nothing
 * failed, and something could not be had here.
 */
export function tell(suite, { passed, failed, notProven = 0 }) {
  mkdirSync(join(projectRoot, "build/results"), { recursive: true });
  const counts = { numPassedTests: passed, numFailedTests: failed, numPendingTests: 0, numTodoTests: 0 };
  const result = { ...counts, success: failed === 0, testResults: [] };
  writeFileSync(join(projectRoot, "build/results", `${suite}.json`), JSON.stringify(result));
  process.stdout.write(`${suite}: ${passed} passed, ${failed} failed${notProven > 0 ? `, ${notProven} not proven` : ""}\n`);
  if (failed > 0 || passed + notProven === 0) return 1;
  return notProven > 0 ? 3 : 0;
}
