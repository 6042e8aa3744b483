/** What an entry of a data directory is taken for, by its name and by what stands under it. */
import { describe, expect, it } from "vitest";
import { MISSING_TOLD_MAX, scanDirectory } from "../../src/topic/directory-scan.ts";

const UUID = "0123456789abcdef0123456789abcdef";
const directories = (...names: string[]) => names.map((name) => ({ name, kind: "directory" as const }));

describe("an entry", () => {
  it.each([
    ["orders-0", "directory", "topic"],
    ["a.b-c-12", "directory", "topic"],
    ["__consumer_offsets-49", "directory", "topic"],
    [`orders-0.${UUID}-delete`, "directory", "foreign"],
    [`__cluster_metadata-0.${UUID}-delete`, "directory", "foreign"],
    ["__cluster_metadata-0", "directory", "foreign"],
    ["__cluster_metadata-1", "directory", "foreign"],
    ["remote-log-index-cache", "directory", "foreign"],
    ["remote-log-index-cache-0", "directory", "topic"],
    ["orders", "directory", "a directory that is no partition's"],
    ["orders-01", "directory", "a directory that is no partition's"],
    ["orders-2147483648", "directory", "a directory that is no partition's"],
    [`orders-0.${UUID}-other`, "directory", "a directory that is no partition's"],
    ["orders-0", "file", "it is a file"],
    ["orders-0", "other", "it is no directory"],
    [`orders-0.${UUID}-stray`, "file", "it is a file"],
    ["__cluster_metadata-0", "file", "it is a file"],
    ["remote-log-index-cache", "file", "nothing"],
    ["meta.properties", "file", "nothing"],
    ["orders", "other", "nothing"],
  ] as const)("%s that is a %s is %s", (name, kind, what) => {
    const { topics, foreign, suspicious } = scanDirectory([{ name, kind }]);
    expect([topics.size, foreign.length, suspicious.length]).toEqual([
      what === "topic" ? 1 : 0,
      what === "foreign" ? 1 : 0,
      what.includes(" ") ? 1 : 0,
    ]);
    if (what === "foreign") expect(foreign).toEqual([name]);
    if (what.includes(" ")) expect(suspicious).toEqual([{ name, reason: expect.stringContaining(what) }]);
  });
});

describe("a topic's gaps", () => {
  it.each([
    [[99], 99, 98],
    [[100], 100, 99],
    [[101], 100, 99],
    [[50, 200], 100, 100],
    [[0, 1, 2], 0, undefined],
    [[2, 0], 1, 1],
  ])("below %j are %d that are told, the last of them %d", (partitions, told, last) => {
    const found = scanDirectory(directories(...partitions.map((partition) => `t-${partition}`))).topics.get("t");
    expect(found?.missing).toHaveLength(told);
    expect(found?.missing.at(-1)).toBe(last);
    expect(found?.partitionCount).toBe(Math.max(...partitions) + 1);
    expect(MISSING_TOLD_MAX).toBe(100);
  });

  it("are its own: partitions are put to their topics, and both stand in order", () => {
    const scan = scanDirectory(directories("b-10", "a-1", "b-2", "b-0", "a-0", "remote-log-index-cache", `a-0.${UUID}-delete`));
    expect([...scan.topics].map(([name, { present }]) => [name, present])).toEqual([
      ["a", [0, 1]],
      ["b", [0, 2, 10]],
    ]);
    expect(scan.foreign).toEqual([`a-0.${UUID}-delete`, "remote-log-index-cache"]);
  });
});
