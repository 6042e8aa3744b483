import { describe, expect, it } from "vitest";
import { Kit } from "../runtimes/kit.mjs";

interface Outcome {
  readonly passed: number;
  readonly failed: readonly { readonly name: string; readonly problem: string }[];
}

/** Runs one test of the kit that is used where no framework runs. */
async function outcomeOf(body: (kit: InstanceType<typeof Kit>) => void | Promise<void>): Promise<Outcome> {
  const kit = new Kit();
  kit.describe("outer", () => kit.it("inner", async () => await body(kit)));
  return await kit.run();
}

describe("the kit of the runtime suites", () => {
  it.each([
    ["numbers that differ", 1, 2],
    ["an array that is longer", [1, 2], [1]],
    ["a nested field", { a: { b: 1 } }, { a: { b: 2 } }],
    ["bytes that differ", new Uint8Array([1]), new Uint8Array([2])],
    ["null for an object", null, {}],
    ["a field too many", { a: 1, b: 2 }, { a: 1 }],
    ["bytes for an array", new Uint8Array([1]), [1]],
    ["two errors", new Error("a"), new Error("a")],
  ])("sees %s", async (_, actual, expected) => {
    const outcome = await outcomeOf((kit) => kit.expect(actual).toEqual(expected));
    expect(outcome.passed).toBe(0);
    expect(outcome.failed[0]?.name).toBe("outer: inner");
  });

  it.each([
    ["NaN", Number.NaN, Number.NaN],
    ["nested arrays", [[1], { a: [2] }], [[1], { a: [2] }]],
    ["a field that is undefined", { a: 1, b: undefined }, { a: 1 }],
    ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  ])("takes %s for equal", async (_, actual, expected) => {
    expect(await outcomeOf((kit) => kit.expect(actual).toEqual(expected))).toEqual({ passed: 1, failed: [] });
  });

  it("counts a test that rejects as failed, and goes on", async () => {
    const kit = new Kit();
    kit.it("first", async () => await Promise.reject(new Error("no")));
    kit.it("second", async () => {});
    const outcome: Outcome = await kit.run();
    expect(outcome.passed).toBe(1);
    expect(outcome.failed.map(({ name }) => name)).toEqual(["first"]);
  });
});
