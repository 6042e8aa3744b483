/** The locks this process holds on data directories, shared by every copy of this module that was loaded into it. */
import type { LockOptions, StorageLock } from "../api/storage-driver.ts";
import { UsageError } from "../base/errors.ts";

/** Through a registered symbol, because two bundles or two versions in one process must see each other's. */
const REGISTRY = Symbol.for("odradek.locks");

/** Held directories by key (a real path) and where each was opened. The values are plain: another version may read them. */
function registry(): Map<unknown, string> {
  const holder = globalThis as { [REGISTRY]?: Map<unknown, string> };
  holder[REGISTRY] ??= new Map();
  return holder[REGISTRY];
}

/**
 * Claims `key` within this process; answers how to give it back (idempotent). Throws a `UsageError` `ALREADY_OPEN` that says
 * where it was opened. `shown` is the directory as a person knows it.
 */
export function claimInProcess(key: unknown, shown: string): () => void {
  const locks = registry();
  const where = locks.get(key);
  if (where !== undefined) {
    throw new UsageError(
      "ALREADY_OPEN",
      `${shown} is open already in this process: it was opened ${where}. Close that log first, or share it.`,
    );
  }
  const mine = callSite();
  locks.set(key, mine);
  let held = true;
  return () => {
    if (held) locks.delete(key);
    held = false;
  };
}

/** The lock of a place that no other process can come to: a claim within this one is all that is needed. */
export async function lockInProcess(key: unknown, shown: string, { signal }: LockOptions): Promise<StorageLock> {
  signal?.throwIfAborted();
  const release = claimInProcess(key, shown);
  let held = true;
  return {
    stillHeld: () => held,
    release: async () => {
      held = false;
      release();
    },
  };
}

/** The first line of the stack outside this package, and the time. */
function callSite(): string {
  const lines = (new Error().stack ?? "").split("\n").filter((line) => /:\d+:\d+\)?$/.test(line));
  const outside = lines.find(
    (line) => !/[\\/](src|dist)[\\/](storage|engine|base)[\\/]|[\\/](src|dist)[\\/](open|odradek)\.|node:internal|\(native/.test(line),
  );
  const place = (outside ?? lines.at(-1) ?? "").trim();
  return place === "" ? "at a place that left no stack" : place.startsWith("at ") ? place : `at ${place}`;
}
