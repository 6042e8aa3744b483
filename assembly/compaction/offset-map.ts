/** The latest offset of every key, in a table of fixed size: open addressing, linear probing, never more than nine slots of ten taken. */
import { Fault, must, mustBeInMemory } from "../panic/fault";
import { hashHigh, hashKey, hashLow } from "./key-hash";

//  0          8           16           24
//  ├ hash low ┼ hash high ┼ offset + 1 ┤     all zeros: the slot is free
const OFFSET_AT: usize = 16;
export const SLOT_BYTE_LENGTH: i32 = 24;

let tableAt: usize = 0;
let slotCount: i32 = 0;
let keyCount: i32 = 0;
let keyCountMax: i32 = 0;

/** Makes an empty map in `byteLength` bytes at `at`. Answers how many keys it takes. */
export function openMap(at: usize, byteLength: i32): i32 {
  mustBeInMemory(at, byteLength);
  tableAt = at;
  slotCount = byteLength / SLOT_BYTE_LENGTH;
  keyCountMax = <i32>((<i64>slotCount * 9) / 10);
  keyCount = 0;
  memory.fill(at, 0, slotCount * SLOT_BYTE_LENGTH);
  return keyCountMax;
}

export function mappedKeyCount(): i32 {
  return keyCount;
}

/** The slot of the hash computed last: its own, or the free one where it belongs. */
function slotOf(): usize {
  must(keyCount < slotCount, Fault.OFFSET_MAP_FULL);
  let index = <i32>((<u64>(<u32>hashLow) * <u64>slotCount) >> 32);
  // Ends: a tenth of the slots is free.
  while (true) {
    const slot = tableAt + <usize>index * SLOT_BYTE_LENGTH;
    if (load<i64>(slot, OFFSET_AT) == 0) return slot;
    if (load<u64>(slot) == hashLow && load<u64>(slot, 8) == hashHigh) return slot;
    if (++index == slotCount) index = 0;
  }
}

/** False: the key is new and the map is full. An offset lower than the one already there changes nothing. */
export function putOffset(keyAt: usize, keyLength: i32, offset: i64): bool {
  hashKey(keyAt, keyLength);
  const slot = slotOf();
  const before = load<i64>(slot, OFFSET_AT);
  if (before == 0) {
    if (keyCount >= keyCountMax) return false;
    keyCount++;
    store<u64>(slot, hashLow);
    store<u64>(slot, hashHigh, 8);
  }
  if (offset + 1 > before) store<i64>(slot, offset + 1, OFFSET_AT);
  return true;
}

/** -1 for a key that is not there. */
export function offsetOf(keyAt: usize, keyLength: i32): i64 {
  hashKey(keyAt, keyLength);
  return load<i64>(slotOf(), OFFSET_AT) - 1;
}
