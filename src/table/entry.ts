/** What a table keeps of a record: its bytes, in memory of its own, and the way back to what a program reads. */
import type { Bytes, Header } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { Serde, SerdeContext } from "../api/serde.ts";
import { SerdeError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import { keyBytes, keyText } from "./key-text.ts";

/** Never changed once made, so that a snapshot of the table is a list of references. */
export interface Entry {
  /** The key, by `keyText`. */
  readonly key: string;
  /** null: a tombstone. */
  readonly value: Bytes | null;
  readonly headers: readonly Header[];
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
}

export interface TableSerdes<K, V> {
  readonly key: Serde<K>;
  readonly value: Serde<V>;
}

const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** Copied out of its batch, which would otherwise live as long as the smallest of its records. null: it has no key. */
export function entryOf(record: ConsumerRecord<Bytes, Bytes>): Entry | null {
  const { key, value, headers, partition, offset, timestamp } = record;
  if (key === null) return null;
  return {
    key: keyText(key),
    value: value === null ? null : value.slice(),
    headers: headers.length === 0 ? NO_HEADERS : headers.map(([name, bytes]) => [name, bytes === null ? null : bytes.slice()] as const),
    partition,
    offset,
    timestamp,
  };
}

/** Throws a `SerdeError` that holds the record as stored. */
export function decodedKey<K>(topic: string, entry: Entry, serde: Serde<K>): K {
  return decoded(topic, entry, "key", () => serde.deserialize(keyBytes(entry.key), contextOf(topic, entry)));
}

/** A fresh value at each call: what the program does to it does not reach the table. Throws a `SerdeError` that holds the record as stored. */
export function decodedValue<V>(topic: string, entry: Entry, serde: Serde<V>): V | null {
  const { value } = entry;
  return value === null ? null : decoded(topic, entry, "value", () => serde.deserialize(value.slice(), contextOf(topic, entry)));
}

export function decodedRecord<K, V>(topic: string, entry: Entry, serdes: TableSerdes<K, V>): ConsumerRecord<K, V> {
  const { partition, offset, timestamp } = entry;
  const key = decodedKey(topic, entry, serdes.key);
  const value = decodedValue(topic, entry, serdes.value);
  return { topic, partition, offset, timestamp, key, value, headers: ownHeaders(entry) };
}

/** The key as the topic's producers write it. Throws a `SerdeError`. */
export function encodedKey<K>(topic: string, key: K, serde: Serde<K>, call: string): string {
  let bytes: Uint8Array;
  try {
    bytes = serde.serialize(key, { topic, headers: NO_HEADERS });
    if (!(bytes instanceof Uint8Array)) throw new TypeError("its serializer gave no Uint8Array");
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new SerdeError("SERIALIZATION_FAILED", `${call}: the key could not be made into bytes: ${reason}`, { cause, record: null });
  }
  return keyText(bytes);
}

function contextOf(topic: string, entry: Entry): SerdeContext {
  return { topic, headers: ownHeaders(entry) };
}

function ownHeaders({ headers }: Entry): readonly Header[] {
  return headers.length === 0 ? NO_HEADERS : headers.map(([name, bytes]) => [name, bytes === null ? null : bytes.slice()] as const);
}

function decoded<T>(topic: string, entry: Entry, what: "key" | "value", decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    const reason = reasonOf(cause);
    const { partition, offset, timestamp, value } = entry;
    const record = { topic, partition, offset, timestamp, key: keyBytes(entry.key), value, headers: ownHeaders(entry) };
    throw new SerdeError(
      "DESERIALIZATION_FAILED",
      `${topic}-${partition}, offset ${offset}: the ${what} does not deserialize: ${reason}; a newer record of the key, or a tombstone, mends the table`,
      { record, cause },
    );
  }
}
