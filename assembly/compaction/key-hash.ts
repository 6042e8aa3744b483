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
/** Of the second of two. */
export let secondHashLow: u64 = 0;
export let secondHashHigh: u64 = 0;

/** Takes the 16 bytes at `at` as the secret. */
export function setSecret(at: usize): void {
  secret0 = load<u64>(at);
  secret1 = load<u64>(at, 8);
}

/** The last word of a key: what is left of it, with its length on top. */
// @ts-ignore: decorator
@inline
function lastWord(at: usize, left: i32, byteLength: i32): u64 {
  // The eight bytes that end where the key ends: something always stands before a key, and it is shifted out.
  const rest = left == 0 ? 0 : load<u64>(at + <usize>left - 8) >> (<u64>(8 - left) << 3);
  return rest | (<u64>byteLength << 56);
}

/** Leaves the hash of the key in `hashLow` and `hashHigh`. The state lives in locals, and a round stands here twice: as globals it took four times as long. */
export function hashKey(at: usize, byteLength: i32): void {
  let v0 = secret0 ^ 0x736f6d6570736575;
  let v1 = secret1 ^ 0x646f72616e646f6d ^ 0xee;
  let v2 = secret0 ^ 0x6c7967656e657261;
  let v3 = secret1 ^ 0x7465646279746573;
  const words = byteLength >> 3;
  for (let i = 0; i <= words; i++) {
    const word = i < words ? load<u64>(at) : lastWord(at, byteLength & 7, byteLength);
    at += 8;
    v3 ^= word;
    for (let j = 0; j < 2; j++) {
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

/** The same of two keys of as many whole words: each step waits for the one before it, and the other key's goes in between. */
export function hashTwoKeys(at: usize, byteLength: i32, secondAt: usize, secondByteLength: i32): void {
  let v0 = secret0 ^ 0x736f6d6570736575;
  let v1 = secret1 ^ 0x646f72616e646f6d ^ 0xee;
  let v2 = secret0 ^ 0x6c7967656e657261;
  let v3 = secret1 ^ 0x7465646279746573;
  let w0 = v0;
  let w1 = v1;
  let w2 = v2;
  let w3 = v3;
  const words = byteLength >> 3;
  for (let i = 0; i <= words; i++) {
    const word = i < words ? load<u64>(at) : lastWord(at, byteLength & 7, byteLength);
    const secondWord = i < words ? load<u64>(secondAt) : lastWord(secondAt, secondByteLength & 7, secondByteLength);
    at += 8;
    secondAt += 8;
    v3 ^= word;
    w3 ^= secondWord;
    for (let j = 0; j < 2; j++) {
      v0 += v1;
      w0 += w1;
      v1 = rotl(v1, 13) ^ v0;
      w1 = rotl(w1, 13) ^ w0;
      v0 = rotl(v0, 32);
      w0 = rotl(w0, 32);
      v2 += v3;
      w2 += w3;
      v3 = rotl(v3, 16) ^ v2;
      w3 = rotl(w3, 16) ^ w2;
      v0 += v3;
      w0 += w3;
      v3 = rotl(v3, 21) ^ v0;
      w3 = rotl(w3, 21) ^ w0;
      v2 += v1;
      w2 += w1;
      v1 = rotl(v1, 17) ^ v2;
      w1 = rotl(w1, 17) ^ w2;
      v2 = rotl(v2, 32);
      w2 = rotl(w2, 32);
    }
    v0 ^= word;
    w0 ^= secondWord;
  }
  v2 ^= 0xee;
  w2 ^= 0xee;
  for (let i = 0; i < 8; i++) {
    if (i == 4) {
      hashLow = v0 ^ v1 ^ v2 ^ v3;
      secondHashLow = w0 ^ w1 ^ w2 ^ w3;
      v1 ^= 0xdd;
      w1 ^= 0xdd;
    }
    v0 += v1;
    w0 += w1;
    v1 = rotl(v1, 13) ^ v0;
    w1 = rotl(w1, 13) ^ w0;
    v0 = rotl(v0, 32);
    w0 = rotl(w0, 32);
    v2 += v3;
    w2 += w3;
    v3 = rotl(v3, 16) ^ v2;
    w3 = rotl(w3, 16) ^ w2;
    v0 += v3;
    w0 += w3;
    v3 = rotl(v3, 21) ^ v0;
    w3 = rotl(w3, 21) ^ w0;
    v2 += v1;
    w2 += w1;
    v1 = rotl(v1, 17) ^ v2;
    w1 = rotl(w1, 17) ^ w2;
    v2 = rotl(v2, 32);
    w2 = rotl(w2, 32);
  }
  hashHigh = v0 ^ v1 ^ v2 ^ v3;
  secondHashHigh = w0 ^ w1 ^ w2 ^ w3;
}
