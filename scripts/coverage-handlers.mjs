/**
 * The error handlers of a source, and whether the tests ever ran them: `catch` clauses, handlers of a promise's rejection,
 * `throw` statements, and calls that reject a promise. A handler that never ran is where a bug waits for the worst night.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { filesUnder } from "./files.mjs";

/** Where every handler has to have run. */
export const strictFolders = ["src/log", "src/storage"];

/**
 * @typedef {{ line: number, column: number }} Place istanbul's: lines from 1, columns from 0
 * @typedef {{ statementMap: Record<string, { start: Place, end: Place }>, s: Record<string, number>, fnMap: Record<string, { loc: { start: Place, end: Place } }>, f: Record<string, number> }} FileCoverage
 * @param {string} root
 * @param {Readonly<Record<string, FileCoverage>>} coverage by absolute path
 * @param {readonly string[]} [folders]
 * @returns {{ problems: string[], count: number }}
 */
export function judgeHandlers(root, coverage, folders = strictFolders) {
  const problems = [];
  let count = 0;
  for (const name of folders.flatMap((folder) => filesUnder(root, folder, [".ts"]))) {
    if (name.endsWith(".d.ts")) continue;
    const text = readFileSync(join(root, name), "utf8");
    for (const handler of handlersOf(name, text)) {
      count++;
      const runs = runsOf(handler, coverage[join(root, name)]);
      if (runs === 0) problems.push(`${name}:${handler.line}: this ${handler.kind} never ran: ${handler.shown}`);
      if (runs === undefined)
        problems.push(`${name}:${handler.line}: whether this ${handler.kind} ran cannot be told; give it a statement: ${handler.shown}`);
    }
  }
  return { problems, count };
}

/** `body` is what runs when the handler does, as offsets of the text made into places. */
function handlersOf(name, text) {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true);
  const found = [];
  const placeOf = (position) => {
    const { line, character } = file.getLineAndCharacterOfPosition(position);
    return { line: line + 1, column: character };
  };
  const add = (kind, node, body) => {
    const { line } = placeOf(node.getStart(file));
    const shown = text.split("\n")[line - 1].trim();
    found.push({
      kind,
      line,
      shown,
      isFunction: ts.isFunctionLike(body),
      start: placeOf(body.getStart(file)),
      end: placeOf(body.getEnd()),
    });
  };
  const visit = (node) => {
    if (ts.isCatchClause(node)) add("catch", node, node.block);
    if (ts.isThrowStatement(node)) add("throw", node, node);
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { name: method, expression: owner } = node.expression;
      if (method.text === "reject" && owner.getText(file) === "Promise") add("rejection", node, statementOf(node));
      const handler = method.text === "catch" ? node.arguments[0] : method.text === "then" ? node.arguments[1] : undefined;
      if (handler !== undefined && ts.isFunctionLike(handler)) add("handler of a rejection", handler, handler);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** What an expression is run as a part of: the body of an arrow, or the statement around it. */
function statementOf(node) {
  let at = node;
  while (!ts.isStatement(at) && !(ts.isArrowFunction(at.parent) && at.parent.body === at)) at = at.parent;
  return at;
}

/** How often the first thing in the handler ran; undefined when nothing in it was counted. */
function runsOf({ isFunction, start, end }, coverage) {
  if (coverage === undefined) return 0;
  const isWithin = (place) => !isBefore(place, start) && isBefore(place, end);
  if (isFunction) {
    // The function itself is the first of those that begin within it; its counted text may begin after its parameters.
    const functions = Object.entries(coverage.fnMap).filter(([, { loc }]) => isWithin(loc.start) && !isBefore(end, loc.end));
    return earliest(functions.map(([id, { loc }]) => [loc.start, coverage.f[id]]));
  }
  return earliest(Object.entries(coverage.statementMap).flatMap(([id, { start: at }]) => (isWithin(at) ? [[at, coverage.s[id]]] : [])));
}

function earliest(counted) {
  let first;
  for (const each of counted) if (first === undefined || isBefore(each[0], first[0])) first = each;
  return first?.[1];
}

function isBefore(left, right) {
  return left.line < right.line || (left.line === right.line && left.column < right.column);
}
