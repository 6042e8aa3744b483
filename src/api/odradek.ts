/** The log itself: what `open` gives. */
import type { Acks, NextOffset, Options, TopicPartition } from "./bytes.ts";
import type { Consumer, ConsumerOptions, ConsumerRecord } from "./consumer.ts";
import type { GroupDescription } from "./group.ts";
import type { Producer, ProducerOptions } from "./producer.ts";
import type { Deserializer, Serde } from "./serde.ts";
import type { StorageDriver } from "./storage-driver.ts";
import type { Table } from "./table.ts";
import type { TopicConfig, TopicDescription } from "./topic.ts";

export type QuotaKey = "producerByteRate" | "consumerByteRate" | "requestPercentage";

export interface Odradek extends AsyncDisposable {
  createTopic(
    topic: string,
    options?: Options<TopicConfig & { partitions: number; ifNotExists: boolean; topicId: string }>,
  ): Promise<TopicDescription>;
  /** Resolves when durable. */
  deleteTopic(topic: string, options?: Options<{ ifExists: boolean }>): Promise<void>;
  listTopics(): Promise<string[]>;
  describeTopic(topic: string): Promise<TopicDescription>;
  /** null: back to the default. */
  alterTopic(topic: string, config: { readonly [P in keyof TopicConfig]?: TopicConfig[P] | null | undefined }): Promise<void>;
  /** For a topic that another writer left here: until then it is read only, and `alterTopic` is a `UsageError`. */
  adoptTopic(
    topic: string,
    options: { readonly partitions: number; readonly cleanupPolicy: TopicConfig["cleanupPolicy"] },
  ): Promise<TopicDescription>;
  createPartitions(topic: string, totalCount: number): Promise<void>;
  /** Moves the log start; answers the new one. Resolves when durable. */
  deleteRecords(partition: TopicPartition, beforeOffset: number): Promise<number>;
  producer<K = string, V = unknown, const A extends Acks = "all">(options?: Options<ProducerOptions<K, V, A>>): Producer<K, V, A>;
  consumer<K = string, V = unknown>(options?: Options<ConsumerOptions<K, V>>): Consumer<K, V>;
  /** Of a topic whose cleanupPolicy has "compact" in it. Resolves when caught up with everything committed by now. */
  table<K = string, V = unknown>(topic: string, options?: Options<{ key: Serde<K>; value: Serde<V> }>): Promise<Table<K, V>>;
  /** One record by its offset; null where none is (compacted away, a control record, past the end this isolation level may read). */
  read<K = string, V = unknown>(
    at: TopicPartition & { readonly offset: number },
    options?: Options<{ key: Deserializer<K>; value: Deserializer<V> }>,
  ): Promise<ConsumerRecord<K, V> | null>;
  /** After a failed flush: recovery, then writable again. */
  reopenPartition(partition: TopicPartition): Promise<void>;
  /** A consistent copy, made while open. */
  backup(directory: string | URL): Promise<{ readonly files: number; readonly byteLength: number }>;
  listGroups(): Promise<string[]>;
  describeGroup(groupId: string): Promise<GroupDescription>;
  deleteGroup(groupId: string): Promise<void>;
  resetOffsets(
    groupId: string,
    topic: string,
    to: "earliest" | "latest" | { readonly timestamp: number } | readonly NextOffset[],
  ): Promise<NextOffset[]>;
  /**
   * Bytes a second, or percent of one thread. clientId null: the default of all that have none of their own; value null: back to it.
   * Durable when it resolves; clients that run are judged by it at once.
   */
  alterClientQuotas(clientId: string | null, quota: Options<Record<QuotaKey, number | null>>): Promise<void>;
  describeClientQuotas(): Promise<
    readonly { readonly clientId: string | null; readonly quota: Readonly<Partial<Record<QuotaKey, number>>> }[]
  >;
  metrics(): Readonly<Record<string, number>>;
  /** Retention (and, for compacted topics, cleaning) now, instead of at its hour. */
  maintain(options?: Options<{ signal: AbortSignal }>): Promise<{ readonly segmentsDeleted: number; readonly bytesReclaimed: number }>;
  close(): Promise<void>;
}

export type Logger = Record<"debug" | "info" | "warn" | "error", (fields: object, message: string) => void>;

export interface OdradekEvent {
  readonly type: string;
  readonly timestamp: number;
  readonly partition?: TopicPartition;
  readonly [field: string]: unknown;
}

export type OpenOptions = Options<{
  storage: StorageDriver;
  readOnly: boolean;
  attach: boolean;
  lock: "auto" | "socket";
  allowNetworkFileSystem: boolean;
  offsetsFlushMs: number;
  maxUnflushedBytes: number;
  logCleanerDedupeBufferSize: number;
  logCleanerIoMaxBytesPerSecond: number;
  topicDefaults: Options<TopicConfig>;
  signal: AbortSignal;
  logger: Logger;
  /** A `WebAssembly.Module` or its bytes; typed without the DOM library. */
  wasm: object;
  onEvent: (event: OdradekEvent) => void;
}>;
