/** The mutation score as it is kept: proof/mutation.json, one row for each file of src that was mutated, and one for the core. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./run.mjs";

const ledgerFile = join(projectRoot, "proof/mutation.json");

/** @param {readonly { status: string }[]} mutants of Stryker's report; those that do not compile or were left alone are no mutants */
export function sumOf(mutants) {
  const countOf = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length;
  return scored({
    killed: countOf("Killed", "Timeout", "RuntimeError"),
    timeout: countOf("Timeout"),
    survived: countOf("Survived", "NoCoverage"),
    notRun: countOf("NoCoverage"),
  });
}

/** Puts a score, in percent, beside counts. A mutant killed by the clock is among the killed; one that no test runs among the survivors. */
export function scored(counts) {
  const mutants = counts.killed + counts.survived;
  return { mutants, ...counts, score: mutants === 0 ? 0 : Math.round((counts.killed / mutants) * 1000) / 10 };
}

/** @param {ReadonlyMap<string, readonly { status: string }[]>} results */
export function recordFiles(results) {
  const ledger = read();
  const files = { ...ledger.typescript?.each };
  for (const [file, mutants] of results) files[file] = { ...sumOf(mutants), ...stamp() };
  const known = Object.fromEntries(
    Object.entries(files)
      .filter(([file]) => existsSync(join(projectRoot, file)))
      .sort(([left], [right]) => (left < right ? -1 : 1)),
  );
  const folderOf = (file) => file.split("/")[1];
  const folders = {};
  for (const folder of new Set(Object.keys(known).map(folderOf))) {
    const rows = Object.keys(known).flatMap((file) => (folderOf(file) === folder ? [known[file]] : []));
    folders[folder] = { files: rows.length, ...added(rows) };
  }
  write({ ...ledger, typescript: { files: Object.keys(known).length, ...added(Object.values(known)), folders, each: known } });
}

/** @param {{ mutants: number, killed: number, timeout: number, survived: number, score: number, seed: number }} row */
export function recordCore(row) {
  write({ ...read(), core: { ...row, ...stamp() } });
}

function added(rows) {
  const sum = (field) => rows.reduce((total, row) => total + row[field], 0);
  return scored({ killed: sum("killed"), timeout: sum("timeout"), survived: sum("survived"), notRun: sum("notRun") });
}

function stamp() {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: projectRoot, encoding: "utf8" }).trim();
  return { date: new Date().toISOString().slice(0, 10), commit };
}

function read() {
  if (!existsSync(ledgerFile)) return {};
  return JSON.parse(readFileSync(ledgerFile, "utf8"));
}

function write(ledger) {
  mkdirSync(join(projectRoot, "proof"), { recursive: true });
  writeFileSync(ledgerFile, `${JSON.stringify(ledger, null, 2)}\n`);
}
