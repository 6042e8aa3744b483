/** Writes one record batch: into the core's write window, and from there into a buffer of its own when it outgrows that. */

import { writeBigInt64, writeInt16, writeInt32, writeInt64 } from "../base/big-endian.ts";
import { UsageError } from "../base/errors.ts";
import {
  ATTRIBUTES_AT,
  attributesOf,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  CRC_AT,
  HEADER_BYTE_LENGTH,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  MAGIC_AT,
  MAGIC_V2,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
} from "../base/record-batch.ts";
import type { BatchOptions, BatchWriter } from "./core.ts";
import type { CoreHost, CoreMemory } from "./core-host.ts";

type Headers = readonly (readonly [name: Uint8Array, value: Uint8Array | null])[];

/** Kafka's length field is an int32. */
const BATCH_BYTE_LENGTH_MAX = 2 ** 31 - 1;
/** Keys and values up to this length are copied by a loop: cheaper than a call of `set` until about here. */
const LOOP_BYTE_LENGTH_MAX = 24;
/** Deltas up to this take the 32-bit path: 12 days within one batch. */
const INT_DELTA_MAX = 2 ** 30 - 1;

export class WindowBatchWriter implements BatchWriter {
  readonly #host: CoreHost;
  readonly #crc32c: (bytes: Uint8Array) => number;
  #memory: CoreMemory;
  /** The window; or, once the batch has outgrown it, an array of the batch's own. Positions are the batch's. */
  #target: Uint8Array<ArrayBuffer>;
  #window: Uint8Array<ArrayBuffer>;
  #options: BatchOptions | null = null;
  #end: number = HEADER_BYTE_LENGTH;
  #recordCount = 0;
  #baseTimestamp = -1;
  #maxTimestamp = -1;

  constructor(host: CoreHost, crc32c: (bytes: Uint8Array) => number) {
    this.#host = host;
    this.#crc32c = crc32c;
    this.#memory = host.memory;
    this.#target = this.#window = windowOf(host.memory);
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  get byteLength(): number {
    return this.#end;
  }

  begin(options: BatchOptions): void {
    if (this.#memory !== this.#host.memory) {
      this.#memory = this.#host.memory;
      this.#window = windowOf(this.#memory);
    }
    this.#target = this.#window;
    this.#options = options;
    this.#end = HEADER_BYTE_LENGTH;
    this.#recordCount = 0;
    this.#baseTimestamp = this.#maxTimestamp = -1;
  }

  append(key: Uint8Array | null, value: Uint8Array | null, headers: Headers | null, timestamp: number): void {
    const keyLength = key === null ? -1 : key.length;
    const valueLength = value === null ? -1 : value.length;
    let at = this.#frame(keyLength, valueLength, headers, timestamp);
    const target = this.#target;
    if (key !== null) {
      if (keyLength <= LOOP_BYTE_LENGTH_MAX) for (let i = 0; i < keyLength; i++) target[at + i] = key[i] as number;
      else target.set(key, at);
      at += keyLength;
    }
    at = writeVarint(target, at, valueLength);
    if (value !== null) {
      if (valueLength <= LOOP_BYTE_LENGTH_MAX) for (let i = 0; i < valueLength; i++) target[at + i] = value[i] as number;
      else target.set(value, at);
      at += valueLength;
    }
    this.#end = headers === null ? writeVarint(target, at, 0) : writeHeaders(target, at, headers);
  }

  finish(): Uint8Array {
    const options = this.#options;
    if (options === null) throw new UsageError("INVALID_ARGUMENT", "finish() of a batch that was not begun");
    if (this.#memory !== this.#host.memory) throw this.#host.lost("the batch being written");
    this.#options = null;
    const target = this.#target;
    const end = this.#end;
    writeInt64(target, 0, 0);
    writeInt32(target, LENGTH_AT, end - LENGTH_OVERHEAD);
    writeInt32(target, LEADER_EPOCH_AT, -1);
    target[MAGIC_AT] = MAGIC_V2;
    writeInt16(target, ATTRIBUTES_AT, attributesOf(options));
    writeInt32(target, LAST_OFFSET_DELTA_AT, this.#recordCount - 1);
    writeInt64(target, BASE_TIMESTAMP_AT, this.#baseTimestamp);
    writeInt64(target, MAX_TIMESTAMP_AT, this.#maxTimestamp);
    writeBigInt64(target, PRODUCER_ID_AT, options.producerId);
    writeInt16(target, PRODUCER_EPOCH_AT, options.producerEpoch);
    writeInt32(target, BASE_SEQUENCE_AT, options.baseSequence);
    writeInt32(target, RECORD_COUNT_AT, this.#recordCount);
    const batch = target.subarray(0, end);
    writeInt32(target, CRC_AT, this.#crc32c(batch.subarray(ATTRIBUTES_AT)));
    // A batch's own buffer is given away, not kept: the next batch begins in the window again.
    this.#target = this.#window;
    return batch;
  }

  /** Writes everything of a record up to its key, having made room for all of it. Answers where the key goes. */
  #frame(keyLength: number, valueLength: number, headers: Headers | null, timestamp: number): number {
    if (this.#options === null) throw new UsageError("INVALID_ARGUMENT", "append() to a batch that was not begun");
    if (!(timestamp >= -1 && timestamp <= Number.MAX_SAFE_INTEGER && Math.floor(timestamp) === timestamp)) {
      throw new UsageError("INVALID_TIMESTAMP", `a record's timestamp must be a whole number from -1 to 2^53-1; it is ${timestamp}`);
    }
    const offsetDelta = this.#recordCount;
    if (offsetDelta === 0) this.#baseTimestamp = this.#maxTimestamp = timestamp;
    else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    const delta = timestamp - this.#baseTimestamp;
    const isShort = delta <= INT_DELTA_MAX && delta >= -INT_DELTA_MAX;

    // attributes, both deltas, both lengths with what they announce, headers
    const recordLength =
      1 +
      (isShort ? varintByteLength(delta) : varlongByteLength(delta)) +
      varintByteLength(offsetDelta) +
      varintByteLength(keyLength) +
      (keyLength > 0 ? keyLength : 0) +
      varintByteLength(valueLength) +
      (valueLength > 0 ? valueLength : 0) +
      (headers === null ? 1 : headersByteLength(headers));
    const end = this.#end + varintByteLength(recordLength) + recordLength;
    if (end > this.#target.length) this.#grow(end);
    this.#recordCount = offsetDelta + 1;

    const target = this.#target;
    let at = writeVarint(target, this.#end, recordLength);
    target[at++] = 0;
    at = isShort ? writeVarint(target, at, delta) : writeVarlong(target, at, delta);
    at = writeVarint(target, at, offsetDelta);
    return writeVarint(target, at, keyLength);
  }

  #grow(byteLengthMin: number): void {
    if (byteLengthMin > BATCH_BYTE_LENGTH_MAX) {
      throw new UsageError(
        "RECORD_LIST_TOO_LARGE",
        `a batch of ${byteLengthMin} bytes: no batch can be longer than ${BATCH_BYTE_LENGTH_MAX}`,
      );
    }
    const larger = new Uint8Array(Math.min(BATCH_BYTE_LENGTH_MAX, Math.max(byteLengthMin, this.#target.length * 2)));
    larger.set(this.#target.subarray(0, this.#end));
    this.#target = larger;
  }
}

function windowOf(memory: CoreMemory): Uint8Array<ArrayBuffer> {
  return memory.bytes.subarray(memory.writeWindowAt, memory.writeWindowAt + memory.windowByteLength);
}

/** `value`: a 32-bit whole number. */
function varintByteLength(value: number): number {
  const raw = (value << 1) ^ (value >> 31);
  // 38 - clz is the count of significant bits, at least one, plus six: seven bits go to a byte.
  return ((38 - Math.clz32(raw | 1)) / 7) | 0;
}

function writeVarint(target: Uint8Array, at: number, value: number): number {
  let raw = (value << 1) ^ (value >> 31);
  while (raw & ~0x7f) {
    target[at++] = raw | 0x80;
    raw >>>= 7;
  }
  target[at++] = raw;
  return at;
}

/** Timestamps far apart: rare enough for BigInt, whose zigzag of 54 bits no number holds. */
function zigzagOf(value: number): bigint {
  const exact = BigInt(value);
  return exact >= 0n ? exact << 1n : (-exact << 1n) - 1n;
}

function varlongByteLength(value: number): number {
  return Math.ceil(zigzagOf(value).toString(2).length / 7);
}

function writeVarlong(target: Uint8Array, at: number, value: number): number {
  let raw = zigzagOf(value);
  for (; raw >= 0x80n; raw >>= 7n) target[at++] = Number(raw & 0x7fn) | 0x80;
  target[at++] = Number(raw);
  return at;
}

function headersByteLength(headers: Headers): number {
  let byteLength = varintByteLength(headers.length);
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i] as Headers[number];
    byteLength += varintByteLength(name.length) + name.length + (value === null ? 1 : varintByteLength(value.length) + value.length);
  }
  return byteLength;
}

function writeHeaders(target: Uint8Array, start: number, headers: Headers): number {
  let at = writeVarint(target, start, headers.length);
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i] as Headers[number];
    at = writeVarint(target, at, name.length);
    target.set(name, at);
    at = writeVarint(target, at + name.length, value === null ? -1 : value.length);
    if (value === null) continue;
    target.set(value, at);
    at += value.length;
  }
  return at;
}
