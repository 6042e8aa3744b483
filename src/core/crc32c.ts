/** Has the core compute a checksum: where the bytes stand, or of bytes from elsewhere copied into its staging window, chunk by chunk. */
import type { CoreMemory } from "./core-host.ts";

export function crc32c(memory: CoreMemory, bytes: Uint8Array, seed: number): number {
  const place = memory.placeOf(bytes);
  if (place >= 0) {
    memory.exports.crc32c(place, bytes.length, seed);
    return memory.answer(0) >>> 0;
  }
  const { stagingAt, stagingByteLength } = memory;
  let checksum = seed;
  let start = 0;
  do {
    const end = Math.min(bytes.length, start + stagingByteLength);
    memory.bytes.set(end - start === bytes.length ? bytes : bytes.subarray(start, end), stagingAt);
    memory.exports.crc32c(stagingAt, end - start, checksum);
    checksum = memory.answer(0);
    start = end;
  } while (start < bytes.length);
  return checksum >>> 0;
}
