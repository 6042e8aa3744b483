/** Has the core search index entries that live elsewhere, and write the one that follows them. */
import type { CoreMemory } from "./core-host.ts";

type FindEntry = (at: number, byteLength: number, target: number) => number;
type AppendEntry = (at: number, count: number, first: number, second: number) => number;

/** The last entry that is at most the target, or -1. A page of an index is copied in whole, some 50 ns of the 100 that a search takes. */
export function findEntry(memory: CoreMemory, find: FindEntry, entryByteLength: number, entries: Uint8Array, target: number): number {
  const byteLength = entries.length - (entries.length % entryByteLength);
  const { bytes, stagingAt, stagingByteLength } = memory;
  if (byteLength <= stagingByteLength) {
    bytes.set(byteLength === entries.length ? entries : entries.subarray(0, byteLength), stagingAt);
    return find(stagingAt, byteLength, target);
  }
  // Longer than the staging window: first among the first entries of blocks that fit, then in the block that can hold it.
  const blockEntryCount = Math.floor(stagingByteLength / entryByteLength);
  const blockByteLength = blockEntryCount * entryByteLength;
  // No index file is as long.
  if (byteLength > blockEntryCount * blockByteLength) throw new RangeError(`${byteLength} bytes of index entries to search at once`);
  let firstCount = 0;
  for (let at = 0; at < byteLength; at += blockByteLength, firstCount++) {
    const into = stagingAt + firstCount * entryByteLength;
    for (let i = 0; i < entryByteLength; i++) bytes[into + i] = entries[at + i] as number;
  }
  const block = find(stagingAt, firstCount * entryByteLength, target);
  if (block < 0) return -1;
  const start = block * blockByteLength;
  return (
    block * blockEntryCount +
    findEntry(memory, find, entryByteLength, entries.subarray(start, Math.min(byteLength, start + blockByteLength)), target)
  );
}

/** Writes entry number `count` into `entries`, in whatever memory they are. False: it does not come after the one before it. */
export function appendEntry(
  memory: CoreMemory,
  append: AppendEntry,
  entryByteLength: number,
  entries: Uint8Array,
  count: number,
  first: number,
  second: number,
): boolean {
  const end = (count + 1) * entryByteLength;
  if (!(Number.isInteger(count) && count >= 0 && end <= entries.length)) {
    throw new RangeError(`index entry ${count} of ${entryByteLength} bytes does not fit into ${entries.length} bytes`);
  }
  const beforeCount = Math.min(count, 1);
  const { bytes, stagingAt } = memory;
  for (let at = end - (1 + beforeCount) * entryByteLength, into = stagingAt; at < end - entryByteLength; at++, into++)
    bytes[into] = entries[at] as number;
  if (append(stagingAt, beforeCount, first, second) < 0) return false;
  const newAt = stagingAt + beforeCount * entryByteLength;
  for (let i = 0; i < entryByteLength; i++) entries[end - entryByteLength + i] = bytes[newAt + i] as number;
  return true;
}
