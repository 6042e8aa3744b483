/** The log itself: what `open` gives. */
import type { Acks, NextOffset, Options, TopicPartition } from "./bytes.ts";
import type { Consumer, ConsumerOptions, ConsumerRecord } from "./consumer.ts";
import type { GroupDescription } from "./group.ts";
import type { Producer, ProducerOptions } from "./producer.ts";
import type { Deserializer, Serde } from "./serde.ts";
import type { StorageDriver } from "./storage-driver.ts";
import type { Table } from "./table.ts";
import type { TopicConfig, TopicDescription } from "./topic.ts";

/** What of a client can be limited: bytes a second written, bytes a second read, and the time spent on its requests. */
export type QuotaKey = "producerByteRate" | "consumerByteRate" | "requestPercentage";

/** A log that is open. `close` ends it, and lets others open it. */
export interface Odradek extends AsyncDisposable {
  /**
   * One partition unless given. Rejects with `TOPIC_ALREADY_EXISTS`, or with `ifNotExists` where its settings are others. Resolves when
   * durable.
   */
  createTopic(
    topic: string,
    options?: Options<TopicConfig & { partitions: number; ifNotExists: boolean; topicId: string }>,
  ): Promise<TopicDescription>;
  /** Resolves when durable. */
  deleteTopic(topic: string, options?: Options<{ ifExists: boolean }>): Promise<void>;
  /** The topics' names, without the internal ones. */
  listTopics(): Promise<string[]>;
  /** Settings and partitions of a topic. Rejects with `UNKNOWN_TOPIC_OR_PARTITION`, naming the nearest. */
  describeTopic(topic: string): Promise<TopicDescription>;
  /** null: back to the default. */
  alterTopic(topic: string, config: { readonly [P in keyof TopicConfig]?: TopicConfig[P] | null | undefined }): Promise<void>;
  /** For a topic that another writer left here: until then it is read only, and `alterTopic` is a `UsageError`. */
  adoptTopic(
    topic: string,
    options: { readonly partitions: number; readonly cleanupPolicy: TopicConfig["cleanupPolicy"] },
  ): Promise<TopicDescription>;
  /** `totalCount` is how many there are to be. Keys may go to other partitions from then on. */
  createPartitions(topic: string, totalCount: number): Promise<void>;
  /** Moves the log start; answers the new one. Resolves when durable. */
  deleteRecords(partition: TopicPartition, beforeOffset: number): Promise<number>;
  /** Serializers are `utf8` for keys and `msgpack()` for values unless given. */
  producer<K = string, V = unknown, const A extends Acks = "all">(options?: Options<ProducerOptions<K, V, A>>): Producer<K, V, A>;
  /** Deserializers are `utf8` for keys and `msgpack()` for values unless given. */
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
  /** The ids of all groups that have members or committed offsets. */
  listGroups(): Promise<string[]>;
  /** Rejects with `GROUP_ID_NOT_FOUND`. */
  describeGroup(groupId: string): Promise<GroupDescription>;
  /** With its committed offsets. Rejects with `NON_EMPTY_GROUP` while it has members. */
  deleteGroup(groupId: string): Promise<void>;
  /** Commits other positions for a group that has no members; answers them. */
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
  /** All that are set, the default (`clientId` null) among them. */
  describeClientQuotas(): Promise<
    readonly { readonly clientId: string | null; readonly quota: Readonly<Partial<Record<QuotaKey, number>>> }[]
  >;
  /** Counters and sizes by name, as of now. */
  metrics(): Readonly<Record<string, number>>;
  /** Retention (and, for compacted topics, cleaning) now, instead of at its hour. */
  maintain(options?: Options<{ signal: AbortSignal }>): Promise<{ readonly segmentsDeleted: number; readonly bytesReclaimed: number }>;
  /** Consumers leave and commit, producers flush, the log is flushed and its lock let go. Idempotent. */
  close(): Promise<void>;
}

/** As pino has it: fields first, then a sentence. Nothing is logged without one. */
export type Logger = Record<"debug" | "info" | "warn" | "error", (fields: object, message: string) => void>;

/** Something that happened in the log, told to `onEvent` and, on Node, on `diagnostics_channel` under `odradek:<type>`. */
export interface OdradekEvent {
  readonly type: string;
  readonly timestamp: number;
  readonly partition?: TopicPartition;
  readonly [field: string]: unknown;
}

/** How a log is opened; each may be left out. Times are milliseconds, sizes bytes. */
export type OpenOptions = Options<{
  /** Where the bytes are kept, in the place of a directory on disk. */
  storage: StorageDriver;
  /** Reads beside whoever writes, and follows it; takes no lock and changes nothing. */
  readOnly: boolean;
  /** Works through the process that has the log, and takes its place when it goes. False: nobody is let in here either. */
  attach: boolean;
  /** "auto" is the one sound way of this system; all that open a directory must say the same. */
  lock: "auto" | "socket";
  /** Opens a directory on a network's file system all the same; nothing is promised there. */
  allowNetworkFileSystem: boolean;
  /** Within which time commits are durable; 100 unless given. */
  offsetsFlushMs: number;
  /** How much may be written beyond what is durable, and so the most that recovery reads of a partition; 8 MiB unless given. */
  maxUnflushedBytes: number;
  /** Kafka's `log.cleaner.dedupe.buffer.size`: memory for the keys of a compaction; 16 MiB unless given. */
  logCleanerDedupeBufferSize: number;
  /** Kafka's `log.cleaner.io.max.bytes.per.second`. */
  logCleanerIoMaxBytesPerSecond: number;
  /** What topics have that do not say otherwise. */
  topicDefaults: Options<TopicConfig>;
  /** Gives the opening up, with its reason. */
  signal: AbortSignal;
  /** Told what happens, in words; nobody is unless given. */
  logger: Logger;
  /** A `WebAssembly.Module` or its bytes; typed without the DOM library. */
  wasm: object;
  /** Told what happens, as data. What it throws is nobody's concern. */
  onEvent: (event: OdradekEvent) => void;
}>;
