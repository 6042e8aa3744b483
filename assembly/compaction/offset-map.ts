/** The latest offset of every key, in a table of fixed size: open addressing, linear probing, never more than nine slots of ten taken. */
import { Fault, must, mustBeInMemory } from "../panic/fault";

//  ├ one byte of each slot ┼ as many of the first ones once more ┼ slots ┤
//
//  0    │  0          8           16           23
//  tag  │  ├ hash low ┼ hash high ┼ offset + 1 ┤     a tag of 0: the slot is free
//
// Sixteen tags are looked at by one instruction, and stand near even when the slots do not: so a key that is there costs one slot,
// and one that is not costs none, however full the table is.
export const SLOT_BYTE_LENGTH: i32 = 24;
const KEPT_BYTE_LENGTH: usize = 23;
/** A load of 64 bits from here, its lowest byte being the hash's last, holds the offset: 56 bits are more than any offset has. */
const OFFSET_WORD_AT: usize = 15;
const WINDOW: i32 = 16;
const TAKEN: u64 = 0x80;

let tagsAt: usize = 0;
let slotsAt: usize = 0;
let slotCount: i32 = 0;
let keyCount: i32 = 0;
let keyCountMax: i32 = 0;

/** Makes an empty map in `byteLength` bytes at `at` and a window of tags more. Answers how many keys it takes. */
export function openMap(at: usize, byteLength: i32): i32 {
  slotCount = byteLength / SLOT_BYTE_LENGTH;
  must(slotCount > 1, Fault.RANGE);
  const tagsByteLength = slotCount + WINDOW;
  mustBeInMemory(at, slotCount * <i32>KEPT_BYTE_LENGTH + tagsByteLength);
  tagsAt = at;
  slotsAt = at + <usize>tagsByteLength;
  keyCountMax = <i32>((<i64>slotCount * 9) / 10);
  keyCount = 0;
  memory.fill(at, 0, tagsByteLength);
  return keyCountMax;
}

export function mappedKeyCount(): i32 {
  return keyCount;
}

export function placeCount(): i32 {
  return slotCount;
}

/** The offset of the key that stands there; far below any offset where there is none. */
// @ts-ignore: decorator
@inline
export function offsetInPlace(place: i32): i64 {
  return load<u8>(tagsAt + <usize>place) == 0 ? i64.MIN_VALUE >> 1 : loadOffset(slotAt(place));
}

// @ts-ignore: decorator
@inline
function firstPlaceOf(low: u64): i32 {
  return <i32>((<u64>(<u32>low) * <u64>slotCount) >> 32);
}

// @ts-ignore: decorator
@inline
function tagOf(low: u64): u8 {
  return <u8>((low >> 56) | TAKEN);
}

// @ts-ignore: decorator
@inline
function wrapped(place: i32): i32 {
  while (place >= slotCount) place -= slotCount;
  return place;
}

// @ts-ignore: decorator
@inline
function slotAt(place: i32): usize {
  return slotsAt + <usize>wrapped(place) * KEPT_BYTE_LENGTH;
}

/** The slot that is likely to be the key's, or the free one where it belongs: to be touched before it is looked at. */
export let likelySlot: usize = 0;
/** Whether the key may be there. */
export let isLikely: bool = false;

/** Without a branch: which way it goes nobody can foresee, and each one mistaken costs as much as all the rest. */
// @ts-ignore: decorator
@inline
export function findLikely(low: u64): void {
  const place = firstPlaceOf(low);
  const tags = v128.load(tagsAt + <usize>place);
  const same = i8x16.bitmask(i8x16.eq(tags, i8x16.splat(<i8>tagOf(low))));
  const free = i8x16.bitmask(i8x16.eq(tags, i8x16.splat(0)));
  likelySlot = slotAt(place + ctz(select<i32>(same, free | (1 << 15), same != 0)));
  isLikely = (same != 0) | (free == 0);
}

/** What of a slot is to be touched: it may lie in two lines of the cache. */
// @ts-ignore: decorator
@inline
export function touched(slot: usize): u64 {
  return load<u64>(slot) + load<u64>(slot, OFFSET_WORD_AT);
}

// @ts-ignore: decorator
@inline
function holds(slot: usize, low: u64, high: u64): bool {
  return load<u64>(slot) == low && load<u64>(slot, 8) == high;
}

/** Where a key that was not found belongs. */
let freePlace: i32 = 0;

/** The key's slot; 0 for none. */
function slotOf(low: u64, high: u64): usize {
  must(keyCount < slotCount, Fault.OFFSET_MAP_FULL);
  const tag = i8x16.splat(<i8>tagOf(low));
  let place = firstPlaceOf(low);
  // Ends: a tenth of the slots is free.
  while (true) {
    const tags = v128.load(tagsAt + <usize>place);
    for (let same = i8x16.bitmask(i8x16.eq(tags, tag)); same != 0; same &= same - 1) {
      const slot = slotAt(place + ctz(same));
      if (holds(slot, low, high)) return slot;
    }
    const free = i8x16.bitmask(i8x16.eq(tags, i8x16.splat(0)));
    if (free != 0) {
      freePlace = wrapped(place + ctz(free));
      return 0;
    }
    place = wrapped(place + WINDOW);
  }
}

// @ts-ignore: decorator
@inline
function storeOffset(slot: usize, offset: i64): void {
  store<u64>(slot, (<u64>(offset + 1) << 8) | <u64>load<u8>(slot, OFFSET_WORD_AT), OFFSET_WORD_AT);
}

// @ts-ignore: decorator
@inline
function loadOffset(slot: usize): i64 {
  return <i64>(load<u64>(slot, OFFSET_WORD_AT) >> 8) - 1;
}

/** False: the key is new and the map is full. An offset lower than the one already there changes nothing. `likely`: as it was before any key was put. */
export function put(low: u64, high: u64, likely: usize, offset: i64): bool {
  const slot = likely != 0 && holds(likely, low, high) ? likely : slotOf(low, high);
  if (slot != 0) {
    if (offset > loadOffset(slot)) storeOffset(slot, offset);
    return true;
  }
  if (keyCount >= keyCountMax) return false;
  keyCount++;
  // In a map of few slots a tag stands more than twice: the window behind them goes round and round.
  for (let place = freePlace; place < slotCount + WINDOW; place += slotCount) store<u8>(tagsAt + <usize>place, tagOf(low));
  const free = slotAt(freePlace);
  store<u64>(free, low);
  store<u64>(free, high, 8);
  storeOffset(free, offset);
  return true;
}

/** -1 for a key that is not there. `likely`: of the map as it is. */
export function offsetOf(low: u64, high: u64, likely: usize): i64 {
  if (likely == 0) return -1;
  const slot = holds(likely, low, high) ? likely : slotOf(low, high);
  return slot == 0 ? -1 : loadOffset(slot);
}
