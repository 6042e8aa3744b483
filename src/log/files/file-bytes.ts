/** Exact reads and writes on one file: short counts are looped, a call never asks for more than a driver takes. */
import type { Bytes } from "../../api/bytes.ts";
import type { StorageFile } from "../../api/storage-driver.ts";
import { StorageError } from "../../base/errors.ts";

/** What file systems give a file at a time: where the size was there first, all of it reads as what stood there before. */
export const BLOCK_BYTE_LENGTH = 4096;
/** The storage contract's limit for one write. */
const WRITE_BYTE_LENGTH_MAX = 1024 * 1024;

/** The bytes from `position`, in memory of their own; fewer than asked only at the end of the file. */
export function readBytes(file: StorageFile, position: number, byteLength: number): Bytes {
  const into = new Uint8Array(byteLength);
  const count = readInto(file, into, position);
  return count === byteLength ? into : into.slice(0, count);
}

/** Fills `into`; answers the bytes read, fewer only at the end of the file. */
export function readInto(file: StorageFile, into: Uint8Array, position: number): number {
  let count = 0;
  while (count < into.byteLength) {
    const step = file.readAt(into.subarray(count), position + count);
    if (step === 0) break;
    count += step;
  }
  return count;
}

/** Writes all of `bytes`. Throws `STORAGE_FULL` when the file takes no more; part of them may then be written. */
export function writeBytes(file: StorageFile, bytes: Uint8Array, position: number): void {
  let count = 0;
  while (count < bytes.byteLength) {
    const step = file.writeAt(bytes.subarray(count, count + WRITE_BYTE_LENGTH_MAX), position + count);
    if (step <= 0) {
      throw new StorageError("STORAGE_FULL", `a write of ${bytes.byteLength} bytes at ${position} stopped after ${count}: no room is left`);
    }
    count += step;
  }
}
