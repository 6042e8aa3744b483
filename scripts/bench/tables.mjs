/** The tables of docs/BENCHMARKS.md. Pure: recordings in, Markdown out. */
import { judged } from "../../bench/harness/figures.mjs";
import { aimsOf, isFair, LIMIT_PEERS } from "./aims.mjs";
import { figure, percentOf, range, table, three } from "./figures.mjs";

/** What was recorded with one bench or some, line by line, beside its raw limit and its budget. */
export function resultsTable(recordings) {
  const results = recordings.flatMap((recording) => recording.results);
  const rows = results.map((result) => {
    const budget = result.budget === undefined ? null : judged(result.budget, result);
    return [
      result.name.trim(),
      figure(result.value, result.unit),
      figure(result.rawLimit, result.unit),
      result.ratio === null ? "" : `**${percentOf(result.ratio)}**`,
      result.ratio === null ? "" : range(result.spread),
      budget === null ? "" : budget.words,
      budget === null ? "" : budget.isMet ? "kept" : "**not kept**",
    ];
  });
  return table(["what", "figure", "raw loop beside it", "ratio", "rounds from … to", "budget", ""], "lrrrrrl", rows);
}

/** What the raw loop beside each line does, for those that say it; behind an empty line. */
export function againstList(recordings) {
  const said = new Map();
  for (const { name, against } of recordings.flatMap(({ results }) => results))
    if (against !== undefined) said.set(against, [...(said.get(against) ?? []), name.trim()]);
  if (said.size === 0) return "";
  const lines = [...said].map(([against, names]) => `- *${against}* beside ${names.join("; ")}`);
  return `\n\n${lines.join("\n")}`;
}

/** One direction of growth: a row a point, a column a series, then what was judged; below it where the direction ended, if before its last point. */
export function growthTable(results, mode) {
  const ofMode = results.filter((result) => result.mode === mode);
  const measured = ofMode.filter((result) => result.x !== undefined);
  const verdicts = ofMode.filter((result) => result.verdict !== undefined);
  const series = [...new Set(measured.map((result) => result.series))];
  const points = [...new Set(measured.map((result) => result.x))];
  const axis = ofMode[0].axis;
  const at = (x, name) => measured.find((result) => result.x === x && result.series === name);
  const rows = points.map((x) => [
    x.toLocaleString("en-US"),
    ...series.map((name) => {
      const found = at(x, name);
      return found === undefined ? "" : `${figure(found.value, found.unit)}${found.ratio === null ? "" : ` (${percentOf(found.ratio)})`}`;
    }),
  ]);
  const found = (name, say) => {
    const verdict = verdicts.find((result) => result.series === name);
    return verdict === undefined ? "" : say(verdict);
  };
  rows.push([
    "*expected, found*",
    ...series.map((name) => found(name, ({ expected, verdict }) => (expected === verdict ? verdict : `${expected}, **${verdict}**`))),
  ]);
  rows.push(["*exponent*", ...series.map((name) => found(name, ({ value }) => value.toFixed(2)))]);
  rows.push(["*first wall*", ...series.map((name) => found(name, ({ wall }) => wallWords(wall)))]);
  const ends = new Set(
    verdicts.filter(({ wall }) => wall?.reason !== undefined).map(({ wall }) => `\n\n${thousands(wall.x)}: ${wall.reason}.`),
  );
  return `${table([axis, ...series], `r${"r".repeat(series.length)}`, rows)}${[...ends].join("")}`;
}

function wallWords(wall) {
  return wall?.factor === undefined ? "none seen" : `${thousands(wall.x)}: ${three(wall.factor)} times the cost`;
}

function thousands(x) {
  return x.toLocaleString("en-US");
}

/** Peers down, measures across; the best figure of each column bold. What is not durable has no figure where it must be. */
export function peersTable(results, measures) {
  const peers = [...new Set(results.filter(({ measure }) => measures.includes(measure)).map(({ peer }) => peer))];
  if (peers.length === 0) return "*Not recorded yet.*";
  const at = (peer, measure) => results.find((result) => result.peer === peer && result.measure === measure && isFair(result));
  const best = new Map(
    measures.map((measure) => {
      const found = results.filter((result) => result.measure === measure && !LIMIT_PEERS.includes(result.peer) && isFair(result));
      const sorted = found.sort((a, b) => (a.better === "higher" ? b.value - a.value : a.value - b.value));
      return [measure, sorted[0]?.peer];
    }),
  );
  const rows = peers.map((peer) => [
    peer,
    ...measures.map((measure) => {
      const found = at(peer, measure);
      if (found === undefined) return "–";
      const text = figure(found.value, found.unit);
      return best.get(measure) === peer ? `**${text}**` : text;
    }),
  ]);
  return table(["", ...measures], `l${"r".repeat(measures.length)}`, rows);
}

/** Each aim, and the peer beside which it is hardest to reach. */
export function aimsTable(results) {
  const rows = aimsOf(results).map(({ measure, ours, beside, isOfRaw, reached, asked }) => [
    measure,
    figure(ours.value, ours.unit),
    beside.peer,
    figure(beside.value, ours.unit),
    isOfRaw ? percentOf(reached) : `${three(reached)} x`,
    isOfRaw ? percentOf(asked) : `${asked} x`,
    reached >= asked ? "reached" : "**not reached**",
  ]);
  return table(["what", "Odradek", "hardest rival", "its figure", "ours is better", "aim", ""], "lrlrrrl", rows);
}

export function flushesList(results) {
  const seen = new Map();
  for (const { peer, verified } of results) if (typeof verified === "object") seen.set(peer, verified);
  return [...seen]
    .map(([peer, { commits, flushes, isDurable }]) => `${peer} ${flushes} in ${commits}${isDurable ? "" : " (**not durable**)"}`)
    .join(", ");
}
