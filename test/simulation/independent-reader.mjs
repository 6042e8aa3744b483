/**
 * Reads the `.log` files of a partition and shares no line of code with the engine: written from Kafka's format alone, with
 * its own checksum. What it cannot follow it says, with file and position.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const CASTAGNOLI = 0x82f63b78;
const table = new Uint32Array(256).map((_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ CASTAGNOLI : crc >>> 1;
  return crc >>> 0;
});

function crc32c(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}

class Cursor {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  /** A zigzag varint, as long as it may be. */
  varint() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at];
      if (byte === undefined || shift > 63n) throw new Error(`a varint at ${this.at} does not end`);
      this.at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number((value >> 1n) ^ -(value & 1n));
    }
  }

  /** Bytes behind their length; null for a length of -1. */
  field() {
    const length = this.varint();
    if (length === -1) return null;
    const bytes = this.bytes.subarray(this.at, this.at + length);
    if (length < 0 || bytes.length !== length) throw new Error(`a field of ${length} bytes at ${this.at} goes past its batch`);
    this.at += length;
    return bytes;
  }
}

/**
 * The records of `directory` in order: `{ offset, key, value }`, each null or a Buffer. Ends at the first batch that is not whole
 * in the newest segment (what a kill leaves); anywhere else that is an error. Offsets must be contiguous within and across files.
 */
export function readPartitionFiles(directory) {
  const names = readdirSync(directory)
    .filter((name) => /^\d{20}\.log$/.test(name))
    .sort();
  const records = [];
  let next = null;
  let torn = null;
  for (const [index, name] of names.entries()) {
    const file = readFileSync(join(directory, name));
    const base = Number(name.slice(0, 20));
    if (next !== null && base !== next) throw new Error(`${name}: the segment before it ends at ${next}`);
    next = base;
    let at = 0;
    while (at < file.length) {
      const problem = batchAt(file, at, next, records);
      if (typeof problem === "string") {
        if (index < names.length - 1) throw new Error(`${name}:${at}: ${problem}`);
        torn = `${name}:${at}: ${problem}`;
        break;
      }
      at += problem.byteLength;
      next = problem.nextOffset;
    }
  }
  return { records, nextOffset: next ?? 0, torn };
}

/** Takes the batch's records in, or says why not. */
function batchAt(file, at, expectedOffset, into) {
  if (file.length - at < 61) return "fewer bytes than a header";
  const length = file.readInt32BE(at + 8);
  if (length < 49) return `a length of ${length}`;
  if (at + 12 + length > file.length) return `a length of ${length}, past the end`;
  const batch = file.subarray(at, at + 12 + length);
  if (batch[16] !== 2) return `magic ${batch[16]}`;
  const stored = batch.readUInt32BE(17);
  const computed = crc32c(batch.subarray(21));
  if (stored !== computed) return `checksum ${computed.toString(16)}, stored ${stored.toString(16)}`;
  const baseOffset = Number(batch.readBigInt64BE(0));
  if (baseOffset !== expectedOffset) throw new Error(`at ${at}: base offset ${baseOffset}, expected ${expectedOffset}`);
  const attributes = batch.readInt16BE(21);
  if ((attributes & 7) !== 0) throw new Error(`at ${at}: compressed, which nobody here writes`);
  const lastDelta = batch.readInt32BE(23);
  const count = batch.readInt32BE(57);
  if (count !== lastDelta + 1) throw new Error(`at ${at}: ${count} records, last offset delta ${lastDelta}`);
  const cursor = new Cursor(batch, 61);
  for (let delta = 0; delta < count; delta += 1) {
    const end = cursor.varint() + cursor.at;
    cursor.at += 1; // attributes
    cursor.varint(); // timestamp delta
    const offsetDelta = cursor.varint();
    if (offsetDelta !== delta) throw new Error(`at ${at}: record ${delta} has offset delta ${offsetDelta}`);
    const key = cursor.field();
    const value = cursor.field();
    for (let headers = cursor.varint(); headers > 0; headers -= 1) {
      cursor.field();
      cursor.field();
    }
    if (cursor.at !== end) throw new Error(`at ${at}: record ${delta} ends at ${cursor.at}, not at ${end}`);
    into.push({ offset: baseOffset + delta, key, value });
  }
  if (cursor.at !== batch.length) throw new Error(`at ${at}: ${batch.length - cursor.at} bytes behind the last record`);
  return { byteLength: batch.length, nextOffset: baseOffset + count };
}

/** The newest committed offset of each group and partition in a `__consumer_offsets` partition: "group/topic/partition" to offset. */
export function committedOffsets(records) {
  const committed = new Map();
  for (const { key, value } of records) {
    if (key === null || key.readInt16BE(0) > 1) continue;
    let at = 2;
    const text = () => {
      const length = key.readInt16BE(at);
      at += 2 + length;
      return key.toString("utf8", at - length, at);
    };
    const name = `${text()}/${text()}/${key.readInt32BE(at)}`;
    if (value === null) committed.delete(name);
    else committed.set(name, Number(value.readBigInt64BE(2)));
  }
  return committed;
}
