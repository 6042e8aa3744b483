/** What neither compiler nor linter says about a source: no await at the top of a module, types alone in api, the head sentence, no machine's own words. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { filesUnder } from "../files.mjs";

const texts = [".ts", ".mjs", ".js", ".md", ".json", ".java", ".xml", ".yml", ".sh"];
/** Paths of one person's machine, and hosts of registries: they say nothing to the next reader. */
const leaked = /(?<![\w.~/-])\/(?:home|Users|root|work)\/[\w.-]+|registry\.(?:npmjs|yarnpkg)\.|\brepo1?\.maven\./;
/** Files above this many lines are named, not refused: each may still be one noun. */
const longFileLineCount = 400;

/**
 * Answers `{ problems, notes, saw }`.
 * @param {string} root
 * @returns {{ problems: string[], notes: string[], saw: string }}
 */
export function check(root) {
  const problems = [];
  const notes = [];
  const sources = filesUnder(root, "src", [".ts"]);
  for (const name of sources) {
    const text = readFileSync(join(root, name), "utf8");
    const file = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true);
    for (const line of topLevelAwaits(file))
      problems.push(`${name}:${line}: await at the top of a module: require() of the package then fails`);
    if (!name.endsWith(".d.ts") && !/^(?:\/\/\/.*\n|#!.*\n)*\/\*\*\s/.test(text))
      problems.push(`${name}:1: does not begin with a /** sentence that says which noun it is */`);
    if (name.startsWith("src/api/")) {
      for (const line of runningLines(file)) problems.push(`${name}:${line}: api holds types alone, and this runs`);
    }
  }
  for (const name of [...sources, ...filesUnder(root, "assembly", [".ts"])]) {
    const lineCount = readFileSync(join(root, name), "utf8").split("\n").length - 1;
    if (lineCount > longFileLineCount) notes.push(`${name} has ${lineCount} lines: is it still one noun?`);
  }
  const everything = filesUnder(root, ".", texts);
  for (const name of everything) {
    if (name.endsWith("package-lock.json")) {
      problems.push(...lockProblems(name, readFileSync(join(root, name), "utf8")));
      continue;
    }
    readFileSync(join(root, name), "utf8")
      .split("\n")
      .forEach((line, index) => {
        const found = leaked.exec(line);
        if (found) problems.push(`${name}:${index + 1}: "${found[0]}" belongs to one machine`);
      });
  }
  return { problems, notes, saw: `${sources.length} sources, ${everything.length} texts` };
}

function lockProblems(name, text) {
  const problems = [];
  if (/"resolved": "https?:/.test(text))
    problems.push(`${name}: names a registry's host (npm's omit-lockfile-registry-resolved leaves it out)`);
  const { packages = {} } = JSON.parse(text);
  const locked = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)));
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    // A registry that lacks another platform's binary makes npm leave it out of the lock, and then refuse the lock: `npm ci` fails.
    for (const other of Object.keys(optionalDependencies))
      if (!locked.has(other)) problems.push(`${name}: ${path} may need ${other}, which is not locked`);
  }
  return problems;
}

/** Lines of awaits outside every function. */
export function topLevelAwaits(file) {
  const lines = [];
  const visit = (node) => {
    if (ts.isFunctionLike(node) || ts.isPropertyDeclaration(node) || ts.isClassStaticBlockDeclaration(node)) return;
    const awaits =
      ts.isAwaitExpression(node) ||
      (ts.isForOfStatement(node) && node.awaitModifier !== undefined) ||
      (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.AwaitUsing) === ts.NodeFlags.AwaitUsing);
    if (awaits) lines.push(file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return lines;
}

/** Lines of statements that leave something in the emitted JavaScript. */
function runningLines(file) {
  return file.statements
    .filter((statement) => {
      if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) return false;
      if (ts.isImportDeclaration(statement)) return !statement.importClause?.isTypeOnly;
      if (ts.isExportDeclaration(statement)) return !statement.isTypeOnly;
      return true;
    })
    .map((statement) => file.getLineAndCharacterOfPosition(statement.getStart(file)).line + 1);
}
