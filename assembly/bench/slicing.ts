/** The table method alone, in a binary of its own: what bench/crc32c.bench.mjs measures folding against. Not part of the core. */
import { buildTables, extendByTables } from "../checksum/tables";

export function initialize(): void {
  buildTables();
}

export function slicing16(at: usize, byteLength: i32): u32 {
  return ~extendByTables(~0, at, byteLength);
}
