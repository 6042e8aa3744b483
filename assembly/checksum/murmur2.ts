/**
 * Kafka's murmur2 of a key, by which its producers choose the partition. A key longer than the staging window comes in chunks.
 * Source: Austin Appleby's MurmurHash2 with the seed of `org.apache.kafka.common.utils.Utils.murmur2`.
 */
import { answer32 } from "../memory/mailbox";
import { Fault, must, mustBeInMemory } from "../panic/fault";

const SEED: u32 = 0x9747b28c;
const MULTIPLIER: u32 = 0x5bd1e995;
const SHIFT: u32 = 24;

const HASH_SLOT = 0;

// One key at a time.
let hash: u32 = 0;
let hashedByteLength: i32 = 0;

/** Bytes `start` to `start + byteLength` of a key, at `at`; but for the last one, chunks are whole words. Answers how many are left; at 0 the hash is in the mailbox. */
export function murmur2Of(at: usize, start: i32, byteLength: i32, keyByteLength: i32): i32 {
  mustBeInMemory(at, byteLength);
  must(start == 0 || start == hashedByteLength, Fault.CHUNK_ORDER);
  must(start >= 0 && byteLength <= keyByteLength - start, Fault.CHUNK_ORDER);
  const isLast = start + byteLength == keyByteLength;
  must(isLast || (byteLength & 3) == 0, Fault.CHUNK_ORDER);
  let register = start == 0 ? SEED ^ <u32>keyByteLength : hash;
  for (const wholeEnd = at + <usize>(byteLength & ~3); at < wholeEnd; at += 4) {
    let word = load<u32>(at) * MULTIPLIER;
    word = (word ^ (word >> SHIFT)) * MULTIPLIER;
    register = (register * MULTIPLIER) ^ word;
  }
  if (!isLast) {
    hash = register;
    hashedByteLength = start + byteLength;
    return keyByteLength - hashedByteLength;
  }
  const left = byteLength & 3;
  if (left > 2) register ^= <u32>load<u8>(at, 2) << 16;
  if (left > 1) register ^= <u32>load<u8>(at, 1) << 8;
  if (left > 0) register = (register ^ <u32>load<u8>(at)) * MULTIPLIER;
  register = (register ^ (register >> 13)) * MULTIPLIER;
  answer32(HASH_SLOT, <i32>(register ^ (register >> 15)));
  return 0;
}
