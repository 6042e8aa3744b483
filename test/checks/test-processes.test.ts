/** Which test files have a process to themselves. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { filesUnder } from "../../scripts/files.mjs";
import { LONG, longestFirst } from "../../scripts/longest-first.mjs";
import { projectRoot } from "../../scripts/run.mjs";
import { changesTheProcess, filesAlone } from "../../scripts/test-processes.mjs";

// In pieces, or this file would be one of them.
const of = (object: string, call: string): string => `${object}.${call}`;

describe("a test file runs alone", () => {
  it.each([
    of("vi", 'mock("node:fs", refusing)'),
    of("vi", 'stubGlobal("navigator", {})'),
    of("vi", 'stubEnv("TMPDIR", long)'),
    of("vi", "useFakeTimers()"),
    of("process", "chdir(path)"),
    of("process", 'env.HOME = "/"'),
    of("process", 'env["HOME"] = "/"'),
    of("Object", 'defineProperty(process, "platform", windows)'),
    of("Object", 'defineProperty(process.stderr, "isTTY", { value: true })'),
  ])("for %s", (text) => {
    expect(changesTheProcess(`it("works", () => {\n  ${text};\n});\n`)).toBe(true);
  });

  it("not for what it looks at, or changes in its own objects", () => {
    for (const text of [
      of("process", "env.HOME"),
      of("vi", "fn()"),
      of("vi", 'spyOn(storage, "open")'),
      'if (process.env["A"] === "b") f();',
    ])
      expect(changesTheProcess(text)).toBe(false);
  });

  it("when it is long; and every name of the list is a file", () => {
    expect(filesAlone()).toEqual(expect.arrayContaining([...LONG, "test/storage/node-handlers.test.ts", "test/attached/face.test.ts"]));
    expect(filesAlone().filter((file) => !existsSync(join(projectRoot, file)))).toEqual([]);
    expect(filesAlone().length).toBeLessThan(60);
  });
});

// They did so, and left a hundred directories behind them, and logs open whose flushes took other tests' places.
it("no module of the tests sets up a hook as it is loaded: it would be that of the first file that loads it", () => {
  const setupFiles = ["test/cleaned-up.ts"];
  const modules = filesUnder(projectRoot, "test", [".ts"]).filter((file) => !file.endsWith(".test.ts") && !setupFiles.includes(file));
  const hook = /^(?:before|after)(?:Each|All)\(/m;
  expect(hook.test("const a = 1;\nafterEach(close);\n")).toBe(true);
  expect(modules.length).toBeGreaterThan(100);
  expect(modules.filter((file) => hook.test(readFileSync(join(projectRoot, file), "utf8")))).toEqual([]);
});

it("and files that share a process follow one another, behind all that run alone", () => {
  const spec = (file: string, isolate: boolean): object => ({ moduleId: join(projectRoot, file), project: { config: { isolate } } });
  const given = [spec("test/a.test.ts", false), spec("test/b.test.ts", true), spec("test/c.test.ts", false), spec(LONG[1] as string, true)];
  expect(longestFirst(given)).toEqual([given[3], given[1], given[0], given[2]]);
});
