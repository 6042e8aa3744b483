/** Small files read and replaced whole: after a crash the old one or the new one is there, never a mixture. */
import type { Bytes } from "../../api/bytes.ts";
import type { StorageDriver, StorageFile } from "../../api/storage-driver.ts";
import { CorruptionError } from "../../base/errors.ts";
import { errnoOf } from "../../storage/errno.ts";
import { readBytes, writeBytes } from "./file-bytes.ts";

/**
 * Puts `bytes` in the place of `directory`/`name`, by way of `<name>.tmp`, as Kafka does. Durable when it resolves; when it
 * rejects, the old or the new contents stand. Two calls for one name must not overlap: they would share the temporary file.
 */
export async function replaceFile(storage: StorageDriver, directory: string, name: string, bytes: Uint8Array): Promise<void> {
  const target = inDirectory(directory, name);
  const temporary = `${target}.tmp`;
  try {
    const file = await openAnew(storage, temporary);
    try {
      writeBytes(file, bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await storage.replace(temporary, target);
  } catch (error) {
    // The room it takes may be just what is missing. That it cannot be removed is no news: the first error says why.
    await storage.remove(temporary).catch(() => {});
    throw error;
  }
  await storage.syncDirectory(directory);
}

/**
 * A new, empty file of that name. What stood under it goes by its name, and is not emptied: of a renaming that a crash cut in half both
 * names may be left, and what is called `<name>.tmp` is then the very file that must not be touched.
 */
export async function openAnew(storage: StorageDriver, name: string): Promise<StorageFile> {
  try {
    return await storage.open(name, { create: "new" });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
  await removeIfPresent(storage, name);
  return await storage.open(name, { create: "new" });
}

/** The whole file, or null when there is none. A longer one than any of its kind is a `CorruptionError` with `BOOK_CORRUPT`, unread. */
export async function readWholeFile(storage: StorageDriver, name: string, byteLengthMax: number): Promise<Bytes | null> {
  const file = await openIfPresent(storage, name);
  if (file === null) return null;
  try {
    const byteLength = file.byteLength();
    if (byteLength > byteLengthMax) {
      throw bookCorrupt(name, `expected at most ${byteLengthMax} bytes, found ${byteLength}`, [0, byteLength]);
    }
    return readBytes(file, 0, byteLength);
  } finally {
    await file.close();
  }
}

/** The file for reading, or null when there is none. */
export async function openIfPresent(
  storage: StorageDriver,
  name: string,
  options: { readonly readOnly: boolean } = { readOnly: true },
): Promise<StorageFile | null> {
  try {
    return await storage.open(name, { create: "no", readOnly: options.readOnly });
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** Whether a call failed because the file is not there, whichever driver says so. */
export function isNotFound(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return code === "FILE_NOT_FOUND" || code === "ENOENT";
}

export async function removeIfPresent(storage: StorageDriver, name: string): Promise<void> {
  await storage.remove(name).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

/** One of the directory's own files cannot be believed. Offsets are not known to be touched. */
export function bookCorrupt(file: string, reason: string, byteRange: readonly [number, number]): CorruptionError {
  return new CorruptionError(`${file}: ${reason}`, {
    code: "BOOK_CORRUPT",
    file,
    byteRange,
    offsetRange: [-1, -1],
    nextReadableOffset: null,
  });
}

export function inDirectory(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
