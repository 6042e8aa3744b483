/** Errors of the system: how a driver without one makes them, and what they mean to a program. */
import type { ErrorCode } from "../base/error-codes.ts";
import { OdradekError, StorageError, UsageError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";

/** An error as the system gives it. */
export interface ErrnoError extends Error {
  readonly code: string;
}

/** What a program is told, by errno. What is not here is `STORAGE_FAILED`. */
const MEANING: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: "STORAGE_FULL",
  EDQUOT: "STORAGE_FULL",
  EFBIG: "STORAGE_FULL",
  EMFILE: "TOO_MANY_OPEN_FILES",
  ENFILE: "TOO_MANY_OPEN_FILES",
  EACCES: "PERMISSION_DENIED",
  EPERM: "PERMISSION_DENIED",
  EROFS: "PERMISSION_DENIED",
  ERR_ACCESS_DENIED: "PERMISSION_DENIED",
  ENOENT: "FILE_NOT_FOUND",
  ENOTDIR: "NOT_A_DIRECTORY",
};

/** The error of a driver that has no system below it. */
export function errnoError(errno: string, call: string, name: string): ErrnoError {
  return Object.assign(new Error(`${errno}: ${call} '${name}'`), { code: errno });
}

/** The errno of an error, or of the error it was made of; null where there is none. */
export function errnoOf(error: unknown): string | null {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const code = (at as { code?: unknown }).code;
    if (typeof code === "string" && /^E[A-Z0-9]+$|^ERR_ACCESS_DENIED$/.test(code)) return code;
  }
  return null;
}

/** What a refused call means, said for a person. An error that is ours already is given back as it is. */
export function storageError(error: unknown, call: string, name: string): OdradekError {
  if (error instanceof OdradekError) return error;
  const errno = errnoOf(error);
  const shown = name === "" ? "the data directory" : name;
  const reason = reasonOf(error) + deniedPlace(error);
  return new StorageError((errno !== null && MEANING[errno]) || "STORAGE_FAILED", `${call} of ${shown} was refused: ${reason}`, {
    cause: error,
  });
}

/** What Node's permission model was asked for: its own message does not name it. */
function deniedPlace(error: unknown): string {
  const { code, resource, permission } = (error ?? {}) as {
    readonly code?: unknown;
    readonly resource?: unknown;
    readonly permission?: unknown;
  };
  return code === "ERR_ACCESS_DENIED" && typeof resource === "string" && resource !== "" ? ` (${permission} of ${resource})` : "";
}

/** A call on what has been closed. */
export function storageClosed(call: string, name: string): StorageError {
  return new StorageError("STORAGE_CLOSED", `${call} of ${name === "" ? "the data directory" : name}: it was closed before the call`);
}

/** A change of what was opened `readOnly`. */
export function storageReadOnly(call: string, name: string): UsageError {
  return new UsageError("READ_ONLY", `${call} of ${name === "" ? "the data directory" : name}: it was opened with readOnly`);
}
