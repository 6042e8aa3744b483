/**
 * Where both compressors find what was there before: greedy, with one table of places, the first match found is taken. They differ in
 * what they write of a match, and in how long they look closely where there is none.
 */
import { LZ_TABLE_AT } from "../memory/arena";

/** What a match has at least: as many bytes as are looked up. */
export const MATCH_MIN: i32 = 4;
const TABLE_BITS: u32 = 13;
const TABLE_BYTE_LENGTH: i32 = 2 << TABLE_BITS;
const MULTIPLIER: u32 = 2654435761;

/** The earlier place of the match found last. */
export let matchBefore: usize = 0;

// @ts-ignore: decorator
@inline
function slotOf(word: u32): usize {
  return LZ_TABLE_AT + (<usize>((word * MULTIPLIER) >> (32 - TABLE_BITS)) << 1);
}

/** Forgets the last block: position 0 stands in every slot, and whether it is alike is looked at like any other. */
// @ts-ignore: decorator
@inline
export function beginSearch(): void {
  memory.fill(LZ_TABLE_AT, 0, TABLE_BYTE_LENGTH);
}

/**
 * Where the first match from `place` on begins, or a place behind `searchEnd`: none. It reaches back at most to `anchor`. `at`: where the
 * block begins. After 2^`patience` places without a match every second one is looked at, and so on.
 */
// @ts-ignore: decorator
@inline
export function findMatch(place: usize, anchor: usize, at: usize, searchEnd: usize, patience: u32): usize {
  let looked: u32 = 1 << patience;
  let before: usize = at;
  while (place <= searchEnd) {
    const word = load<u32>(place);
    const slot = slotOf(word);
    before = at + <usize>load<u16>(slot);
    store<u16>(slot, <u16>(place - at));
    if (load<u32>(before) == word) break;
    place += <usize>(looked++ >> patience);
  }
  if (place > searchEnd) return place;
  while (place > anchor && before > at && load<u8>(place - 1) == load<u8>(before - 1)) {
    place--;
    before--;
  }
  matchBefore = before;
  return place;
}

/** Whether the next match begins right behind the one that ended at `place`. Of the one that ended, the place `step` before its end is noted. */
// @ts-ignore: decorator
@inline
export function matchFollows(place: usize, at: usize, step: usize): bool {
  store<u16>(slotOf(load<u32>(place - step)), <u16>(place - step - at));
  const word = load<u32>(place);
  const slot = slotOf(word);
  matchBefore = at + <usize>load<u16>(slot);
  store<u16>(slot, <u16>(place - at));
  return load<u32>(matchBefore) == word;
}
