/** What can go wrong with each call of the storage, by errno, as real systems give it (Linux and macOS manuals; EBUSY and EPERM of names as Windows has them). */
import type { StorageCall } from "../../../src/testing/faulty-storage.ts";

const FULL = ["ENOSPC", "EDQUOT"] as const;
const HANDLES = ["EMFILE", "ENFILE", "ENOMEM"] as const;
const FORBIDDEN = ["EACCES", "EPERM", "EROFS"] as const;

export const ERRNOS: Readonly<Record<StorageCall, readonly string[]>> = {
  open: [...HANDLES, ...FORBIDDEN, ...FULL, "EIO", "EBUSY", "EINTR"],
  list: [...HANDLES, "EACCES", "EIO"],
  createDirectory: [...FORBIDDEN, ...FULL, "EMLINK", "ENOMEM", "EIO"],
  removeDirectory: [...FORBIDDEN, "EBUSY", "ENOMEM", "EIO"],
  replace: [...FORBIDDEN, ...FULL, "EBUSY", "ENOMEM", "EIO"],
  renameDirectory: [...FORBIDDEN, ...FULL, "EBUSY", "ENOMEM", "EIO"],
  remove: [...FORBIDDEN, "EBUSY", "ENOMEM", "EIO"],
  // A directory is opened to be flushed.
  syncDirectory: [...HANDLES, ...FORBIDDEN, ...FULL, "EINVAL", "EIO"],
  lock: [...HANDLES, ...FORBIDDEN, "ENOLCK", "EIO"],
  readAt: ["EIO", "ENOMEM", "EINTR", "ESTALE"],
  writeAt: [...FULL, "EFBIG", "EIO", "ENOMEM", "EROFS", "EINTR"],
  truncate: [...FULL, "EIO", "EPERM", "EROFS", "EINTR"],
  byteLength: ["EIO", "ENOMEM", "ESTALE"],
  modifiedAt: ["EIO", "ENOMEM", "ESTALE"],
  sync: [...FULL, "EIO", "EROFS", "EINTR"],
  readAhead: ["EIO", "ENOMEM", "EMFILE"],
  closeFile: [...FULL, "EIO", "EINTR"],
};

/** Calls that may have done their work when they fail. */
export const MAY_BE_DONE: ReadonlySet<StorageCall> = new Set<StorageCall>([
  "open",
  "createDirectory",
  "removeDirectory",
  "replace",
  "renameDirectory",
  "remove",
  "syncDirectory",
  "writeAt",
  "truncate",
  "sync",
]);
