/** What the browser's refusals mean: its exceptions have names, the storage contract has errnos, and a person needs a sentence. */
import { StorageError } from "../base/errors.ts";
import { errnoError } from "./errno.ts";

const ERRNO: Readonly<Record<string, string>> = {
  QuotaExceededError: "ENOSPC",
  NoModificationAllowedError: "EBUSY",
  NotFoundError: "EIO",
  InvalidStateError: "EIO",
  SecurityError: "EACCES",
  NotAllowedError: "EACCES",
};

const ADVICE: Readonly<Record<string, string>> = {
  QuotaExceededError:
    "the browser's quota for this site, or the disk below it, is used up. Nothing is lost; delete topics or records, free room on the disk, or ask for more with navigator.storage.persist()",
  NoModificationAllowedError: "another tab or worker of this origin has the file open",
  NotFoundError:
    "the file is in the log's book but no longer in the browser's storage: the site's data was cleared or evicted while the log was in use. Close the log; what is gone is gone",
  InvalidStateError:
    "the browser took the file away: the site's data was cleared or evicted while the log was in use. Close the log; what is gone is gone",
};

/** The name of a DOMException; "" for anything else. */
export function webErrorName(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** A refusal of the browser as the contract wants it: with an errno, and what to do. */
export function webError(error: unknown, call: string, name: string): Error {
  const kind = webErrorName(error);
  const errno = ERRNO[kind];
  if (errno === undefined) return error instanceof Error ? error : new Error(String(error));
  const refused = errnoError(errno, call, name);
  refused.message += `: ${ADVICE[kind] ?? (error as Error).message}`;
  refused.cause = error;
  return refused;
}

/** Why there is no file system to be had here, and what to do instead. `cause`: what `getDirectory` said, where it was there to be asked. */
export function noFileSystem(scope: { readonly isSecureContext?: boolean; readonly document?: object }, cause?: unknown): StorageError {
  const why =
    scope.isSecureContext === false
      ? "this page did not come over https or from localhost, and only such pages have it: serve it so"
      : cause === undefined
        ? "this browser or runtime has none: use memory(), which keeps nothing, or another driver"
        : `the browser refuses it (${webErrorName(cause)}), as some do in private windows and in frames of another site: use memory() there, which keeps nothing when the window closes, or ask for a normal window`;
  return new StorageError("STORAGE_FAILED", `opfs: the origin's private file system is not there; ${why}`, { cause });
}

/** There are files, but not the synchronous handles that the log writes with. */
export function noSyncHandles(scope: { readonly document?: object }): StorageError {
  const where =
    scope.document === undefined
      ? "this kind of worker, or this browser, has none: use a dedicated Worker in a browser of 2023 or newer"
      : "a page has none: open the log in a dedicated Worker, and reach it from the page through a MessagePort (docs/STORAGE.md)";
  return new StorageError("STORAGE_FAILED", `opfs: files are written through synchronous access handles, and ${where}`);
}
