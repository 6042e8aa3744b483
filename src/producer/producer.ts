/** The producer: what `log.producer()` gives. It takes records in, in call order, and lets the parts beside it do the rest. */
import type { Acks, Options } from "../api/bytes.ts";
import type { Producer, ProducerOptions, ProducerRecord, RecordMetadata, Transaction } from "../api/producer.ts";
import type { Serializer } from "../api/serde.ts";
import type { Clock, Random } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { Accumulator } from "./accumulator.ts";
import { Delivery, type DeliveryWiring, isTooLarge, unacknowledged } from "./delivery.ts";
import { Idempotence } from "./idempotence.ts";
import type { Sends } from "./open-transaction.ts";
import { PartitionChoice } from "./partition-choice.ts";
import type { Answer } from "./pending-batch.ts";
import { checkProducerOptions, type ProducerSettings } from "./producer-options.ts";
import { RecordIntake } from "./record-intake.ts";
import { RecordStage } from "./record-stage.ts";
import { StraightBatch } from "./straight-batch.ts";
import { TopicDirectory } from "./topic-directory.ts";
import { Transactions } from "./transactions.ts";
import { WaitingBatch } from "./waiting-batch.ts";
import { type SendParts, WaitingSend } from "./waiting-send.ts";

export interface ProducerWiring<K, V> extends DeliveryWiring {
  readonly random: Random;
  readonly defaultKey: Serializer<K>;
  readonly defaultValue: Serializer<V>;
  readonly onClose: (producer: Producer<K, V, Acks>) => void;
  /** For tests: see `IdempotenceOptions`. */
  readonly firstSequence?: number;
}

/** Throws a `UsageError` for options that are not legal. */
export function createProducer<K, V, A extends Acks>(
  wiring: ProducerWiring<K, V>,
  options?: Options<ProducerOptions<K, V, A>>,
): Producer<K, V, A> {
  const settings = checkProducerOptions(options, wiring.defaultKey, wiring.defaultValue, wiring.compression);
  return new LogProducer<K, V>(wiring, settings) as unknown as Producer<K, V, A>;
}

class LogProducer<K, V> implements Producer<K, V, Acks> {
  readonly #clock: Clock;
  readonly #transactions: Transactions<K, V> | null;
  readonly #onClose: (producer: Producer<K, V, Acks>) => void;
  readonly #delivery: Delivery;
  readonly #accumulator: Accumulator;
  readonly #parts: SendParts<K, V>;
  readonly #intake: RecordIntake<K, V>;
  readonly #straight: StraightBatch<K, V>;
  #closing: Promise<void> | null = null;

  constructor(wiring: ProducerWiring<K, V>, settings: ProducerSettings<K, V>) {
    const { broker, core, clock, random, firstSequence } = wiring;
    const { transactionalId, maxBlockMs } = settings;
    this.#clock = clock;
    this.#onClose = wiring.onClose;
    const idempotence = settings.enableIdempotence ? new Idempotence(broker, clock, { transactionalId, maxBlockMs, firstSequence }) : null;
    this.#transactions =
      transactionalId === undefined || idempotence === null ? null : new Transactions(broker, transactionalId, idempotence);
    this.#delivery = new Delivery(wiring, settings, idempotence, this.#transactions?.gate ?? idempotence);
    this.#accumulator = new Accumulator(this.#delivery, clock, settings);
    this.#parts = {
      delivery: this.#delivery,
      accumulator: this.#accumulator,
      topics: new TopicDirectory(broker, clock, random, ({ numbering }) => idempotence?.forget(numbering)),
      choice: new PartitionChoice(core, settings.partitioner),
    };
    this.#intake = new RecordIntake(settings.key, settings.value);
    this.#straight = new StraightBatch(this.#parts, this.#intake);
  }

  send(record: ProducerRecord<K, V>): Promise<RecordMetadata<Acks>> {
    try {
      this.#refuse("send()");
      return this.#send(record);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  sendBatch(records: readonly ProducerRecord<K, V>[]): Promise<RecordMetadata<Acks>[]> {
    try {
      this.#refuse("sendBatch()");
      return this.#sendBatch(records);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async flush(): Promise<void> {
    this.#refuseClosed("flush()");
    await this.#flush();
  }

  async transaction<T>(body: (tx: Transaction<K, V, Acks>) => Promise<T>): Promise<T> {
    this.#refuseClosed("transaction()");
    if (typeof body !== "function")
      throw new UsageError("INVALID_ARGUMENT", `transaction(): expected a function, found ${describeValue(body)}`);
    if (this.#transactions === null) {
      throw new UsageError("INVALID_TXN_STATE", "transaction(): expected a producer with a transactionalId, found one without");
    }
    return this.#transactions.run(body, this.#sends, () => this.#flush());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What a transaction sends with. */
  readonly #sends: Sends<K, V> = {
    send: async (record) => this.#send(record),
    sendBatch: async (records) => this.#sendBatch(records),
  };

  #send(record: ProducerRecord<K, V>): Promise<Answer> {
    this.#intake.take(record, this.#nowMs(), -1);
    const { line } = this.#delivery;
    const promise = line.isEmpty && !this.#parts.choice.isCustom ? this.#takeIn() : null;
    if (promise !== null) return promise;
    const waiting = new WaitingSend(this.#parts, this.#intake, record);
    line.add(waiting);
    return waiting.promise;
  }

  #sendBatch(records: readonly ProducerRecord<K, V>[]): Promise<Answer[]> {
    if (!Array.isArray(records)) {
      throw new UsageError("INVALID_ARGUMENT", `sendBatch(): expected an array of records, found ${describeValue(records)}`);
    }
    if (records.length === 0) return Promise.resolve([]);
    const nowMs = this.#nowMs();
    const { line } = this.#delivery;
    return (line.isEmpty ? this.#straight.send(records, nowMs) : null) ?? this.#stage(records, nowMs);
  }

  /** Straight into the partition's batch, from lent bytes. null: it must wait. */
  #takeIn(): Promise<Answer> | null {
    const { topics, choice } = this.#parts;
    const { topic: name, key, value, headers, timestamp, partition: named } = this.#intake;
    const topic = topics.recent(name, this.#accumulator.turn);
    if (topic === null) return null;
    const partition = choice.choose(topic, named, key, null);
    if (partition < 0 || (key === null && topic.requiresKey)) return null;
    let batch: ReturnType<Accumulator["add"]>;
    try {
      batch = this.#accumulator.add(topic, partition, key, value, headers, timestamp);
    } catch (error) {
      if (isTooLarge(error)) return null; // perhaps no longer: the topic is asked for again
      throw error;
    }
    if (batch === null) return null;
    if (this.#delivery.acks !== 0) return batch.promise();
    const answer = unacknowledged(name, partition, timestamp);
    return new Promise((resolve) => this.#delivery.inGoodTime(() => resolve(answer)));
  }

  #stage(records: readonly ProducerRecord<K, V>[], nowMs: number): Promise<Answer[]> {
    const stage = new RecordStage();
    const topics: string[] = [];
    const named: number[] = [];
    const count = records.length;
    for (let index = 0; index < count; index += 1) {
      this.#intake.take(records[index] as ProducerRecord<K, V>, nowMs, index);
      const { key, value, headers, timestamp, topic, partition } = this.#intake;
      stage.add(key, value, headers, timestamp);
      topics.push(topic);
      named.push(partition);
    }
    const waiting = new WaitingBatch(this.#parts, stage, topics, named, this.#parts.choice.isCustom ? records.slice() : null);
    this.#delivery.line.add(waiting);
    return waiting.promise;
  }

  async #flush(): Promise<void> {
    await this.#accumulator.hurry(() => this.#delivery.unsettled.settled());
  }

  async #close(): Promise<void> {
    await this.#transactions?.close(() => this.#flush());
    await this.#flush();
    this.#onClose(this);
  }

  #refuse(call: string): void {
    this.#refuseClosed(call);
    if (this.#transactions === null) return;
    throw new UsageError("INVALID_TXN_STATE", `${call}: a producer with a transactionalId sends within transaction() alone`);
  }

  #refuseClosed(call: string): void {
    if (this.#closing !== null) throw new UsageError("PRODUCER_CLOSED", `${call}: the producer was closed`);
    this.#transactions?.refuseFenced();
  }

  /** A clock may be fractional, or wrong by more than there is time. */
  #nowMs(): number {
    const nowMs = Math.floor(this.#clock.now());
    return Number.isSafeInteger(nowMs) && nowMs >= 0 ? nowMs : -1;
  }
}
