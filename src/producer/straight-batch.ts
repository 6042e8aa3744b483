/**
 * The fast way of `sendBatch`: all records go to one partition that is known beforehand, so each is serialized straight into the
 * core's window, and nothing is made per record but its answer. Whatever does not fit this way goes the other (`waiting-batch.ts`).
 */
import type { ProduceResponse } from "../api/broker.ts";
import type { ProducerRecord } from "../api/producer.ts";
import { UsageError } from "../base/errors.ts";
import { HEADER_BYTE_LENGTH } from "../base/record-batch.ts";
import { BatchOutcome, sendBatchError } from "./batch-outcome.ts";
import { type PlannedBatch, planBatches } from "./batch-plan.ts";
import { acknowledged, unacknowledged } from "./delivery.ts";
import type { Answer } from "./pending-batch.ts";
import { ANY_PARTITION, type RecordIntake } from "./record-intake.ts";
import { headersByteLength, recordByteLengthMax } from "./record-size.ts";
import { RecordStage } from "./record-stage.ts";
import type { TopicEntry } from "./topic-directory.ts";
import type { SendParts } from "./waiting-send.ts";

export class StraightBatch<K, V> {
  readonly #parts: SendParts<K, V>;
  readonly #intake: RecordIntake<K, V>;
  /**
   * Of a call too large for one batch, the records that the first has no room for. That one stays in the writer, unfinished:
   * nothing may be appended before every record is known to be good, and what waits for that is the smaller part.
   */
  #rest: RecordStage | null = null;

  constructor(parts: SendParts<K, V>, intake: RecordIntake<K, V>) {
    this.#parts = parts;
    this.#intake = intake;
  }

  /**
   * null: not this way; nothing was done, except that the partition's pending batch may have gone.
   * Throws what a bad record throws. Nobody may be waiting in line.
   */
  send(records: readonly ProducerRecord<K, V>[], nowMs: number): Promise<Answer[]> | null {
    const first: Partial<ProducerRecord<K, V>> | undefined = records[0];
    const topic = typeof first?.topic === "string" ? this.#parts.topics.recent(first.topic) : null;
    if (topic === null || this.#parts.choice.isCustom) return null;
    const named = first?.partition ?? ANY_PARTITION;
    const hasKey = first?.key !== undefined && first.key !== null;
    if (named === ANY_PARTITION && hasKey && topic.partitionCount > 1) return null;
    const partition = this.#parts.choice.choose(topic, named, null, null);
    if (!(partition >= 0)) return null;

    const { accumulator, delivery } = this.#parts;
    if (accumulator.isHolding || !delivery.isOpenFor(topic, partition)) return null;
    accumulator.flushPartition(topic, partition);
    try {
      const timestamps = this.#write(records, topic, partition, nowMs);
      if (timestamps === undefined) return null;
      return this.#rest === null
        ? this.#sendOne(topic, partition, records.length, nowMs, timestamps)
        : this.#sendMany(topic, partition, this.#rest, nowMs, timestamps);
    } finally {
      this.#rest?.release();
      this.#rest = null;
    }
  }

  #sendOne(
    topic: TopicEntry,
    partition: number,
    count: number,
    nowMs: number,
    timestamps: readonly number[] | null,
  ): Promise<Answer[]> | null {
    const { delivery } = this.#parts;
    const { writer } = delivery;
    const { byteLength } = writer;
    if (!delivery.memory.reserve(byteLength)) return null;
    topic.sticky.moveOn(partition, topic.partitionCount);
    const epoch = delivery.unsettled.begin();
    const produced = delivery.handOver(topic, partition, byteLength);
    const at = (index: number): number => (timestamps === null ? nowMs : (timestamps[index] as number));

    return new Promise((resolve, reject) => {
      const settle = (response: ProduceResponse | null, error: unknown): void =>
        delivery.inGoodTime(() => {
          if (response === null) {
            delivery.failed(topic, partition, count, error);
            reject(error instanceof UsageError ? error : failure(count, error));
          } else if (delivery.acks !== 0) resolve(answers(topic.name, partition, response, count, nowMs, timestamps));
          epoch.end();
          delivery.memory.release(byteLength);
        });
      produced.then(
        (response) => settle(response, null),
        (error: unknown) => settle(null, error),
      );
      if (delivery.acks === 0) resolve(Array.from({ length: count }, (_, index) => unacknowledged(topic.name, partition, at(index))));
    });
  }

  #sendMany(
    topic: TopicEntry,
    partition: number,
    rest: RecordStage,
    nowMs: number,
    timestamps: readonly number[] | null,
  ): Promise<Answer[]> | null {
    const { delivery } = this.#parts;
    const { writer } = delivery;
    const firstCount = writer.recordCount;
    const count = firstCount + rest.count;
    const first: PlannedBatch = { topic, partition, indices: numbersFrom(0, firstCount), byteLength: writer.byteLength };
    const following = planBatches(
      rest,
      { topics: new Array(rest.count).fill(topic), partitions: new Array(rest.count).fill(partition) },
      delivery,
    );
    if (!delivery.memory.reserve(following.reduce((sum, { byteLength }) => sum + byteLength, first.byteLength))) return null;
    topic.sticky.moveOn(partition, topic.partitionCount);
    const plan = [
      first,
      ...following.map((batch) => ({ ...batch, indices: numbersFrom(firstCount + (batch.indices[0] as number), batch.indices.length) })),
    ];
    const outcome = new BatchOutcome(delivery, timestamps ?? new Array<number>(count).fill(nowMs));
    outcome.expect(plan);
    outcome.follow(first, delivery.handOver(topic, partition, first.byteLength));
    for (const [index, batch] of following.entries()) {
      delivery.begin();
      for (const record of batch.indices) rest.writeTo(writer, record);
      outcome.follow(plan[index + 1] as PlannedBatch, delivery.handOver(topic, partition, batch.byteLength));
    }
    outcome.allHandedOver();
    return outcome.promise;
  }

  /** The timestamps, null when all are `nowMs`; undefined when the records are not for this way. The first batch stands unfinished in the writer. */
  #write(records: readonly ProducerRecord<K, V>[], topic: TopicEntry, partition: number, nowMs: number): number[] | null | undefined {
    const { delivery } = this.#parts;
    const intake = this.#intake;
    const limit = delivery.batchByteLengthMax(topic);
    const writer = delivery.begin();
    const { begunCount } = writer;
    /** No less than what is written: exact again whenever it comes near the limit. */
    let byteLength = writer.byteLength;
    let rest: RecordStage | null = null;
    let timestamps: number[] | null = null;
    const count = records.length;
    for (let index = 0; index < count; index += 1) {
      intake.take(records[index] as ProducerRecord<K, V>, nowMs, index);
      const { key, value, headers, timestamp } = intake;
      if (intake.wasInterrupted || intake.topic !== topic.name || !this.#goesTo(partition, topic)) return undefined;
      // Refused on the other way, unless the topic has changed meanwhile.
      if (key === null && topic.requiresKey) return undefined;
      if (timestamp !== nowMs && timestamps === null) timestamps = new Array<number>(index).fill(nowMs);
      if (timestamps !== null) timestamps.push(timestamp);
      // A serializer that itself used the log may have taken the writer.
      if (writer.begunCount !== begunCount) return undefined;
      const most = recordByteLengthMax(key === null ? 0 : key.length, value === null ? 0 : value.length, headersByteLength(headers));
      if (rest === null) {
        if (byteLength + most > limit) byteLength = writer.byteLength;
        if (byteLength + most <= limit) {
          writer.append(key, value, headers, timestamp);
          byteLength += most;
          continue;
        }
      }
      // A record that may be too large for a batch of its own is measured on the other way.
      if (index === 0 || HEADER_BYTE_LENGTH + most > limit) return undefined;
      if (rest === null) rest = this.#rest = new RecordStage();
      rest.add(key, value, headers, timestamp);
    }
    return timestamps;
  }

  #goesTo(partition: number, topic: TopicEntry): boolean {
    const { partition: named, key } = this.#intake;
    if (named !== ANY_PARTITION) return named === partition;
    return topic.partitionCount === 1 || (key === null && topic.sticky.current(topic.partitionCount) === partition);
  }
}

function numbersFrom(start: number, count: number): number[] {
  const numbers = new Array<number>(count);
  for (let index = 0; index < count; index += 1) numbers[index] = start + index;
  return numbers;
}

function answers(
  topic: string,
  partition: number,
  response: ProduceResponse,
  count: number,
  nowMs: number,
  timestamps: readonly number[] | null,
): Answer[] {
  const made = new Array<Answer>(count);
  for (let index = 0; index < count; index += 1) {
    made[index] = acknowledged(topic, partition, response, index, timestamps === null ? nowMs : (timestamps[index] as number));
  }
  return made;
}

function failure(count: number, error: unknown): unknown {
  return sendBatchError(
    Array.from({ length: count }, () => ({ status: "rejected", reason: error })),
    error,
  );
}
