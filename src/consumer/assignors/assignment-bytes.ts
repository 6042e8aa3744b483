/** What the leader gives a member, in the bytes of Kafka's ConsumerProtocolAssignment, versions 0 to 3 (all alike). */
import type { Bytes, TopicPartition } from "../../api/bytes.ts";
import { ByteReader } from "../../base/byte-reader.ts";
import { ByteWriter } from "../../base/byte-writer.ts";
import { OdradekError } from "../../base/errors.ts";
import { readTopicPartitions, writeTopicPartitions } from "./topic-partitions.ts";

//  0         2
//  ├ version ┼ partitions: array of { topic, array of int32 } ┼ user data: bytes | null
const VERSION_HIGHEST = 3;

export interface Assignment {
  readonly partitions: readonly TopicPartition[];
  readonly userData: Bytes | null;
}

/** Topics stand in the order in which they first appear. */
export function encodeAssignment(
  partitions: readonly TopicPartition[],
  userData: Uint8Array | null = null,
  version: 0 | 1 | 2 | 3 = VERSION_HIGHEST,
): Bytes {
  const writer = new ByteWriter(256).int16(version);
  writeTopicPartitions(writer, partitions);
  return writer.nullableBytes(userData).finish();
}

/** No bytes at all are an empty assignment: so the coordinator answers a member that the leader did not name. */
export function decodeAssignment(bytes: Uint8Array): Assignment {
  if (bytes.byteLength === 0) return { partitions: [], userData: null };
  const reader = new ByteReader(bytes, "ConsumerProtocolAssignment");
  const version = reader.int16();
  if (version < 0)
    throw new OdradekError("INVALID_RECORD", `ConsumerProtocolAssignment: expected a version of 0 or more, found ${version}`);
  return { partitions: readTopicPartitions(reader), userData: reader.nullableBytes() };
}
