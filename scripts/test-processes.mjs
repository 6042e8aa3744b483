/**
 * Which test files have a process to themselves: those that change what every file of a process sees, and the long ones, which would
 * leave theirs full. All others share one process a worker, and what they import is loaded once for all of them: started anew for each
 * file, that was up to a half of what a folder's tests took.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesUnder } from "./files.mjs";
import { LONG } from "./longest-first.mjs";
import { projectRoot } from "./run.mjs";

/** Mocks of modules and of globals, fake time, another folder or platform, another environment. */
const CHANGES_THE_PROCESS =
  /\bvi\.(?:mock|doMock|stubGlobal|stubEnv|useFakeTimers|setSystemTime)\(|\bprocess\.(?:chdir\(|env\b.* = )|\bdefineProperty\((?:process|globalThis)\b/;

/** @param {string} text of a test file */
export function changesTheProcess(text) {
  return CHANGES_THE_PROCESS.test(text);
}

/** The files of test/ that run alone, named from the project's root. */
export function filesAlone() {
  const changing = filesUnder(projectRoot, "test", [".test.ts"]).filter((file) =>
    changesTheProcess(readFileSync(join(projectRoot, file), "utf8")),
  );
  return [...new Set([...LONG, ...changing])];
}
