/** The file that a lock on disk stands on: its name, the line in it, and whether it still is the one that was locked. */
import { closeSync, fstatSync, ftruncateSync, readSync, statSync, writeSync } from "node:fs";
import type { LockHolder, StorageLock } from "../api/storage-driver.ts";
import { HOLDER_BYTES_MAX, holderLine, parseHolder } from "./lock-holder.ts";

/** The one name every mechanism uses, so that two of them exclude each other: flock makes a file of it, sockets a directory. */
export const LOCK_NAME = ".odradek-lock";

/** What one try answers: the lock, or (as far as it is known) who holds it. */
export type LockAttempt = StorageLock | { readonly heldBy: unknown };

export function isSameFile(fd: number, path: string): boolean {
  const mine = fstatSync(fd);
  const named = statSync(path, { throwIfNoEntry: false });
  return named !== undefined && named.dev === mine.dev && named.ino === mine.ino;
}

/** The lock that `fd` holds, with the holder's line written into it. */
export function heldLock(fd: number, path: string, holder: LockHolder): StorageLock {
  replaceLine(fd, holderLine(holder));
  // A plain number, kept in this closure and closed here alone: a FileHandle might be closed by the garbage collector.
  let open = true;
  return {
    stillHeld: () => open && isSameFile(fd, path),
    async release() {
      if (!open) return;
      open = false;
      replaceLine(fd, "");
      // The file stays: to remove it would let two processes lock two files of one name.
      closeSync(fd);
    },
  };
}

/** Who wrote into the file last; null in the blink between locking and writing. */
export function readHolder(fd: number): unknown {
  const bytes = Buffer.alloc(HOLDER_BYTES_MAX);
  return parseHolder(bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, 0)));
}

function replaceLine(fd: number, line: string): void {
  try {
    ftruncateSync(fd, 0);
    writeSync(fd, line, 0, "utf8");
  } catch {
    // Information only. A full disk must not keep anyone from opening, or closing, what is on it.
    return;
  }
}
