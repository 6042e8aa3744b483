/** The lock that keeps a second writer out of a directory on disk: which mechanism, and what is checked before it. */
import type { LockHolder, LockOptions, StorageLock } from "../api/storage-driver.ts";
import { StorageError } from "../base/errors.ts";
import { brokerHolding } from "./node-broker-lock.ts";
import { lockByExclusiveOpen } from "./node-exclusive-open.ts";
import { type FlockOptions, lockByFlock } from "./node-flock.ts";
import type { LockAttempt } from "./node-lock-file.ts";
import { networkFileSystemAt } from "./node-network-file-system.ts";
import { lockBySocket } from "./node-socket-lock.ts";
import { claimInProcess } from "./process-locks.ts";

/** How long a refusal is doubted: a process that is being forked holds copies of its parent's descriptors for some milliseconds. */
const RETRY_MS = 250;
const RETRY_FIRST_DELAY_MS = 5;

export interface DirectoryLockOptions extends LockOptions, FlockOptions {
  readonly platform?: string;
}

/**
 * Takes the lock of `directory` (a real path). Rejects with `ALREADY_OPEN` when this process has it, `DIRECTORY_IN_USE` with the
 * holder when another has, a Kafka broker included, and `LOCK_UNAVAILABLE` or `NETWORK_FILE_SYSTEM` where no lock can be trusted.
 */
export async function lockDirectory(directory: string, holder: LockHolder, options: DirectoryLockOptions): Promise<StorageLock> {
  const platform = options.platform ?? process.platform;
  if (!options.allowNetworkFileSystem) refuseNetworkFileSystem(directory, platform);
  const releaseInProcess = claimInProcess(directory, directory);
  try {
    const lock = await attemptForAWhile(directory, holder, options, platform);
    try {
      const broker = brokerHolding(directory, platform);
      if (broker !== null) throw inUse(directory, broker);
    } catch (error) {
      await lock.release();
      throw error;
    }
    let released: Promise<void> | null = null;
    return {
      stillHeld: () => released === null && lock.stillHeld(),
      release: () => {
        // First the system's lock, then this process's: who comes between is told the truth by either.
        released ??= lock.release().finally(releaseInProcess);
        return released;
      },
    };
  } catch (error) {
    releaseInProcess();
    throw error;
  }
}

async function attemptForAWhile(
  directory: string,
  holder: LockHolder,
  options: DirectoryLockOptions,
  platform: string,
): Promise<StorageLock> {
  const until = performance.now() + (options.retryMs ?? RETRY_MS);
  for (let delayMs = RETRY_FIRST_DELAY_MS; ; delayMs *= 2) {
    options.signal?.throwIfAborted();
    const attempt = await attemptLock(directory, holder, options, platform);
    if ("stillHeld" in attempt) return attempt;
    const leftMs = until - performance.now();
    if (leftMs <= 0) throw inUse(directory, attempt.heldBy);
    await new Promise((wake) => setTimeout(wake, Math.min(delayMs, leftMs)));
  }
}

async function attemptLock(directory: string, holder: LockHolder, options: DirectoryLockOptions, platform: string): Promise<LockAttempt> {
  if (options.mechanism === "socket") {
    if (platform === "linux" || platform === "android") return lockBySocket(directory, holder);
    throw new StorageError(
      "LOCK_UNAVAILABLE",
      `lock: "socket" is for Linux alone: here (${platform}) leave lock at "auto", which needs no other program`,
    );
  }
  if (platform === "linux" || platform === "android") return lockByFlock(directory, holder, options);
  return lockByExclusiveOpen(directory, holder, platform);
}

function refuseNetworkFileSystem(directory: string, platform: string): void {
  const found = networkFileSystemAt(directory, platform);
  if (found === null) return;
  throw new StorageError(
    "NETWORK_FILE_SYSTEM",
    `${directory} is on a network file system (${found}): expected a local disk, because neither locks nor flushes can be relied on there. ` +
      "If one machine alone ever opens it, open with allowNetworkFileSystem: true",
  );
}

function inUse(directory: string, holder: unknown): StorageError {
  const known = typeof holder === "object" && holder !== null ? (holder as Partial<LockHolder>) : {};
  const who =
    known.pid === undefined
      ? "another process (it did not say which)"
      : `process ${known.pid} (${known.runtime ?? "?"} ${known.version ?? ""})`.replace(" )", ")");
  const since = known.since === undefined ? "" : ` since ${known.since}`;
  const where = known.hostname === undefined ? "" : ` on ${known.hostname}`;
  const argv = known.argv === undefined || known.argv.length === 0 ? "" : `: ${known.argv.join(" ")}`;
  return new StorageError(
    "DIRECTORY_IN_USE",
    `${directory} is open in ${who}${where}${since}${argv}. One process may have it open at a time`,
    {
      holder: holder ?? null,
    },
  );
}
