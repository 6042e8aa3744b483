/** A call that must be refused, and how. */
import { deepStrictEqual } from "node:assert/strict";

export async function refused(call: Promise<unknown>, as: { readonly name?: string; readonly code: string }): Promise<void> {
  const found = await call.then(
    (answer) => ({ answer }),
    (error: unknown) => Object.fromEntries(Object.keys(as).map((key) => [key, (error as Record<string, unknown>)[key]])),
  );
  deepStrictEqual(found, as);
}
