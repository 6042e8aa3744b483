/**
 * What stands around a gzip member's deflated bytes. Source: RFC 1952.
 *
 *    ├ 1f 8b ┼ method 8 ┼ flags ┼ time ┼ extra flags ┼ system ┼ (extra) ┼ (name) ┼ (comment) ┼ (crc16) ┼ deflated ┼ crc32 ┼ length ┤
 */
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";

/** As Java writes it: no time, no name, no system. */
export const GZIP_HEADER: Uint8Array = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0);
/** Where the byte stands that says on which system it was made. */
export const GZIP_SYSTEM_AT = 9;
export const GZIP_TRAILER_BYTE_LENGTH = 8;

const HAS_CRC16 = 0x02;
const HAS_EXTRA = 0x04;
const HAS_NAME = 0x08;
const HAS_COMMENT = 0x10;
const RESERVED = 0xe0;

/** Where the deflated bytes of the member at `start` begin. */
export function gzipHeaderEnd(bytes: Uint8Array, start: number): number {
  const at = (index: number): number => {
    const byte = bytes[index];
    if (byte === undefined) throw corrupt("it ends within its header");
    return byte;
  };
  if (at(start) !== 0x1f || at(start + 1) !== 0x8b || at(start + 2) !== 8) throw corrupt(`no member begins at byte ${start}`);
  const flags = at(start + 3);
  if ((flags & RESERVED) !== 0) throw corrupt("a reserved flag of its header is set");
  let end = start + GZIP_HEADER.length;
  if ((flags & HAS_EXTRA) !== 0) end += 2 + (at(end) | (at(end + 1) << 8));
  for (const flag of [HAS_NAME, HAS_COMMENT]) {
    if ((flags & flag) === 0) continue;
    while (at(end) !== 0) end++;
    end++;
  }
  if ((flags & HAS_CRC16) !== 0) end += 2;
  at(end);
  return end;
}

/** Made for the first checksum: where gzip is native there is none. */
let table: Int32Array | undefined;

/** The checksum of a gzip member: not Kafka's, another polynomial. `seed` is that of what came before. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  table ??= makeTable();
  let register = ~seed;
  for (let at = 0; at < bytes.length; at++) {
    register = (table[(register ^ (bytes[at] as number)) & 0xff] as number) ^ (register >>> 8);
  }
  return ~register >>> 0;
}

function makeTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let register = byte;
    for (let bit = 0; bit < 8; bit++) register = (register & 1) === 0 ? register >>> 1 : (register >>> 1) ^ 0xedb88320;
    return register;
  });
}

function corrupt(sentence: string): CorruptBatchError {
  return new CorruptBatchError(`gzip: ${sentence}`);
}
