/** Has the core hash a key: copied into its staging window, in chunks where it is longer than that. */
import type { CoreMemory } from "./core-host.ts";

/** Keys up to this length are copied by a loop, a word at a time: cheaper than a call of `set` until about here. */
const LOOP_BYTE_LENGTH_MAX = 40;

export function murmur2(memory: CoreMemory, key: Uint8Array): number {
  const byteLength = key.length;
  if (byteLength > LOOP_BYTE_LENGTH_MAX) return hashOfLong(memory, key);
  const { bytes, stagingWords, stagingAt } = memory;
  let at = 0;
  for (const wholeEnd = byteLength & ~3; at < wholeEnd; at += 4) {
    stagingWords[at >> 2] =
      (key[at] as number) | ((key[at + 1] as number) << 8) | ((key[at + 2] as number) << 16) | ((key[at + 3] as number) << 24);
  }
  for (; at < byteLength; at++) bytes[stagingAt + at] = key[at] as number;
  memory.murmur2(stagingAt, 0, byteLength, byteLength);
  return memory.answer(0);
}

function hashOfLong(memory: CoreMemory, key: Uint8Array): number {
  const { bytes, stagingAt, stagingByteLength } = memory;
  let left = key.length;
  while (left > 0) {
    const start = key.length - left;
    const end = Math.min(key.length, start + stagingByteLength);
    bytes.set(end - start === key.length ? key : key.subarray(start, end), stagingAt);
    left = memory.murmur2(stagingAt, start, end - start, key.length);
  }
  return memory.answer(0);
}
