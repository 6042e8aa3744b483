/** The page of benchmarks is what the recordings give; and what was recorded badly, grew or fell short shows on it. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { benchPage } from "../../scripts/bench/page.mjs";
import { staleFiles } from "../../scripts/bench-page.mjs";

const template = readFileSync(new URL("../../bench/page.md", import.meta.url), "utf8");
const shortfalls = "## kept\n## missed\n\nWhy.\n\n## beside peers: 64 durable sends at once\n\nWhy.\n";
const head = { date: "2026-11-22", machine: "a machine", fileSystem: "ext4", versions: { odradek: "0.1.0 (abc)", node: "20.20.2" } };
const raced = { unit: "records/s", rawLimit: 200, rounds: 7, spread: [0.4, 0.6], against: "a loop" };
const recordings = new Map<string, object>([
  [
    "scan",
    {
      ...head,
      bench: "scan",
      results: [
        { ...raced, name: "kept", value: 100, ratio: 0.5, budget: { ratio: 0.5 } },
        { ...raced, name: "missed", value: 80, ratio: 0.4, budget: { ratio: 0.5 } },
      ],
    },
  ],
  [
    "growth",
    {
      ...head,
      bench: "growth",
      results: [
        ...[10, 100, 1000].map((x) => ({
          name: `${x} things: open`,
          value: x * x,
          unit: "ms",
          rawLimit: null,
          ratio: null,
          mode: "things",
          axis: "things",
          series: "open",
          x,
          expected: "linear",
        })),
        {
          name: "growth in things: open",
          value: 2,
          unit: "exponent",
          mode: "things",
          axis: "things",
          series: "open",
          expected: "linear",
          verdict: "worse than linear",
          wall: { x: 100, factor: 10 },
        },
        ...["close", "fill"].map((series) => ({
          name: `growth in things: ${series}`,
          value: 0,
          unit: "exponent",
          mode: "things",
          axis: "things",
          series,
          expected: "linear",
          verdict: "linear",
          wall: { x: 1000, reason: "NO_ROOM: there is none" },
        })),
      ],
    },
  ],
  [
    "compare",
    {
      ...head,
      bench: "compare",
      results: [
        ["raw file", 400, 0.5, true],
        ["odradek", 200, 1, true],
        ["slower", 50, 4, true],
        ["forgetful", 800, 0.25, false],
      ].map(([peer, value, oursIsTimes, isDurable]) => ({
        peer,
        measure: "64 durable sends at once",
        unit: "sends/s",
        value,
        better: "higher",
        oursIsTimes,
        aim: 5,
        verified: { commits: 20, flushes: isDurable === true ? 20 : 0, isDurable },
      })),
    },
  ],
]);

describe("docs/BENCHMARKS.md", () => {
  it("is what bench/results and bench/page.md give (npm run bench:page)", async () => {
    expect(await staleFiles()).toEqual([]);
  });

  it("says of every budget whether it was kept, of growth where its wall stands, of peers who is ahead and who did not flush", async () => {
    const files = await benchPage(template, recordings, shortfalls);
    const page = files.get("BENCHMARKS.md") ?? "";
    expect(page).toMatch(/\| kept \| 100 records\/s .* \| 50 % \| kept \|/);
    expect(page).toMatch(/\| missed \| 80\.0 records\/s .* \| 50 % \| \*\*not kept\*\* \|/);
    expect(page).toContain("linear, **worse than linear**");
    expect(page).toContain("100: 10.0 times the cost");
    expect(page.match(/^1,000: NO_ROOM: there is none\.$/gm)).toHaveLength(1);
    expect(page).toMatch(
      /\| 64 durable sends at once \| 200 sends\/s \| slower \| 50\.0 sends\/s \| 4\.00 x \| 5 x \| \*\*not reached\*\* \|/,
    );
    expect(page).toMatch(/^\| missed \| 80\.0 records\/s \| raw loop \| \*\*40 %\*\* \| 50 % \|/m);
    expect(page).toContain("forgetful 0 in 20 (**not durable**)");
    expect(page).toMatch(/\| forgetful \| – \|/);
    expect(page).toContain("*Not recorded yet: limits.*");
  });

  it("draws the same bytes for the same figures, and others for others", async () => {
    const [once, again] = [await benchPage(template, recordings, shortfalls), await benchPage(template, recordings, shortfalls)];
    expect([...once.keys()].sort()).toEqual(["BENCHMARKS.md", "bench/growth-things.svg", "bench/peers.svg", "bench/ratios.svg"]);
    expect([...again]).toEqual([...once]);
    const scan = recordings.get("scan") as { results: { ratio: number }[] };
    const other = new Map([
      ...recordings,
      ["scan", { ...scan, results: scan.results.map((result) => ({ ...result, ratio: result.ratio / 2 })) }],
    ]);
    expect((await benchPage(template, other, shortfalls)).get("bench/ratios.svg")).not.toBe(once.get("bench/ratios.svg"));
  });

  it("refuses a word in braces that nobody makes", async () => {
    await expect(benchPage("{{nonsense}}\n", recordings, shortfalls)).rejects.toThrow("{{nonsense}}");
  });

  it("names every bench: what was recorded must stand on the page", () => {
    const benches = readdirSync(new URL("../../bench", import.meta.url)).flatMap((name) => /^(.+)\.bench\.mjs$/.exec(name)?.[1] ?? []);
    const asked = [...template.matchAll(/^\{\{(?:results|growth) ?([^}]*)\}\}$/gm)].flatMap(([, words = ""]) => words.split(" "));
    expect(benches.filter((bench) => bench !== "growth" && !asked.includes(bench))).toEqual([]);
  });
});
