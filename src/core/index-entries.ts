/**
 * The entries of `.index` (8 bytes: relative offset, file position) and `.timeindex` (12 bytes: timestamp, relative offset).
 * One entry is read and written here; the core searches many, and says which may follow them.
 */
import { readInt32, readInt64, writeInt32, writeInt64 } from "../base/big-endian.ts";

//  0                 4               8        0           8                 12
//  ├ relative offset ┼ file position ┤        ├ timestamp ┼ relative offset ┤        all big-endian
export const OFFSET_ENTRY_BYTE_LENGTH = 8;
const OFFSET_ENTRY_POSITION_AT = 4;
export const TIME_ENTRY_BYTE_LENGTH = 12;
const TIME_ENTRY_OFFSET_AT = 8;

export function offsetEntryRelativeOffset(entries: Uint8Array, index: number): number {
  return readInt32(entries, index * OFFSET_ENTRY_BYTE_LENGTH);
}

export function offsetEntryPosition(entries: Uint8Array, index: number): number {
  return readInt32(entries, index * OFFSET_ENTRY_BYTE_LENGTH + OFFSET_ENTRY_POSITION_AT);
}

export function timeEntryTimestamp(entries: Uint8Array, index: number): number {
  return readInt64(entries, index * TIME_ENTRY_BYTE_LENGTH);
}

export function timeEntryRelativeOffset(entries: Uint8Array, index: number): number {
  return readInt32(entries, index * TIME_ENTRY_BYTE_LENGTH + TIME_ENTRY_OFFSET_AT);
}

/**
 * Writes entry number `index`, whatever stands before it, and answers true. For timestamps above 2^53, which another writer's
 * topic may hold (in nanoseconds, say) and the core does not take; all others are the core's to append.
 */
export function writeForeignTimeEntry(into: Uint8Array, index: number, timestamp: number, relativeOffset: number): boolean {
  const at = index * TIME_ENTRY_BYTE_LENGTH;
  writeInt64(into, at, timestamp);
  writeInt32(into, at + TIME_ENTRY_OFFSET_AT, relativeOffset);
  return true;
}
