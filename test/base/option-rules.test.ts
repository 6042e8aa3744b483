/** Each rule an option can have, at the edges of what it takes, and in the words in which it refuses. */
import { describe, expect, it } from "vitest";
import {
  booleanOption,
  checkOptions,
  choiceOption,
  customOption,
  describeValue,
  functionOption,
  integerOption,
  numberOption,
  type OptionRule,
  objectOption,
  signalOption,
  stringOption,
} from "../../src/base/options.ts";

const method = (): void => {};
const throwing = {
  get get(): never {
    throw new Error("no");
  },
};
const CALLABLE = Object.assign(() => {}, { get: method });

const RULES: readonly (readonly [rule: OptionRule<never>, expected: string, legal: readonly unknown[], wrong: readonly unknown[]])[] = [
  [
    integerOption(2, 5),
    "a whole number from 2 to 5",
    [2, 3, 5],
    [1, 6, 2.5, "3", 3n, Number.NaN, Number.POSITIVE_INFINITY, null, true, [3]],
  ],
  [integerOption(-3, 0), "a whole number from -3 to 0", [-3, 0, -0], [-4, 1]],
  [integerOption(0), `a whole number from 0 to ${2 ** 53 - 1}`, [0, 2 ** 53 - 1], [-1, 2 ** 53, Number.POSITIVE_INFINITY]],
  [
    integerOption(1, Number.POSITIVE_INFINITY),
    "a whole number from 1, or Infinity",
    [1, 2 ** 53 - 1, Number.POSITIVE_INFINITY],
    [0, 1.5, 2 ** 53, Number.NEGATIVE_INFINITY, "Infinity"],
  ],
  [numberOption(0.5, 1.5), "a number from 0.5 to 1.5", [0.5, 1, 1.5], [0.49, 1.51, Number.NaN, "1", 1n, null]],
  [numberOption(0, Number.POSITIVE_INFINITY), "a number from 0 to Infinity", [0, Number.POSITIVE_INFINITY], [-Number.MIN_VALUE]],
  [choiceOption("all", 0, true), 'one of "all", 0, true', ["all", 0, true], ["ALL", 1, "0", false, null]],
  [stringOption(), "a string of at most 32767 characters", ["", "x".repeat(32_767)], ["x".repeat(32_768), 5, null, ["x"]]],
  [stringOption(2, 3), "a string of 2 to 3 characters", ["ab", "abc"], ["a", "abcd", { length: 2 }]],
  [booleanOption, "true or false", [true, false], [0, "true", null]],
  [functionOption(), "a function", [method, CALLABLE], [{}, null, "method"]],
  [
    objectOption("a store", "get", "set"),
    "a store",
    [{ get: method, set: method }, new Map(), Object.assign(() => {}, { get: method, set: method })],
    [
      { get: method },
      { set: method },
      { get: method, set: 5 },
      null,
      "get",
      Object.defineProperty({ set: method }, "get", { get: () => throwing.get }),
    ],
  ],
  [objectOption("a thing", "get"), "a thing", [CALLABLE, { get: method }], [throwing, undefined, 7]],
  [objectOption("an object"), "an object", [{}, method, []], [null, "x", 5]],
  [signalOption, "an AbortSignal", [new AbortController().signal, AbortSignal.abort()], [new AbortController(), new EventTarget(), {}]],
  [customOption("an even number", (value) => (value as number) % 2 === 0), "an even number", [4], [3]],
] as never;

describe("an option", () => {
  it.each(RULES.map((rule) => [rule[1], rule] as const))(
    "that is %s is taken there and nowhere else, and says so",
    (_name, [rule, expected, legal, wrong]) => {
      for (const value of legal)
        expect({ ...checkOptions<{ it: unknown }>({ it: value }, { it: rule }, "call()") }).toStrictEqual({ it: value });
      for (const value of wrong) {
        expect(() => checkOptions<{ it: unknown }>(value === undefined ? { it: null } : { it: value }, { it: rule }, "call()")).toThrow(
          expect.objectContaining({
            name: "UsageError",
            code: "INVALID_ARGUMENT",
            message: `call(): it: expected ${expected}, found ${describeValue(value === undefined ? null : value)}`,
          }),
        );
      }
    },
  );

  it("of a name that is not there is refused though it is undefined, and the names are counted before they are read", () => {
    const options = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, at) => [`name${at}`, undefined]));
    const check = (given: unknown) => () => checkOptions<{ it: number }>(given, { it: integerOption(0) }, "call()");
    expect(check(options(1))).toThrow(expect.objectContaining({ code: "UNKNOWN_CONFIG" }));
    expect(check(options(256))).toThrow('there is no option "name0"; the options are it');
    expect(check(options(257))).toThrow("expected at most 256 options, found 257");
    expect(check({ ["x".repeat(65)]: 1 })).toThrow("there is no option a string of 65 characters");
    expect(check(Object.defineProperty({}, "other", { value: 1 }))()).toEqual({});
  });

  it("is told apart from an object that throws when it is asked, and from none at all", () => {
    const check = (given: unknown) => () => checkOptions<{ it: number }>(given, { it: integerOption(0) }, "call()");
    const cause = new Error("no");
    const raise = (): never => {
      throw cause;
    };
    expect(check(new Proxy({}, { ownKeys: raise }))).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        cause,
        message: expect.stringContaining("call(): expected an object of options, found a proxy"),
      }),
    );
    expect(check(Object.defineProperty({}, "it", { get: raise, enumerable: true }))).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", cause, message: expect.stringContaining("call(): it: ") }),
    );
    for (const [given, found] of [
      [null, "null"],
      [method, "a function"],
      [["it"], "an array of 1"],
      ["it", '"it"'],
      [true, "true"],
      [7n, "a bigint"],
    ])
      expect(check(given)).toThrow(`call(): expected an object of options, found ${found}`);
  });
});

describe("a value in a few words", () => {
  it.each([
    ["", '""'],
    ['"', '"\\""'],
    ["x".repeat(64), `"${"x".repeat(64)}"`],
    ["x".repeat(65), "a string of 65 characters"],
    [5n, "a bigint"],
    [Symbol("s"), "a symbol"],
    [method, "a function"],
    [null, "null"],
    [undefined, "undefined"],
    [[1, 2], "an array of 2"],
    [new Uint8Array(3), "3 bytes"],
    [new DataView(new ArrayBuffer(8), 2), "6 bytes"],
    [new ArrayBuffer(2), "an object"],
    [{}, "an object"],
    [0, "0"],
    [-0, "-0"],
    [Number.NaN, "NaN"],
    [true, "true"],
  ])("%# of these is described, and never asked", (value, words) => {
    expect(describeValue(value)).toBe(words);
  });

  it("is an object where it will not say what it is", () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    expect(describeValue(proxy)).toBe("an object");
  });
});
