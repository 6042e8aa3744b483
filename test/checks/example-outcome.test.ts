/** A run of an example counts as passed only where it says so itself, of something that it tried. */
import { expect, it } from "vitest";
import { outcomeOf } from "../../scripts/examples/outcome.mjs";

const summary = (pass: number, fail: number, skipped = 0): string =>
  `# tests 3\n# pass ${pass}\n# fail ${fail}\n# cancelled 0\n# skipped ${skipped}\n`;
const counts = (code: number, output: string): [number, number] => {
  const { passed, failed } = outcomeOf({ code, output });
  return [passed, failed.length];
};

it("reads a driver's line, whatever stands around it", () => {
  expect(counts(0, 'a warning\n{"passed":4,"failed":[]}\n')).toEqual([4, 0]);
  expect(counts(0, '{"passed":3,"failed":[{"name":"shows both","problem":"a timeout"}]}\n')).toEqual([3, 1]);
});

it("reads the summary of Node's test runner, in both its forms", () => {
  expect(counts(0, summary(3, 0))).toEqual([3, 0]);
  expect(counts(1, summary(2, 1).replaceAll("#", "ℹ"))).toEqual([2, 1]);
  expect(counts(0, summary(2, 0, 1))).toEqual([2, 1]);
});

it("takes silence, nothing tried, and an exit code that nothing explains for a failure", () => {
  expect(counts(0, "")).toEqual([0, 1]);
  expect(counts(0, '{"passed":0,"failed":[]}\n')).toEqual([0, 1]);
  expect(counts(0, summary(0, 0))).toEqual([0, 1]);
  expect(counts(1, '{"passed":4,"failed":[]}\n')).toEqual([0, 1]);
});
