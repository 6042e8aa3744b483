/** Who keeps a log that was opened here: what a log's own methods know, for those who are handed the log. */
import type { LogKeeper } from "./api/broker.ts";
import type { Odradek } from "./api/odradek.ts";

const KEEPERS = /* @__PURE__ */ new WeakMap<Odradek, LogKeeper>();

export function keptBy(log: Odradek, keeper: LogKeeper): void {
  KEEPERS.set(log, keeper);
}

/** undefined for what `open` did not give. */
export function keeperOf(log: Odradek): LogKeeper | undefined {
  return KEEPERS.get(log);
}
