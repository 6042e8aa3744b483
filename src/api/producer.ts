/** The sending half of the face. */
import type { Acks, Bytes, CompressionType, Durability, HeaderInput, TopicPartition } from "./bytes.ts";
import type { Consumer, Delivered } from "./consumer.ts";
import type { Serializer } from "./serde.ts";

/** What is sent. The key, where it has one, decides its partition unless that is named. */
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

/** How a producer sends; each may be left out. Times are milliseconds, sizes bytes. */
export interface ProducerOptions<K, V, A extends Acks = "all"> {
  /** How keys become bytes; `utf8` unless given. */
  key: Serializer<K>;
  /** How values become bytes; `msgpack()` unless given. */
  value: Serializer<V>;
  /** When a send resolves; "all" unless given. */
  acks: A;
  /** How long a batch waits for more; 0 unless given: to the end of the current turn. */
  lingerMs: number;
  /** How large a batch grows before it goes; 16,384 unless given. */
  batchSize: number;
  /** How much may wait in all; 32 MiB unless given. Beyond it a send waits up to `maxBlockMs`. */
  bufferMemory: number;
  /** How long a send waits for room or for news of its topic; 60,000 unless given. */
  maxBlockMs: number;
  /** "none" unless given. */
  compressionType: CompressionType;
  /** True unless given: a batch that is sent twice stands once. */
  enableIdempotence: boolean;
  /** For `transaction`. Of all producers with one id, on this log, the last to come alone may send. */
  transactionalId: string;
  /** How quotas name it. */
  clientId: string;
  /** In the place of Kafka's murmur2 of the key. Answers a partition, 0 to `partitionCount` less one. */
  partitioner: (record: ProducerRecord<K, V>, keyBytes: Bytes | null, partitionCount: number) => number;
}

/** What a producer and a transaction have in common. */
export interface Sender<K, V, A extends Acks> {
  /** Appended in call order within a partition. */
  send(record: ProducerRecord<K, V>): Promise<RecordMetadata<A>>;
  /** One answer per record, in the order given. Ignores lingerMs and batchSize. Not atomic across partitions: see `SendBatchError`. */
  sendBatch(records: readonly ProducerRecord<K, V>[]): Promise<RecordMetadata<A>[]>;
}

/** Sends records. Sends of one turn share a batch. */
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

/** A transaction under way: what is sent through it is seen when it has committed, all of it at once. */
export interface Transaction<K, V, A extends Acks> extends Sender<K, V, A> {
  /**
   * Everything delivered so far, the record or batch in hand included; with `upTo`, that one's partition up to it. Of two calls for a
   * partition the later one holds. The consumer needs a `groupId` and `enableAutoCommit: false`; after an abort it goes back.
   */
  commitOffsets(consumer: Consumer<unknown, unknown>, upTo?: Delivered): void;
}
