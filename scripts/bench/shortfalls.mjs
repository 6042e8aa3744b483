/**
 * What falls short of its budget or aim, and what forbids it. Pure: recordings and explanations in, Markdown out. The list makes itself;
 * what falls short without an explanation, and an explanation that names a figure which nobody measured, are errors. Only in recordings
 * older than the lanes that measure limits (no `limitLanes` in the head) may a figure be missing: there it is said.
 */
import { judged } from "../../bench/harness/figures.mjs";
import { aimsOf, LIMIT_PEERS } from "./aims.mjs";
import { explanationsOf } from "./explanations.mjs";
import { figure, percentOf, table, three } from "./figures.mjs";

const BESIDE_PEERS = "beside peers: ";
const NOT_MEASURED = "*(not measured yet)*";

/**
 * @param {ReadonlyMap<string, object>} recordings by the bench's name
 * @param {string} text of bench/shortfalls.md
 * @returns {string}
 */
export function shortfallsSection(recordings, text) {
  const explanations = explanationsOf(text);
  const judgedOnes = [...recordings.values()].flatMap((recording) => [...budgetsOf(recording), ...aimsOfRecording(recording)]);
  const order = explanations.flatMap(({ names }) => names);
  const short = judgedOnes
    .filter(({ reached, asked }) => reached < asked)
    .sort((a, b) => Number(a.isAim) - Number(b.isAim) || order.indexOf(a.name) - order.indexOf(b.name));
  const problems = [...unexplained(short, explanations), ...unmeasured(judgedOnes, explanations)];
  const paragraphs = explanations.flatMap(({ names, template }) => {
    const some = short.filter(({ name }) => names.includes(name));
    if (some.length === 0) return [];
    const prose = template.replaceAll(/\{\{([^}]*)\}\}/g, (_, words) =>
      joined(some.map((each) => said(words, each, recordings, problems))),
    );
    return [`- *${some.map(({ name }) => name).join("*, *")}*: ${prose}`];
  });
  if (problems.length > 0) throw new Error([...new Set(problems)].join("\n"));
  return [countSentence(judgedOnes, short), ...(short.length === 0 ? [] : [shortTable(short), lanesList(short), paragraphs.join("\n")])]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** `reached` and `asked` are numbers of which more is better; `reachOf` says the same of a lane, and both are told in `words`. */
function budgetsOf({ results, limitLanes }) {
  return results.flatMap((ours) => {
    const { budget, name } = ours;
    if (budget === undefined) return [];
    const isRatio = budget.ratio !== undefined;
    const reachOf = ({ value, ratio }) => {
      if (isRatio) return ratio;
      return budget.atMost === undefined ? value / budget.atLeast : budget.atMost / value;
    };
    const lanes = results.filter(({ limitOf }) => limitOf === name);
    return {
      name,
      isStrict: limitLanes !== undefined,
      isAim: false,
      ours,
      rival: null,
      reached: reachOf(ours),
      asked: isRatio ? budget.ratio : 1,
      askedWords: judged(budget, ours).words,
      words: (result) => (isRatio ? percentOf(result.ratio) : figure(result.value, result.unit)),
      lanes: lanes.map((result) => ({ name: result.name.slice(name.length + 2), result, reach: reachOf(result) })),
    };
  });
}

/** Of an aim, the limits' lanes are the raw file and the bare loop at the same work, and parts of our own figure. */
function aimsOfRecording({ results, limitLanes }) {
  return aimsOf(results).map(({ measure, ours, beside, isOfRaw, reached, asked }) => {
    const timesOf = ({ value }) => (ours.better === "higher" ? value / beside.value : beside.value / value);
    const words = (number) => (isOfRaw ? percentOf(number) : `${three(number)} x`);
    const askedWords = isOfRaw ? percentOf(asked) : `${asked} x`;
    const isPart = ({ limitOf, peer }) => limitOf === measure && peer === "odradek";
    const isLane = (result) =>
      result.measure === measure ? LIMIT_PEERS.includes(result.peer) && !(isOfRaw && result.peer === beside.peer) : isPart(result);
    return {
      // A bench may have a budget for something of the same name.
      name: `${BESIDE_PEERS}${measure}`,
      isStrict: limitLanes !== undefined,
      isAim: true,
      ours,
      rival: beside,
      reached,
      asked,
      askedWords,
      words: (result) => words(result === ours ? reached : timesOf(result)),
      lanes: results.filter(isLane).map((result) => ({
        name: isPart(result) ? result.measure.slice(measure.length + 2) : result.peer,
        result,
        reach: timesOf(result),
      })),
    };
  });
}

function unexplained(short, explanations) {
  return short
    .filter(({ name }) => !explanations.some(({ names }) => names.includes(name)))
    .map(
      ({ name, ours, words, askedWords }) => `bench/shortfalls.md has no word on "${name}", which reaches ${words(ours)} of ${askedWords}`,
    );
}

/**
 * An explanation of what nobody measures any more is a name that was changed, once all recordings are new enough to know. Not so beside
 * peers: one that is not installed here takes its aims with it.
 */
function unmeasured(judgedOnes, explanations) {
  if (judgedOnes.some(({ isStrict }) => !isStrict)) return [];
  return explanations
    .flatMap(({ names }) => names)
    .filter((each) => !each.startsWith(BESIDE_PEERS) && !judgedOnes.some(({ name }) => name === each))
    .map((each) => `bench/shortfalls.md explains "${each}", which no bench has a budget for`);
}

/** The figure that the words in braces ask for: see the head of bench/shortfalls.md. */
function said(words, short, recordings, problems) {
  const { name, isStrict, ours, rival, askedWords } = short;
  const missing = (isMistake) => {
    if (isMistake) problems.push(`bench/shortfalls.md, "${name}": nothing measured gives {{${words}}}`);
    return NOT_MEASURED;
  };
  if (words === "reached") return short.words(ours);
  if (words === "asked") return askedWords;
  if (words === "ours") return figure(ours.value, ours.unit);
  if (words === "raw" && ours.rawLimit !== null) return figure(ours.rawLimit, ours.unit);
  if (words === "rival" && rival !== null) return rival.peer;
  if (words === "rival figure" && rival !== null) return figure(rival.value, ours.unit);
  const [, kind, path, other] = /^(figure|ratio) of ([\w-]+)\/(.+)$/.exec(words) ?? [];
  if (kind !== undefined) {
    const recording = recordings.get(path);
    const found = recording?.results.find((result) => result.name === other);
    if (found === undefined) return missing(isStrict && (recording === undefined || recording.limitLanes !== undefined));
    return kind === "figure" ? figure(found.value, found.unit) : percentOf(found.ratio);
  }
  const [, laneName, wanted] = /^(.+?)(?: (figure|beyond|share))?$/.exec(words) ?? [];
  const lane = short.lanes.find((each) => each.name === laneName);
  if (lane === undefined) return missing(isStrict);
  if (wanted === "figure") return figure(lane.result.value, lane.result.unit);
  if (wanted === "beyond") return beyond(ours, lane.result);
  if (wanted === "share") return percentOf(lane.result.oursOfIt ?? short.reached / lane.reach);
  return short.words(lane.result);
}

/** What ours costs beyond a lane: of a rate, for each unit of it. */
function beyond(ours, lane) {
  const isRate = ours.unit.endsWith("/s");
  const more = isRate ? 1e6 / ours.value - 1e6 / lane.value : ours.value - lane.value;
  if (more <= 0) return "nothing that the medians show";
  if (isRate) return `${three(more)} µs a ${ours.unit.slice(0, -"s/s".length)}`;
  return ours.unit === "ms" && more < 1 ? `${three(more * 1000)} µs` : `${three(more)} ${ours.unit}`;
}

function shortTable(short) {
  const rows = short.map((each) => [
    each.name,
    figure(each.ours.value, each.ours.unit),
    each.isAim ? each.rival.peer : each.ours.against === undefined ? "" : "raw loop",
    `**${each.words(each.ours)}**`,
    each.askedWords,
    each.lanes.map((lane) => `${lane.name} ${each.words(lane.result)}`).join("; "),
    verdict(each),
  ]);
  return table(["what", "figure", "beside", "reached", "asked", "limits in the same run", ""], "lrlrrll", rows);
}

/**
 * Of the lanes that ours does not pass, the strictest: nobody can leave out what any of them does. A part of our own work forbids nothing
 * to others, but what it costs by itself may be more than was asked for the whole.
 */
function verdict({ ours, reached, asked, lanes, isStrict }) {
  if (lanes.length === 0) return isStrict ? "no limit measured" : NOT_MEASURED;
  const above = lanes.filter(({ reach }) => reach > reached).sort((a, b) => a.reach - b.reach);
  const limit = above.find(({ result }) => result.isPart !== true);
  const part = above.find(({ result }) => result.isPart === true);
  if (limit !== undefined && limit.reach < asked) return `**forbidden** by ${limit.name}`;
  const found =
    limit === undefined && lanes.some(({ result }) => result.isPart !== true) ? "no limit found: ours passes it" : "no limit found";
  if (part !== undefined && part.reach < asked) return `${found}; our own: ${part.name} is too much`;
  const beside = limit ?? part;
  return beside === undefined ? found : `${found}; our own: ${beyond(ours, beside.result)}`;
}

/** What each lane does, for those that say it. */
function lanesList(short) {
  const said = new Map();
  for (const { name, lanes } of short)
    for (const { name: lane, result } of lanes) {
      if (result.does === undefined) continue;
      const what = `*${lane}*: ${result.does}`;
      said.set(what, [...(said.get(what) ?? []), name]);
    }
  return [...said].map(([what, names]) => `- ${what} (${names.join("; ")})`).join("\n");
}

function countSentence(judgedOnes, short) {
  const count = (isAim) => [judgedOnes, short].map((some) => some.filter((each) => each.isAim === isAim).length);
  const [budgets, budgetsShort] = count(false);
  const [aims, aimsShort] = count(true);
  return `Of ${budgets} budgets ${budgetsShort} are not kept, of ${aims} aims beside peers ${aimsShort} are not reached.`;
}

/** One after the other in the order of the names; what is the same for all is said once. */
function joined(words) {
  const different = [...new Set(words)];
  return different.length === 1 ? different[0] : `${different.slice(0, -1).join(", ")} and ${different.at(-1)}`;
}
