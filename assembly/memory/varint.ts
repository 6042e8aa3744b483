/**
 * Zigzag varints as records use them: 32 bits in at most 5 bytes, 64 bits in at most 10.
 * Reading answers through two globals, because a function has one result: `varintEnd` is 0 when the bytes ran out or were too many.
 */

/** Behind the last byte read; 0: there was no varint. Address 0 is never a record's. */
export let varintEnd: usize = 0;

/** Reads at `at`, never at or beyond `end`. As in Kafka, bits that do not fit in 32 are dropped. */
export function readVarint(at: usize, end: usize): i32 {
  let raw: u32 = 0;
  for (let shift: u32 = 0; shift < 35; shift += 7) {
    if (at >= end) break;
    const byte = <u32>load<u8>(at++);
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      varintEnd = at;
      return <i32>((raw >> 1) ^ (0 - (raw & 1)));
    }
  }
  varintEnd = 0;
  return 0;
}

/** The same, with lengths of one and two bytes, nearly all there are, read where it is called. */
// @ts-ignore: decorator
@inline
export function readShortVarint(at: usize, end: usize): i32 {
  let value: i32;
  if (at + 2 <= end && load<u8>(at) < 0x80) {
    const raw = <u32>load<u8>(at);
    varintEnd = at + 1;
    value = <i32>((raw >> 1) ^ (0 - (raw & 1)));
  } else if (at + 2 <= end && load<u8>(at, 1) < 0x80) {
    const raw = (<u32>load<u8>(at) & 0x7f) | (<u32>load<u8>(at, 1) << 7);
    varintEnd = at + 2;
    value = <i32>((raw >> 1) ^ (0 - (raw & 1)));
  } else {
    value = readVarint(at, end);
  }
  return value;
}

export function readVarlong(at: usize, end: usize): i64 {
  let raw: u64 = 0;
  for (let shift: u64 = 0; shift < 70; shift += 7) {
    if (at >= end) break;
    const byte = <u64>load<u8>(at++);
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      varintEnd = at;
      return <i64>((raw >> 1) ^ (0 - (raw & 1)));
    }
  }
  varintEnd = 0;
  return 0;
}

// @ts-ignore: decorator
@inline
function zigzag32(value: i32): u32 {
  return (<u32>value << 1) ^ <u32>(value >> 31);
}

// @ts-ignore: decorator
@inline
function zigzag64(value: i64): u64 {
  return (<u64>value << 1) ^ <u64>(value >> 63);
}

// Seven bits to a byte, without dividing by seven: 9/64 is so little more than 1/7 that up to 64 bits it comes to the same.

/** How many bytes `writeVarint` takes. */
// @ts-ignore: decorator
@inline
export function varintByteLength(value: i32): i32 {
  return ((32 - <i32>clz<u32>(zigzag32(value) | 1)) * 9 + 64) >> 6;
}

/** How many bytes `writeVarlong` takes. */
// @ts-ignore: decorator
@inline
export function varlongByteLength(value: i64): i32 {
  return ((64 - <i32>clz<u64>(zigzag64(value) | 1)) * 9 + 64) >> 6;
}

/** Answers the place behind the last byte. */
// @ts-ignore: decorator
@inline
export function writeVarint(at: usize, value: i32): usize {
  let raw = zigzag32(value);
  while (raw >= 0x80) {
    store<u8>(at++, <u8>(raw | 0x80));
    raw >>= 7;
  }
  store<u8>(at, <u8>raw);
  return at + 1;
}

/** Answers the place behind the last byte. A 32-bit varint has the same bytes as the 64-bit one of the same value. */
export function writeVarlong(at: usize, value: i64): usize {
  let raw = zigzag64(value);
  while (raw >= 0x80) {
    store<u8>(at++, <u8>(raw | 0x80));
    raw >>= 7;
  }
  store<u8>(at, <u8>raw);
  return at + 1;
}
