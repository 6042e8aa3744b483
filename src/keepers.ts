/** Who keeps a log that was opened here: what a log's own methods know, for those who are handed the log. */
import type { LogKeeper } from "./api/broker.ts";
import type { Odradek } from "./api/odradek.ts";

interface Kept {
  readonly keeper: LogKeeper;
  /** What ends with the log; null: it is closing. */
  servings: Set<() => Promise<void>> | null;
}

const KEEPERS = /* @__PURE__ */ new WeakMap<Odradek, Kept>();

export function keptBy(log: Odradek, keeper: LogKeeper): void {
  KEEPERS.set(log, { keeper, servings: new Set() });
}

/** undefined for what `open` did not give. */
export function keeperOf(log: Odradek): LogKeeper | undefined {
  return KEEPERS.get(log)?.keeper;
}

/** `letGo` is called before the log closes. Answers how to take that back; null for a log that is closing or closed. */
export function servedUntilClose(log: Odradek, letGo: () => Promise<void>): (() => void) | null {
  const servings = KEEPERS.get(log)?.servings ?? null;
  if (servings === null) return null;
  servings.add(letGo);
  return () => void servings.delete(letGo);
}

/** Ends all that serve the log; nobody comes after them. */
export async function letGoOf(log: Odradek): Promise<void> {
  const kept = KEEPERS.get(log);
  const servings = kept?.servings ?? [];
  if (kept !== undefined) kept.servings = null;
  await Promise.all([...servings].map((letGo) => letGo()));
}
