/** CRC-32C (Castagnoli). */
import { CRC_TABLES_AT } from "../memory/arena";

const POLYNOMIAL_REVERSED: u32 = 0x82f63b78;
const SLICES: i32 = 16;

/** Table `k` says what a byte does to a checksum after `k` more bytes. */
export function buildTables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL_REVERSED : 0);
    store<u32>(CRC_TABLES_AT + (<usize>byte << 2), crc);
  }
  for (let slice = 1; slice < SLICES; slice++) {
    for (let byte: usize = 0; byte < 256; byte++) {
      const before = load<u32>(CRC_TABLES_AT + (<usize>(slice - 1) << 10) + (byte << 2));
      store<u32>(CRC_TABLES_AT + (<usize>slice << 10) + (byte << 2), (before >> 8) ^ load<u32>(CRC_TABLES_AT + (<usize>(before & 0xff) << 2)));
    }
  }
}

// @ts-ignore: decorator
@inline
function slice(k: usize, byte: u32): u32 {
  return load<u32>(CRC_TABLES_AT + (k << 10) + (<usize>(byte & 0xff) << 2));
}

// @ts-ignore: decorator
@inline
function sliceWord(k: usize, word: u32): u32 {
  return slice(k + 3, word) ^ slice(k + 2, word >> 8) ^ slice(k + 1, word >> 16) ^ slice(k, word >> 24);
}

/** The table method, on the register itself (before the final inversion). */
export function extendByTables(register: u32, at: usize, byteLength: i32): u32 {
  while (byteLength >= 16) {
    register =
      sliceWord(12, load<u32>(at) ^ register) ^ sliceWord(8, load<u32>(at, 4)) ^ sliceWord(4, load<u32>(at, 8)) ^ sliceWord(0, load<u32>(at, 12));
    at += 16;
    byteLength -= 16;
  }
  while (byteLength > 0) {
    register = (register >> 8) ^ slice(0, register ^ <u32>load<u8>(at));
    at++;
    byteLength--;
  }
  return register;
}

/** The checksum of what `seed` is the checksum of, followed by these bytes. */
export function extend(seed: u32, at: usize, byteLength: i32): u32 {
  return ~extendByTables(~seed, at, byteLength);
}
