/** The reading half of the face. */
import type { Header, NextOffset, Options, TopicPartition, Watermarks } from "./bytes.ts";
import type { SerdeError } from "./errors.ts";
import type { Deserializer } from "./serde.ts";

/** Plain own properties from the iterator and `poll()`; from `batches()` a lazy view with the same fields, decoded once, on access. */
export interface ConsumerRecord<out K = string, out V = unknown> extends TopicPartition {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: K | null;
  readonly value: V | null;
  readonly headers: readonly Header[];
}

export interface RecordBatch<out K = string, out V = unknown> extends TopicPartition, Iterable<ConsumerRecord<K, V>> {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly length: number;
}

export type Delivered = ConsumerRecord<unknown, unknown> | RecordBatch<unknown, unknown>;

/** The names Kafka sends on the wire. */
export type Assignor = "range" | "roundrobin" | "sticky" | "cooperative-sticky";

export interface ConsumerOptions<K, V> {
  groupId: string;
  key: Deserializer<K>;
  value: Deserializer<V>;
  autoOffsetReset: "earliest" | "latest" | "none";
  enableAutoCommit: boolean;
  autoCommitIntervalMs: number;
  isolationLevel: "readCommitted" | "readUncommitted";
  maxPollRecords: number;
  maxPollIntervalMs: number;
  fetchMaxBytes: number;
  sessionTimeoutMs: number;
  clientId: string;
  signal: AbortSignal;
  partitionAssignmentStrategy: Assignor | readonly Assignor[];
  onDeserializeError: "stop" | "skip" | ((error: SerdeError) => "stop" | "skip" | Promise<"stop" | "skip">);
}

export type RebalanceListener = Options<
  Record<
    "onPartitionsRevoked" | "onPartitionsAssigned" | "onPartitionsLost",
    (partitions: readonly TopicPartition[]) => void | Promise<void>
  >
>;

/**
 * `until: "end"` is the end, for this isolation level, that each partition had when first assigned to this iteration;
 * the loop ends when no rebalance is pending and every assigned partition is there (at once for a member with none).
 */
export type ReadOptions = Options<{ until: "end"; signal: AbortSignal }>;

export interface Consumer<out K = string, out V = unknown> extends AsyncIterable<ConsumerRecord<K, V>>, AsyncDisposable {
  /** Resolves when the member is registered, not when it has partitions. */
  subscribe(topics: readonly string[] | RegExp, listener?: RebalanceListener): Promise<void>;
  assign(partitions: readonly TopicPartition[]): Promise<void>;
  assignment(): readonly TopicPartition[];
  /** What `for await (… of consumer)` calls. Asking for the next record moves past the one in hand. */
  records(options?: ReadOptions): AsyncIterableIterator<ConsumerRecord<K, V>>;
  /** The fast path: whole batches of lazy views. */
  batches(options?: ReadOptions): AsyncIterableIterator<RecordBatch<K, V>>;
  poll(options?: Options<{ timeoutMs: number; maxRecords: number; signal: AbortSignal }>): Promise<ConsumerRecord<K, V>[]>;
  /** No argument: everything moved past. Resolves once written; durable within `offsetsFlushMs`, or before it resolves with `durable`. */
  commit(upTo?: Delivered | readonly NextOffset[], options?: Options<{ durable: boolean }>): Promise<void>;
  /** The next offset to read, or null when the group has none. */
  committed(partition: TopicPartition): Promise<number | null>;
  position(partition: TopicPartition): Promise<number>;
  /** Holds for the next record delivered. */
  seek(partition: TopicPartition, to: number | "earliest" | "latest"): void;
  watermarks(partition: TopicPartition): Promise<Watermarks>;
  /** The first record whose timestamp is at least `timestamp`. */
  offsetForTime(partition: TopicPartition, timestamp: number): Promise<{ readonly offset: number; readonly timestamp: number } | null>;
  /** End of what this isolation level may read, less position. */
  lag(partition: TopicPartition): Promise<number>;
  pause(partitions?: readonly TopicPartition[]): void;
  resume(partitions?: readonly TopicPartition[]): void;
  /** At once, from inside a loop too. Idempotent. */
  close(): Promise<void>;
}
