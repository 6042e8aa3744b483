/**
 * Before every test file: bytes are compared as bytes. vitest's own `toEqual` looks at a Uint8Array as at an object with a name for each
 * byte: half a minute for a few hundred index files in one test. What is equal byte for byte is said to be so here; of anything else,
 * also of a Buffer beside a Uint8Array, vitest judges as ever.
 */
import { expect } from "vitest";

/** For `expect.addEqualityTesters`: true, or undefined for what others are to judge. */
export function equalBytes(left: unknown, right: unknown): true | undefined {
  if (!(left instanceof Uint8Array && right instanceof Uint8Array)) return undefined;
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right) || left.length !== right.length) return undefined;
  return Buffer.compare(left, right) === 0 ? true : undefined;
}

// Once a process: the list is kept while files come and go.
const ADDED = Symbol.for("odradek.equalBytes");
if (!Object.hasOwn(globalThis, ADDED)) {
  Object.defineProperty(globalThis, ADDED, { value: true });
  expect.addEqualityTesters([equalBytes]);
}
