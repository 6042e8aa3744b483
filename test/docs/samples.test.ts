/**
 * No fenced sample is only ink: each is run, or stands in a file that is run, or says above itself why it is not. What has no language is a
 * drawing. The README's are run by readme.test.ts, the command line's by test/cli/docs.test.ts.
 */
import { execFile } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../scripts/run.mjs";
import { type Fenced, fencedIn, pages } from "./fenced.ts";

const RUN_ELSEWHERE = ["README.md js", "README.md ts", "docs/CLI.md sh"];
/** Each is a decision: a sample that is not run is not known to work. */
const NOT_RUN = [
  "examples/durable-object/README.md: wrangler needs Node 22 and 200 MB of packages, its deploy an account; the same worker is run in workerd",
  "examples/electron/README.md: Electron's binary was not to be had where the tests run",
];

const { scripts } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { scripts: Record<string, string> };
const all = pages().flatMap((page) => fencedIn(page));
const samples = all.filter(({ language }) => language !== "");
const run = samples.filter(({ page, language, marker }) => marker === "" && !RUN_ELSEWHERE.includes(`${page} ${language}`));

mkdirSync(join(projectRoot, "build"), { recursive: true });
// Below the package, so that its name leads to it, as it would from node_modules.
const work = mkdtempSync(join(projectRoot, "build/samples-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const folders = new Map<string, string>();
/** One for each page: its samples may name each other. An example's page finds the example's files. */
function folderOf(page: string): string {
  let folder = folders.get(page);
  if (folder === undefined) {
    folder = join(work, page.replaceAll("/", "-"));
    folders.set(page, folder);
    mkdirSync(folder);
    if (page.startsWith("examples/")) cpSync(join(projectRoot, dirname(page)), folder, { recursive: true });
    for (const { text, place } of samples.filter((each) => each.page === page && each.language === "js")) {
      const name = /^\/\/ (\S+\.mjs)/.exec(text)?.[1];
      writeFileSync(join(folder, name ?? fileNameOf(place)), text.includes(".close()") ? text : `${text}\nawait log.close();\n`);
    }
  }
  return folder;
}

const fileNameOf = (place: string): string => `line-${place.split(":")[1]}.mjs`;

describe("samples of the docs", () => {
  it("have a language that is known here, and as many markers as are counted", () => {
    expect(samples.length).toBeGreaterThan(20);
    expect([...new Set(samples.map(({ language }) => language))].sort()).toEqual(["js", "sh", "ts"]);
    const notRun = samples.filter(({ marker }) => marker.startsWith("not run: "));
    expect(notRun.map(({ page, marker }) => `${page}: ${marker.slice("not run: ".length)}`).sort()).toEqual(NOT_RUN);
    for (const { marker, place, page } of samples) {
      expect(marker, place).toMatch(/^$|^(?:not run|stands in|run by): \S/);
      if (!marker.startsWith("run by: ")) continue;
      const other = `// ${marker.slice("run by: ".length)}`;
      expect(
        run.some((each) => each.page === page && each.text.startsWith(other)),
        place,
      ).toBe(true);
    }
  });

  it("stand, line after line, in the files that they name", () => {
    const standing = samples.filter(({ marker }) => marker.startsWith("stands in: "));
    expect(standing.length).toBeGreaterThan(0);
    for (const { marker, text, place } of standing) {
      const lines = readFileSync(join(projectRoot, marker.slice("stands in: ".length)), "utf8").split("\n");
      let at = 0;
      for (const line of text.split("\n").filter((each) => each.trim() !== "" && !each.startsWith("//"))) {
        const found = lines.indexOf(line, at);
        expect(found, `${place}: ${line}`).toBeGreaterThanOrEqual(0);
        at = found + 1;
      }
    }
  });

  it.each(run.filter(({ language }) => language === "js"))("$place runs and ends", { timeout: 60_000 }, async ({ page, place, text }) => {
    const file = /^\/\/ (\S+\.mjs)/.exec(text)?.[1] ?? fileNameOf(place);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { cwd: folderOf(page), timeout: 30_000 });
    expect(stderr).toBe("");
    // Where it runs another sample, what is said is said by that one.
    if (samples.some((each) => each.page === page && each.marker === `run by: ${file}`)) expect(stdout).not.toBe("");
  });

  it("of the shell in docs/KAFKA.md run on a directory that Kafka's own classes wrote", { timeout: 60_000 }, async () => {
    const folder = folderOf("docs/KAFKA.md");
    cpSync(join(projectRoot, "test/fixtures/golden/data-clean"), join(folder, "copy-of-log-dir"), { recursive: true });
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "bin/odradek"), `#!/bin/sh\nexec "${process.execPath}" "${join(projectRoot, "dist/cli.js")}" "$@"\n`);
    chmodSync(join(folder, "bin/odradek"), 0o755);
    const { ODRADEK_DIR: _, ...env } = process.env;
    const lines = commands(run.filter(({ page, language }) => page === "docs/KAFKA.md" && language === "sh"));
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      const options = { cwd: folder, env: { ...env, PATH: `${join(folder, "bin")}:${env["PATH"]}` } };
      const { stderr } = await promisify(execFile)("sh", ["-c", line], options);
      expect(stderr, line).toBe("");
    }
  });

  it("of the shell elsewhere call what is there: scripts of this project, or files and scripts of their example", () => {
    const blocks = run.filter(({ page, language }) => language === "sh" && page !== "docs/KAFKA.md");
    expect(blocks.length).toBeGreaterThan(5);
    for (const block of blocks)
      for (const line of commands([block])) expect(isThere(block.page, line), `${block.place}: ${line}`).toBe(true);
  });
});

function commands(blocks: readonly Fenced[]): string[] {
  return blocks
    .flatMap(({ text }) => text.split("\n"))
    .flatMap((line) => line.replace(/\s+#.*$/, "").split(" && "))
    .filter((line) => line !== "");
}

/** Whether a command can be meant: the tests of the example, and .ci/run, run it. */
function isThere(page: string, line: string): boolean {
  const [, name = "", script = "", file = ""] = /^(?:[A-Z_]+=\S+ )*(npm|node|kill)\s?(\S*)\s?(\S*)/.exec(line) ?? [];
  const folder = page.startsWith("examples/") ? dirname(page) : "";
  const known = folder === "" ? scripts : scriptsOf(folder);
  if (name === "npm" && ["ci", "install"].includes(script)) return true;
  if (name === "npm" && script === "run") return Object.hasOwn(known, file);
  if (name === "npm") return Object.hasOwn(known, script);
  if (name === "node" && script === "--test") return folder !== "";
  if (name === "node") return existsSync(join(projectRoot, folder, script));
  return name === "kill" && script === "%1";
}

function scriptsOf(folder: string): Record<string, string> {
  const file = join(projectRoot, folder, "package.json");
  return existsSync(file) ? ((JSON.parse(readFileSync(file, "utf8")) as { scripts: Record<string, string> }).scripts ?? {}) : {};
}
