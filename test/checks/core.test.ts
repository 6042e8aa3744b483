import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configProblems, judge, judgeTested } from "../../scripts/checks/core.mjs";
import { projectRoot, run } from "../../scripts/run.mjs";

describe("the core's build", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "odradek-core-"));
    for (const part of ["assembly", "asconfig.json", "scripts", "package.json"])
      cpSync(join(projectRoot, part), join(root, part), { recursive: true });
    symlinkSync(join(projectRoot, "node_modules"), join(root, "node_modules"));
    mkdirSync(join(root, "src/core"), { recursive: true });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  async function buildWith(file: string, change: (text: string) => string): Promise<string> {
    const path = join(root, file);
    const before = readFileSync(path, "utf8");
    writeFileSync(path, change(before));
    const { code, output } = await run(process.execPath, ["scripts/build-core.mjs"], { cwd: root });
    writeFileSync(path, before);
    return `exit ${code}\n${output}`;
  }

  it("turns red for a feature that asc does not know", async () => {
    expect(await buildWith("asconfig.json", (text) => text.replace('"simd"', '"simdd"'))).toMatch(/^exit 1\n[\s\S]*simdd/);
  });

  it("turns red for a core that imports something", async () => {
    const output = await buildWith(
      "assembly/index.ts",
      (text) => `${text}\n@external("env", "now") declare function now(): f64;\nexport function time(): f64 {\n  return now();\n}\n`,
    );
    expect(output).toMatch(/^exit 1\n[\s\S]*imports env\.now/);
  });
});

describe("the core check", () => {
  // In asconfig.json asc passes over these without a word, and builds another core.
  const sound = {
    entries: ["assembly/index.ts"],
    targets: { release: { optimizeLevel: 3 } },
    options: { runtime: "stub", enable: ["simd"] },
  };
  it("is content with options that asc knows", () => {
    expect(configProblems(sound)).toEqual([]);
    expect(configProblems(JSON.parse(readFileSync(join(projectRoot, "asconfig.json"), "utf8")))).toEqual([]);
  });
  it("turns red for a mistyped option", () => {
    expect(configProblems({ ...sound, options: { runtimee: "stub" } })).toEqual([
      'asconfig.json: options: asc does not know the option "runtimee"',
    ]);
    expect(configProblems({ ...sound, targets: { debug: { noAsserts: true } } })).toEqual([
      'asconfig.json: debug: asc does not know the option "noAsserts"',
    ]);
  });
  it("turns red for a core without its asserts", () => {
    expect(configProblems({ ...sound, targets: { release: { noAssert: true } } })).toEqual([
      "asconfig.json: release: asserts stay on, in release too",
    ]);
  });
  it("turns red for a value of the wrong type", () => {
    expect(configProblems({ ...sound, options: { initialMemory: "72" } })).toEqual([
      'asconfig.json: options: initialMemory cannot be "72"',
    ]);
  });

  const passed = (title: string): { fullName: string; ancestorTitles: string[]; status: string; failureMessages: string[] } => ({
    fullName: `${title} sums`,
    ancestorTitles: [title],
    status: "passed",
    failureMessages: [],
  });

  it("is content when each test ran on both builds", () => {
    const assertionResults = [passed("crc (release)"), passed("crc (debug)")];
    expect(judge({ testResults: [{ name: "crc.test.ts", assertionResults }] })).toEqual({
      problems: [],
      saw: "1 tests on the release build, 1 on the debug build",
    });
  });
  it("turns red when the debug build was left out", () => {
    const { problems } = judge({ testResults: [{ name: "crc.test.ts", assertionResults: [passed("crc (release)")] }] });
    expect(problems.join()).toContain("1 tests ran on the release build and 0 on the debug build");
  });
  it("turns red when a test failed on one of them", () => {
    const failed = { ...passed("crc (debug)"), status: "failed", failureMessages: ["expected 1, found 2"] };
    const { problems } = judge({ testResults: [{ name: "crc.test.ts", assertionResults: [passed("crc (release)"), failed] }] });
    expect(problems.join()).toContain("expected 1, found 2");
  });
  it("turns red for a file that does not load", () => {
    const both = [passed("crc (release)"), passed("crc (debug)")];
    const { problems } = judge({
      testResults: [
        { name: "crc.test.ts", assertionResults: both },
        { name: "scan.test.ts", message: "SyntaxError", assertionResults: [] },
      ],
    });
    expect(problems).toEqual(["scan.test.ts ran no test: SyntaxError"]);
  });
});

describe("the core check, where npm test has just ended", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "odradek-core-"));
    mkdirSync(join(root, "build/results"), { recursive: true });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const file = (name: string, ...tests: [build: string, status: string][]): object => ({
    name: join(root, name),
    assertionResults: tests.map(([build, status]) => ({
      fullName: `scan (${build}) finds`,
      ancestorTitles: [`scan (${build})`],
      status,
      failureMessages: [],
    })),
  });
  function problems(...testResults: object[]): readonly string[] {
    writeFileSync(join(root, "build/results/test.json"), JSON.stringify({ testResults }));
    return judgeTested(root).problems;
  }

  it("is content with the results of both builds, whatever else failed", () => {
    expect(problems(file("test/core/scan.test.ts", ["release", "passed"], ["debug", "passed"]), file("test/log/a.test.ts"))).toEqual([]);
  });
  it("turns red for a test of the core that failed, for a file of it that did not load, and for one build alone", () => {
    expect(problems(file("test/core/scan.test.ts", ["release", "failed"], ["debug", "passed"]))).toEqual(["scan (release) finds: failed "]);
    const sound = file("test/core/scan.test.ts", ["release", "passed"], ["debug", "passed"]);
    expect(problems(sound, file("test/core/varint.test.ts"))).toEqual([expect.stringContaining("varint.test.ts ran no test")]);
    expect(problems(file("test/core/scan.test.ts", ["release", "passed"]))).toEqual([
      expect.stringContaining("1 tests ran on the release"),
    ]);
  });
  it("turns red where no test of the core ran, or none at all", () => {
    expect(problems(file("test/log/core.test.ts", ["release", "passed"], ["debug", "passed"]))).toEqual([
      expect.stringContaining("0 tests ran on the release build"),
    ]);
    rmSync(join(root, "build/results/test.json"));
    expect(judgeTested(root).problems).toEqual([expect.stringContaining("no npm test has ended here")]);
  });
});
