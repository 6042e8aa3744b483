/** Kafka's murmur2 in whole numbers without bound, byte after byte, from the definition of MurmurHash2. */
const MULTIPLIER = 0x5bd1e995n;
const u32 = (value: bigint): bigint => BigInt.asUintN(32, value);

export function slowMurmur2(key: Uint8Array): number {
  const mixed = (word: bigint): bigint => {
    const spread = u32(word * MULTIPLIER);
    return u32((spread ^ (spread >> 24n)) * MULTIPLIER);
  };
  let hash = 0x9747b28cn ^ BigInt(key.length);
  let at = 0;
  for (; at + 4 <= key.length; at += 4) {
    const word = key.subarray(at, at + 4).reduceRight((high, byte) => high * 256n + BigInt(byte), 0n);
    hash = u32(hash * MULTIPLIER) ^ mixed(word);
  }
  const tail = key.subarray(at);
  if (tail.length > 0) {
    hash ^= tail.reduceRight((high, byte) => high * 256n + BigInt(byte), 0n);
    hash = u32(hash * MULTIPLIER);
  }
  hash = u32((hash ^ (hash >> 13n)) * MULTIPLIER);
  return Number(BigInt.asIntN(32, hash ^ (hash >> 15n)));
}
