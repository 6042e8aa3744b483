/**
 * Locking on Linux: flock(2) on a descriptor of our own, taken for us by a one-shot `flock` program. Such a lock belongs to the
 * open file description, which the program shares while it lives two milliseconds, and the kernel drops it with our last
 * descriptor, however the process ends: no number, no stale state, nothing to clean up.
 */
import { spawnSync } from "node:child_process";
import { closeSync, constants, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LockHolder } from "../api/storage-driver.ts";
import { StorageError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import { errnoOf } from "./errno.ts";
import { heldLock, isSameFile, LOCK_NAME, type LockAttempt, readHolder } from "./node-lock-file.ts";

/** Never looked for on the PATH: whoever controls that would control the lock. */
const FLOCK_PROGRAMS = ["/usr/bin/flock", "/bin/flock", "/usr/local/bin/flock", "/run/current-system/sw/bin/flock"];
const FLOCK_TIMEOUT_MS = 10_000;
/** Nobody replaces the file under us so often by accident. */
const REPLACED_MAX = 8;

export interface FlockOptions {
  /** Where the program may be; for tests. */
  readonly flockPrograms?: readonly string[];
  /** Called between taking the lock and checking whose file it is on; for tests. */
  readonly afterFlock?: () => void;
}

/** One attempt. Throws a `StorageError` `LOCK_UNAVAILABLE` where this way of locking cannot be had or cannot be believed. */
export function lockByFlock(directory: string, holder: LockHolder, options: FlockOptions): LockAttempt {
  const path = join(directory, LOCK_NAME);
  const program = (options.flockPrograms ?? FLOCK_PROGRAMS).find((candidate) => existsSync(candidate));
  if (program === undefined) {
    throw unavailable(
      directory,
      'the program flock (of util-linux) was not found. Install util-linux, or open with lock: "socket", which needs no program; every process that opens this directory must then do the same',
    );
  }
  for (let replaced = 0; replaced < REPLACED_MAX; replaced++) {
    const fd = openLockFile(path, directory);
    let kept = false;
    try {
      if (!runFlock(program, fd, directory)) return { heldBy: readHolder(fd) };
      options.afterFlock?.();
      checkKernelKnows(fd, program, directory);
      // Someone may have deleted the file between opening and locking it: then this is a lock on nothing.
      if (!isSameFile(fd, path)) continue;
      kept = true;
      return heldLock(fd, path, holder);
    } finally {
      if (!kept) closeSync(fd);
    }
  }
  throw unavailable(directory, `${LOCK_NAME} was replaced by someone else ${REPLACED_MAX} times while it was being locked`);
}

function openLockFile(path: string, directory: string): number {
  try {
    // For writing, because NFS wants that for an exclusive lock.
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EISDIR") {
      throw unavailable(
        directory,
        `${LOCK_NAME} is a directory, so a process uses this place with lock: "socket". Open with lock: "socket" as well, or remove ${LOCK_NAME} when no process has it open`,
        error,
      );
    }
    if (errno === "EROFS" || errno === "EACCES") {
      throw new StorageError(
        "PERMISSION_DENIED",
        `${path} cannot be opened for writing (${errno}), so the directory cannot be locked. Open with readOnly: true to read it`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** Whether the lock was free and is ours. It is the descriptor 3 of the program: standard input goes astray in Deno. */
function runFlock(program: string, fd: number, directory: string): boolean {
  let result: ReturnType<typeof spawnSync>;
  try {
    result = spawnSync(program, ["-n", "3"], { stdio: ["ignore", "ignore", "pipe", fd], timeout: FLOCK_TIMEOUT_MS, env: {} });
  } catch (error) {
    throw refusedProgram(program, directory, error);
  }
  if (result.error !== undefined) throw refusedProgram(program, directory, result.error);
  if (result.status === 0) return true;
  if (result.status === 1) return false;
  const said = String(result.stderr ?? "")
    .trim()
    .slice(0, 200);
  const how = result.signal !== null ? `signal ${result.signal}` : `status ${result.status}`;
  throw unavailable(directory, `${program} ended with ${how}${said === "" ? "" : `: ${said}`}`);
}

function refusedProgram(program: string, directory: string, error: unknown): StorageError {
  const denied = errnoOf(error) === "ERR_ACCESS_DENIED" || (error instanceof Error && /NotCapable|PermissionDenied/.test(error.name));
  return unavailable(
    directory,
    denied
      ? `the permission model of this runtime does not let ${program} run. Allow it with --allow-child-process (Deno: -A), or open with lock: "socket" in every process`
      : `${program} could not be run: ${reasonOf(error)}`,
    error,
  );
}

/** The kernel's word that there is an exclusive lock on our own description: a program that merely says so is not believed. */
function checkKernelKnows(fd: number, program: string, directory: string): void {
  let facts: string;
  try {
    facts = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
  } catch (error) {
    throw unavailable(
      directory,
      `/proc/self/fdinfo could not be read, so nothing confirms the lock that ${program} took. Allow reading it (Deno: run with -A), or open with lock: "socket" in every process`,
      error,
    );
  }
  if (/^lock:.*\bFLOCK\s+ADVISORY\s+WRITE\b/m.test(facts)) return;
  throw unavailable(directory, `${program} reported success, but the kernel knows of no lock: it is not the flock of util-linux`);
}

function unavailable(directory: string, why: string, cause?: unknown): StorageError {
  return new StorageError("LOCK_UNAVAILABLE", `${directory} cannot be locked: ${why}`, cause === undefined ? {} : { cause });
}
