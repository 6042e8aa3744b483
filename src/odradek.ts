/** The log as its users hold it: the face over the engine, with producers and consumers made for its broker port. */
import type { ClientQuota, LogKeeper } from "./api/broker.ts";
import type { Acks, NextOffset, Options, TopicPartition } from "./api/bytes.ts";
import type { Consumer, ConsumerOptions, ConsumerRecord } from "./api/consumer.ts";
import type { GroupDescription } from "./api/group.ts";
import type { Odradek, QuotaKey } from "./api/odradek.ts";
import type { Producer, ProducerOptions } from "./api/producer.ts";
import type { Deserializer, Serde } from "./api/serde.ts";
import type { Table } from "./api/table.ts";
import type { TopicConfig, TopicDescription } from "./api/topic.ts";
import { OdradekError, UsageError } from "./base/errors.ts";
import { bytes, msgpack, utf8 } from "./base/serde.ts";
import { turnOf } from "./base/turn.ts";
import { checkAdopt, checkDeleteTopic, checkGroupId, checkMaintain, checkOffset, checkTopicPartition, ReadCheck } from "./call-options.ts";
import type { Compression } from "./compression/compression.ts";
import { createConsumer } from "./consumer/consumer.ts";
import { RecordReading, readRecord } from "./consumer/read-record.ts";
import type { Core } from "./core/core.ts";
import { checkSameSettings, splitTopicOptions } from "./create-topic-options.ts";
import { describeGroup, resetOffsets } from "./group-admin.ts";
import { keptBy, letGoOf } from "./keepers.ts";
import type { Platform } from "./platform.ts";
import { createProducer } from "./producer/producer.ts";
import { openTable } from "./table/table.ts";

const DEFAULT_VALUE: Serde<unknown> = msgpack();

/** What producers and consumers of a log work with, beside whoever keeps it. */
export interface LogTools {
  readonly core: Core;
  readonly compression: Compression;
  readonly events: { readonly emit: (type: string, fields: { readonly [field: string]: unknown }) => void };
}

interface Closable {
  close(): Promise<void>;
}

export class EmbeddedOdradek implements Odradek {
  readonly #keeper: LogKeeper;
  readonly #tools: LogTools;
  readonly #platform: Platform;
  readonly #home: string | URL | null;
  readonly #letGo: (() => Promise<void>) | undefined;
  readonly #reading: RecordReading;
  readonly #open: Set<Closable> = new Set();
  readonly #readCheck: ReadCheck = new ReadCheck();
  #closing: Promise<void> | null = null;

  /** `home`: the data directory, where the log is in one. `letGo`: ends what others have under way here, before the log closes. */
  constructor(keeper: LogKeeper, tools: LogTools, platform: Platform, home: string | URL | null = null, letGo?: () => Promise<void>) {
    this.#keeper = keeper;
    this.#tools = tools;
    this.#platform = platform;
    this.#home = home;
    this.#letGo = letGo;
    this.#reading = new RecordReading(keeper, tools.compression, turnOf(platform.clock));
    keptBy(this, keeper);
  }

  async createTopic(
    topic: string,
    options: Options<TopicConfig & { partitions: number; ifNotExists: boolean; topicId: string }> = {},
  ): Promise<TopicDescription> {
    this.#refuseClosed("createTopic");
    const { partitions, ifNotExists, topicId, config } = splitTopicOptions(options);
    try {
      await this.#keeper.createTopic({ topic, partitions: partitions ?? 1, topicId, config });
    } catch (error) {
      if (!(ifNotExists && error instanceof OdradekError && error.code === "TOPIC_ALREADY_EXISTS")) throw error;
      checkSameSettings(await this.#keeper.describeTopic(topic), { partitions, topicId, config });
    }
    return this.#keeper.describeTopic(topic);
  }

  async deleteTopic(topic: string, options: Options<{ ifExists: boolean }> = {}): Promise<void> {
    this.#refuseClosed("deleteTopic");
    if (checkDeleteTopic(options).ifExists === true && !(await this.#keeper.hasTopic(topic))) return;
    await this.#keeper.deleteTopic(topic);
  }

  async listTopics(): Promise<string[]> {
    this.#refuseClosed("listTopics");
    return this.#keeper.topicNames();
  }

  async describeTopic(topic: string): Promise<TopicDescription> {
    this.#refuseClosed("describeTopic");
    return this.#keeper.describeTopic(topic);
  }

  async alterTopic(topic: string, config: { readonly [P in keyof TopicConfig]?: TopicConfig[P] | null | undefined }): Promise<void> {
    this.#refuseClosed("alterTopic");
    await this.#keeper.alterConfig(topic, config);
  }

  async adoptTopic(
    topic: string,
    options: { readonly partitions: number; readonly cleanupPolicy: TopicConfig["cleanupPolicy"] },
  ): Promise<TopicDescription> {
    this.#refuseClosed("adoptTopic");
    await this.#keeper.adoptTopic(topic, checkAdopt(options));
    return this.#keeper.describeTopic(topic);
  }

  async createPartitions(topic: string, totalCount: number): Promise<void> {
    this.#refuseClosed("createPartitions");
    await this.#keeper.createPartitions(topic, totalCount);
  }

  async deleteRecords(partition: TopicPartition, beforeOffset: number): Promise<number> {
    this.#refuseClosed("deleteRecords");
    return this.#keeper.deleteRecords(checkTopicPartition(partition, "deleteRecords"), checkOffset(beforeOffset, "deleteRecords"));
  }

  producer<K = string, V = unknown, const A extends Acks = "all">(options?: Options<ProducerOptions<K, V, A>>): Producer<K, V, A> {
    this.#refuseClosed("producer");
    const { clock, random } = this.#platform;
    const producer = createProducer<K, V, A>(
      {
        broker: this.#keeper,
        core: this.#tools.core,
        compression: this.#tools.compression,
        clock,
        random,
        emit: this.#tools.events.emit,
        defaultKey: utf8 as never,
        defaultValue: DEFAULT_VALUE as never,
        onClose: () => this.#open.delete(producer),
      },
      options,
    );
    this.#open.add(producer);
    return producer;
  }

  consumer<K = string, V = unknown>(options?: Options<ConsumerOptions<K, V>>): Consumer<K, V> {
    this.#refuseClosed("consumer");
    const { clock, random } = this.#platform;
    const consumer = createConsumer<K, V>(
      {
        broker: this.#keeper,
        compression: this.#tools.compression,
        clock,
        random,
        emit: this.#tools.events.emit,
        defaultKey: utf8 as never,
        defaultValue: DEFAULT_VALUE as never,
        onClose: () => this.#open.delete(consumer as Closable),
      },
      options,
    );
    this.#open.add(consumer);
    return consumer;
  }

  async table<K = string, V = unknown>(topic: string, options?: Options<{ key: Serde<K>; value: Serde<V> }>): Promise<Table<K, V>> {
    this.#refuseClosed("table");
    const table = await openTable<K, V>(
      {
        broker: this.#keeper,
        clock: this.#platform.clock,
        emit: this.#tools.events.emit,
        consumer: () => this.consumer({ key: bytes, value: bytes, clientId: "table" }),
        defaultKey: utf8 as never,
        defaultValue: DEFAULT_VALUE as never,
        onClose: (closed) => this.#open.delete(closed),
      },
      topic,
      options,
    );
    if (this.#closing !== null) {
      await table.close();
      this.#refuseClosed("table");
    }
    this.#open.add(table);
    return table;
  }

  read<K = string, V = unknown>(
    at: TopicPartition & { readonly offset: number },
    options?: Options<{ key: Deserializer<K>; value: Deserializer<V> }>,
  ): Promise<ConsumerRecord<K, V> | null> {
    try {
      this.#refuseClosed("read");
      this.#readCheck.check(options);
    } catch (error) {
      return Promise.reject(error);
    }
    return readRecord(this.#reading, at, options?.key ?? (utf8 as never), options?.value ?? (DEFAULT_VALUE as never));
  }

  async reopenPartition(partition: TopicPartition): Promise<void> {
    this.#refuseClosed("reopenPartition");
    await this.#keeper.reopenPartition(checkTopicPartition(partition, "reopenPartition"));
  }

  async backup(directory: string | URL): Promise<{ readonly files: number; readonly byteLength: number }> {
    this.#refuseClosed("backup");
    const target = this.#platform.storageAt(directory);
    if (this.#home !== null && this.#platform.sharing?.isWithin(directory, this.#home) === true) {
      throw new UsageError(
        "INVALID_ARGUMENT",
        `backup(): expected a directory outside the data directory, found ${String(directory)} within it`,
      );
    }
    return this.#keeper.backup(target, directory);
  }

  async listGroups(): Promise<string[]> {
    this.#refuseClosed("listGroups");
    return [...(await this.#keeper.listGroups())];
  }

  async describeGroup(groupId: string): Promise<GroupDescription> {
    this.#refuseClosed("describeGroup");
    return describeGroup(this.#keeper, checkGroupId(groupId, "describeGroup"));
  }

  async deleteGroup(groupId: string): Promise<void> {
    this.#refuseClosed("deleteGroup");
    await this.#keeper.deleteGroup(checkGroupId(groupId, "deleteGroup"));
  }

  async resetOffsets(
    groupId: string,
    topic: string,
    to: "earliest" | "latest" | { readonly timestamp: number } | readonly NextOffset[],
  ): Promise<NextOffset[]> {
    this.#refuseClosed("resetOffsets");
    return resetOffsets(this.#keeper, checkGroupId(groupId, "resetOffsets"), topic, to);
  }

  async alterClientQuotas(clientId: string | null, quota: Options<Record<QuotaKey, number | null>>): Promise<void> {
    this.#refuseClosed("alterClientQuotas");
    await this.#keeper.alterClientQuotas(clientId, quota);
  }

  async describeClientQuotas(): Promise<readonly ClientQuota[]> {
    this.#refuseClosed("describeClientQuotas");
    return this.#keeper.describeClientQuotas();
  }

  metrics(): Readonly<Record<string, number>> {
    return this.#keeper.metrics();
  }

  async maintain(
    options: Options<{ signal: AbortSignal }> = {},
  ): Promise<{ readonly segmentsDeleted: number; readonly bytesReclaimed: number }> {
    this.#refuseClosed("maintain");
    return this.#keeper.maintain(checkMaintain(options).signal);
  }

  /** Closes what was made of it first: producers flush, consumers commit and leave. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#keeper.liftQuotas();
    const outcomes = await Promise.allSettled([...this.#open].map((each) => each.close()));
    await letGoOf(this);
    await this.#letGo?.();
    await this.#keeper.close();
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  #refuseClosed(call: string): void {
    if (this.#closing !== null) throw new UsageError("LOG_CLOSED", `${call}: the log was closed`);
  }
}
