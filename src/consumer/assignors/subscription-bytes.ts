/** What a member tells its group when it joins, in the bytes of Kafka's ConsumerProtocolSubscription, versions 0 to 3. */
import type { Bytes, TopicPartition } from "../../api/bytes.ts";
import { ByteReader } from "../../base/byte-reader.ts";
import { ByteWriter } from "../../base/byte-writer.ts";
import { OdradekError } from "../../base/errors.ts";
import { compareTopicPartitions, readTopicPartitions, writeTopicPartitions } from "./topic-partitions.ts";

//  0         2
//  ├ version ┼ topics: array of string ┼ user data: bytes | null
//  v1+ ┼ owned partitions: array of { topic, array of int32 }
//  v2+ ┼ generation: int32                 v3+ ┼ rack: string | null
const VERSION_HIGHEST = 3;

export interface Subscription {
  readonly topics: readonly string[];
  /** The assignor's own; null from those that need none. */
  readonly userData: Bytes | null;
  /** What the member holds while it joins: only members of a cooperative group do. */
  readonly ownedPartitions: readonly TopicPartition[];
  /** The generation in which it came to hold them; -1: none, or a version below 2. */
  readonly generation: number;
  readonly rackId: string | null;
  /** Not in the bytes: the coordinator tells it beside them. */
  readonly groupInstanceId: string | null;
}

/** Written as Kafka's clients do: topics and owned partitions sorted. Only a test has use for another `version`. */
export function encodeSubscription(
  subscription: Pick<Subscription, "topics"> & Partial<Omit<Subscription, "groupInstanceId">>,
  version: 0 | 1 | 2 | 3 = VERSION_HIGHEST,
): Bytes {
  const writer = new ByteWriter(256).int16(version);
  const topics = [...subscription.topics].sort();
  writer.int32(topics.length);
  for (const topic of topics) writer.string(topic);
  writer.nullableBytes(subscription.userData ?? null);
  if (version >= 1) writeTopicPartitions(writer, [...(subscription.ownedPartitions ?? [])].sort(compareTopicPartitions));
  if (version >= 2) writer.int32(subscription.generation ?? -1);
  if (version >= 3) writer.nullableString(subscription.rackId ?? null);
  return writer.finish();
}

/** A version above 3 is read as 3, as Kafka's rule for these bytes has it. Throws `INVALID_RECORD` on bytes that are none of it. */
export function decodeSubscription(metadata: Uint8Array, groupInstanceId: string | null = null): Subscription {
  const reader = new ByteReader(metadata, "ConsumerProtocolSubscription");
  const version = reader.int16();
  if (version < 0)
    throw new OdradekError("INVALID_RECORD", `ConsumerProtocolSubscription: expected a version of 0 or more, found ${version}`);
  const topics: string[] = [];
  for (let left = reader.arrayCount(2); left > 0; left--) topics.push(reader.string());
  return {
    topics,
    userData: reader.nullableBytes(),
    ownedPartitions: version >= 1 ? readTopicPartitions(reader) : [],
    generation: version >= 2 ? reader.int32() : -1,
    rackId: version >= 3 ? reader.nullableString() : null,
    groupInstanceId,
  };
}
