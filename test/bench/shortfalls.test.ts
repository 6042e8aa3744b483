/** The list of what falls short makes itself, and nothing stands on it that was not measured. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { measures } from "../../bench/compare/measures.mjs";
import { shortfallsSection } from "../../scripts/bench/shortfalls.mjs";
import { aimsTable, peersTable } from "../../scripts/bench/tables.mjs";

type Result = Record<string, unknown> & { name: string };

const words = readFileSync(new URL("../../bench/shortfalls.md", import.meta.url), "utf8");
const explained = (name: string, text = "Why.") => `# Head\n\n## ${name}\n\n${text}\n`;
/** `limitLanes` in the head says that the recording is new enough to hold the limits' lanes. */
const recording = (results: object[], head: object = { limitLanes: 1 }) => new Map([["append", { bench: "append", ...head, results }]]);

const raced = { unit: "records/s", rawLimit: 1_000_000, better: "higher", against: "a loop" };
const append = { ...raced, name: "append", value: 500_000, ratio: 0.5, budget: { ratio: 0.7 } };
const lane = (name: string, ratio: number, more: object = {}) => ({
  ...raced,
  name: `append: ${name}`,
  value: ratio * 1_000_000,
  ratio,
  limitOf: "append",
  does: `does what a ${name} does`,
  oursOfIt: 0.5 / ratio,
  ...more,
});
const rowOf = (section: string, name: string) => section.split("\n").find((line) => line.startsWith(`| ${name} |`)) ?? "";

describe("a budget that falls short", () => {
  it("is listed with its figure, what was asked and what its limit's lane reached, and is gone when it is kept", () => {
    const section = shortfallsSection(recording([append, lane("bare loop", 0.6)]), explained("append"));
    expect(section).toContain("Of 1 budgets 1 are not kept");
    expect(rowOf(section, "append")).toBe(
      "| append | 500 k records/s | raw loop | **50 %** | 70 % | bare loop 60 % | **forbidden** by bare loop |",
    );
    expect(section).toContain("- *bare loop*: does what a bare loop does (append)");
    expect(section).toContain("- *append*: Why.");
    const kept = shortfallsSection(recording([{ ...append, ratio: 0.7 }, lane("bare loop", 0.8)]), explained("append"));
    expect(kept).toBe("Of 1 budgets 0 are not kept, of 0 aims beside peers 0 are not reached.");
  });

  it("stops the page when nobody explains it", () => {
    expect(() => shortfallsSection(recording([append]), "")).toThrow('no word on "append", which reaches 50 % of 70 %');
  });

  it("is forbidden by the strictest of the lanes that ours does not pass, and by none that leaves room", () => {
    const verdict = (...lanes: object[]) => rowOf(shortfallsSection(recording([append, ...lanes]), explained("append")), "append");
    expect(verdict(lane("wide", 0.9), lane("narrow", 0.65))).toContain("**forbidden** by narrow");
    expect(verdict(lane("passed", 0.4), lane("wide", 0.8))).toContain("| no limit found; our own: 0.750 µs a record |");
    expect(verdict(lane("passed", 0.4))).toContain("| no limit found: ours passes it |");
    expect(verdict()).toContain("| no limit measured |");
  });

  it("is not forbidden by a part of our own work, though the part alone may be too much", () => {
    const verdict = (...lanes: object[]) => rowOf(shortfallsSection(recording([append, ...lanes]), explained("append")), "append");
    expect(verdict(lane("bare loop", 0.9), lane("its flush", 0.6, { isPart: true }))).toContain(
      "no limit found; our own: its flush is too much",
    );
    expect(verdict(lane("bare loop", 0.65), lane("its flush", 0.6, { isPart: true }))).toContain("**forbidden** by bare loop");
  });

  it("may be too large or too slow: less is better there", () => {
    const size = { name: "size", value: 180, unit: "KiB", rawLimit: null, ratio: null, budget: { atMost: 60 } };
    const log = { ...size, name: "size: a log", value: 73, budget: undefined, limitOf: "size", does: "a log" };
    const text = explained("size", "{{a log}} of {{reached}}, {{a log beyond}} more than asked.");
    const section = shortfallsSection(recording([size, log]), text);
    expect(rowOf(section, "size")).toContain("| **180 KiB** | at most 60 | a log 73.0 KiB | **forbidden** by a log |");
    expect(section).toContain("73.0 KiB of 180 KiB, 107 KiB more than asked.");
    expect(rowOf(shortfallsSection(recording([{ ...size, budget: { atMost: 180 } }]), text), "size")).toBe("");
  });
});

describe("an explanation", () => {
  const text = explained("append", "{{ours}} of {{raw}}: {{bare loop}}, {{bare loop figure}}, {{bare loop share}}, {{bare loop beyond}}.");

  it("has its figures from the recordings", () => {
    // Medians of rounds: half of the raw loop and eight tenths of it need not be five eighths of the lane.
    const section = shortfallsSection(recording([append, lane("bare loop", 0.8, { oursOfIt: 0.61 })]), text);
    expect(section).toContain("- *append*: 500 k records/s of 1.00 M records/s: 80 %, 800 k records/s, 61 %, 0.750 µs a record.");
  });

  it("stops the page when a figure was not measured, and says so where the recording is older than the lane", () => {
    expect(() => shortfallsSection(recording([append]), text)).toThrow('"append": nothing measured gives {{bare loop}}');
    const older = shortfallsSection(recording([append], {}), text);
    expect(older).toContain("500 k records/s of 1.00 M records/s: *(not measured yet)*");
    expect(rowOf(older, "append")).toContain("*(not measured yet)*");
  });

  it("may quote any recorded result, by its bench", () => {
    const other = { ...append, name: "other", budget: undefined, value: 12, unit: "ms" };
    const quote = (path: string) => explained("append", `{{figure of ${path}}} and {{ratio of ${path}}}.`);
    expect(shortfallsSection(recording([append, other]), quote("append/other"))).toContain("12.0 ms and 50 %.");
    for (const path of ["append/none", "nowhere/other"])
      expect(() => shortfallsSection(recording([append, other]), quote(path))).toThrow(`{{figure of ${path}}}`);
    expect(shortfallsSection(recording([append], {}), quote("append/none"))).toContain("*(not measured yet)*");
  });

  it("is told once of several that fall short alike, with the figures of those alone", () => {
    const of = (name: string, ratio: number) => ({ ...append, name, ratio });
    const shared = "# Head\n\n## one\n## two\n## three\n\nReach {{reached}} of {{asked}}.\n";
    const section = shortfallsSection(recording([of("one", 0.5), of("two", 0.6), of("three", 0.7)]), shared);
    expect(section).toContain("- *one*, *two*: Reach 50 % and 60 % of 70 %.");
  });

  it("is of something that is measured, once all recordings are new enough to know, and there is one of each", () => {
    const stale = explained("append") + explained("renamed");
    expect(() => shortfallsSection(recording([append]), stale)).toThrow('explains "renamed", which no bench has a budget for');
    expect(shortfallsSection(recording([append], {}), stale)).toContain("- *append*: Why.");
    const besidePeers = explained("append") + explained("beside peers: not installed here");
    expect(shortfallsSection(recording([append]), besidePeers)).toContain("- *append*: Why.");
    expect(() => shortfallsSection(recording([append]), explained("append") + explained("append"))).toThrow('"append" is explained twice');
    expect(() => shortfallsSection(recording([append]), "## append\n")).toThrow('nothing stands below "append"');
  });
});

describe("an aim beside peers", () => {
  const verified = { isDurable: true };
  const measured = { measure: "scan", unit: "records/s", better: "higher", aim: 10, verified };
  const peers = [
    { ...measured, name: "odradek: scan", peer: "odradek", value: 400, ratio: 0.4, rawLimit: 1000, oursIsTimes: 1 },
    { ...measured, name: "lmdb: scan", peer: "lmdb", value: 100, oursIsTimes: 4 },
    { ...measured, name: "slow: scan", peer: "slow", value: 1, oursIsTimes: 400 },
    { ...measured, name: "raw file: scan", peer: "raw file", value: 1000, oursIsTimes: 0.4 },
    { ...measured, name: "bare loop: scan", peer: "bare loop", value: 700, oursIsTimes: 0.57 },
  ];

  it("that is not reached is listed beside its hardest rival, with what the raw file and the bare loop would reach", () => {
    const text = explained("beside peers: scan", "{{rival}} has {{rival figure}}.");
    const section = shortfallsSection(recording(peers), text);
    expect(rowOf(section, "beside peers: scan")).toBe(
      "| beside peers: scan | 400 records/s | lmdb | **4.00 x** | 10 x | raw file 10.0 x; bare loop 7.00 x | **forbidden** by bare loop |",
    );
    expect(section).toContain("lmdb has 100 records/s.");
  });

  it("may ask for less beside one of the peers, and then another may be the hardest", () => {
    const eased = peers.map((result) => ({ ...result, aimBeside: { lmdb: 0.001 } }));
    expect(aimsTable(eased)).toContain("| slow | 1.00 records/s | 400 x | 10 x | reached |");
  });

  it("has no limit for a rival: the raw file and the bare loop are neither ahead nor behind", () => {
    expect(aimsTable(peers)).toMatch(/\| scan \| 400 records\/s \| lmdb \|/);
    expect(peersTable(peers, ["scan"])).toContain("| odradek | **400 records/s** |");
  });

  it("of the raw file itself is a share of it, and the raw file no lane", () => {
    const ofRaw = peers.map(({ aim: _, ...result }) => ({ ...result, aimOfRaw: 0.85 }));
    const row = rowOf(shortfallsSection(recording(ofRaw), explained("beside peers: scan")), "beside peers: scan");
    expect(row).toContain("| raw file | **40 %** | 85 % | bare loop 70 % | **forbidden** by bare loop |");
  });

  it("of a time has parts of ours for lanes, and a part of a rival's for none", () => {
    const slower = { measure: "start", unit: "ms", better: "lower", aim: 10, name: "" };
    const part = { ...slower, aim: undefined, measure: "start: its import alone", limitOf: "start", isPart: true, does: "an import" };
    const started = [
      { ...slower, peer: "odradek", value: 40, oursIsTimes: 1 },
      { ...slower, peer: "broker", value: 100, oursIsTimes: 2.5 },
      { ...part, peer: "odradek", value: 20 },
      { ...part, peer: "broker", value: 1 },
    ];
    const section = shortfallsSection(recording(started), explained("beside peers: start", "{{its import alone beyond}}."));
    expect(rowOf(section, "beside peers: start")).toContain(
      "| **2.50 x** | 10 x | its import alone 5.00 x | no limit found; our own: its import alone is too much |",
    );
    expect(section).toContain("20.0 ms.");
  });
});

describe("bench/shortfalls.md", () => {
  it("has no measured figure written by hand", () => {
    const prose = words.slice(words.indexOf("\n## ")).replaceAll(/\{\{[^}]*\}\}|^## .*$/gm, "");
    expect(prose.match(/\d[\d.,]* ?(?:%|µs|ms\b|s\b|x\b|times|k\b|M\b|GB|records\/s)/g)).toBeNull();
  });

  it("has a word ready for every aim beside peers, and for no other: a peer that is not installed leaves no trace in a recording", () => {
    const aimed = measures.filter((measure) => "aim" in measure || "aimOfRaw" in measure).map(({ name }) => `beside peers: ${name}`);
    expect([...words.matchAll(/^## (beside peers: .*)$/gm)].map(([, name]) => name).sort()).toEqual(aimed.sort());
  });

  it("has a word ready for every budget and aim that was recorded, kept or not", () => {
    const folder = new URL("../../bench/results/", import.meta.url);
    const unreachable = (result: Result): object => ({
      ...result,
      ...("budget" in result && { budget: beyondReach(result["budget"] as object) }),
      ...("aim" in result && { aim: 1e9, aimBeside: undefined }),
      ...("aimOfRaw" in result && { aimOfRaw: 1e9 }),
    });
    const recordings = readdirSync(folder).map((file): [string, object] => {
      const { limitLanes: _, ...kept } = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
      return [file.replace(".json", ""), { ...kept, results: kept.results.map(unreachable) }];
    });
    const section = shortfallsSection(new Map(recordings), words);
    const [, budgets, short] = /^Of (\d+) budgets (\d+) are not kept/.exec(section) ?? [];
    expect(Number(short)).toBeGreaterThan(20);
    expect(short).toBe(budgets);
  });
});

function beyondReach(budget: object): object {
  if ("ratio" in budget) return { ratio: 1e9 };
  return "atMost" in budget ? { atMost: 0 } : { atLeast: 1e18 };
}
