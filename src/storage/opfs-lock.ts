/** The one writer's lock among the tabs and workers of an origin: a Web Lock, which the browser drops when its holder dies. */
import type { LockHolder, LockOptions, StorageLock } from "../api/storage-driver.ts";
import { StorageError } from "../base/errors.ts";
import { parseHolder } from "./lock-holder.ts";
import { webErrorName } from "./opfs-errors.ts";
import type { WebLocks } from "./opfs-web.ts";
import { claimInProcess } from "./process-locks.ts";

/** A worker that was ended a moment ago holds on for so long at most: 32 to 47 ms were seen. */
const LOCK_WAIT_MS_MAX = 250;

/** A request goes to the browser's own process and back: who waits for less is never given a lock that is free. */
const LOCK_WAIT_MS_MIN = 30;

/** Takes the lock `name`, or rejects with `DIRECTORY_IN_USE` and whom the holder said it is. */
export async function lockOrigin(
  locks: WebLocks | undefined,
  name: string,
  holder: LockHolder,
  options: LockOptions,
): Promise<StorageLock> {
  options.signal?.throwIfAborted();
  if (locks === undefined) {
    throw new StorageError(
      "LOCK_UNAVAILABLE",
      "opfs: this browser or runtime has no Web Locks (navigator.locks; pages have them over https and from localhost alone), and without them two tabs would write one log",
    );
  }
  const unclaim = claimInProcess(`opfs:${name}`, `the log ${name}`);
  try {
    const released = await take(locks, name, Math.max(LOCK_WAIT_MS_MIN, options.retryMs ?? LOCK_WAIT_MS_MAX), options.signal);
    // Who we are, as the name of a second lock: `query` shows names alone, and this one goes when we go.
    const unnamed = await take(locks, `${name} ${JSON.stringify(holder)}`, LOCK_WAIT_MS_MAX, undefined).catch(() => null);
    let held = true;
    void released.lost.then(() => {
      held = false;
    });
    return {
      stillHeld: () => held,
      release: async () => {
        held = false;
        unnamed?.release();
        released.release();
        await released.lost;
        unclaim();
      },
    };
  } catch (error) {
    unclaim();
    throw error;
  }
}

interface Held {
  readonly release: () => void;
  /** Resolves when the lock is not ours any more: released, or stolen by somebody with `steal`. */
  readonly lost: Promise<void>;
}

function take(locks: WebLocks, name: string, waitMs: number, signal: AbortSignal | undefined): Promise<Held> {
  const waiting = new AbortController();
  const giveUp = (): void => waiting.abort();
  const timer = setTimeout(giveUp, waitMs);
  signal?.addEventListener("abort", giveUp, { once: true });
  return new Promise<Held>((resolve, reject) => {
    const lost = locks
      .request(
        name,
        { signal: waiting.signal },
        () =>
          new Promise<void>((release) => {
            clearTimeout(timer);
            signal?.removeEventListener("abort", giveUp);
            resolve({ release, lost });
          }),
      )
      .catch(async (error: unknown) => {
        clearTimeout(timer);
        if (webErrorName(error) !== "AbortError") reject(error);
        else reject(signal?.aborted === true ? signal.reason : await inUse(locks, name));
      });
  });
}

async function inUse(locks: WebLocks, name: string): Promise<StorageError> {
  const { held = [] } = await locks.query();
  const told = held.find((lock) => lock.name?.startsWith(`${name} {`))?.name?.slice(name.length + 1);
  const holder = told === undefined ? null : parseHolder(`${told}\n`);
  const since = holder?.since === undefined ? "" : `, since ${holder.since}`;
  return new StorageError(
    "DIRECTORY_IN_USE",
    `the log ${name} is open in another tab or worker of this origin${since}. Close it there, or reach it through that tab (docs/STORAGE.md). A tab that hangs keeps it until it is closed or reloaded; one that crashed has lost it already`,
    { holder },
  );
}
