/** The sending half of the face. */
import type { Acks, Bytes, CompressionType, Durability, HeaderInput, TopicPartition } from "./bytes.ts";
import type { Consumer, Delivered } from "./consumer.ts";
import type { Serializer } from "./serde.ts";

export interface ProducerRecord<K = string, V = unknown> {
  readonly topic: string;
  readonly key?: K | null | undefined;
  /** null is a tombstone. */
  readonly value: V | null;
  readonly headers?: readonly HeaderInput[] | undefined;
  readonly partition?: number | undefined;
  /** Milliseconds since 1970, or -1 for none; now unless given. */
  readonly timestamp?: number | undefined;
}

export interface RecordMetadata<A extends Acks = "all"> extends TopicPartition {
  readonly offset: A extends 0 ? undefined : number;
  readonly timestamp: number;
  /** What was achieved, not what was asked for: the least of what acks, topic and storage give. */
  readonly durability: A extends "all" ? Durability : A extends 1 ? "process" | "none" : "none";
}

export interface ProducerOptions<K, V, A extends Acks = "all"> {
  key: Serializer<K>;
  value: Serializer<V>;
  acks: A;
  lingerMs: number;
  batchSize: number;
  bufferMemory: number;
  maxBlockMs: number;
  compressionType: CompressionType;
  enableIdempotence: boolean;
  transactionalId: string;
  clientId: string;
  partitioner: (record: ProducerRecord<K, V>, keyBytes: Bytes | null, partitionCount: number) => number;
}

export interface Sender<K, V, A extends Acks> {
  /** Appended in call order within a partition. */
  send(record: ProducerRecord<K, V>): Promise<RecordMetadata<A>>;
  /** One answer per record, in the order given. Ignores lingerMs and batchSize. Not atomic across partitions: see `SendBatchError`. */
  sendBatch(records: readonly ProducerRecord<K, V>[]): Promise<RecordMetadata<A>[]>;
}

export interface Producer<K = string, V = unknown, A extends Acks = "all"> extends Sender<K, V, A>, AsyncDisposable {
  /** Resolves when every earlier send has settled; one that failed rejects its own promise, not this. */
  flush(): Promise<void>;
  /**
   * Commits when `body` returns, aborts when it throws, or when any send of it failed. Resolves with the body's value when readers of
   * committed records can see it all. One at a time per producer, which must have a `transactionalId`. Rejects with the body's own error;
   * with `MARKERS_PENDING` it is committed, and seen a little later; with `PRODUCER_FENCED` this producer is of no use any more.
   */
  transaction<T>(body: (tx: Transaction<K, V, A>) => Promise<T>): Promise<T>;
  /** Flushes, then refuses every further call. Idempotent. */
  close(): Promise<void>;
}

export interface Transaction<K, V, A extends Acks> extends Sender<K, V, A> {
  /**
   * Everything delivered so far, the record or batch in hand included; with `upTo`, that one's partition up to it. Of two calls for a
   * partition the later one holds. The consumer needs a `groupId` and `enableAutoCommit: false`; after an abort it goes back.
   */
  commitOffsets(consumer: Consumer<unknown, unknown>, upTo?: Delivered): void;
}
