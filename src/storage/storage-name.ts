/** The grammar of names that a storage driver takes: one or two plain parts, never a way out of the root. */
import { UsageError } from "../base/errors.ts";

/** As long as a name may be on the file systems we know (bytes of UTF-8; Kafka's are ASCII). */
const PART_LENGTH_MAX = 255;

/** A name in its parts: `directory` is "" for what stands in the root. */
export interface StorageName {
  readonly directory: string;
  readonly base: string;
}

/** The parts of a file's name. Throws a `UsageError` for a name that could lead out of the root or means nothing. */
export function parseFileName(name: string): StorageName {
  const slash = name.indexOf("/");
  const directory = slash < 0 ? "" : name.slice(0, slash);
  const base = slash < 0 ? name : name.slice(slash + 1);
  if (slash >= 0) checkPart(directory, name);
  checkPart(base, name);
  return { directory, base };
}

/** A directory's name, "" for the root where `orRoot`. Throws a `UsageError` as `parseFileName` does. */
export function checkDirectoryName(name: string, orRoot: boolean): string {
  if (name !== "" || !orRoot) checkPart(name, name);
  return name;
}

/** Both names of a rename within one directory, and that directory. */
export function parseRename(from: string, to: string): { readonly directory: string; readonly fromBase: string; readonly toBase: string } {
  const source = parseFileName(from);
  const target = parseFileName(to);
  if (source.directory !== target.directory) {
    throw new UsageError("INVALID_ARGUMENT", `replace: expected two names in one directory, found ${quoted(from)} and ${quoted(to)}`);
  }
  return { directory: source.directory, fromBase: source.base, toBase: target.base };
}

function checkPart(part: string, name: string): void {
  // A backslash divides on Windows, a colon there names a drive or a hidden stream: refused everywhere, so that a name is one name everywhere.
  if (part === "" || part === "." || part === ".." || /[/\\:\0]/.test(part) || part.length > PART_LENGTH_MAX) {
    throw new UsageError("INVALID_ARGUMENT", `storage name: expected "file" or "directory/file" below the root, found ${quoted(name)}`);
  }
}

function quoted(name: string): string {
  return JSON.stringify(name.length > PART_LENGTH_MAX ? `${name.slice(0, PART_LENGTH_MAX)}…` : name);
}
