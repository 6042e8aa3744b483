/** The storage driver for a directory on disk, by node:fs: Node, Electron, Bun and Deno. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, realpathSync } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rename, rmdir, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { LockHolder, LockOptions, StorageDriver, StorageEntry, StorageFile, StorageLock } from "../api/storage-driver.ts";
import { StorageError, UsageError } from "../base/errors.ts";
import { errnoError, errnoOf } from "./errno.ts";
import { NodeFile } from "./node-file.ts";
import { lockDirectory } from "./node-lock.ts";
import { NodeReadFile } from "./node-read-file.ts";
import { renamePatiently } from "./node-rename.ts";
import { checkDirectoryName, parseFileName, parseRename } from "./storage-name.ts";

// What is asked of a name before anything is done with it is asked at once: it costs a few microseconds, by way of a thread ten times as
// many, and a swap of segments asks seventy times.

/**
 * 132 bytes and fdatasync each: 142 microseconds in a file that is long already, holes, and 182 in one that grows (ext4, two cores, 2026-11).
 * A journal that has the new length to keep besides makes it dearer. At this many bytes the flush that makes a length durable is one of
 * many thousands, or one of thirty where each is of 128 KiB.
 */
const AHEAD_BYTE_LENGTH = 4 * 1024 * 1024;

/** The last part of a name is never followed as a link, and a pipe under a file's name does not hang the opening. */
const OPEN_FLAGS = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Files in the directory at `path`. The directory and its parents are made, with the process's umask, when something is first
 * to be written there; what only reads finds no files. A path that is a file is refused with `NOT_A_DIRECTORY`.
 */
export function nodeStorage(path: string | URL): StorageDriver {
  if (path instanceof URL && path.protocol !== "file:") {
    throw new UsageError("INVALID_ARGUMENT", `nodeStorage: expected a file: URL, found ${path.protocol}//${path.host}`);
  }
  const text = path instanceof URL ? fileURLToPath(path) : path;
  if (typeof text !== "string" || text === "" || text.includes("\0")) {
    throw new UsageError("INVALID_ARGUMENT", `nodeStorage: expected the path of a directory, found ${JSON.stringify(text) ?? typeof text}`);
  }
  return new NodeStorage(resolve(text));
}

/** Who this process is, for the one who finds the directory locked. */
export function nodeHolder(): LockHolder {
  const versions = process.versions as Readonly<Record<string, string | undefined>>;
  const runtime = versions.electron ? "electron" : versions.bun ? "bun" : versions.deno ? "deno" : "node";
  return {
    pid: process.pid,
    runtime,
    version: versions[runtime] as string,
    since: new Date().toISOString(),
    argv: process.argv.slice(0, 8).map((argument) => argument.slice(0, 256)),
    hostname: hostnameIfAllowed(),
  };
}

/** It only helps a person; where the runtime's permissions keep it from us, the log opens without. */
function hostnameIfAllowed(): string {
  try {
    return hostname();
  } catch {
    return "";
  }
}

class NodeStorage implements StorageDriver {
  readonly durability = "power";
  readonly atomicReplace = true;
  // Windows has no flush of a directory: opening one to flush it is refused there. NTFS journals names by itself.
  readonly directorySync: boolean = process.platform !== "win32";
  readonly sharedReaders = true;
  // Its usual file systems keep holes and journal lengths. Elsewhere nobody has looked.
  readonly aheadByteLength: number = process.platform === "linux" ? AHEAD_BYTE_LENGTH : 0;
  readonly #path: string;
  /** The real path, once the directory is there. */
  #root: string | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async open(name: string, options: { readonly create: "no" | "if-missing" | "new"; readonly readOnly?: boolean }): Promise<StorageFile> {
    const { directory, base } = parseFileName(name);
    const parent = await this.#directory(directory, options.create !== "no");
    if (parent === null) throw errnoError("ENOENT", "open", name);
    const path = join(parent, base);
    if (options.readOnly === true) return this.#openForReading(name, path, options.create);
    const access = constants.O_RDWR | OPEN_FLAGS;
    if (options.create !== "new") {
      const handle = await this.#openExisting(path, access, options.create === "if-missing");
      if (handle !== null) return this.#file(name, handle, false);
    }
    return this.#file(name, await open(path, access | constants.O_CREAT | (options.create === "new" ? constants.O_EXCL : 0), 0o666), true);
  }

  async list(directory: string): Promise<StorageEntry[]> {
    checkDirectoryName(directory, true);
    const path = await this.#directory(directory, false);
    if (path === null) return [];
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, kind: entry.isFile() ? "file" : entry.isDirectory() ? "directory" : "other" }));
  }

  async createDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    const path = join(await this.#madeRoot(), directory);
    try {
      await mkdir(path);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST" || !(await lstat(path)).isDirectory()) throw error;
    }
  }

  async removeDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    await rmdir(join(await this.#existing("", "removeDirectory", directory), directory));
  }

  async replace(from: string, to: string): Promise<void> {
    const { directory, fromBase, toBase } = parseRename(from, to);
    const parent = await this.#existing(directory, "replace", from);
    // A rename onto a directory is refused by the system, and one of a directory must be: it would be another call.
    if (!lstatSync(join(parent, fromBase)).isFile()) throw errnoError("EISDIR", "replace", from);
    await this.#rename(join(parent, fromBase), join(parent, toBase));
  }

  async renameDirectory(from: string, to: string): Promise<void> {
    checkDirectoryName(from, false);
    checkDirectoryName(to, false);
    const root = await this.#existing("", "renameDirectory", from);
    if (!(await lstat(join(root, from))).isDirectory()) throw errnoError("ENOTDIR", "renameDirectory", from);
    // The system would put a directory in the place of an empty one. Nobody else makes names here: the lock is ours.
    if (await exists(join(root, to))) throw errnoError("EEXIST", "renameDirectory", to);
    await this.#rename(join(root, from), join(root, to));
  }

  async remove(name: string): Promise<void> {
    const { directory, base } = parseFileName(name);
    const path = join(await this.#existing(directory, "remove", name), base);
    // On some systems unlink takes an empty directory, on others it calls it a lack of permission.
    if (lstatSync(path).isDirectory()) throw errnoError("EISDIR", "remove", name);
    await unlink(path);
  }

  async syncDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, true);
    const path = await this.#existing(directory, "syncDirectory", directory);
    if (this.directorySync) await flushDirectory(path);
  }

  async lock(holder: LockHolder, options: LockOptions): Promise<StorageLock> {
    options.signal?.throwIfAborted();
    // Looked up anew: the driver may be used again after the directory was removed or another one was put in its place.
    this.#root = null;
    return lockDirectory(await this.#madeRoot(), holder, options);
  }

  async close(): Promise<void> {}

  async #openExisting(path: string, access: number, mayBeMissing: boolean): Promise<FileHandle | null> {
    try {
      return await open(path, access);
    } catch (error) {
      if (mayBeMissing && errnoOf(error) === "ENOENT") return null;
      throw error;
    }
  }

  async #file(name: string, handle: FileHandle, isNew: boolean): Promise<StorageFile> {
    try {
      checkIsFile(handle.fd, name);
      return new NodeFile(name, handle, isNew);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  #openForReading(name: string, path: string, create: "no" | "if-missing" | "new"): StorageFile {
    const making = create === "no" ? 0 : constants.O_CREAT | (create === "new" ? constants.O_EXCL : 0);
    const fd = openSync(path, constants.O_RDONLY | OPEN_FLAGS | making, 0o666);
    try {
      checkIsFile(fd, name);
      return new NodeReadFile(name, fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #rename(from: string, to: string): Promise<void> {
    const sleep = (delayMs: number): Promise<void> => new Promise((wake) => setTimeout(wake, delayMs));
    return renamePatiently(() => rename(from, to), process.platform, sleep);
  }

  /** The path of a directory, "" for the root; null where it is not there. Never one that a link leads out of the root to. */
  async #directory(directory: string, make: boolean): Promise<string | null> {
    const root = make ? await this.#madeRoot() : await this.#findRoot();
    if (root === null || directory === "") return root;
    const path = join(root, directory);
    let real: string;
    try {
      real = realpathSync.native(path);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return null;
      throw error;
    }
    if (real !== path) throw errnoError("ELOOP", `a link that leads to ${real} stands in for the directory`, directory);
    return real;
  }

  async #existing(directory: string, call: string, name: string): Promise<string> {
    const path = await this.#directory(directory, false);
    if (path === null) throw errnoError("ENOENT", call, name);
    return path;
  }

  async #findRoot(): Promise<string | null> {
    if (this.#root !== null) return this.#root;
    let root: string;
    try {
      root = realpathSync.native(this.#path);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return null;
      throw error;
    }
    if (!lstatSync(root).isDirectory()) throw errnoError("ENOTDIR", "open", root);
    this.#root = root;
    return root;
  }

  async #madeRoot(): Promise<string> {
    const found = await this.#findRoot();
    if (found !== null) return found;
    const first = await mkdir(this.#path, { recursive: true });
    // Every name that was made must outlive a loss of power, or all that is flushed below it would go with it.
    if (first !== undefined && this.directorySync) {
      const made = namesBetween(first, this.#path);
      try {
        for (const path of made) await flushDirectory(dirname(path));
      } catch (error) {
        // Whoever finds a directory takes its name for durable: what is not goes again, and the next opening makes it anew.
        for (const path of made) await rmdir(path).catch(() => {});
        throw error;
      }
    }
    const root = await this.#findRoot();
    if (root === null) throw errnoError("ENOENT", "mkdir", this.#path);
    return root;
  }
}

function checkIsFile(fd: number, name: string): void {
  const facts = fstatSync(fd);
  if (!facts.isFile()) throw errnoError(facts.isDirectory() ? "EISDIR" : "EINVAL", "open", name);
}

/** From the last of nested directories up to the first. */
function namesBetween(first: string, last: string): string[] {
  const names = [last];
  for (let path = last; path !== first && path !== dirname(path); path = dirname(path)) names.push(dirname(path));
  return names;
}

async function flushDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    throw flushForbidden(error) ?? error;
  } finally {
    await handle.close();
  }
}

/** Node's permission model takes every flush away from version 26 on, whatever is allowed: a log that cannot be durable is not opened. */
function flushForbidden(error: unknown): StorageError | null {
  if (errnoOf(error) !== "ERR_ACCESS_DENIED") return null;
  return new StorageError(
    "PERMISSION_DENIED",
    `this Node (${process.version}) allows no flush to disk under --permission, so nothing could be made durable: run without --permission, with Node 22 or 24, or with storage: memory()`,
    { cause: error },
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
