/** One record by its offset, without a consumer: what `log.read` does. */
import type { Broker } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { Deserializer } from "../api/serde.ts";
import { OffsetError, UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { checkPartition } from "./assignment.ts";
import { advance, openCursor } from "./batch-view.ts";
import { FetchedRun } from "./fetched-run.ts";
import { PartitionState } from "./partition-state.ts";
import { PlainDecoder } from "./plain-record.ts";

/** The batch that holds the offset comes whole, whatever this says; a second one would be read for nothing. */
const READ_MAX_BYTES = 1;

/**
 * Null where there is none: compacted away, a control record, of an aborted transaction, before the log's start, or behind
 * the last stable offset. Throws a `SerdeError` when it does not deserialize.
 */
export async function readRecord<K, V>(
  broker: Broker,
  at: TopicPartition & { readonly offset: number },
  key: Deserializer<K>,
  value: Deserializer<V>,
): Promise<ConsumerRecord<K, V> | null> {
  const { topic, partition } = checkPartition(at, "read");
  const { offset } = at;
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new UsageError("INVALID_ARGUMENT", `read: offset: expected a whole number from 0 to 2^53-1, found ${describeValue(offset)}`);
  }
  const { partitions } = await broker.fetch({
    partitions: [{ topic, partition, offset, maxBytes: READ_MAX_BYTES }],
    minBytes: 0,
    maxWaitMs: 0,
    maxBytes: READ_MAX_BYTES,
    isolation: "readCommitted",
  });
  const [answer] = partitions;
  if (answer === undefined) return null;
  const state = new PartitionState({ topic, partition });
  state.moveTo(offset);
  const run = new FetchedRun(state, answer, offset, true);
  if (run.error instanceof OffsetError) return null;
  if (run.error !== null) throw run.error;
  const slice = run.next();
  if (slice === null || slice.baseOffset > offset) return null;
  const cursor = openCursor(slice);
  while (advance(cursor, slice)) {
    if (cursor.offset > offset) return null;
    if (cursor.offset === offset) return new PlainDecoder(key, value).decode(cursor, state);
  }
  return null;
}
