/** Making a record for an iteration or a poll: plain own properties, decoded, owning every byte it shows. */
import type { Bytes, Header, TopicPartition } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { Deserializer, SerdeContext } from "../api/serde.ts";
import { CorruptionError, SerdeError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import type { DecodedHeader, RecordCursor } from "../base/record-decoder.ts";
import { partitionKey } from "./partition-state.ts";

export const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** As Java's clients read names: what is no UTF-8 is replaced, since a header must not make a record unreadable. */
const NAMES = new TextDecoder("utf-8", { ignoreBOM: true });

export function headersOf(decoded: readonly DecodedHeader[]): Header[] {
  return decoded.map(([name, value]) => [NAMES.decode(name), value as Bytes | null]);
}

export class PlainDecoder<K, V> {
  readonly #key: Deserializer<K>;
  readonly #value: Deserializer<V>;
  /** Records without headers share one context for each topic in a row. */
  #context: SerdeContext = { topic: "", headers: NO_HEADERS };

  constructor(key: Deserializer<K>, value: Deserializer<V>) {
    this.#key = key;
    this.#value = value;
  }

  /** The record that the cursor stands on. Throws a `SerdeError` when its key or value does not deserialize. */
  decode(cursor: RecordCursor, { topic, partition }: TopicPartition): ConsumerRecord<K, V> {
    let headers = NO_HEADERS;
    let context = this.#context;
    if (cursor.headersCount > 0) {
      headers = headersAt(cursor, { topic, partition }).map(([name, value]) => [name, value === null ? null : value.slice()]);
      context = { topic, headers };
    } else if (context.topic !== topic) {
      context = this.#context = { topic, headers: NO_HEADERS };
    }
    let what = "key";
    try {
      const keyBytes = view(cursor, cursor.keyStart, cursor.keyLength);
      const key = keyBytes === null ? null : owned(this.#key.deserialize(keyBytes, context), cursor.buffer);
      what = "value";
      const valueBytes = view(cursor, cursor.valueStart, cursor.valueLength);
      const value = valueBytes === null ? null : owned(this.#value.deserialize(valueBytes, context), cursor.buffer);
      return { topic, partition, offset: cursor.offset, timestamp: cursor.timestamp, key, value, headers };
    } catch (cause) {
      throw deserializationError(what, { topic, partition }, rawRecord(cursor, { topic, partition }), cause);
    }
  }
}

function headersAt(cursor: RecordCursor, partition: TopicPartition): Header[] {
  try {
    return headersOf(cursor.decodeHeaders());
  } catch (cause) {
    throw headersError(partition, cursor.offset, [cursor.start, cursor.recordEnd], cause);
  }
}

/** Quicker than `subarray`, which asks the array for its species. */
function view({ buffer, byteOffset }: RecordCursor, start: number, length: number): Bytes | null {
  return length < 0 ? null : new Uint8Array(buffer, byteOffset + start, length);
}

/** A record as stored, in memory of its own. */
export function rawRecord(cursor: RecordCursor, { topic, partition }: TopicPartition): ConsumerRecord<Bytes, Bytes> {
  const copied = (view: Uint8Array | null): Bytes | null => (view === null ? null : (view.slice() as Bytes));
  return {
    topic,
    partition,
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: copied(cursor.key()),
    value: copied(cursor.value()),
    headers: headersOf(cursor.decodeHeaders()).map(([name, value]) => [name, copied(value)]),
  };
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
