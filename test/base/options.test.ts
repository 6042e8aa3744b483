import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/base/errors.ts";
import {
  booleanOption,
  checkOptions,
  choiceOption,
  describeValue,
  functionOption,
  integerOption,
  numberOption,
  type OptionTable,
  objectOption,
  signalOption,
  stringOption,
} from "../../src/base/options.ts";

interface Sample {
  lingerMs: number;
  retentionMs: number;
  ratio: number;
  acks: "all" | 0 | 1;
  clientId: string;
  enableIdempotence: boolean;
  partitioner: () => number;
  value: { serialize(): Uint8Array };
  signal: AbortSignal;
}

const TABLE: OptionTable<Sample> = {
  lingerMs: integerOption(0, 1000),
  retentionMs: integerOption(0, Number.POSITIVE_INFINITY),
  ratio: numberOption(0, 1),
  acks: choiceOption("all", 0, 1),
  clientId: stringOption(1, 10),
  enableIdempotence: booleanOption,
  partitioner: functionOption(),
  value: objectOption("a serializer", "serialize"),
  signal: signalOption,
};

function refusal(given: unknown): UsageError {
  try {
    checkOptions(given, TABLE, "log.producer()");
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error as UsageError;
  }
  throw new Error("nothing was thrown");
}

describe("checkOptions", () => {
  it("gives back what was given, without what is undefined", () => {
    const signal = new AbortController().signal;
    const given = { lingerMs: 5, retentionMs: Number.POSITIVE_INFINITY, ratio: 0.5, acks: 0, clientId: undefined, signal } as const;
    const checked = checkOptions<Sample>(given, TABLE, "here");
    expect({ ...checked }).toStrictEqual({ lingerMs: 5, retentionMs: Number.POSITIVE_INFINITY, ratio: 0.5, acks: 0, signal });
    expect(Object.getPrototypeOf(checked)).toBeNull();
    expect({ ...checkOptions(undefined, TABLE, "here") }).toStrictEqual({});
  });

  it("names the nearest option for a name that does not exist, Kafka's spelling included", () => {
    const error = refusal({ "linger.ms": 5 });
    expect(error.code).toBe("UNKNOWN_CONFIG");
    expect(error.message).toBe('log.producer(): there is no option "linger.ms"; did you mean lingerMs?');
    expect(refusal({ lingrMs: 5 }).message).toContain("did you mean lingerMs?");
    expect(refusal({ zzzzzzzzzzzzzzzzzz: 5 }).message).toContain("the options are lingerMs, retentionMs");
  });

  it.each([
    [{ lingerMs: -1 }, "lingerMs: expected a whole number from 0 to 1000, found -1"],
    [{ lingerMs: 1.5 }, "found 1.5"],
    [{ lingerMs: Number.NaN }, "found NaN"],
    [{ lingerMs: Number.POSITIVE_INFINITY }, "found Infinity"],
    [{ lingerMs: "5" }, 'found "5"'],
    [{ lingerMs: null }, "found null"],
    [{ ratio: Number.NaN }, "ratio: expected a number from 0 to 1, found NaN"],
    [{ acks: -1 }, 'acks: expected one of "all", 0, 1, found -1'],
    [{ clientId: "" }, "clientId: expected a string of 1 to 10 characters"],
    [{ enableIdempotence: 1 }, "expected true or false, found 1"],
    [{ partitioner: {} }, "expected a function, found an object"],
    [{ value: {} }, "expected a serializer, found an object"],
    [{ signal: {} }, "expected an AbortSignal, found an object"],
    [null, "expected an object of options, found null"],
    [[], "expected an object of options, found an array of 0"],
    [5, "expected an object of options, found 5"],
  ])("refuses %j, saying what was expected and found", (given, sentence) => {
    const error = refusal(given);
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toContain("log.producer()");
    expect(error.message).toContain(sentence);
  });

  it("is not led astray by prototypes, inherited names, getters or proxies", () => {
    expect(refusal(JSON.parse('{"__proto__": {"lingerMs": 5}}')).code).toBe("UNKNOWN_CONFIG");
    expect(refusal(JSON.parse('{"constructor": 5}')).code).toBe("UNKNOWN_CONFIG");
    expect(refusal({ toString: 5 }).code).toBe("UNKNOWN_CONFIG");
    expect({ ...checkOptions(Object.create({ lingerMs: -1, nonsense: 1 }), TABLE, "here") }).toStrictEqual({});

    let reads = 0;
    const shifty = {
      get lingerMs() {
        reads += 1;
        return reads === 1 ? 5 : -5;
      },
    };
    expect(checkOptions(shifty, TABLE, "here").lingerMs).toBe(5);

    const thrown = new Error("no");
    const throwing = {
      get lingerMs(): number {
        throw thrown;
      },
    };
    expect(refusal(throwing).cause).toBe(thrown);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(refusal(proxy).code).toBe("INVALID_ARGUMENT");
  });

  it("does not look through an object of endless names", () => {
    const endless = Object.fromEntries(Array.from({ length: 10_001 }, (_, number) => [`name${number}`, 1]));
    expect(() => checkOptions(endless, TABLE, "here")).toThrow(/^here: expected at most \d+ options, found 10001$/);
  });

  it("answers any object with checked options or a UsageError, and leaves Object.prototype alone", () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    const names = fc.oneof(fc.constantFrom(...Object.keys(TABLE), "__proto__", "constructor"), fc.string());
    fc.assert(
      fc.property(fc.dictionary(names, fc.anything()), (given) => {
        try {
          const checked = checkOptions(given, TABLE, "here");
          for (const name of Object.keys(checked)) expect(Object.hasOwn(TABLE, name)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          expect((error as UsageError).message.length).toBeLessThan(600);
        }
      }),
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toStrictEqual(before);
  });
});

describe("describeValue", () => {
  it("says any value in a few words", () => {
    fc.assert(fc.property(fc.anything(), (value) => describeValue(value).length <= 400));
    expect(describeValue(Symbol("s"))).toBe("a symbol");
    expect(describeValue(-0)).toBe("-0");
    expect(describeValue(undefined)).toBe("undefined");
    expect(describeValue(new Uint8Array(3))).toBe("3 bytes");
    expect(describeValue("x".repeat(100))).toBe("a string of 100 characters");
    expect(describeValue(10n ** 1000n)).toBe("a bigint");
  });
});
