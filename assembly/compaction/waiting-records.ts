/**
 * Records that wait for the map. A slot is a miss of every cache, and one after the other they cost more than all else. So records
 * wait until there are some; then their keys are hashed, two at a time, and all their slots are touched, which the processor does at
 * once; only then is one of them looked at.
 */
import { STAGING_AT, STAGING_BYTE_LENGTH } from "../memory/arena";
import { Fault, must } from "../panic/fault";
import { hashHigh, hashKey, hashLow, hashTwoKeys, secondHashHigh, secondHashLow } from "./key-hash";
import { findLikely, isLikely, likelySlot, offsetOf, put, touched } from "./offset-map";

//  0              8             16       24                 32           40          44        48     52
//  ├ key, hash low ┼ its length, hash high ┼ offset ┼ timestamp delta ┼ likely slot ┼ start ┼ end ┼ kind ┤     in the staging window
const ENTRY_BYTE_LENGTH: usize = 56;
const HIGH_AT: usize = 8;
const OFFSET_AT: usize = 16;
const TIMESTAMP_DELTA_AT: usize = 24;
const SLOT_AT: usize = 32;
const START_AT: usize = 40;
const END_AT: usize = 44;
const KIND_AT: usize = 48;

/** What is to become of a record. */
export const enum Kind {
  /** The map says. */
  ASKS = 0,
  /** The same, of a tombstone. */
  TOMBSTONE_ASKS = 1,
  STAYS = 2,
  TOMBSTONE_STAYS = 3,
  GOES = 4,
}

export const WAITING_MAX: i32 = 128;
export let waitingCount: i32 = 0;
/** Where the sum of what was touched goes: nobody reads it, but a load whose value goes nowhere may be left out. */
const TOUCHED_AT: usize = STAGING_AT + <usize>WAITING_MAX * ENTRY_BYTE_LENGTH;

// @ts-ignore: decorator
@inline
function entryAt(index: i32): usize {
  return STAGING_AT + <usize>index * ENTRY_BYTE_LENGTH;
}

export function forgetWaiting(): void {
  waitingCount = 0;
}

/** Lets a record wait; its key's bytes must stay where they are until it is looked at. */
// @ts-ignore: decorator
@inline
export function addWaiting(keyAt: usize, keyLength: i32, offset: i64, timestampDelta: i64, start: usize, end: usize, kind: i32): void {
  must(waitingCount < WAITING_MAX && TOUCHED_AT + 8 <= STAGING_AT + STAGING_BYTE_LENGTH, Fault.RANGE);
  const entry = entryAt(waitingCount);
  store<u64>(entry, <u64>keyAt);
  store<i64>(entry, <i64>keyLength, HIGH_AT);
  store<i64>(entry, offset, OFFSET_AT);
  store<i64>(entry, timestampDelta, TIMESTAMP_DELTA_AT);
  store<u32>(entry, <u32>start, START_AT);
  store<u32>(entry, <u32>end, END_AT);
  store<i32>(entry, kind, KIND_AT);
  waitingCount++;
}

// @ts-ignore: decorator
@inline
export function waitingOffset(index: i32): i64 {
  return load<i64>(entryAt(index), OFFSET_AT);
}

// @ts-ignore: decorator
@inline
export function waitingTimestampDelta(index: i32): i64 {
  return load<i64>(entryAt(index), TIMESTAMP_DELTA_AT);
}

// @ts-ignore: decorator
@inline
export function waitingStart(index: i32): usize {
  return <usize>load<u32>(entryAt(index), START_AT);
}

// @ts-ignore: decorator
@inline
export function waitingEnd(index: i32): usize {
  return <usize>load<u32>(entryAt(index), END_AT);
}

// @ts-ignore: decorator
@inline
export function waitingKind(index: i32): i32 {
  return load<i32>(entryAt(index), KIND_AT);
}

// @ts-ignore: decorator
@inline
function storeHash(entry: usize, low: u64, high: u64): void {
  store<u64>(entry, low);
  store<u64>(entry, high, HIGH_AT);
}

/** Hashes the keys of all that ask, and brings their slots near. */
export function prepareWaiting(): void {
  let single: usize = 0;
  let singleWords: i32 = 0;
  for (let i = 0; i < waitingCount; i++) {
    const entry = entryAt(i);
    if (load<i32>(entry, KIND_AT) > Kind.TOMBSTONE_ASKS) continue;
    const words = load<i32>(entry, HIGH_AT) >> 3;
    if (single == 0) {
      single = entry;
      singleWords = words;
    } else if (words == singleWords) {
      hashTwoKeys(<usize>load<u64>(single), load<i32>(single, HIGH_AT), <usize>load<u64>(entry), load<i32>(entry, HIGH_AT));
      storeHash(single, hashLow, hashHigh);
      storeHash(entry, secondHashLow, secondHashHigh);
      single = 0;
    } else {
      hashKey(<usize>load<u64>(single), load<i32>(single, HIGH_AT));
      storeHash(single, hashLow, hashHigh);
      single = entry;
      singleWords = words;
    }
  }
  if (single != 0) {
    hashKey(<usize>load<u64>(single), load<i32>(single, HIGH_AT));
    storeHash(single, hashLow, hashHigh);
  }
  let sum: u64 = 0;
  for (let i = 0; i < waitingCount; i++) {
    const entry = entryAt(i);
    if (load<i32>(entry, KIND_AT) > Kind.TOMBSTONE_ASKS) continue;
    findLikely(load<u64>(entry));
    store<u64>(entry, <u64>(isLikely ? likelySlot : 0), SLOT_AT);
    sum += touched(likelySlot);
  }
  store<u64>(TOUCHED_AT, sum);
}

/** False: the key is new and the map is full. */
// @ts-ignore: decorator
@inline
export function putWaiting(index: i32): bool {
  const entry = entryAt(index);
  return put(load<u64>(entry), load<u64>(entry, HIGH_AT), <usize>load<u64>(entry, SLOT_AT), load<i64>(entry, OFFSET_AT));
}

/** The latest offset of the key of a record that asks; -1 for a key that the map has not. */
// @ts-ignore: decorator
@inline
export function latestOfWaiting(index: i32): i64 {
  const entry = entryAt(index);
  return offsetOf(load<u64>(entry), load<u64>(entry, HIGH_AT), <usize>load<u64>(entry, SLOT_AT));
}
