/**
 * What ran in the child processes of tests: bundles of our code, the maps beside them, and the counts that node left of each process,
 * made into what was measured in the tests' own process.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAstAsync } from "vitest/node";

// The measurer's own two, of the very versions that it was installed with.
const requireOf = createRequire(createRequire(import.meta.url).resolve("@vitest/coverage-v8"));
const { mergeProcessCovs } = requireOf("@bcoe/v8-coverage");

/**
 * Adds to each count of `coverage` what the same place was counted in children.
 * @param {Record<string, import("./coverage-handlers.mjs").FileCoverage & import("./coverage-branches.mjs").FileCoverage>} coverage by absolute path
 * @param {string} folder of test/child-coverage.ts; need not be there
 * @returns {Promise<{ processes: number, unknown: number }>} how many processes left counts, and how many counted branches are nowhere in `coverage`
 */
export async function creditChildren(coverage, folder) {
  const { default: astV8ToIstanbul } = await import(requireOf.resolve("ast-v8-to-istanbul"));
  const counts = join(folder, "counts");
  let merged = { result: [] };
  let processes = 0;
  let unknown = 0;
  for (const name of filesOf(counts)) {
    const { result } = JSON.parse(readFileSync(join(counts, name), "utf8"));
    const ours = result.filter(({ url }) => url.startsWith("file:") && fileURLToPath(url).startsWith(folder));
    if (ours.length === 0) continue;
    processes++;
    merged = mergeProcessCovs([merged, { result: ours }]);
  }
  for (const script of merged.result) {
    const file = fileURLToPath(script.url);
    const code = readFileSync(file, "utf8");
    const sourceMap = JSON.parse(readFileSync(`${file}.map`, "utf8"));
    const ast = await parseAstAsync(code);
    const children = await astV8ToIstanbul({
      code,
      sourceMap,
      ast,
      wrapperLength: 0,
      coverage: { url: script.url, functions: script.functions },
    });
    for (const [path, child] of Object.entries(children)) {
      if (coverage[path] !== undefined) unknown += credit(coverage[path], child);
    }
  }
  return { processes, unknown };
}

function filesOf(folder) {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}

/** Both name a place by where it begins: the ends differ a little between the two ways of compiling. */
function credit(to, from) {
  const at = ({ start }) => `${start.line}:${start.column}`;
  const each = (places, key, take) => {
    for (const [id, place] of Object.entries(places)) take(key(place), id);
  };
  const tables = [
    ["statementMap", "s", at],
    ["fnMap", "f", ({ decl }) => at(decl)],
    ["branchMap", "b", ({ type, loc, locations }) => `${type} ${at(loc)} ${locations.length}`],
  ];
  let unknown = 0;
  for (const [map, counts, key] of tables) {
    const ids = new Map();
    each(to[map], key, (name, id) => ids.set(name, id));
    each(from[map], key, (name, id) => {
      const own = ids.get(name);
      const found = from[counts][id];
      if (own === undefined) {
        if (counts === "b") unknown += found.filter((count) => count > 0).length;
      } else if (counts === "b") to.b[own] = to.b[own].map((count, path) => count + found[path]);
      else to[counts][own] += found;
    });
  }
  return unknown;
}
