/** The latest offset of every key, in a table of fixed size: open addressing, linear probing, never more than nine slots of ten taken. */
import { STAGING_AT, STAGING_BYTE_LENGTH } from "../memory/arena";
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

// A slot is a miss of every cache, and one after the other they cost more than all else. So keys wait, hashed, until there are some;
// then all their slots are touched, which the processor does at once, and only then looked at.
//
//  0          8           16       24    32
//  ├ hash low ┼ hash high ┼ offset ┼ tag ┤     in the staging window, which a pass of compaction does not need
const WAITING_BYTE_LENGTH: usize = 32;
const WAITING_TAG_AT: usize = 24;
export const WAITING_MAX: i32 = 128;
export let waitingCount: i32 = 0;
/** Where the sum of what was touched goes: nobody reads it, but a load whose value goes nowhere may be left out. */
const TOUCHED_AT: usize = STAGING_AT + <usize>WAITING_MAX * WAITING_BYTE_LENGTH;

export function forgetWaiting(): void {
  waitingCount = 0;
}

/** Lets a key wait for `touchWaiting`; `tag` is the caller's. */
export function addWaiting(keyAt: usize, keyLength: i32, offset: i64, tag: u64): void {
  must(waitingCount < WAITING_MAX && TOUCHED_AT + 8 <= STAGING_AT + STAGING_BYTE_LENGTH, Fault.RANGE);
  hashKey(keyAt, keyLength);
  const at = STAGING_AT + <usize>waitingCount * WAITING_BYTE_LENGTH;
  store<u64>(at, hashLow);
  store<u64>(at, hashHigh, 8);
  store<i64>(at, offset, OFFSET_AT);
  store<u64>(at, tag, WAITING_TAG_AT);
  waitingCount++;
}

/** Brings the slots of all keys that wait near. */
export function touchWaiting(): void {
  let sum: u64 = 0;
  for (let i = 0; i < waitingCount; i++) {
    sum += load<u64>(firstSlotOf(load<u64>(STAGING_AT + <usize>i * WAITING_BYTE_LENGTH)), OFFSET_AT);
  }
  store<u64>(TOUCHED_AT, sum);
}

export function waitingOffset(index: i32): i64 {
  return load<i64>(STAGING_AT + <usize>index * WAITING_BYTE_LENGTH, OFFSET_AT);
}

export function waitingTag(index: i32): u64 {
  return load<u64>(STAGING_AT + <usize>index * WAITING_BYTE_LENGTH, WAITING_TAG_AT);
}

// @ts-ignore: decorator
@inline
function firstSlotOf(low: u64): usize {
  return tableAt + <usize>((<u64>(<u32>low) * <u64>slotCount) >> 32) * SLOT_BYTE_LENGTH;
}

/** The slot of the key that waits: its own, or the free one where it belongs. */
function slotOf(index: i32): usize {
  must(keyCount < slotCount, Fault.OFFSET_MAP_FULL);
  const at = STAGING_AT + <usize>index * WAITING_BYTE_LENGTH;
  const low = load<u64>(at);
  const high = load<u64>(at, 8);
  const end = tableAt + <usize>slotCount * SLOT_BYTE_LENGTH;
  let slot = firstSlotOf(low);
  // Ends: a tenth of the slots is free.
  while (true) {
    if (load<i64>(slot, OFFSET_AT) == 0) return slot;
    if (load<u64>(slot) == low && load<u64>(slot, 8) == high) return slot;
    slot += SLOT_BYTE_LENGTH;
    if (slot == end) slot = tableAt;
  }
}

/** False: the key is new and the map is full. An offset lower than the one already there changes nothing. */
export function putWaiting(index: i32): bool {
  const slot = slotOf(index);
  const before = load<i64>(slot, OFFSET_AT);
  if (before == 0) {
    if (keyCount >= keyCountMax) return false;
    keyCount++;
    v128.store(slot, v128.load(STAGING_AT + <usize>index * WAITING_BYTE_LENGTH));
  }
  const offset = waitingOffset(index);
  if (offset + 1 > before) store<i64>(slot, offset + 1, OFFSET_AT);
  return true;
}

/** -1 for a key that is not there. */
export function offsetOfWaiting(index: i32): i64 {
  return load<i64>(slotOf(index), OFFSET_AT) - 1;
}
