/** When a committed offset has been forgotten long enough to go, to the millisecond, for a group in every state. */
import { describe, expect, it } from "vitest";
import type { GroupState } from "../../src/api/group.ts";
import { type ExpiryFacts, isExpired, OFFSETS_RETENTION_MS } from "../../src/group/offset-expiry.ts";

describe("an offset", () => {
  // Committed at 500; the group came into its state at 1000; kept for 100.
  const offset = { nextOffset: 1, leaderEpoch: -1, metadata: "", commitTimestamp: 500, expireTimestamp: -1 };
  const facts: ExpiryFacts = { state: "Empty", protocolType: "consumer", stateTimestamp: 1000, subscribedTopics: null };
  const NEVER = Number.POSITIVE_INFINITY;

  it.each([
    ["a group that was left", {}, {}, 1100],
    ["a group that was left at the beginning of time", { stateTimestamp: 0 }, {}, 100],
    ["a group that was left, nobody knows when", { stateTimestamp: -1 }, {}, 600],
    ["a group that only commits", { protocolType: "" }, {}, 600],
    ["a group that only commits, with a time of its own", { protocolType: "" }, { expireTimestamp: 700 }, 700],
    ["a group that was left, with a time of its own that is earlier", {}, { expireTimestamp: 700 }, 700],
    ["a group that was left, with the beginning of time for its own", {}, { expireTimestamp: 0 }, 0],
    ["a stable group that reads its topic", { state: "Stable", subscribedTopics: new Set(["t"]) }, {}, NEVER],
    [
      "a stable group that reads its topic, with a time of its own",
      { state: "Stable", subscribedTopics: new Set(["t"]) },
      { expireTimestamp: 7 },
      NEVER,
    ],
    ["a stable group that reads others", { state: "Stable", subscribedTopics: new Set(["u"]) }, {}, 600],
    ["a stable group that reads nothing", { state: "Stable", subscribedTopics: new Set() }, {}, 600],
    ["a stable group of which nobody can tell", { state: "Stable" }, {}, NEVER],
    ["a stable group that only ever committed", { state: "Stable", protocolType: "" }, {}, NEVER],
    ["a group that joins and reads others", { state: "PreparingRebalance", subscribedTopics: new Set(["u"]) }, {}, NEVER],
    ["a group that syncs and reads others", { state: "CompletingRebalance", subscribedTopics: new Set(["u"]) }, {}, NEVER],
    ["a group that is no more", { state: "Dead", subscribedTopics: new Set(["u"]) }, {}, NEVER],
  ] as readonly (readonly [string, Partial<ExpiryFacts> & { state?: GroupState }, Partial<typeof offset>, number])[])(
    "of %s goes at its millisecond and not before",
    (_whose, group, own, goesAt) => {
      const expired = (nowMs: number): boolean => isExpired({ ...offset, ...own }, "t", { ...facts, ...group }, nowMs, 100);
      if (goesAt === NEVER) return expect(expired(Number.MAX_SAFE_INTEGER)).toBe(false);
      expect([expired(goesAt - 1), expired(goesAt), expired(goesAt + 1)]).toEqual([false, true, true]);
    },
  );

  it("is kept for seven days where nothing else was said", () => {
    expect(OFFSETS_RETENTION_MS).toBe(604_800_000);
  });
});
