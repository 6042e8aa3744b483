/** The mutator of the core takes a module apart and puts it together again, changes one thing at a time, and its tests see changes. */
import { describe, expect, it } from "vitest";
import { mutantsOf, panicFunctions } from "../../scripts/mutate-operators.mjs";
import { signed, unsigned, WasmModuleBytes } from "../../scripts/mutate-wasm.mjs";
import { binaryOf } from "../core/builds.ts";

const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    validate(bytes: Uint8Array): boolean;
    Module: new (bytes: Uint8Array) => object;
    Instance: new (module: object) => { exports: Record<string, (...given: number[]) => number> & Record<string, { value: number }> };
  };
};

/** One type, (i32, i32) -> i32; one function of these instructions, exported as "f"; one global. */
function moduleOf(...instructions: number[]): Uint8Array {
  const section = (id: number, bytes: readonly number[]): number[] => [id, ...unsigned(bytes.length), ...bytes];
  const body = [0, ...instructions, 0x0b];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f]),
    ...section(3, [1, 0]),
    ...section(6, [1, 0x7f, 1, 0x41, 0, 0x0b]),
    ...section(7, [1, 1, 0x66, 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}

const run = (bytes: Uint8Array, ...given: number[]): number =>
  (new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports["f"] as (...given: number[]) => number)(...given);

/** What each mutant is called, and what it makes of these arguments. */
function outcomes(bytes: Uint8Array, ...given: number[]): [what: string, result: number][] {
  const module = new WasmModuleBytes(bytes);
  const fn = module.functions[0]!;
  return mutantsOf(module, fn, panicFunctions(module)).map(({ what, body }) => [what, run(module.withBody(0, body()), ...given)]);
}

describe("numbers of the binary format", () => {
  it("are written as by the rule of seven bits", () => {
    expect([unsigned(0), unsigned(127), unsigned(128), unsigned(624_485)]).toEqual([[0], [0x7f], [0x80, 1], [0xe5, 0x8e, 0x26]]);
    expect([signed(0n), signed(63n), signed(64n), signed(-1n), signed(-64n), signed(-123_456n)]).toEqual([
      [0],
      [63],
      [0xc0, 0],
      [0x7f],
      [0x40],
      [0xc0, 0xbb, 0x78],
    ]);
  });
});

describe("a module taken apart", () => {
  it("is the same when it is put together again, and every mutant of it is a module", () => {
    for (const build of ["release", "debug"] as const) {
      const bytes = binaryOf(build);
      const module = new WasmModuleBytes(bytes);
      expect(Buffer.compare(module.withBody(0, module.functions[0]!.body), bytes)).toBe(0);
      const panics = panicFunctions(module);
      let tried = 0;
      for (const fn of module.functions) {
        for (const [index, { body }] of mutantsOf(module, fn, panics).entries()) {
          if (index % 40 !== 0) continue;
          tried++;
          const mutant = module.withBody(fn.index, body());
          expect(WebAssembly.validate(mutant)).toBe(true);
          expect(Buffer.compare(mutant, bytes)).not.toBe(0);
        }
      }
      expect(tried).toBeGreaterThan(200);
    }
  });

  it("says with probes which functions were entered", () => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new WasmModuleBytes(moduleOf(0x20, 0)).withProbes()));
    expect(exports["entered0"]!.value).toBe(0);
    expect((exports["f"] as (...given: number[]) => number)(7, 8)).toBe(7);
    expect(exports["entered0"]!.value).toBe(1);
  });
});

describe("a mutant", () => {
  it("of a comparison is its contrary and its neighbour", () => {
    // Less than, of signed numbers.
    expect(outcomes(moduleOf(0x20, 0, 0x20, 1, 0x48), 3, 3)).toEqual([
      ["comparison negated", 1],
      ["comparison off by one", 1],
    ]);
    expect(outcomes(moduleOf(0x20, 0, 0x20, 1, 0x48), 2, 3)).toEqual([
      ["comparison negated", 0],
      ["comparison off by one", 1],
    ]);
  });

  it("of an addition is a subtraction, of a number the one above and the one below", () => {
    expect(outcomes(moduleOf(0x20, 0, 0x20, 1, 0x6a), 7, 3)).toEqual([["arithmetic changed", 4]]);
    expect(outcomes(moduleOf(0x41, ...signed(64n)))).toEqual([
      ["constant plus one", 65],
      ["constant minus one", 63],
    ]);
  });

  it("of a condition is its contrary, of an assignment none", () => {
    // if (first) second else 9
    expect(outcomes(moduleOf(0x20, 0, 0x04, 0x7f, 0x20, 1, 0x05, 0x20, 0, 0x0b), 5, 6)).toEqual([["condition negated", 5]]);
    expect(outcomes(moduleOf(0x20, 0, 0x21, 1, 0x20, 1), 5, 6)).toEqual([["assignment removed", 6]]);
  });

  it("is not made of what runs on the way to a trap alone", () => {
    const dying = moduleOf(0x20, 0, 0x04, 0x40, 0x41, 1, 0x24, 0, 0x00, 0x0b, 0x20, 1);
    expect(outcomes(dying, 1, 6)).toEqual([["condition negated", 6]]);
  });

  it("is not made of a rotation by half, which is the same in both directions", () => {
    const module = new WasmModuleBytes(moduleOf(0x20, 0, 0xac, 0x42, 32, 0x89, 0xa7));
    expect(mutantsOf(module, module.functions[0]!, new Set()).map(({ what }) => what)).not.toContain("rotation");
    const kinds = mutantsOf(module, module.functions[0]!, new Set()).map(({ instruction, what }) => `${instruction} ${what}`);
    expect(kinds).toEqual(["1 arithmetic changed", "2 constant plus one", "2 constant minus one"]);
  });
});
