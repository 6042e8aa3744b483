/** The ledger of proofs: a line of JSON a run, and the table that the docs show of it. */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./run.mjs";

const ledger = join(projectRoot, "proof/ledger.jsonl");
const page = join(projectRoot, "docs/DURABILITY.md");
const MARKS = ["<!-- ledger: begin -->", "<!-- ledger: end -->"];
const ROWS_MAX = 20;

const COLUMNS = [
  ["Run", ({ date, commit, node }) => `${date}, ${commit}, Node ${node}`],
  ["Minutes", ({ seconds }) => (seconds / 60).toFixed(1)],
  ["Crash states (again in recovery)", ({ crashStates, recrashed }) => `${many(crashStates)} (${many(recrashed)})`],
  ["Of whole engines", ({ engineCrashStates }) => (engineCrashStates === undefined ? "" : many(engineCrashStates))],
  ["Errors", ({ injectedErrors }) => many(injectedErrors)],
  ["Bits", ({ bitFlips }) => many(bitFlips)],
  ["Kills", ({ killCycles }) => many(killCycles)],
  ["Commands", ({ modelCommands }) => many(modelCommands)],
  [
    "Lost, holes, phantoms, unseen flips",
    ({ lost, holes, phantoms, undetectedFlips }) => [lost, holes, phantoms, undetectedFlips].join(", "),
  ],
  ["Zoo", ({ zooCaught, zooTotal }) => `${zooCaught} of ${zooTotal}`],
  ["Traces", ({ tracesEqual, tracesCompared }) => `${tracesEqual} of ${tracesCompared ?? 0}`],
  ["Failures", ({ failures }) => many(failures)],
];

/**
 * @param {import("./prove-book.mjs").Book} book
 * @param {Record<string, unknown>} about
 */
export function record(book, about) {
  const git = (...args) => execFileSync("git", args, { cwd: projectRoot, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : " and changes";
  const run = {
    date: new Date().toISOString().slice(0, 10),
    commit: git("rev-parse", "--short=12", "HEAD") + changed,
    node: process.versions.node,
    os: `${process.platform} ${process.arch}`,
  };
  mkdirSync(join(projectRoot, "proof"), { recursive: true });
  appendFileSync(ledger, `${book.line({ ...run, ...about })}\n`);
  writeFileSync(page, withTable(readFileSync(page, "utf8"), readLedger()));
}

export function readLedger() {
  return readFileSync(ledger, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** The page with the newest runs between its two marks. */
export function withTable(text, runs) {
  const [begin, end] = MARKS.map((mark) => text.indexOf(mark));
  if (begin < 0 || end < begin) throw new Error(`docs/DURABILITY.md: expected ${MARKS.join(" and ")}, in this order`);
  const rows = runs.slice(-ROWS_MAX).reverse();
  const table = [
    `| ${COLUMNS.map(([title]) => title).join(" | ")} |`,
    `|${COLUMNS.map(() => " --- ").join("|")}|`,
    ...rows.map((run) => `| ${COLUMNS.map(([, cell]) => cell(run)).join(" | ")} |`),
  ];
  return `${text.slice(0, begin)}${MARKS[0]}\n\n${table.join("\n")}\n\n${text.slice(end)}`;
}

function many(count) {
  return count.toLocaleString("en");
}
