/** A record of `batches()`: the fields of a plain one, each decoded once, when it is first asked for. */
import type { Bytes, Header } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { SerdeContext } from "../api/serde.ts";
import { decodeHeaders, RecordCursor } from "../base/record-decoder.ts";
import type { BatchView } from "./batch-view.ts";
import { deserializationError, headersError, headersOf, NO_HEADERS, rawRecord } from "./plain-record.ts";

const UNDECODED: unique symbol = Symbol("undecoded");

/** Keeps its batch's memory alive, which is never used again for anything else. */
export class RecordView<K, V> implements ConsumerRecord<K, V> {
  readonly #batch: BatchView<K, V>;
  readonly #offset: number;
  readonly #timestamp: number;
  readonly #keyStart: number;
  readonly #keyLength: number;
  readonly #valueStart: number;
  readonly #valueLength: number;
  readonly #headersStart: number;
  readonly #recordEnd: number;
  readonly #headersCount: number;
  #key: K | null | typeof UNDECODED = UNDECODED;
  #value: V | null | typeof UNDECODED = UNDECODED;
  #headers: readonly Header[] | null = null;

  constructor(batch: BatchView<K, V>, cursor: RecordCursor) {
    this.#batch = batch;
    this.#offset = cursor.offset;
    this.#timestamp = cursor.timestamp;
    this.#keyStart = cursor.keyStart;
    this.#keyLength = cursor.keyLength;
    this.#valueStart = cursor.valueStart;
    this.#valueLength = cursor.valueLength;
    this.#headersStart = cursor.headersStart;
    this.#recordEnd = cursor.recordEnd;
    this.#headersCount = cursor.headersCount;
  }

  get topic(): string {
    return this.#batch.topic;
  }

  get partition(): number {
    return this.#batch.partition;
  }

  get offset(): number {
    return this.#offset;
  }

  /** Milliseconds; the nearest number where the stored one is outside 0 to 2^53-1 (or -1). */
  get timestamp(): number {
    return this.#timestamp;
  }

  /** The timestamp as stored: all 64 bits. */
  get timestampInt64(): bigint {
    if (Number.isSafeInteger(this.#timestamp)) return BigInt(this.#timestamp);
    return this.#cursor().timestampInt64;
  }

  /** Throws a `SerdeError` when it does not deserialize. */
  get key(): K | null {
    if (this.#key !== UNDECODED) return this.#key;
    this.#key = this.#keyLength < 0 ? null : this.#decode("key", this.#keyStart, this.#keyLength);
    return this.#key;
  }

  /** Throws a `SerdeError` when it does not deserialize. */
  get value(): V | null {
    if (this.#value !== UNDECODED) return this.#value;
    this.#value = this.#valueLength < 0 ? null : this.#decode("value", this.#valueStart, this.#valueLength);
    return this.#value;
  }

  /** Throws a `CorruptionError` when they do not fill what the record has for them. */
  get headers(): readonly Header[] {
    if (this.#headersCount === 0) return NO_HEADERS;
    this.#headers ??= this.#decodeHeaders();
    return this.#headers;
  }

  /** For `JSON.stringify`, which sees own properties only. */
  toJSON(): ConsumerRecord<K, V> {
    const { topic, partition, offset, timestamp, key, value, headers } = this;
    return { topic, partition, offset, timestamp, key, value, headers };
  }

  #decodeHeaders(): Header[] {
    try {
      return headersOf(decodeHeaders(this.#batch.bytes, this.#headersStart, this.#headersCount, this.#recordEnd));
    } catch (cause) {
      throw headersError(this.#batch, this.#offset, [this.#headersStart, this.#recordEnd], cause);
    }
  }

  #decode(what: "key", at: number, byteLength: number): K;
  #decode(what: "value", at: number, byteLength: number): V;
  #decode(what: "key" | "value", at: number, byteLength: number): K | V {
    const batch = this.#batch;
    const context: SerdeContext = this.#headersCount === 0 ? batch.context : { topic: batch.topic, headers: this.headers };
    const inPlace = what === "key" ? batch.serdes.keyInPlace : batch.serdes.valueInPlace;
    try {
      if (inPlace !== undefined && inPlace !== null) return inPlace(batch.bytes, at, at + byteLength, context);
      const view = new Uint8Array(batch.buffer, batch.byteOffset + at, byteLength) as Bytes;
      return (what === "key" ? batch.serdes.key : batch.serdes.value).deserialize(view, context);
    } catch (cause) {
      throw deserializationError(what, batch, rawRecord(this.#cursor(), batch), cause);
    }
  }

  /** Walks its batch again, to this record: for what is rarely asked. */
  #cursor(): RecordCursor {
    const cursor = new RecordCursor(this.#batch.bytes, this.#batch.at);
    while (cursor.next() && cursor.offset < this.#offset);
    return cursor;
  }
}
