/** What of a file was checked already: held against a set of bytes. Claiming too much here is a flipped bit that nobody looks at. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { INTERVAL_COUNT_MAX, VerifiedRanges } from "../../../src/log/segment/verified-ranges.ts";

const SPAN = 60;
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("add" as const), start: fc.nat(SPAN), byteLength: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut" as const), start: fc.nat(SPAN), byteLength: fc.constant(0) }) },
);

/** Every range of these is covered, and no other. */
function agree(ranges: VerifiedRanges, known: ReadonlySet<number>): void {
  for (let start = 0; start <= SPAN + 12; start++) {
    let all = true;
    for (let end = start; end <= SPAN + 13; end++) {
      if (end > start) all = all && known.has(end - 1);
      if (ranges.covers(start, end) !== all) expect.fail(`bytes ${start} to ${end}: expected ${all}, found ${!all}`);
    }
  }
}

describe("ranges that were checked", () => {
  it("are those that were added and not cut off, to the byte", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const ranges = new VerifiedRanges();
        let known = new Set<number>();
        for (const { kind, start, byteLength } of steps) {
          if (kind === "add") {
            ranges.add(start, start + byteLength);
            for (let at = start; at < start + byteLength; at++) known.add(at);
          } else {
            ranges.cutTo(start);
            known = new Set([...known].filter((at) => at < start));
          }
        }
        agree(ranges, known);
      }),
      { numRuns: 150 },
    );
  });

  it("take no range that ends before it begins, and call such a one covered", () => {
    const ranges = new VerifiedRanges();
    ranges.add(9, 5);
    expect([ranges.covers(5, 9), ranges.covers(9, 5), ranges.covers(7, 7)]).toEqual([false, true, true]);
  });

  it("are forgotten from the smallest on when there are more than their bound, and from none other", () => {
    const ranges = new VerifiedRanges();
    const bound = INTERVAL_COUNT_MAX;
    const at = (i: number): number => i * 10_000;
    // Each longer than the one before, but for one in the middle.
    const length = (i: number): number => (i === 30 ? 10 : 11 + i);
    for (let i = 0; i < bound; i++) ranges.add(at(i), at(i) + length(i));
    for (let i = 0; i < bound; i++) expect(ranges.covers(at(i), at(i) + length(i)), `${i} of ${bound}`).toBe(true);
    ranges.add(at(bound), at(bound) + 50);
    for (let i = 0; i < bound; i++) expect(ranges.covers(at(i), at(i) + length(i)), `${i} of ${bound + 1}`).toBe(i !== 30);
    expect([ranges.covers(at(bound), at(bound) + 50), ranges.covers(at(30), at(30) + 1)]).toEqual([true, false]);
    ranges.add(at(bound + 1), at(bound + 1) + 50);
    expect([ranges.covers(0, 1), ranges.covers(at(1), at(1) + 1)]).toEqual([false, true]);
  });
});
