/** Every example of docs/CLI.md runs, in the order in which it stands there. */
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/command-table.ts";
import { bundleProgram, type Program, removeProgram } from "./program.ts";

const page = readFileSync("docs/CLI.md", "utf8");
const examples = [...page.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block]) => (block as string).trim().split("\n"));
let program: Program;
let folder: string;

beforeAll(async () => {
  program = await bundleProgram();
  folder = mkdtempSync(join(tmpdir(), "odradek-cli-docs-"));
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin/odradek"), `#!/bin/sh\nexec "${process.execPath}" "${program.script}" "$@"\n`);
  chmodSync(join(folder, "bin/odradek"), 0o755);
});
afterAll(() => {
  removeProgram(program);
  rmSync(folder, { recursive: true, force: true });
});

it("has an example of every command that changes nothing of another's", () => {
  const shown = COMMANDS.filter(({ name }) => examples.some((example) => example.includes(`odradek ${name}`))).map(({ name }) => name);
  // Takes a directory that another writer left.
  expect(COMMANDS.map(({ name }) => name).filter((name) => !shown.includes(name))).toEqual(["topics adopt"]);
});

it("shows examples that run", async () => {
  const { ODRADEK_DIR: _, ...env } = process.env;
  for (const example of examples) {
    const options = { cwd: folder, env: { ...env, PATH: `${join(folder, "bin")}:${env["PATH"]}` } };
    const { stderr } = await promisify(execFile)("sh", ["-c", example], options);
    expect(stderr, example).toBe("");
  }
}, 120_000);
