/** The README's first sample is a whole program: it runs as pasted, ends by itself, and runs again in the same folder. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
mkdirSync(join(root, "build"), { recursive: true });
// Below the package, so that its name leads to it, as it would from node_modules.
const folder = mkdtempSync(join(root, "build/readme-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const readme = readFileSync(join(root, "README.md"), "utf8");
const sample = (language: string): string => new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1] ?? "";

describe("the README", () => {
  it("has a first sample that runs twice in one folder and ends by itself", { timeout: 60_000 }, () => {
    writeFileSync(join(folder, "first.mjs"), sample("js"));
    const run = () => spawnSync(process.execPath, ["first.mjs"], { cwd: folder, encoding: "utf8", timeout: 20_000 });
    const first = run();
    expect(first.status, first.stderr).toBe(0);
    expect(first.stderr).toBe("");
    expect(first.stdout.match(/^charge /gm)).toHaveLength(3);
    const second = run();
    expect(second.status, second.stderr).toBe(0);
    // The group goes on where it was: the second run's records alone are charged.
    expect(second.stdout.match(/^charge /gm)).toHaveLength(3);
    expect(second.stdout).toMatch(/stands at \d:[1-9]/);
  });

  it("has a second sample that type-checks and runs", { timeout: 90_000 }, () => {
    const file = join(folder, "second.ts");
    writeFileSync(file, sample("ts"));
    const program = ts.createProgram([file], {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: ["lib.es2022.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts"],
      strict: true,
      noEmit: true,
      types: [],
    });
    const problems = ts.getPreEmitDiagnostics(program).map((problem) => ts.flattenDiagnosticMessageText(problem.messageText, "\n"));
    expect(problems).toEqual([]);

    // And runs: as plain JavaScript, since not every Node here has `await using`.
    const { outputText } = ts.transpileModule(sample("ts"), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    writeFileSync(join(folder, "second.mjs"), `${outputText}\nconsole.log(await record([{ sensor: "roof", celsius: 4 }]));\n`);
    const run = spawnSync(process.execPath, ["second.mjs"], { cwd: folder, encoding: "utf8", timeout: 20_000 });
    expect([run.status, run.stderr, run.stdout]).toEqual([0, "", "0\n"]);
  });
});
