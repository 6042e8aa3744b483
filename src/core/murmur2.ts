/**
 * Kafka's murmur2 of a key, by which its producers choose the partition: 32 bits, signed.
 * In TypeScript, since a key would have to be copied into the core first, and most are shorter than that takes.
 * Source: Austin Appleby's MurmurHash2 with the seed of `org.apache.kafka.common.utils.Utils.murmur2`.
 */

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;
const SHIFT = 24;

export function murmur2(key: Uint8Array): number {
  const byteLength = key.length;
  let hash = SEED ^ byteLength;
  let at = 0;
  for (const wholeEnd = byteLength & ~3; at < wholeEnd; at += 4) {
    const word = (key[at] as number) | ((key[at + 1] as number) << 8) | ((key[at + 2] as number) << 16) | ((key[at + 3] as number) << 24);
    const spread = Math.imul(word, MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(spread ^ (spread >>> SHIFT), MULTIPLIER);
  }
  const left = byteLength - at;
  if (left > 2) hash ^= (key[at + 2] as number) << 16;
  if (left > 1) hash ^= (key[at + 1] as number) << 8;
  if (left > 0) hash = Math.imul(hash ^ (key[at] as number), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}
