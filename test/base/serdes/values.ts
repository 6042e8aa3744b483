/** Any value that both JSON-like serdes can hold, for properties. */
import fc from "fast-check";

/** Well formed, as UTF-8 wants it: `unit: "grapheme"` and "binary" never give half a surrogate pair. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.string({ minLength: 60, maxLength: 70 }),
);

const safeNumber = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true }));

/** What JSON keeps as it is: -0, infinities and NaN are not among it. */
export const jsonValue: fc.Arbitrary<unknown> = fc.anything({
  values: [
    fc.boolean(),
    fc.oneof(
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    ),
    text,
    fc.constant(null),
  ],
  key: text,
  withNullPrototype: false,
});

/** What MessagePack keeps: also bytes, dates, 64-bit integers, -0 and the infinities. */
export const messagePackValue: fc.Arbitrary<unknown> = fc.anything({
  values: [
    fc.boolean(),
    safeNumber,
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -0),
    text,
    fc.constant(null),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 300 }),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
  ],
  key: text,
  withNullPrototype: false,
});
