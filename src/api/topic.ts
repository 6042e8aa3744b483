/** What a topic is configured with and what is told of it. Names are Kafka's in camelCase, values Kafka's literals. */
import type { CompressionType, Watermarks } from "./bytes.ts";
import type { OdradekError } from "./errors.ts";

/** Times are in milliseconds, sizes in bytes; Kafka's -1 and 2^63-1 are `Infinity`. Defaults: Kafka 4.x; minima: 3.9. */
export interface TopicConfig {
  /** What happens to old segments: deleted by age and size (unless given), compacted to the last value of each key, or both. */
  cleanupPolicy: "delete" | "compact" | "compact,delete";
  /** How batches are stored; "producer" unless given: as they were sent. */
  compressionType: Exclude<CompressionType, "none"> | "uncompressed" | "producer";
  /** "sync": every append joins the next flush. "os": flushed by `flushMessages`, `flushMs`, and every few mebibytes behind the writer, which nobody waits for. */
  durability: "sync" | "os";
  /** A segment whose last record is older is deleted; seven days unless given. */
  retentionMs: number;
  /** How much a partition keeps at least when it is cut by size; `Infinity` unless given. */
  retentionBytes: number;
  /** How long compaction keeps a tombstone; a day unless given. */
  deleteRetentionMs: number;
  /** How large a segment grows; 1 GiB unless given. */
  segmentBytes: number;
  /** How much record time a segment spans; seven days unless given. */
  segmentMs: number;
  /** How large a segment's index grows; 10 MiB unless given. */
  segmentIndexBytes: number;
  /** How much log lies between two entries of the index; 4,096 unless given. */
  indexIntervalBytes: number;
  /** How large a batch may be; 1,048,588 unless given. */
  maxMessageBytes: number;
  /** Whose clock stamps a record; "CreateTime" unless given: the sender's. */
  messageTimestampType: "CreateTime" | "LogAppendTime";
  /** How much must be new before a partition is compacted again; 0.5 unless given. */
  minCleanableDirtyRatio: number;
  /** How long a record is safe from compaction; 0 unless given. */
  minCompactionLagMs: number;
  /** How long a record may wait for compaction at most; `Infinity` unless given. */
  maxCompactionLagMs: number;
  /** With durability "os": a flush after so many records; `Infinity` unless given. */
  flushMessages: number;
  /** With durability "os": a flush after so long; `Infinity` unless given. */
  flushMs: number;
  /** Whether a segment's file is made in its full size; false unless given. */
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

/** A partition's ends, and how much it holds. */
export type PartitionDescription = Watermarks & {
  readonly partition: number;
  readonly byteLength: number;
  /**
   * Why it is not at work, as calls that need it are told; absent where it is. It did not open, so that its numbers, all 0, say nothing,
   * or a flush of it failed: it is read, and nothing is appended before `reopenPartition`.
   */
  readonly error?: Pick<OdradekError, "code" | "message">;
};
