/** Index entries as plain pairs: which may follow which, and which one a search must find. */
import { bigEndian } from "./batch.ts";

export type SlowEntry = readonly [first: number, second: number];

const isInt32 = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 2 ** 31 - 1;

/** Relative offset and position: both rise. */
export function slowOffsetFollows(before: SlowEntry | undefined, [offset, position]: SlowEntry): boolean {
  return isInt32(offset) && isInt32(position) && (before === undefined || (offset > before[0] && position > before[1]));
}

/** Timestamp and relative offset: time rises, the offset does not fall. */
export function slowTimeFollows(before: SlowEntry | undefined, [timestamp, offset]: SlowEntry): boolean {
  if (!Number.isSafeInteger(timestamp) || timestamp < -1 || !isInt32(offset)) return false;
  return before === undefined || (timestamp > before[0] && offset >= before[1]);
}

export function slowFind(entries: readonly SlowEntry[], target: number): number {
  return entries.findLastIndex(([first]) => first <= target);
}

export function slowEntryBytes(entries: readonly SlowEntry[], firstByteLength: 4 | 8): Uint8Array<ArrayBuffer> {
  return new Uint8Array(entries.flatMap(([first, second]) => [...bigEndian(first, firstByteLength), ...bigEndian(second, 4)]));
}
