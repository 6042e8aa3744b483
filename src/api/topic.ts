/** What a topic is configured with and what is told of it. Names are Kafka's in camelCase, values Kafka's literals. */
import type { CompressionType, Watermarks } from "./bytes.ts";

/** Times are in milliseconds, sizes in bytes; Kafka's -1 and 2^63-1 are `Infinity`. Defaults: Kafka 4.x; minima: 3.9. */
export interface TopicConfig {
  cleanupPolicy: "delete" | "compact" | "compact,delete";
  compressionType: Exclude<CompressionType, "none"> | "uncompressed" | "producer";
  /** "sync": every append joins the next flush. "os": flushed by `flushMessages`, `flushMs` and the operating system. */
  durability: "sync" | "os";
  retentionMs: number;
  retentionBytes: number;
  deleteRetentionMs: number;
  segmentBytes: number;
  segmentMs: number;
  segmentIndexBytes: number;
  indexIntervalBytes: number;
  maxMessageBytes: number;
  messageTimestampType: "CreateTime" | "LogAppendTime";
  minCleanableDirtyRatio: number;
  minCompactionLagMs: number;
  maxCompactionLagMs: number;
  flushMessages: number;
  flushMs: number;
  preallocate: boolean;
}

/** `topicId` is Kafka's text form of a uuid: 22 characters of URL-safe base64. */
export interface TopicDescription {
  readonly name: string;
  readonly topicId: string;
  readonly internal: boolean;
  readonly config: Readonly<TopicConfig>;
  readonly partitions: readonly PartitionDescription[];
}

export type PartitionDescription = Watermarks & { readonly partition: number; readonly byteLength: number };
