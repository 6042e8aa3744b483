/**
 * docs/BENCHMARKS.md and its charts, from bench/page.md, bench/shortfalls.md and the recordings: whatever stands in braces there is made here. Nothing is
 * written, so that a check can compare. What was not recorded says so in its place.
 */
import { growthChart, peersChart, ratiosChart, svgOf } from "./charts.mjs";
import { shortfallsSection } from "./shortfalls.mjs";
import { againstList, aimsTable, flushesList, growthTable, peersTable, resultsTable } from "./tables.mjs";

/**
 * @param {string} template
 * @param {ReadonlyMap<string, object>} recordings by the bench's name
 * @param {string} shortfalls the text of bench/shortfalls.md
 * @returns {Promise<Map<string, string>>} texts by their path below docs/
 */
export async function benchPage(template, recordings, shortfalls) {
  const files = new Map();
  const parts = [];
  let from = 0;
  for (const found of template.matchAll(/^\{\{(\w+)(?: ([^}]*))?\}\}$/gm)) {
    parts.push(template.slice(from, found.index));
    const [, kind, words = ""] = found;
    if (makers[kind] === undefined) throw new Error(`bench/page.md asks for {{${kind}}}; there are ${Object.keys(makers).join(", ")}`);
    parts.push(await makers[kind](words, recordings, files, shortfalls));
    from = found.index + found[0].length;
  }
  parts.push(template.slice(from));
  files.set("BENCHMARKS.md", `<!-- Made by npm run bench:page from bench/page.md and bench/results. -->\n${parts.join("")}`);
  return files;
}

const makers = {
  machines: (_, recordings) => machines([...recordings.values()]),
  results: (words, recordings) => whenRecorded(words.split(" "), recordings, (found) => resultsTable(found) + againstList(found)),
  ratios: (words, recordings, files) =>
    whenRecorded(words.split(" "), recordings, async (found) => {
      files.set("bench/ratios.svg", await svgOf(ratiosChart(found.flatMap(({ results }) => results))));
      return "![Shares of the raw limit, and the budgets](bench/ratios.svg)";
    }),
  growth: (_, recordings, files) =>
    whenRecorded(["growth"], recordings, async ([{ results }]) => {
      const sections = [];
      for (const mode of new Set(results.map((result) => result.mode))) {
        const { axis } = results.find((result) => result.mode === mode);
        files.set(`bench/growth-${mode}.svg`, await svgOf(growthChart(results, mode)));
        sections.push(`### With ${axis}\n\n![Costs by ${axis}](bench/growth-${mode}.svg)\n\n${growthTable(results, mode)}`);
      }
      return sections.join("\n\n");
    }),
  aims: (_, recordings) => whenRecorded(["compare"], recordings, ([{ results }]) => aimsTable(results)),
  flushes: (_, recordings) => whenRecorded(["compare"], recordings, ([{ results }]) => `Flushes counted: ${flushesList(results)}.`),
  shortfalls: (_, recordings, _files, shortfalls) => shortfallsSection(recordings, shortfalls),
  peers: (words, recordings) => whenRecorded(["compare"], recordings, ([{ results }]) => peersTable(results, words.split("; "))),
  peerschart: (words, recordings, files) =>
    whenRecorded(["compare"], recordings, async ([{ results }]) => {
      files.set("bench/peers.svg", await svgOf(peersChart(results, words.split("; "))));
      return "![Odradek beside its peers](bench/peers.svg)";
    }),
};

async function whenRecorded(names, recordings, make) {
  const found = names.map((name) => recordings.get(name)).filter((recording) => recording !== undefined);
  return found.length === 0 ? `*Not recorded yet: ${names.join(", ")}.*` : await make(found);
}

/** One line for each day, machine and version; most often there is one. */
function machines(recordings) {
  const lines = new Map();
  for (const { date, machine, fileSystem, versions, bench } of recordings) {
    const { odradek, node: _, ...others } = versions;
    const list = Object.entries(others).map(([name, version]) => `, ${name} ${version}`);
    const text = `${date}: ${machine}, ${fileSystem}; odradek ${odradek}${list.join("")}`;
    lines.set(text, [...(lines.get(text) ?? []), bench]);
  }
  return [...lines].map(([text, benches]) => `- ${text}: ${benches.join(", ")}`).join("\n");
}
