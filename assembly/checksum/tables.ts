/** CRC-32C by slicing tables, sixteen bytes a step: for short messages, and for what folding leaves. */
import { CRC_TABLES_AT } from "../memory/arena";

const POLYNOMIAL_REVERSED: u32 = 0x82f63b78;
const SLICE_COUNT: usize = 16;

// @ts-ignore: decorator
@inline
function entryAt(slice: usize, byte: u32): usize {
  return CRC_TABLES_AT + (slice << 10) + (<usize>(byte & 0xff) << 2);
}

/** Table `k` says what a byte does to a checksum after `k` more bytes. */
export function buildTables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL_REVERSED : 0);
    store<u32>(entryAt(0, byte), crc);
  }
  for (let slice: usize = 1; slice < SLICE_COUNT; slice++) {
    for (let byte: u32 = 0; byte < 256; byte++) {
      const before = load<u32>(entryAt(slice - 1, byte));
      store<u32>(entryAt(slice, byte), (before >> 8) ^ load<u32>(entryAt(0, before)));
    }
  }
}

// @ts-ignore: decorator
@inline
function sliceWord(slice: usize, word: u32): u32 {
  return (
    load<u32>(entryAt(slice + 3, word)) ^ load<u32>(entryAt(slice + 2, word >> 8)) ^ load<u32>(entryAt(slice + 1, word >> 16)) ^ load<u32>(entryAt(slice, word >> 24))
  );
}

/** On the register itself, before the final inversion. */
export function extendByTables(register: u32, at: usize, byteLength: i32): u32 {
  while (byteLength >= 16) {
    register = sliceWord(12, load<u32>(at) ^ register) ^ sliceWord(8, load<u32>(at, 4)) ^ sliceWord(4, load<u32>(at, 8)) ^ sliceWord(0, load<u32>(at, 12));
    at += 16;
    byteLength -= 16;
  }
  while (byteLength > 0) {
    register = (register >> 8) ^ load<u32>(entryAt(0, register ^ <u32>load<u8>(at)));
    at++;
    byteLength--;
  }
  return register;
}
