/** One way to check an options object, for every door: unknown names, wrong types and hostile objects are told apart and told plainly. */

import { UsageError } from "./errors.ts";
import { nearestName } from "./nearest-name.ts";

/** What one option may be. `expected` completes the sentence "expected …, found …". */
export interface OptionRule<T> {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  /** Never set: it only carries the type. */
  readonly type?: T;
}

/** Every legal name and its rule; a field of `O` that is left out does not compile. */
export type OptionTable<O> = { readonly [P in keyof O]-?: OptionRule<O[P]> };

/** More names than any door has: such an object is not walked to its end. */
const NAMES_MAX = 256;

/**
 * The options that were given, checked, in an object without prototype: what was left out or is `undefined` is not in it.
 * Only own enumerable names count, each value is read once. Throws a `UsageError`: `UNKNOWN_CONFIG` for a name that is not
 * in the table, naming the nearest, `INVALID_ARGUMENT` for a value of the wrong type or range.
 * `where` is the call as its author wrote it, such as `log.producer()`.
 */
export function checkOptions<O>(given: unknown, table: OptionTable<O>, where: string): Partial<O> {
  const checked = Object.create(null) as Partial<O>;
  if (given === undefined) return checked;
  if (typeof given !== "object" || given === null || isArray(given)) {
    throw new UsageError("INVALID_ARGUMENT", `${where}: expected an object of options, found ${describeValue(given)}`);
  }
  const names = ownNames(given, where);
  if (names.length > NAMES_MAX) {
    throw new UsageError("INVALID_ARGUMENT", `${where}: expected at most ${NAMES_MAX} options, found ${names.length}`);
  }
  for (const name of names) {
    if (!Object.hasOwn(table, name)) throw unknownOption(name, Object.keys(table), where);
    const value = readOnce(given as Record<string, unknown>, name, where);
    if (value === undefined) continue;
    const rule = table[name as keyof O];
    if (!rule.accepts(value)) {
      throw new UsageError("INVALID_ARGUMENT", `${where}: ${name}: expected ${rule.expected}, found ${describeValue(value)}`);
    }
    checked[name as keyof O] = value as O[keyof O];
  }
  return checked;
}

/** A whole number from `least` to `most`; `Infinity` only where `most` is. */
export function integerOption(least: number, most: number = Number.MAX_SAFE_INTEGER): OptionRule<number> {
  return {
    expected: most === Number.POSITIVE_INFINITY ? `a whole number from ${least}, or Infinity` : `a whole number from ${least} to ${most}`,
    accepts: (value) =>
      (Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY) && (value as number) >= least && (value as number) <= most,
  };
}

/** A number from `least` to `most`, never NaN. */
export function numberOption(least: number, most: number): OptionRule<number> {
  return {
    expected: `a number from ${least} to ${most}`,
    accepts: (value) => typeof value === "number" && value >= least && value <= most,
  };
}

/** One of a few literals. */
export function choiceOption<const C extends readonly (string | number | boolean)[]>(...choices: C): OptionRule<C[number]> {
  return {
    expected: `one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`,
    accepts: (value) => choices.includes(value as C[number]),
  };
}

/** A string of `least` to `most` UTF-16 units. */
export function stringOption(least = 0, most = 32767): OptionRule<string> {
  return {
    expected: least === 0 ? `a string of at most ${most} characters` : `a string of ${least} to ${most} characters`,
    accepts: (value) => typeof value === "string" && value.length >= least && value.length <= most,
  };
}

export const booleanOption: OptionRule<boolean> = { expected: "true or false", accepts: (value) => typeof value === "boolean" };

export function functionOption<T>(): OptionRule<T> {
  return { expected: "a function", accepts: (value) => typeof value === "function" };
}

/** An object (or function) with methods of these names: a serializer, a schema, a storage driver. */
export function objectOption<T>(expected: string, ...methods: readonly string[]): OptionRule<T> {
  return { expected, accepts: (value) => hasMethods(value, methods) };
}

export const signalOption: OptionRule<AbortSignal> = objectOption("an AbortSignal", "addEventListener", "throwIfAborted");

/** For options with a rule of their own. */
export function customOption<T>(expected: string, accepts: (value: unknown) => boolean): OptionRule<T> {
  return { expected, accepts };
}

/** A value in a few words, for "found …". Never throws, never calls the value's own code. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value.length > 64 ? `a string of ${value.length} characters` : JSON.stringify(value);
    case "bigint":
      return "a bigint";
    case "symbol":
      return "a symbol";
    case "function":
      return "a function";
    case "object":
      if (value === null) return "null";
      if (isArray(value)) return `an array of ${value.length}`;
      if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
      return "an object";
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

/** `Array.isArray` throws for a revoked proxy. */
function isArray(value: object): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

function hasMethods(value: unknown, methods: readonly string[]): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  try {
    return methods.every((method) => typeof (value as Record<string, unknown>)[method] === "function");
  } catch {
    return false; // a getter that throws is no method
  }
}

function ownNames(given: object, where: string): string[] {
  try {
    return Object.keys(given);
  } catch (cause) {
    throw new UsageError("INVALID_ARGUMENT", `${where}: expected an object of options, found a proxy that throws`, { cause });
  }
}

function readOnce(given: Record<string, unknown>, name: string, where: string): unknown {
  try {
    return given[name];
  } catch (cause) {
    throw new UsageError("INVALID_ARGUMENT", `${where}: ${name}: expected a value, found a getter that throws`, { cause });
  }
}

function unknownOption(name: string, legal: readonly string[], where: string): UsageError {
  const near = nearestName(name, legal);
  const hint = near === null ? `the options are ${legal.join(", ")}` : `did you mean ${near}?`;
  return new UsageError("UNKNOWN_CONFIG", `${where}: there is no option ${describeValue(name)}; ${hint}`);
}
