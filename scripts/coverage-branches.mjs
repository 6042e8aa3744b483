/** The branches of the sources, and how many of them the tests met: by folder, and each that they never met by its line. */
import { readFileSync } from "node:fs";
import { relative, sep } from "node:path";

/**
 * @typedef {{ branchMap: Record<string, { type: string, loc: { start: { line: number } }, locations: { start: { line?: number } }[] }>, b: Record<string, number[]> }} FileCoverage
 * @param {string} root
 * @param {Readonly<Record<string, FileCoverage>>} coverage by absolute path
 * @returns {{ folders: { name: string, total: number, met: number, percent: number }[], all: { total: number, met: number, percent: number } }}
 */
export function sumBranches(root, coverage) {
  const folders = new Map();
  const all = { total: 0, met: 0 };
  for (const [path, { b }] of Object.entries(coverage)) {
    const parts = relative(root, path).split(sep);
    const name = parts.length > 2 ? parts.slice(0, 2).join("/") : parts[0];
    const row = folders.get(name) ?? { name, total: 0, met: 0 };
    folders.set(name, row);
    for (const counts of Object.values(b)) {
      for (const sum of [row, all]) {
        sum.total += counts.length;
        sum.met += counts.filter((count) => count > 0).length;
      }
    }
  }
  const rows = [...folders.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  return { folders: rows.map(withPercent), all: withPercent(all) };
}

/** Rounded down: what is below a bound is never shown as if it had reached it. */
function withPercent(sum) {
  return { ...sum, percent: sum.total === 0 ? 100 : Math.floor((sum.met / sum.total) * 1000) / 10 };
}

/**
 * @param {string} root
 * @param {Readonly<Record<string, FileCoverage>>} coverage
 * @param {string} start of the paths, relative to root, that are asked for
 * @returns {string[]}
 */
export function missedBranches(root, coverage, start) {
  const found = [];
  for (const [path, { b, branchMap }] of Object.entries(coverage).sort(([left], [right]) => (left < right ? -1 : 1))) {
    const name = relative(root, path).split(sep).join("/");
    if (!name.startsWith(start)) continue;
    const lines = readFileSync(path, "utf8").split("\n");
    for (const [id, counts] of Object.entries(b)) {
      const { type, loc, locations } = branchMap[id];
      for (const [at, count] of counts.entries()) {
        if (count > 0) continue;
        const line = locations[at]?.start.line ?? loc.start.line;
        found.push(`${name}:${line}: ${type} ${at + 1} of ${counts.length}: ${lines[line - 1]?.trim()}`);
      }
    }
  }
  return found;
}
