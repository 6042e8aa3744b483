/** How near is near: the steps between two names, and how many of them a name of its length may be away. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearestName } from "../../src/base/nearest-name.ts";

/** Insertions, deletions, replacements and swaps of neighbours, none of which touches a letter twice: straight from the definition. */
function steps(left: string, right: string): number {
  if (left === "" || right === "") return left.length + right.length;
  const [l, r] = [left.slice(1), right.slice(1)];
  if (left[0] === right[0]) return steps(l, r);
  const swapped = left[0] === right[1] && left[1] === right[0] && right.length > 1;
  return (
    1 + Math.min(steps(l, right), steps(left, r), steps(l, r), swapped ? steps(left.slice(2), right.slice(2)) : Number.POSITIVE_INFINITY)
  );
}

describe("the nearest name", () => {
  it("is the first of those with the fewest steps, if these are at most a third of the letters", () => {
    const name = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(name, fc.array(name, { maxLength: 5 }), (asked, candidates) => {
        const far = candidates.map((candidate) => steps(asked, candidate));
        const least = Math.min(...far);
        const expected = least <= Math.floor(asked.length / 3) ? (candidates[far.indexOf(least)] as string) : null;
        expect(nearestName(asked, candidates)).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["a swap of neighbours", "lgos", "logs"],
    ["a letter too many", "loggs", "logs"],
    ["a letter too few", "lgs", "logs"],
    ["another letter", "lags", "logs"],
    ["another letter in front", "dogs", "logs"],
    ["another letter behind", "logz", "logs"],
  ])("is found behind one slip in a short name: %s", (_slip, typed, meant) => {
    expect(nearestName(typed, ["unlike", meant])).toBe(meant);
  });

  it.each([
    ["two swaps", "olsg", "logs"],
    ["letters changed round about one", "gols", "logs"],
    ["two letters too many", "llogs", "log"],
    ["two other letters", "lagz", "logs"],
    ["any slip in two letters", "lo", "log"],
    ["a swap, a swap and another letter", "rodrez", "orders"],
  ])("is none behind more than its length may bear: %s", (_slip, typed, other) => {
    expect(nearestName(typed, [other])).toBeNull();
  });

  it.each([
    [12, 4, true],
    [12, 5, false],
    [30, 4, true],
    [30, 5, false],
    [11, 3, true],
    [11, 4, false],
  ])("of %d letters is near with %d others: %s", (length, slips, isNear) => {
    const name = "abcdefghijklmnopqrstuvwxyzabcdefgh".slice(0, length);
    expect(nearestName(name, [`${"0".repeat(slips)}${name.slice(slips)}`]) !== null).toBe(isNear);
  });

  it("counts neither case nor what stands between words", () => {
    for (const typed of ["LINGER_MS", "linger.ms", "linger-ms", "linger ms", "lInGeR._- mS"])
      expect(nearestName(typed, ["lingerMx", "lingerMs"]), typed).toBe("lingerMs");
    for (const typed of ["", " ", "._-"]) expect(nearestName(typed, ["", " ", "a"]), JSON.stringify(typed)).toBeNull();
  });

  it("compares the first 64 letters, and looks at the first ten thousand candidates", () => {
    const long = "x".repeat(64);
    expect(nearestName(`${long}abcdefgh`, [`${long}stuvwxyz`])).toBe(`${long}stuvwxyz`);
    expect(nearestName(`${long.slice(5)}abcde`, [`${long.slice(5)}vwxyz`])).toBeNull();
    const candidates = Array.from({ length: 10_001 }, () => "unlike");
    candidates[9999] = "logs";
    expect(nearestName("logs", candidates)).toBe("logs");
    candidates[9999] = "unlike";
    candidates[10_000] = "logs";
    expect(nearestName("logs", candidates)).toBeNull();
  });
});
