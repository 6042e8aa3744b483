/** What a path leads to where there are no files. */
import { UsageError } from "./base/errors.ts";

export function noFiles(): never {
  throw new UsageError("INVALID_ARGUMENT", "open(path): there are no files here; give a storage driver instead: open({ storage })");
}
