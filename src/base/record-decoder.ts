/**
 * Walks the records of one uncompressed batch, telling where each field lies and copying nothing: what lazy views are made from.
 * Every length is believed only as far as the batch has bytes for it; what does not add up is a `RecordFramingError`.
 */

import { readBigInt64, readInt16, readInt32, readInt64 } from "./big-endian.ts";
import { UsageError } from "./errors.ts";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_TIMESTAMP_AT,
  batchByteLengthAt,
  codecNumber,
  codecOf,
  HEADER_BYTE_LENGTH,
  isLogAppendTime,
  LAST_OFFSET_DELTA_AT,
  MAX_TIMESTAMP_AT,
  offsetsAreSafe,
  RECORD_BYTE_LENGTH_MIN,
  RECORD_COUNT_AT,
} from "./record-batch.ts";

/** Bytes that are no record. Whoever knows the file makes a `CorruptionError` of it. */
export class RecordFramingError extends Error {
  override readonly name = "RecordFramingError";
  /** Where in the array given. */
  readonly position: number;

  constructor(position: number, message: string) {
    super(message);
    this.position = position;
  }
}

export type DecodedHeader = readonly [name: Uint8Array, value: Uint8Array | null];

/** Where the varint read last ended. A function has one result, and this one is read right after. */
let varintEnd = 0;

/** A zigzag varint of 32 bits, at most 5 bytes, none at or behind `end`. Bits that do not fit are dropped, as in Kafka. */
function readVarint(bytes: Uint8Array, at: number, end: number): number {
  if (at < end) {
    const first = bytes[at] as number;
    if (first < 0x80) {
      varintEnd = at + 1;
      return (first >>> 1) ^ -(first & 1);
    }
    if (at + 1 < end) {
      const second = bytes[at + 1] as number;
      if (second < 0x80) {
        varintEnd = at + 2;
        const raw = (first & 0x7f) | (second << 7);
        return (raw >>> 1) ^ -(raw & 1);
      }
    }
  }
  return readLongerVarint(bytes, at, end);
}

function readLongerVarint(bytes: Uint8Array, start: number, end: number): number {
  let raw = 0;
  let at = start;
  for (let shift = 0; shift < 35 && at < end; shift += 7) {
    const byte = bytes[at++] as number;
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      varintEnd = at;
      return (raw >>> 1) ^ -(raw & 1);
    }
  }
  throw new RecordFramingError(start, at < end ? "a varint of more than 5 bytes" : "the bytes end within a varint");
}

function readVarlong(bytes: Uint8Array, start: number, end: number): bigint {
  let raw = 0n;
  let at = start;
  for (let shift = 0n; shift < 70n && at < end; shift += 7n) {
    const byte = bytes[at++] as number;
    raw |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) {
      varintEnd = at;
      return BigInt.asIntN(64, (BigInt.asUintN(64, raw) >> 1n) ^ -(raw & 1n));
    }
  }
  throw new RecordFramingError(start, at < end ? "a varlong of more than 10 bytes" : "the bytes end within a varlong");
}

const NO_BYTES = new Uint8Array(0);

/** How many of a varint's bytes always fit into a 32-bit number. */
const SHORT_VARINT_BYTE_COUNT = 4;

/**
 * A cursor before the first record; `next()` moves it. The fields are those of the record it stands on, and are overwritten.
 * The bytes must stay as they are while it is used.
 */
export class RecordCursor {
  bytes: Uint8Array = NO_BYTES;
  recordCount = 0;
  /** Behind the batch's last byte. */
  end = 0;

  offset = -1;
  /** Milliseconds; the nearest number where 64 bits do not fit. With LogAppendTime, the batch's. */
  timestamp = -1;
  /** Where the whole record begins, and where it ends. */
  start = 0;
  recordEnd = 0;
  keyStart = 0;
  /** -1: null. */
  keyLength = -1;
  valueStart = 0;
  /** -1: null. */
  valueLength = -1;
  /** Where the first header begins. */
  headersStart = 0;
  headersCount = 0;

  /** Of `bytes`, once a view was asked for: to ask an array for its buffer is a call into the runtime. */
  #buffer: ArrayBuffer | null = null;
  #byteOffset = 0;
  #batchAt = 0;
  #baseOffset = 0;
  #lastOffsetDelta = -1;
  #baseTimestamp = -1;
  #fixedTimestamp = false;
  #hasSafeBase = true;
  #left = 0;
  #offsetDelta = -1;
  #timestampAt = 0;

  /** As `begin`. */
  constructor(bytes: Uint8Array, at = 0) {
    this.begin(bytes, at);
  }

  /**
   * Stands before the first record of the batch that begins at `at`. Throws a `RecordFramingError` when its header cannot be (no checksum is
   * computed), and a `UsageError` with `UNSUPPORTED_COMPRESSION_TYPE` for a compressed batch; the cursor then stays where it was.
   */
  begin(bytes: Uint8Array, at: number): void {
    if (at < 0 || at + HEADER_BYTE_LENGTH > bytes.length) throw new RecordFramingError(at, "the bytes end within a batch header");
    const end = at + batchByteLengthAt(bytes, at);
    if (end < at + HEADER_BYTE_LENGTH || end > bytes.length) {
      throw new RecordFramingError(at, `a batch says it is ${end - at} bytes long; there are ${bytes.length - at}`);
    }
    const attributes = readInt16(bytes, at + ATTRIBUTES_AT);
    if (codecNumber(attributes) !== 0) {
      const codec = codecOf(attributes) ?? `codec ${codecNumber(attributes)}`;
      throw new UsageError("UNSUPPORTED_COMPRESSION_TYPE", `the batch is compressed with ${codec}, which cannot be read here`);
    }
    const recordCount = readInt32(bytes, at + RECORD_COUNT_AT);
    if (recordCount < 0 || recordCount > (end - at - HEADER_BYTE_LENGTH) / RECORD_BYTE_LENGTH_MIN) {
      throw new RecordFramingError(at, `a batch of ${end - at} bytes says it holds ${recordCount} records`);
    }
    const baseOffset = readInt64(bytes, at + BASE_OFFSET_AT);
    const lastOffsetDelta = readInt32(bytes, at + LAST_OFFSET_DELTA_AT);
    if (!offsetsAreSafe({ baseOffset, lastOffsetDelta, lastOffset: baseOffset + lastOffsetDelta })) {
      throw new RecordFramingError(
        at,
        `a batch's offsets begin at ${baseOffset} and go on for ${lastOffsetDelta}; they must lie in 0 to 2^53-1`,
      );
    }
    this.bytes = bytes;
    this.#buffer = null;
    this.end = end;
    this.recordCount = recordCount;
    this.recordEnd = at + HEADER_BYTE_LENGTH;
    this.#batchAt = at;
    this.#left = recordCount;
    this.#baseOffset = baseOffset;
    this.#lastOffsetDelta = lastOffsetDelta;
    this.#fixedTimestamp = isLogAppendTime(attributes);
    this.#baseTimestamp = readInt64(bytes, at + (this.#fixedTimestamp ? MAX_TIMESTAMP_AT : BASE_TIMESTAMP_AT));
    this.#hasSafeBase = Number.isSafeInteger(this.#baseTimestamp);
    this.offset = -1;
    this.timestamp = this.#baseTimestamp;
    this.#offsetDelta = -1;
    this.#timestampAt = 0;
  }

  /** `next()` will read the record of this index, which begins at `start`; every record before it is taken for read. */
  goTo(index: number, start: number): void {
    this.recordEnd = start;
    this.#left = this.recordCount - index;
    this.#offsetDelta = -1;
  }

  /** Passes over so many records, going by their lengths alone; there must be as many. */
  skip(count: number): void {
    const { bytes, end } = this;
    let at = this.recordEnd;
    for (let skipped = 0; skipped < count; skipped++) {
      const length = readVarint(bytes, at, end);
      if (length < RECORD_BYTE_LENGTH_MIN - 1 || length > end - varintEnd) {
        throw new RecordFramingError(at, `a record says it is ${length} bytes long; the batch has ${end - varintEnd} left`);
      }
      at = varintEnd + length;
    }
    this.recordEnd = at;
    this.#left -= count;
  }

  /** Moves to the next record; false behind the last one. Throws a `RecordFramingError` where the bytes do not add up. */
  next(): boolean {
    const { bytes, end } = this;
    const start = this.recordEnd;
    if (this.#left === 0) {
      if (start !== end) throw new RecordFramingError(start, `${end - start} bytes behind the batch's last record`);
      return false;
    }
    const length = readVarint(bytes, start, end);
    const bodyAt = varintEnd;
    if (length < RECORD_BYTE_LENGTH_MIN - 1 || length > end - bodyAt) {
      throw new RecordFramingError(start, `a record says it is ${length} bytes long; the batch has ${end - bodyAt} left`);
    }
    const recordEnd = bodyAt + length;
    // One byte of attributes, unused by Kafka.
    const timestampAt = bodyAt + 1;
    let at = timestampAt;
    while ((bytes[at] as number) >= 0x80 && at - timestampAt < SHORT_VARINT_BYTE_COUNT && at < recordEnd) at++;
    if (at - timestampAt < SHORT_VARINT_BYTE_COUNT && this.#hasSafeBase) {
      const delta = readVarint(bytes, timestampAt, recordEnd);
      if (!this.#fixedTimestamp) this.timestamp = this.#baseTimestamp + delta;
    } else this.timestamp = Number(this.#timestampInt64At(timestampAt, recordEnd));

    const offsetDelta = readVarint(bytes, varintEnd, recordEnd);
    if (offsetDelta <= this.#offsetDelta || offsetDelta > this.#lastOffsetDelta) {
      throw new RecordFramingError(
        start,
        `a record's offset delta is ${offsetDelta}; it must be above ${this.#offsetDelta} and at most ${this.#lastOffsetDelta}`,
      );
    }
    const keyLength = readVarint(bytes, varintEnd, recordEnd);
    const keyStart = varintEnd;
    if (keyLength < -1 || keyLength > recordEnd - keyStart) throw this.#tooLong(start, "key", keyLength, recordEnd - keyStart);
    const valueLength = readVarint(bytes, keyLength > 0 ? keyStart + keyLength : keyStart, recordEnd);
    const valueStart = varintEnd;
    if (valueLength < -1 || valueLength > recordEnd - valueStart) throw this.#tooLong(start, "value", valueLength, recordEnd - valueStart);
    const headersCount = readVarint(bytes, valueLength > 0 ? valueStart + valueLength : valueStart, recordEnd);
    const room = recordEnd - varintEnd;
    // A header takes two bytes at least; headers themselves are looked at when they are asked for.
    if (headersCount < 0 || headersCount > room >> 1 || (headersCount === 0 && room > 0)) {
      throw new RecordFramingError(start, `a record says it has ${headersCount} headers; it has ${room} bytes for them`);
    }

    this.start = start;
    this.recordEnd = recordEnd;
    this.#timestampAt = timestampAt;
    this.#offsetDelta = offsetDelta;
    this.offset = this.#baseOffset + offsetDelta;
    this.keyStart = keyStart;
    this.keyLength = keyLength;
    this.valueStart = valueStart;
    this.valueLength = valueLength;
    this.headersStart = varintEnd;
    this.headersCount = headersCount;
    this.#left--;
    return true;
  }

  /** The exact timestamp of the record it stands on. */
  get timestampInt64(): bigint {
    if (this.#timestampAt === 0) throw new UsageError("INVALID_ARGUMENT", "timestampInt64 of a cursor that stands on no record");
    return this.#timestampInt64At(this.#timestampAt, this.recordEnd);
  }

  /** A view of the batch's bytes: quicker than `subarray`, which asks the array for its species. */
  view(start: number, byteLength: number): Uint8Array<ArrayBuffer> {
    if (this.#buffer === null) {
      this.#buffer = this.bytes.buffer as ArrayBuffer;
      this.#byteOffset = this.bytes.byteOffset;
    }
    return new Uint8Array(this.#buffer, this.#byteOffset + start, byteLength);
  }

  /** A view of the key; null when there is none. */
  key(): Uint8Array | null {
    return this.keyLength < 0 ? null : this.bytes.subarray(this.keyStart, this.keyStart + this.keyLength);
  }

  /** A view of the value; null when there is none. */
  value(): Uint8Array | null {
    return this.valueLength < 0 ? null : this.bytes.subarray(this.valueStart, this.valueStart + this.valueLength);
  }

  /** The headers in order, as views. Throws a `RecordFramingError` when they do not fill the record exactly. */
  decodeHeaders(): DecodedHeader[] {
    return decodeHeaders(this.bytes, this.headersStart, this.headersCount, this.recordEnd);
  }

  #timestampInt64At(timestampAt: number, recordEnd: number): bigint {
    const delta = readVarlong(this.bytes, timestampAt, recordEnd);
    if (this.#fixedTimestamp) return readBigInt64(this.bytes, this.#batchAt + MAX_TIMESTAMP_AT);
    return BigInt.asIntN(64, readBigInt64(this.bytes, this.#batchAt + BASE_TIMESTAMP_AT) + delta);
  }

  #tooLong(start: number, what: string, byteLength: number, room: number): RecordFramingError {
    return new RecordFramingError(start, `a record's ${what} says it is ${byteLength} bytes long; the record has ${room} left`);
  }
}

/** For views that remember where a record's headers lie. `recordEnd`: behind the record's last byte. */
export function decodeHeaders(bytes: Uint8Array, headersStart: number, headersCount: number, recordEnd: number): DecodedHeader[] {
  const headers: DecodedHeader[] = [];
  let at = headersStart;
  for (let i = 0; i < headersCount; i++) {
    const nameLength = readVarint(bytes, at, recordEnd);
    const nameStart = varintEnd;
    if (nameLength < 0 || nameLength > recordEnd - nameStart) {
      throw new RecordFramingError(at, `a header's name says it is ${nameLength} bytes long; the record has ${recordEnd - nameStart} left`);
    }
    const nameEnd = nameStart + nameLength;
    const valueLength = readVarint(bytes, nameEnd, recordEnd);
    const valueStart = varintEnd;
    if (valueLength < -1 || valueLength > recordEnd - valueStart) {
      throw new RecordFramingError(
        nameEnd,
        `a header's value says it is ${valueLength} bytes long; the record has ${recordEnd - valueStart} left`,
      );
    }
    at = valueLength > 0 ? valueStart + valueLength : valueStart;
    headers.push([bytes.subarray(nameStart, nameEnd), valueLength < 0 ? null : bytes.subarray(valueStart, at)]);
  }
  if (at !== recordEnd) throw new RecordFramingError(at, `${recordEnd - at} bytes behind a record's last header`);
  return headers;
}
