/** What stands for a segment's file where there is none, and whoever reads alone may make none: nothing, and nothing can be put there. */
import type { StorageFile } from "../../api/storage-driver.ts";
import { UsageError } from "../../base/errors.ts";

const refuse = (): never => {
  throw new UsageError("READ_ONLY", "a segment that is not there cannot be written: the log was opened with readOnly");
};

export const ABSENT_FILE: StorageFile = {
  readAt: () => 0,
  byteLength: () => 0,
  modifiedAt: () => 0,
  readAhead: () => Promise.resolve(),
  sync: () => Promise.resolve(),
  close: () => Promise.resolve(),
  writeAt: refuse,
  truncate: refuse,
};
