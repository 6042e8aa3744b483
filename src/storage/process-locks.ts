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

/** Lines of the stack that are this package's own: in its sources, in the files it ships (whose chunks bear a sum), or the runtime's. */
const INSIDE =
  /[\\/]src[\\/](storage|engine|base)[\\/]|[\\/]src[\\/](open|odradek)\.|[\\/]odradek[\\/]dist[\\/]|[\\/]dist[\\/]chunk-[A-Z0-9]{8}\.js|node:internal|\(native/;
/** Between the lock and the program lie more lines than V8 keeps unless it is told. */
const STACK_LINES = 50;

/** The first line of the stack outside this package. */
function callSite(): string {
  const lines = stack()
    .split("\n")
    .filter((line) => /:\d+:\d+\)?$/.test(line));
  const outside = lines.find((line) => !INSIDE.test(line));
  const place = (outside ?? lines.at(-1) ?? "").trim();
  return place === "" ? "at a place that left no stack" : place.startsWith("at ") ? place : `at ${place}`;
}

function stack(): string {
  const limit: unknown = Reflect.get(Error, "stackTraceLimit");
  // Where it cannot be set, there are fewer lines.
  Reflect.set(Error, "stackTraceLimit", STACK_LINES);
  try {
    return new Error().stack ?? "";
  } finally {
    Reflect.set(Error, "stackTraceLimit", limit);
  }
}
