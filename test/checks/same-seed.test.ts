import fc from "fast-check";
import { expect, it } from "vitest";

function drawn(): number[] {
  const values: number[] = [];
  const noted = (value: number): boolean => values.push(value) > 0;
  fc.assert(fc.property(fc.integer(), noted), { numRuns: 10 });
  return values;
}

it("every property draws the same values in every run", () => {
  expect(drawn()).toEqual(drawn());
});
