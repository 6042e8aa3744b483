/** A promise that did not hold, as the simulations tell it, sorted by the clause that it breaks. */
import type { Breach, Failure } from "./prover.ts";

const CLAUSES: readonly (readonly [pattern: RegExp, breach: Breach])[] = [
  [/\bC2\b/, "hole"],
  [/\bC3\b/, "phantom"],
  [/\bC1\b|\bC4\b|\bC5\b/, "lost"],
];

/** What an oracle says begins with, or names, the clause of the durability contract that was broken. */
export function failureOf(error: unknown): Failure {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { breach: CLAUSES.find(([pattern]) => pattern.test(what))?.[1] ?? "other", what };
}
