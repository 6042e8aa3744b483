/** The log as its users hold it: the face over the engine, with producers and consumers made for its broker port. */
import type { ClientQuota } from "./api/broker.ts";
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
import { checkAdopt, checkDeleteTopic, checkGroupId, checkMaintain, checkOffset, checkRead, checkTopicPartition } from "./call-options.ts";
import { createConsumer } from "./consumer/consumer.ts";
import { type RecordReading, readRecord } from "./consumer/read-record.ts";
import { checkSameSettings, splitTopicOptions } from "./create-topic-options.ts";
import type { Engine } from "./engine/engine.ts";
import { describeGroup, resetOffsets } from "./group-admin.ts";
import type { Platform } from "./platform.ts";
import { createProducer } from "./producer/producer.ts";
import { openTable } from "./table/table.ts";

const DEFAULT_VALUE: Serde<unknown> = msgpack();

interface Closable {
  close(): Promise<void>;
}

export class EmbeddedOdradek implements Odradek {
  readonly #engine: Engine;
  readonly #platform: Platform;
  readonly #reading: RecordReading;
  readonly #open: Set<Closable> = new Set();
  #readOptions: unknown = undefined;
  #closing: Promise<void> | null = null;

  constructor(engine: Engine, platform: Platform) {
    this.#engine = engine;
    this.#platform = platform;
    this.#reading = { broker: engine, compression: engine.compression };
  }

  async createTopic(
    topic: string,
    options: Options<TopicConfig & { partitions: number; ifNotExists: boolean; topicId: string }> = {},
  ): Promise<TopicDescription> {
    this.#refuseClosed("createTopic");
    const { partitions, ifNotExists, topicId, config } = splitTopicOptions(options);
    try {
      await this.#engine.createTopic({ topic, partitions: partitions ?? 1, topicId, config });
    } catch (error) {
      if (!(ifNotExists && error instanceof OdradekError && error.code === "TOPIC_ALREADY_EXISTS")) throw error;
      checkSameSettings(this.#engine.describeTopic(topic), { partitions, topicId, config });
    }
    return this.#engine.describeTopic(topic);
  }

  async deleteTopic(topic: string, options: Options<{ ifExists: boolean }> = {}): Promise<void> {
    this.#refuseClosed("deleteTopic");
    if (checkDeleteTopic(options).ifExists === true && !this.#engine.hasTopic(topic)) return;
    await this.#engine.deleteTopic(topic);
  }

  async listTopics(): Promise<string[]> {
    this.#refuseClosed("listTopics");
    return this.#engine.topicNames();
  }

  async describeTopic(topic: string): Promise<TopicDescription> {
    this.#refuseClosed("describeTopic");
    return this.#engine.describeTopic(topic);
  }

  async alterTopic(topic: string, config: { readonly [P in keyof TopicConfig]?: TopicConfig[P] | null | undefined }): Promise<void> {
    this.#refuseClosed("alterTopic");
    await this.#engine.alterConfig(topic, config);
  }

  async adoptTopic(
    topic: string,
    options: { readonly partitions: number; readonly cleanupPolicy: TopicConfig["cleanupPolicy"] },
  ): Promise<TopicDescription> {
    this.#refuseClosed("adoptTopic");
    await this.#engine.adoptTopic(topic, checkAdopt(options));
    return this.#engine.describeTopic(topic);
  }

  async createPartitions(topic: string, totalCount: number): Promise<void> {
    this.#refuseClosed("createPartitions");
    await this.#engine.createPartitions(topic, totalCount);
  }

  async deleteRecords(partition: TopicPartition, beforeOffset: number): Promise<number> {
    this.#refuseClosed("deleteRecords");
    return this.#engine.deleteRecords(checkTopicPartition(partition, "deleteRecords"), checkOffset(beforeOffset, "deleteRecords"));
  }

  producer<K = string, V = unknown, const A extends Acks = "all">(options?: Options<ProducerOptions<K, V, A>>): Producer<K, V, A> {
    this.#refuseClosed("producer");
    const { clock, random } = this.#platform;
    const producer = createProducer<K, V, A>(
      {
        broker: this.#engine,
        core: this.#engine.core,
        compression: this.#engine.compression,
        clock,
        random,
        emit: this.#engine.events.emit,
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
        broker: this.#engine,
        compression: this.#engine.compression,
        clock,
        random,
        emit: this.#engine.events.emit,
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
        broker: this.#engine,
        clock: this.#platform.clock,
        emit: this.#engine.events.emit,
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

  async read<K = string, V = unknown>(
    at: TopicPartition & { readonly offset: number },
    options?: Options<{ key: Deserializer<K>; value: Deserializer<V> }>,
  ): Promise<ConsumerRecord<K, V> | null> {
    this.#refuseClosed("read");
    // Looked at once where a loop gives the same object again and again: a read takes some microseconds.
    if (options !== this.#readOptions) {
      checkRead(options);
      this.#readOptions = options;
    }
    return readRecord(this.#reading, at, options?.key ?? (utf8 as never), options?.value ?? (DEFAULT_VALUE as never));
  }

  async reopenPartition(partition: TopicPartition): Promise<void> {
    this.#refuseClosed("reopenPartition");
    await this.#engine.reopenPartition(checkTopicPartition(partition, "reopenPartition"));
  }

  async backup(directory: string | URL): Promise<{ readonly files: number; readonly byteLength: number }> {
    this.#refuseClosed("backup");
    return this.#engine.backup(this.#platform.storageAt(directory));
  }

  async listGroups(): Promise<string[]> {
    this.#refuseClosed("listGroups");
    return [...(await this.#engine.listGroups())];
  }

  async describeGroup(groupId: string): Promise<GroupDescription> {
    this.#refuseClosed("describeGroup");
    return describeGroup(this.#engine, checkGroupId(groupId, "describeGroup"));
  }

  async deleteGroup(groupId: string): Promise<void> {
    this.#refuseClosed("deleteGroup");
    await this.#engine.deleteGroup(checkGroupId(groupId, "deleteGroup"));
  }

  async resetOffsets(
    groupId: string,
    topic: string,
    to: "earliest" | "latest" | { readonly timestamp: number } | readonly NextOffset[],
  ): Promise<NextOffset[]> {
    this.#refuseClosed("resetOffsets");
    return resetOffsets(this.#engine, checkGroupId(groupId, "resetOffsets"), topic, to);
  }

  async alterClientQuotas(clientId: string | null, quota: Options<Record<QuotaKey, number | null>>): Promise<void> {
    this.#refuseClosed("alterClientQuotas");
    await this.#engine.alterClientQuotas(clientId, quota);
  }

  async describeClientQuotas(): Promise<readonly ClientQuota[]> {
    this.#refuseClosed("describeClientQuotas");
    return this.#engine.describeClientQuotas();
  }

  metrics(): Readonly<Record<string, number>> {
    return this.#engine.metrics();
  }

  async maintain(
    options: Options<{ signal: AbortSignal }> = {},
  ): Promise<{ readonly segmentsDeleted: number; readonly bytesReclaimed: number }> {
    this.#refuseClosed("maintain");
    return this.#engine.maintain(checkMaintain(options).signal);
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
    this.#engine.liftQuotas();
    const outcomes = await Promise.allSettled([...this.#open].map((each) => each.close()));
    await this.#engine.close();
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  #refuseClosed(call: string): void {
    if (this.#closing !== null) throw new UsageError("LOG_CLOSED", `${call}: the log was closed`);
  }
}
