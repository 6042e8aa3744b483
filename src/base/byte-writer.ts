/** Writes Kafka's big-endian message bytes, one field after another, into a buffer that grows. */
import type { Bytes } from "../api/bytes.ts";
import { UsageError } from "./errors.ts";

const utf8Encoder = new TextEncoder();
const STRING_BYTE_LENGTH_MAX = 32_767;

/** Fields in Kafka's plain encoding: lengths in int16 (strings) and int32 (bytes, arrays), -1 for null. */
export class ByteWriter {
  #bytes: Bytes;
  #view: DataView;
  #byteLength = 0;

  constructor(byteLengthExpected = 64) {
    this.#bytes = new Uint8Array(byteLengthExpected);
    this.#view = new DataView(this.#bytes.buffer);
  }

  int8(value: number): this {
    const at = this.#grow(1);
    this.#view.setInt8(at, value);
    return this;
  }

  int16(value: number): this {
    const at = this.#grow(2);
    this.#view.setInt16(at, value);
    return this;
  }

  int32(value: number): this {
    const at = this.#grow(4);
    this.#view.setInt32(at, value);
    return this;
  }

  /** A whole number of at most 53 bits. */
  int64(value: number): this {
    if (!Number.isSafeInteger(value)) throw new UsageError("INVALID_ARGUMENT", `int64: expected a safe integer, found ${value}`);
    const at = this.#grow(8);
    this.#view.setInt32(at, Math.floor(value / 2 ** 32));
    this.#view.setUint32(at + 4, value >>> 0);
    return this;
  }

  bigInt64(value: bigint): this {
    const at = this.#grow(8);
    this.#view.setBigInt64(at, value);
    return this;
  }

  string(value: string): this {
    const encoded = utf8Encoder.encode(value);
    if (encoded.byteLength > STRING_BYTE_LENGTH_MAX) {
      const start = value.slice(0, 40);
      throw new UsageError(
        "INVALID_ARGUMENT",
        `expected a string of at most ${STRING_BYTE_LENGTH_MAX} bytes, found ${encoded.byteLength} bytes: "${start}…"`,
      );
    }
    return this.int16(encoded.byteLength).#raw(encoded);
  }

  nullableString(value: string | null): this {
    return value === null ? this.int16(-1) : this.string(value);
  }

  bytes(value: Uint8Array): this {
    return this.int32(value.byteLength).#raw(value);
  }

  nullableBytes(value: Uint8Array | null): this {
    return value === null ? this.int32(-1) : this.bytes(value);
  }

  /** What was written, in memory of its own. */
  finish(): Bytes {
    return this.#bytes.slice(0, this.#byteLength);
  }

  #raw(value: Uint8Array): this {
    const at = this.#grow(value.byteLength);
    this.#bytes.set(value, at);
    return this;
  }

  #grow(byteLength: number): number {
    const at = this.#byteLength;
    this.#byteLength = at + byteLength;
    if (this.#byteLength > this.#bytes.byteLength) {
      const larger = new Uint8Array(Math.max(this.#byteLength, this.#bytes.byteLength * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
