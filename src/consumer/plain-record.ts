/** Making a record for an iteration or a poll: plain own properties, decoded, owning every byte it shows. */
import type { Bytes, Header, TopicPartition } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { Deserializer, SerdeContext } from "../api/serde.ts";
import { CorruptionError, SerdeError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import type { DecodedHeader, RecordCursor } from "../base/record-decoder.ts";
import { inPlaceReaderOf, type ReadInPlace } from "../base/serdes/in-place.ts";
import { partitionKey } from "./partition-state.ts";

export const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** As Java's clients read names: what is no UTF-8 is replaced, since a header must not make a record unreadable. */
const NAMES = new TextDecoder("utf-8", { ignoreBOM: true });

export function headersOf(decoded: readonly DecodedHeader[]): Header[] {
  return decoded.map(([name, value]) => [NAMES.decode(name), value as Bytes | null]);
}

export class PlainDecoder<K, V> {
  /** Whether nobody but us sees the bytes of a batch, and nothing of them is held on to. */
  readonly isInPlace: boolean;
  readonly #key: Deserializer<K>;
  readonly #value: Deserializer<V>;
  readonly #keyInPlace: ReadInPlace<K> | null;
  readonly #valueInPlace: ReadInPlace<V> | null;
  /** Records without headers share one context for each topic in a row. */
  #context: SerdeContext = { topic: "", headers: NO_HEADERS };

  constructor(key: Deserializer<K>, value: Deserializer<V>) {
    this.#key = key;
    this.#value = value;
    this.#keyInPlace = inPlaceReaderOf(key);
    this.#valueInPlace = inPlaceReaderOf(value);
    this.isInPlace = this.#keyInPlace !== null && this.#valueInPlace !== null;
  }

  /**
   * The record that the cursor stands on. Throws a `SerdeError` when its key or value does not deserialize. `isLent`: the cursor's bytes
   * are used again for others.
   */
  decode(cursor: RecordCursor, { topic, partition }: TopicPartition, isLent = false): ConsumerRecord<K, V> {
    // A deserializer is a program's own, and may read another record by the same cursor.
    const { bytes, offset, timestamp, keyStart, keyLength, valueStart, valueLength } = cursor;
    let headers = NO_HEADERS;
    let context = this.#context;
    if (cursor.headersCount > 0) {
      headers = headersAt(cursor, { topic, partition });
      context = { topic, headers };
    } else if (context.topic !== topic) {
      context = this.#context = { topic, headers: NO_HEADERS };
    }
    let what = "key";
    try {
      let key: K | null = null;
      if (keyLength >= 0) {
        key =
          this.#keyInPlace === null
            ? deserialized(this.#key, cursor, keyStart, keyLength, context, isLent)
            : this.#keyInPlace(bytes, keyStart, keyStart + keyLength, context);
      }
      what = "value";
      let value: V | null = null;
      if (valueLength >= 0) {
        value =
          this.#valueInPlace === null
            ? deserialized(this.#value, cursor, valueStart, valueLength, context, isLent)
            : this.#valueInPlace(bytes, valueStart, valueStart + valueLength, context);
      }
      return { topic, partition, offset, timestamp, key, value, headers };
    } catch (cause) {
      const [keyBytes, valueBytes] = [copied(bytes, keyStart, keyLength), copied(bytes, valueStart, valueLength)];
      const record = { topic, partition, offset, timestamp, key: keyBytes, value: valueBytes, headers };
      throw deserializationError(what, { topic, partition }, record, cause);
    }
  }
}

/** By a deserializer that is not ours: it is given a view, or a copy. */
function deserialized<T>(
  deserializer: Deserializer<T>,
  cursor: RecordCursor,
  start: number,
  length: number,
  context: SerdeContext,
  isLent: boolean,
): T {
  if (isLent) return deserializer.deserialize(copied(cursor.bytes, start, length) as Bytes, context);
  const view = cursor.view(start, length);
  return owned(deserializer.deserialize(view, context), view.buffer);
}

function copied(bytes: Uint8Array, start: number, length: number): Bytes | null {
  return length < 0 ? null : (bytes.slice(start, start + length) as Bytes);
}

/** In memory of their own. */
function headersAt(cursor: RecordCursor, partition: TopicPartition): Header[] {
  try {
    return headersOf(cursor.decodeHeaders()).map(([name, value]) => [name, value === null ? null : value.slice()]);
  } catch (cause) {
    throw headersError(partition, cursor.offset, [cursor.start, cursor.recordEnd], cause);
  }
}

/** A record as stored, in memory of its own. */
export function rawRecord(cursor: RecordCursor, { topic, partition }: TopicPartition): ConsumerRecord<Bytes, Bytes> {
  const { bytes, offset, timestamp, keyStart, keyLength, valueStart, valueLength } = cursor;
  const [key, value] = [copied(bytes, keyStart, keyLength), copied(bytes, valueStart, valueLength)];
  return { topic, partition, offset, timestamp, key, value, headers: headersAt(cursor, { topic, partition }) };
}

export function deserializationError(
  what: string,
  partition: TopicPartition,
  record: ConsumerRecord<Bytes, Bytes>,
  cause: unknown,
): SerdeError {
  const reason = reasonOf(cause);
  return new SerdeError(
    "DESERIALIZATION_FAILED",
    `${partitionKey(partition)}, offset ${record.offset}: the ${what} does not deserialize: ${reason}; onDeserializeError: "skip" or a seek to ${record.offset + 1} goes on behind it`,
    { record, cause },
  );
}

/** Bytes in a batch whose checksum is right, but which are no records: an application wrote them so. */
export function framingError(
  partition: TopicPartition,
  baseOffset: number,
  lastOffset: number,
  byteRange: readonly [number, number],
  cause: unknown,
): CorruptionError {
  const told = `the batch of offsets ${baseOffset} to ${lastOffset} holds no whole records: ${reasonOf(cause)}`;
  return corruption(partition, told, [baseOffset, lastOffset + 1], byteRange, cause);
}

/** The same of a record's headers, which are looked at last. */
export function headersError(
  partition: TopicPartition,
  offset: number,
  byteRange: readonly [number, number],
  cause: unknown,
): CorruptionError {
  return corruption(partition, `offset ${offset}: its headers are none: ${reasonOf(cause)}`, [offset, offset + 1], byteRange, cause);
}

function corruption(
  partition: TopicPartition,
  told: string,
  offsetRange: readonly [number, number],
  byteRange: readonly [number, number],
  cause: unknown,
): CorruptionError {
  const file = partitionKey(partition);
  return new CorruptionError(`${file}: ${told}`, { file, byteRange, offsetRange, nextReadableOffset: offsetRange[1], cause });
}

/**
 * A deserializer may give back a view of the batch, as `bytes` does: a record that is to be cloned or posted must not take
 * the whole batch with it, nor keep it alive.
 */
function owned<T>(value: T, buffer: ArrayBuffer): T {
  return value instanceof Uint8Array && value.buffer === buffer ? (value.slice() as T) : value;
}
