/** One record by its offset: a fetch of the batch that should hold it, and a look into that batch. */
import type { Broker } from "../api/broker.ts";
import type { Bytes, Header, TopicPartition } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { Deserializer } from "../api/serde.ts";
import { CorruptionError, errorFromFault, OffsetError, SerdeError, UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { ATTRIBUTES_AT, batchByteLengthAt, isControl } from "../base/record-batch.ts";
import { RecordCursor, RecordFramingError } from "../base/record-decoder.ts";

const decoder = new TextDecoder();

/** Null where no record is: compacted away, a control record, or at or past the end. Throws an `OffsetError` below the log start. */
export async function readRecord<K, V>(
  broker: Broker,
  at: TopicPartition & { readonly offset: number },
  key: Deserializer<K>,
  value: Deserializer<V>,
): Promise<ConsumerRecord<K, V> | null> {
  const { topic, partition, offset } = at;
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new UsageError("INVALID_ARGUMENT", `read(): offset: expected 0 to 2^53-1, found ${describeValue(offset)}`);
  }
  // Zero bytes of budget still give one whole batch: the one that holds the offset.
  const request = { partitions: [{ topic, partition, offset, maxBytes: 0 }], minBytes: 0, maxWaitMs: 0, maxBytes: 0 } as const;
  const fetched = (await broker.fetch({ ...request, isolation: "readCommitted" })).partitions[0];
  if (fetched === undefined) return null;
  if (fetched.fault !== null) {
    const error = errorFromFault(fetched.fault);
    if (error instanceof OffsetError && offset >= error.range.lastStableOffset) return null;
    throw error;
  }
  const { batches } = fetched;
  for (let position = 0; position < batches.byteLength; position += batchByteLengthAt(batches, position)) {
    const found = findInBatch(batches, position, at);
    if (found !== null) return decode(found, at, key, value);
    if (lastOffsetOf(batches, position) >= offset) return null;
  }
  return null;
}

function lastOffsetOf(batches: Bytes, position: number): number {
  const view = new DataView(batches.buffer, batches.byteOffset + position);
  return Number(view.getBigInt64(0)) + view.getInt32(23);
}

function findInBatch(batches: Bytes, position: number, at: TopicPartition & { readonly offset: number }): ConsumerRecord<Bytes, Bytes> | null {
  if (isControl(((batches[position + ATTRIBUTES_AT] as number) << 8) | (batches[position + ATTRIBUTES_AT + 1] as number))) return null;
  try {
    const cursor = new RecordCursor(batches, position);
    while (cursor.next()) {
      if (cursor.offset === at.offset) return rawRecord(batches, cursor, at);
      if (cursor.offset > at.offset) return null;
    }
    return null;
  } catch (cause) {
    if (!(cause instanceof RecordFramingError)) throw cause;
    const message = `batch at ${at.topic}-${at.partition}, offset ${at.offset}: ${cause.message}`;
    const range = [cause.position, cause.position] as const;
    throw new CorruptionError(message, { file: `${at.topic}-${at.partition}`, byteRange: range, offsetRange: [at.offset, at.offset], nextReadableOffset: null, cause });
  }
}

function rawRecord(batches: Bytes, cursor: RecordCursor, { topic, partition }: TopicPartition): ConsumerRecord<Bytes, Bytes> {
  const part = (start: number, byteLength: number): Bytes | null => (byteLength < 0 ? null : batches.subarray(start, start + byteLength));
  const headers = cursor.decodeHeaders().map(([name, bytes]): Header => [decoder.decode(name), bytes as Bytes | null]);
  return {
    topic,
    partition,
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: part(cursor.keyStart, cursor.keyLength),
    value: part(cursor.valueStart, cursor.valueLength),
    headers,
  };
}

function decode<K, V>(raw: ConsumerRecord<Bytes, Bytes>, at: TopicPartition, key: Deserializer<K>, value: Deserializer<V>): ConsumerRecord<K, V> {
  const context = { topic: at.topic, headers: raw.headers };
  try {
    return {
      ...raw,
      key: raw.key === null ? null : key.deserialize(raw.key, context),
      value: raw.value === null ? null : value.deserialize(raw.value, context),
    };
  } catch (cause) {
    const message = `record at ${raw.topic}-${raw.partition}, offset ${raw.offset} cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new SerdeError("DESERIALIZATION_FAILED", message, { record: raw, cause });
  }
}
