/** What somebody is told who comes to a log that another one has, and is not let in. */
import type { LockHolder } from "../api/storage-driver.ts";
import { OdradekError, StorageError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";

/** Whether an opening failed because somebody else has the log. */
export function isTaken(error: unknown): error is OdradekError {
  return error instanceof OdradekError && (error.code === "DIRECTORY_IN_USE" || error.code === "ALREADY_OPEN");
}

export interface Refusal {
  /** What was called. */
  readonly call: string;
  /** How the lock was refused; null: it is still being tried. */
  readonly inUse: OdradekError | null;
  /** What went wrong on the way to whoever has the log; null: nobody answered. */
  readonly reason: unknown;
  /** Why it may be that nobody answered. */
  readonly silence: string;
}

/** A `StorageError` `DIRECTORY_IN_USE` that names the holder where the lock knows it. */
export function notLetIn({ call, inUse, reason, silence }: Refusal): StorageError {
  const { message, holder = null } = (inUse ?? NOBODY) as { readonly message: string; readonly holder?: Partial<LockHolder> | null };
  return new StorageError("DIRECTORY_IN_USE", `${message}; ${call}: ${reason === null ? silence : reasonOf(reason)}`, {
    holder,
    cause: reason ?? inUse,
  });
}

const NOBODY = { message: "nobody has the log" };
