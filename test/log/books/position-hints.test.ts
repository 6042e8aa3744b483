/** Where batches were seen to begin: the last sixteen, each under both its names. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PositionHints } from "../../../src/log/segment/position-hints.ts";

describe("position hints", () => {
  it("give back the last sixteen offsets, in the order in which they first came, and nothing after they are cleared", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(30), fc.boolean()), { maxLength: 60 }), (steps) => {
        const hints = new PositionHints();
        let known: [offset: number, position: number][] = [];
        for (const [index, [offset, clears]] of steps.entries()) {
          if (clears && index % 9 === 0) {
            hints.clear();
            known = [];
          }
          const position = 1000 + index;
          hints.add(offset, position);
          const there = known.findIndex(([other]) => other === offset);
          if (there >= 0) known[there] = [offset, position];
          else known = [...known, [offset, position] as [number, number]].slice(-16);
          for (let each = 0; each <= 30; each++) {
            expect(hints.positionOf(each)).toBe(known.find(([other]) => other === each)?.[1] ?? -1);
          }
          for (let each = 1000; each <= position + 1; each++) {
            expect(hints.offsetAt(each)).toBe(known.find(([, other]) => other === each)?.[0] ?? null);
          }
        }
      }),
    );
  });
});
