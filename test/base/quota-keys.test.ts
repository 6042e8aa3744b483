/** Which quotas there are, and which values and clients of theirs are legal. */
import { expect, it } from "vitest";
import { isQuotaClient, isQuotaValue } from "../../src/base/quota-keys.ts";

it.each([
  [Number.MIN_VALUE, true],
  [1, true],
  [0.5, true],
  [Number.MAX_VALUE, true],
  [0, false],
  [-0, false],
  [-1, false],
  [Number.NaN, false],
  [Number.POSITIVE_INFINITY, false],
  ["1", false],
  [null, false],
  [true, false],
])("a quota of %j is legal: %s", (value, isLegal) => {
  expect(isQuotaValue(value)).toBe(isLegal);
});

it.each([
  [null, true],
  ["a", true],
  ["x".repeat(249), true],
  ["x".repeat(250), false],
  ["", false],
  [undefined, false],
  [5, false],
  [["a"], false],
])("%j is a client with a quota, or all of them: %s", (value, isLegal) => {
  expect(isQuotaClient(value)).toBe(isLegal);
});
