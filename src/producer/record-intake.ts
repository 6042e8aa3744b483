/** Takes one record from the program: every field checked, key and value made into bytes, before anything else is done with it. */
import type { Header } from "../api/bytes.ts";
import type { ProducerRecord } from "../api/producer.ts";
import type { SerdeContext, Serializer } from "../api/serde.ts";
import { SerdeError, UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { bytes, isDetached } from "../base/serdes/bytes.ts";
import { isLending, KEY, lenderOf, type Role, VALUE } from "../base/serdes/lending.ts";
import { utf8 } from "../base/serdes/utf8.ts";
import { encodeText } from "../base/serdes/utf8-bytes.ts";
import type { WireHeaders } from "./record-size.ts";

const NO_HEADERS: readonly Header[] = Object.freeze([]);
/** A partition left to the partitioner. */
export const ANY_PARTITION = -1;

/** Counts every intake of the process: a serializer that itself sends has used the scratch that a key was lent from. */
let intakes = 0;

/**
 * One record at a time: the fields are those of the last `take`. `key` and `value` are lent, good until the next `take`
 * of any intake, and never the program's own memory's business to keep still longer than this turn.
 */
export class RecordIntake<K, V> {
  topic = "";
  key: Uint8Array | null = null;
  value: Uint8Array | null = null;
  /** Own memory. null: none. */
  headers: WireHeaders | null = null;
  timestamp = -1;
  partition: number = ANY_PARTITION;
  /** A serializer (or getter) itself sent something, through this producer or another. */
  wasInterrupted = false;

  readonly #keySerializer: Serializer<K>;
  readonly #lendKey: (key: K, context: SerdeContext, role: Role) => Uint8Array;
  readonly #lendValue: (value: V, context: SerdeContext, role: Role) => Uint8Array;
  readonly #keyIsLent: boolean;
  /** The serdes are `utf8` and `bytes`: of such a key and such a value no bytes need be made before they are written. */
  readonly isOfTextAndBytes: boolean;
  #context: SerdeContext = Object.freeze({ topic: "", headers: NO_HEADERS });

  constructor(key: Serializer<K>, value: Serializer<V>) {
    this.#keySerializer = key;
    this.#lendKey = lenderOf(key);
    this.#lendValue = lenderOf(value);
    this.#keyIsLent = isLending(key);
    this.isOfTextAndBytes = (key as unknown) === utf8 && (value as unknown) === bytes;
  }

  /** `index`: its place in a `sendBatch`, -1 in a `send`. Throws a `UsageError` or a `SerdeError`. */
  take(record: ProducerRecord<K, V>, nowMs: number, index: number): void {
    requireRecord(record, index);
    // Each field is read once; getters, if any, run here, before any of our scratch is in use.
    const { topic, key, value, headers, timestamp, partition } = record;
    this.takeFields(topic, key, value, headers, timestamp, partition, nowMs, index);
  }

  /** The same, of a record whose fields were read already, each once. */
  takeFields(
    topic: ProducerRecord<K, V>["topic"],
    givenKey: ProducerRecord<K, V>["key"],
    givenValue: ProducerRecord<K, V>["value"],
    givenHeaders: ProducerRecord<K, V>["headers"],
    givenTimestamp: ProducerRecord<K, V>["timestamp"],
    givenPartition: ProducerRecord<K, V>["partition"],
    nowMs: number,
    index: number,
  ): void {
    const mine = ++intakes;
    if (typeof topic !== "string") {
      throw new UsageError("INVALID_ARGUMENT", `${placeOf(index)}: topic: expected a string, found ${describeValue(topic)}`);
    }
    if (givenValue === undefined) {
      throw new UsageError("INVALID_ARGUMENT", `${placeOf(index)}: value: expected a value, or null for a tombstone; found undefined`);
    }
    const timestamp = givenTimestamp === undefined ? nowMs : checkTimestamp(givenTimestamp, index);
    const partition = givenPartition === undefined ? ANY_PARTITION : checkPartitionNumber(givenPartition, topic, index);
    let headers: WireHeaders | null = null;
    let context = this.#context;
    if (givenHeaders !== undefined && givenHeaders !== null) {
      const seen: Header[] = [];
      headers = takeHeaders(givenHeaders, seen, index);
      context = Object.freeze({ topic, headers: seen });
    } else if (context.topic !== topic) context = this.#context = Object.freeze({ topic, headers: NO_HEADERS });

    let key: Uint8Array | null = null;
    let value: Uint8Array | null = null;
    if (givenKey !== undefined && givenKey !== null) key = bytesOf(this.#lendKey, givenKey, context, KEY, index);
    if (givenValue !== null) value = bytesOf(this.#lendValue, givenValue, context, VALUE, index);
    this.wasInterrupted = intakes !== mine;
    if (this.wasInterrupted && key !== null && this.#keyIsLent) {
      if (value !== null) value = new Uint8Array(value);
      key = new Uint8Array(this.#keySerializer.serialize(givenKey as K, context));
    }
    this.topic = topic;
    this.key = key;
    this.value = value;
    this.headers = headers;
    this.timestamp = timestamp;
    this.partition = partition;
  }
}

export function requireRecord(record: unknown, index: number): void {
  if (typeof record === "object" && record !== null) return;
  throw new UsageError("INVALID_ARGUMENT", `${placeOf(index)}: expected a record, found ${describeValue(record)}`);
}

function placeOf(index: number): string {
  return index < 0 ? "send()" : `sendBatch(): record ${index}`;
}

function bytesOf<T>(
  lend: (value: T, context: SerdeContext, role: Role) => Uint8Array,
  value: T,
  context: SerdeContext,
  role: Role,
  index: number,
): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = lend(value, context, role);
  } catch (cause) {
    // A schema that validates asynchronously, say: a mistake of the program, not of the data.
    if (cause instanceof UsageError) throw cause;
    throw serdeError(context.topic, role, index, cause instanceof Error ? cause.message : describeValue(cause), cause);
  }
  if (!(bytes instanceof Uint8Array))
    throw serdeError(context.topic, role, index, `its serializer gave ${describeValue(bytes)}, not a Uint8Array`);
  return bytes;
}

function serdeError(topic: string, role: Role, index: number, what: string, cause?: unknown): SerdeError {
  const field = role === KEY ? "key" : "value";
  return new SerdeError(
    "SERIALIZATION_FAILED",
    `${placeOf(index)}: the ${field} for topic ${describeValue(topic)} could not be made into bytes: ${what}`,
    {
      cause,
      record: null,
    },
  );
}

function checkTimestamp(timestamp: unknown, index: number): number {
  if (!Number.isSafeInteger(timestamp) || (timestamp as number) < -1) {
    throw new UsageError(
      "INVALID_TIMESTAMP",
      `${placeOf(index)}: timestamp: expected milliseconds from 0 to 2^53-1, or -1 for none; found ${describeValue(timestamp)}`,
    );
  }
  // -0 is 0.
  return (timestamp as number) + 0;
}

/** Whether the topic has it is found out later; here, whether it can be one. */
function checkPartitionNumber(partition: unknown, topic: string, index: number): number {
  if (typeof partition !== "number") {
    throw new UsageError("INVALID_ARGUMENT", `${placeOf(index)}: partition: expected a number, found ${describeValue(partition)}`);
  }
  if (!Number.isSafeInteger(partition) || partition < 0) {
    throw new UsageError(
      "UNKNOWN_TOPIC_OR_PARTITION",
      `${placeOf(index)}: partition: expected a partition of ${describeValue(topic)}, a whole number from 0; found ${describeValue(partition)}`,
    );
  }
  return partition + 0;
}

/** Copies: a header is small, and its bytes may be the program's to reuse. `seen` gets what serializers are shown. */
function takeHeaders(given: unknown, seen: Header[], index: number): WireHeaders | null {
  if (!Array.isArray(given)) {
    throw new UsageError(
      "INVALID_ARGUMENT",
      `${placeOf(index)}: headers: expected an array of [name, value], found ${describeValue(given)}`,
    );
  }
  const headers: [Uint8Array, Uint8Array | null][] = [];
  for (const pair of given as readonly unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new UsageError("INVALID_ARGUMENT", `${placeOf(index)}: headers: expected [name, value], found ${describeValue(pair)}`);
    }
    const [name, value] = pair as [unknown, unknown];
    if (typeof name !== "string") {
      throw new UsageError("INVALID_ARGUMENT", `${placeOf(index)}: headers: expected a string as a name, found ${describeValue(name)}`);
    }
    if (value !== null && typeof value !== "string" && !(value instanceof Uint8Array)) {
      throw new UsageError(
        "INVALID_ARGUMENT",
        `${placeOf(index)}: headers: ${describeValue(name)}: expected a string, a Uint8Array or null, found ${describeValue(value)}`,
      );
    }
    if (value instanceof Uint8Array && isDetached(value)) {
      throw new UsageError(
        "INVALID_ARGUMENT",
        `${placeOf(index)}: headers: ${describeValue(name)}: expected bytes, found a Uint8Array whose memory was handed over`,
      );
    }
    const bytes = value === null ? null : typeof value === "string" ? headerText(value, index) : new Uint8Array(value);
    headers.push([headerText(name, index), bytes]);
    seen.push([name, bytes]);
  }
  Object.freeze(seen);
  return headers.length === 0 ? null : headers;
}

function headerText(text: string, index: number): Uint8Array<ArrayBuffer> {
  try {
    return encodeText(text);
  } catch (cause) {
    throw new UsageError("INVALID_ARGUMENT", `${placeOf(index)}: headers: ${describeValue(text)}: expected text that UTF-8 can hold`, {
      cause,
    });
  }
}
