/** Reads Kafka's big-endian message bytes one field after another, and refuses to read past their end. */
import type { Bytes } from "../api/bytes.ts";
import { OdradekError } from "./errors.ts";

const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Fields in Kafka's two encodings: the plain one (lengths in int16 and int32, -1 for null) and the compact one of
 * flexible versions (length + 1 as an unsigned varint, 0 for null). Throws `INVALID_RECORD` where the bytes end too early
 * or a length makes no sense; `what` names the message in that error.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #position = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.byteLength - this.#position;
  }

  int8(): number {
    return this.#view.getInt8(this.#take(1));
  }

  int16(): number {
    return this.#view.getInt16(this.#take(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4));
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#take(8));
  }

  /** The nearest number: exact up to 2^53. */
  int64AsNumber(): number {
    const at = this.#take(8);
    return this.#view.getInt32(at) * 2 ** 32 + this.#view.getUint32(at + 4);
  }

  /** Little-endian groups of seven bits, at most five of them. Not the zigzag varint of records. */
  unsignedVarint(): number {
    let value = 0;
    for (let group = 0; group < 5; group++) {
      const byte = this.#view.getUint8(this.#take(1));
      value += (byte & 0x7f) * 2 ** (7 * group);
      if (byte < 0x80) return value;
    }
    throw this.#malformed("an unsigned varint has no end within five bytes");
  }

  string(): string {
    return this.#notNull(this.nullableString(), "a string");
  }

  nullableString(): string | null {
    return this.#text(this.int16());
  }

  compactString(): string {
    return this.#notNull(this.nullableCompactString(), "a string");
  }

  nullableCompactString(): string | null {
    return this.#text(this.unsignedVarint() - 1);
  }

  /** A copy: what was read may be a window into something much larger. */
  bytes(): Bytes {
    return this.#notNull(this.nullableBytes(), "a byte field");
  }

  nullableBytes(): Bytes | null {
    return this.#copy(this.int32());
  }

  compactBytes(): Bytes {
    return this.#notNull(this.#copy(this.unsignedVarint() - 1), "a byte field");
  }

  /** How many elements follow; a null array counts as none. No element may be shorter than `elementByteLengthMin`. */
  arrayCount(elementByteLengthMin: number): number {
    return this.#count(this.int32(), elementByteLengthMin);
  }

  compactArrayCount(elementByteLengthMin: number): number {
    return this.#count(this.unsignedVarint() - 1, elementByteLengthMin);
  }

  /** Steps over the tagged fields that end every struct of a flexible version. */
  skipTaggedFields(): void {
    this.taggedFields(() => {});
  }

  /** Walks the tagged fields that end a struct of a flexible version: `read` takes what it knows of a field, the rest is stepped over. */
  taggedFields(read: (tag: number) => void): void {
    for (let left = this.unsignedVarint(); left > 0; left--) {
      const tag = this.unsignedVarint();
      const byteLength = this.unsignedVarint();
      const at = this.#take(byteLength);
      this.#position = at;
      read(tag);
      if (this.#position > at + byteLength) throw this.#malformed(`tagged field ${tag} needs more than its ${byteLength} bytes`);
      this.#position = at + byteLength;
    }
  }

  #text(byteLength: number): string | null {
    if (byteLength < 0) return this.#absent(byteLength);
    const at = this.#take(byteLength);
    return utf8Decoder.decode(this.#bytes.subarray(at, at + byteLength));
  }

  #copy(byteLength: number): Bytes | null {
    if (byteLength < 0) return this.#absent(byteLength);
    const at = this.#take(byteLength);
    return this.#bytes.slice(at, at + byteLength);
  }

  #count(count: number, elementByteLengthMin: number): number {
    if (count < 0) {
      this.#absent(count);
      return 0;
    }
    if (count * elementByteLengthMin > this.remaining) {
      throw this.#malformed(`an array of ${count} elements needs ${count * elementByteLengthMin} bytes, ${this.remaining} are left`);
    }
    return count;
  }

  #absent(byteLength: number): null {
    if (byteLength !== -1) throw this.#malformed(`a length is ${byteLength}; only -1 may stand for null`);
    return null;
  }

  #notNull<T>(value: T | null, kind: string): T {
    if (value === null) throw this.#malformed(`${kind} is null where a value must be`);
    return value;
  }

  #take(byteLength: number): number {
    const at = this.#position;
    if (byteLength > this.remaining) throw this.#malformed(`a field needs ${byteLength} bytes, ${this.remaining} are left`);
    this.#position = at + byteLength;
    return at;
  }

  #malformed(reason: string): OdradekError {
    return new OdradekError("INVALID_RECORD", `${this.#what}, byte ${this.#position} of ${this.#bytes.byteLength}: ${reason}`);
  }
}
