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

/** What a consumer gave out, and can be told to commit up to. */
export type Delivered = ConsumerRecord<unknown, unknown> | RecordBatch<unknown, unknown>;

/** The names Kafka sends on the wire. */
export type Assignor = "range" | "roundrobin" | "sticky" | "cooperative-sticky";

/** How a consumer reads; each may be left out. Times are milliseconds, sizes bytes. */
export interface ConsumerOptions<K, V> {
  /** Kafka's `group.id`: partitions are shared among the members, and offsets committed. Without one: `assign` alone, nothing committed. */
  groupId: string;
  /** How key bytes become keys; `utf8` unless given. */
  key: Deserializer<K>;
  /** How value bytes become values; `msgpack()` unless given. */
  value: Deserializer<V>;
  /** Where to begin without a committed offset, or with one out of range; "earliest" unless given. "none": an `OffsetError`. */
  autoOffsetReset: "earliest" | "latest" | "none";
  /** True with a `groupId` unless given: what was moved past is committed, never the record in hand. */
  enableAutoCommit: boolean;
  /** 5,000 unless given. */
  autoCommitIntervalMs: number;
  /** "readCommitted" unless given: records of open and aborted transactions are left out. */
  isolationLevel: "readCommitted" | "readUncommitted";
  /** The most that one `poll` gives; 500 unless given. */
  maxPollRecords: number;
  /** How long a record may be in hand while a rebalance waits for it; 300,000 unless given. Then the member is put out. */
  maxPollIntervalMs: number;
  /** About how much is read ahead, for all partitions together; 1 MiB unless given. One batch always comes whole. */
  fetchMaxBytes: number;
  /** How long a member in another process may be silent; 45,000 unless given. Members in the log's own process have no such timer. */
  sessionTimeoutMs: number;
  /** How quotas and `describeGroup` name it. */
  clientId: string;
  /** The polite stop: the record in hand is finished, the loop ends normally, the consumer closes. */
  signal: AbortSignal;
  /** In order of preference; range, then cooperative-sticky, unless given. */
  partitionAssignmentStrategy: Assignor | readonly Assignor[];
  /** What to do with a record whose key or value cannot be read; "stop" unless given: the error is thrown, and a seek goes on behind it. */
  onDeserializeError: "stop" | "skip" | ((error: SerdeError) => "stop" | "skip" | Promise<"stop" | "skip">);
}

/** Told of partitions that come, go in order, or were lost without being asked; awaited before reading goes on. */
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

/** Reads records in the order of their offsets. One iteration or poll at a time. */
export interface Consumer<out K = string, out V = unknown> extends AsyncIterable<ConsumerRecord<K, V>>, AsyncDisposable {
  /** Resolves when the member is registered, not when it has partitions. */
  subscribe(topics: readonly string[] | RegExp, listener?: RebalanceListener): Promise<void>;
  /** These partitions, without a group's sharing. Replaces what was assigned; none: it has nothing to read. */
  assign(partitions: readonly TopicPartition[]): Promise<void>;
  /** What it has now. */
  assignment(): readonly TopicPartition[];
  /** What `for await (… of consumer)` calls. Asking for the next record moves past the one in hand. */
  records(options?: ReadOptions): AsyncIterableIterator<ConsumerRecord<K, V>>;
  /** The fast path: whole batches of lazy views. */
  batches(options?: ReadOptions): AsyncIterableIterator<RecordBatch<K, V>>;
  /** What is there, at most `maxRecords`, after waiting up to `timeoutMs` for the first. The array is in hand until the next call. */
  poll(options?: Options<{ timeoutMs: number; maxRecords: number; signal: AbortSignal }>): Promise<ConsumerRecord<K, V>[]>;
  /** No argument: everything moved past. Resolves once written; durable within `offsetsFlushMs`, or before it resolves with `durable`. */
  commit(upTo?: Delivered | readonly NextOffset[], options?: Options<{ durable: boolean }>): Promise<void>;
  /** The next offset to read, or null when the group has none. */
  committed(partition: TopicPartition): Promise<number | null>;
  /** The next offset after what was delivered. */
  position(partition: TopicPartition): Promise<number>;
  /** Holds for the next record delivered. */
  seek(partition: TopicPartition, to: number | "earliest" | "latest"): void;
  /** Where the partition begins and ends now. */
  watermarks(partition: TopicPartition): Promise<Watermarks>;
  /** The first record whose timestamp is at least `timestamp`. */
  offsetForTime(partition: TopicPartition, timestamp: number): Promise<{ readonly offset: number; readonly timestamp: number } | null>;
  /** End of what this isolation level may read, less position. */
  lag(partition: TopicPartition): Promise<number>;
  /** Delivers nothing of these partitions, or of all, until `resume`. */
  pause(partitions?: readonly TopicPartition[]): void;
  /** Takes `pause` back. */
  resume(partitions?: readonly TopicPartition[]): void;
  /** At once, from inside a loop too. Idempotent. */
  close(): Promise<void>;
}
