/**
 * The 128 bits that stand for a key while a log is compacted: SipHash-2-4 with 128-bit output, under a key drawn anew for each pass.
 *
 * Two keys with one hash would lose the older one's last record. Kafka takes MD5, for which such keys can be made by anyone;
 * under a secret they cannot be, and among n honest keys the chance is n²/2^129. The hash is never stored, so it is ours to choose.
 * Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF" (2012) and its reference implementation's 128-bit form.
 */

/** The secret of this instance. */
let secret0: u64 = 0;
let secret1: u64 = 0;

/** The hash computed last: a function has one result. */
export let hashLow: u64 = 0;
export let hashHigh: u64 = 0;

/** Takes the 16 bytes at `at` as the secret. */
export function setSecret(at: usize): void {
  secret0 = load<u64>(at);
  secret1 = load<u64>(at, 8);
}

/** Leaves the hash of the key in `hashLow` and `hashHigh`. The state lives in locals, and a round stands here twice: as globals it took four times as long. */
export function hashKey(at: usize, byteLength: i32): void {
  let v0 = secret0 ^ 0x736f6d6570736575;
  let v1 = secret1 ^ 0x646f72616e646f6d ^ 0xee;
  let v2 = secret0 ^ 0x6c7967656e657261;
  let v3 = secret1 ^ 0x7465646279746573;
  const end = at + <usize>byteLength;
  for (let isLast = false; !isLast; ) {
    let word: u64;
    if (at + 8 <= end) {
      word = load<u64>(at);
      at += 8;
    } else {
      isLast = true;
      word = <u64>byteLength << 56;
      for (let shift: u64 = 0; at < end; shift += 8) word |= <u64>load<u8>(at++) << shift;
    }
    v3 ^= word;
    for (let i = 0; i < 2; i++) {
      v0 += v1;
      v1 = rotl(v1, 13) ^ v0;
      v0 = rotl(v0, 32);
      v2 += v3;
      v3 = rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = rotl(v1, 17) ^ v2;
      v2 = rotl(v2, 32);
    }
    v0 ^= word;
  }
  v2 ^= 0xee;
  for (let i = 0; i < 8; i++) {
    if (i == 4) {
      hashLow = v0 ^ v1 ^ v2 ^ v3;
      v1 ^= 0xdd;
    }
    v0 += v1;
    v1 = rotl(v1, 13) ^ v0;
    v0 = rotl(v0, 32);
    v2 += v3;
    v3 = rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl(v1, 17) ^ v2;
    v2 = rotl(v2, 32);
  }
  hashHigh = v0 ^ v1 ^ v2 ^ v3;
}
