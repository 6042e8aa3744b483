/** Locking on macOS, the BSDs and Windows: opening the lock file is taking the lock, and the system drops it with the descriptor. */
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import type { LockHolder } from "../api/storage-driver.ts";
import { StorageError } from "../base/errors.ts";
import { errnoOf } from "./errno.ts";
import { heldLock, isSameFile, LOCK_NAME, type LockAttempt, readHolder } from "./node-lock-file.ts";

/** O_EXLOCK of <fcntl.h>, with O_NONBLOCK so that a held lock is an error and not a wait; on Windows libuv's UV_FS_O_EXLOCK: no sharing. */
const BSD_EXLOCK = 0x20;
const WINDOWS_EXLOCK = 0x10000000;
const BSD = new Set(["darwin", "freebsd", "openbsd", "netbsd"]);

export function lockByExclusiveOpen(directory: string, holder: LockHolder, platform: string): LockAttempt {
  const path = join(directory, LOCK_NAME);
  const exclusive = platform === "win32" ? WINDOWS_EXLOCK : BSD.has(platform) ? BSD_EXLOCK | constants.O_NONBLOCK : null;
  if (exclusive === null) throw new StorageError("LOCK_UNAVAILABLE", `${directory} cannot be locked: no lock is known for ${platform}`);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT | exclusive, 0o600);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EAGAIN" || errno === "EWOULDBLOCK" || errno === "EBUSY") return { heldBy: holderAt(path) };
    throw error;
  }
  // On the BSDs the file may have been replaced while it was being opened; on Windows an open file is not.
  if (!isSameFile(fd, path)) {
    closeSync(fd);
    return { heldBy: null };
  }
  return heldLock(fd, path, holder);
}

/** On Windows the file cannot be read while it is held: then nobody is named. */
function holderAt(path: string): unknown {
  let fd: number | null = null;
  try {
    fd = openSync(path, "r");
    return readHolder(fd);
  } catch {
    return null;
  } finally {
    if (fd !== null) closeSync(fd);
  }
}
