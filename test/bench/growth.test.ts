/** What is judged to grow, and where its wall is said to stand. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judge } from "../../bench/harness/growth.mjs";

const decades = [10, 100, 1_000, 10_000, 100_000];
const points = (cost: (x: number) => number, raw: ((x: number) => number) | null = null) =>
  decades.map((x) => ({ x, value: cost(x), rawLimit: raw === null ? null : raw(x) }));
/** A machine that others use too: each figure wavers by a third at most. */
const wavering = fc.array(fc.double({ min: 0.75, max: 1.33, noNaN: true }), { minLength: decades.length, maxLength: decades.length });

describe("a cost that should be constant", () => {
  it("is constant however the machine wavers", () => {
    fc.assert(
      fc.property(wavering, (noise) => {
        expect(
          judge(
            "constant",
            points((x) => 5 * (noise[decades.indexOf(x)] ?? 1)),
          ).verdict,
        ).toBe("constant");
      }),
    );
  });

  it("grows when it follows the root of what grows, and its wall is found", () => {
    const { verdict, exponent, wall } = judge("constant", points(Math.sqrt));
    expect(verdict).toBe("grows");
    expect(exponent).toBeCloseTo(0.5);
    expect(wall?.x).toBe(100);
  });

  it("is constant when one point alone was slow", () => {
    expect(
      judge(
        "constant",
        points((x) => (x === 1_000 ? 50 : 5)),
      ).verdict,
    ).toBe("constant");
  });

  it("has its wall where a cache ends, not where it began to be measured", () => {
    expect(
      judge(
        "constant",
        points((x) => (x < 10_000 ? 5 : 100)),
      ).wall,
    ).toEqual({ x: 10_000, factor: 20 });
  });

  it("does not grow where the raw loop beside it slowed down as much", () => {
    expect(
      judge(
        "constant",
        points(
          (x) => x,
          (x) => x / 3,
        ),
      ).verdict,
    ).toBe("constant");
  });
});

describe("a cost that should be linear", () => {
  it("is linear however the machine wavers, and where it begins with a price for beginning", () => {
    fc.assert(
      fc.property(wavering, (noise) => {
        expect(
          judge(
            "linear",
            points((x) => (x + 40) * (noise[decades.indexOf(x)] ?? 1)),
          ).verdict,
        ).toBe("linear");
      }),
    );
  });

  it("is worse than linear when it follows the square", () => {
    expect(
      judge(
        "linear",
        points((x) => x + x ** 2 / 500),
      ),
    ).toMatchObject({ verdict: "worse than linear", wall: { x: 1_000 } });
  });
});
