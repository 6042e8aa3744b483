/**
 * The fast way of `sendBatch`: all records go to one partition that is known beforehand, so each is serialized straight into the
 * core's window, and nothing is made per record but its answer. Whatever does not fit this way goes the other (`waiting-batch.ts`).
 */
import type { ProduceResponse } from "../api/broker.ts";
import type { ProducerRecord } from "../api/producer.ts";
import { UsageError } from "../base/errors.ts";
import { HEADER_BYTE_LENGTH } from "../base/record-batch.ts";
import { BatchOutcome, sendBatchError } from "./batch-outcome.ts";
import type { PlannedBatch } from "./batch-plan.ts";
import { acknowledged, unacknowledged } from "./delivery.ts";
import { HeldBatches } from "./held-batches.ts";
import type { Answer } from "./pending-batch.ts";
import { ANY_PARTITION, type RecordIntake } from "./record-intake.ts";
import { headersByteLength, recordByteLengthMax } from "./record-size.ts";
import type { TopicEntry } from "./topic-directory.ts";
import type { SendParts } from "./waiting-send.ts";

export class StraightBatch<K, V> {
  readonly #parts: SendParts<K, V>;
  readonly #intake: RecordIntake<K, V>;
  /** The batches of a call that is too large for one: nothing may be appended before every record is known to be good. */
  readonly #held = new HeldBatches();
  #heldCounts: number[] = [];

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

    const { accumulator } = this.#parts;
    accumulator.flushPartition(topic, partition);
    try {
      const timestamps = this.#write(records, topic, partition, nowMs);
      if (timestamps === undefined) return null;
      return this.#held.count === 0
        ? this.#sendOne(topic, partition, records.length, nowMs, timestamps)
        : this.#sendHeld(topic, partition, records.length, nowMs, timestamps);
    } finally {
      this.#held.clear();
      this.#heldCounts = [];
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
    const produced = delivery.produce(topic, partition, writer.finish());
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

  #sendHeld(
    topic: TopicEntry,
    partition: number,
    count: number,
    nowMs: number,
    timestamps: readonly number[] | null,
  ): Promise<Answer[]> | null {
    const { delivery } = this.#parts;
    const held = this.#held;
    this.#hold();
    if (!delivery.memory.reserve(held.byteLength)) return null;
    topic.sticky.moveOn(partition, topic.partitionCount);
    let first = 0;
    const plan = this.#heldCounts.map((length, index): PlannedBatch => {
      const indices = Array.from({ length }, (_, offsetDelta) => first + offsetDelta);
      first += length;
      return { topic, partition, indices, byteLength: held.at(index).length };
    });
    const outcome = new BatchOutcome(delivery, timestamps ?? new Array<number>(count).fill(nowMs));
    outcome.expect(plan);
    for (const [index, batch] of plan.entries()) outcome.follow(batch, delivery.produce(topic, partition, held.at(index)));
    outcome.allHandedOver();
    return outcome.promise;
  }

  #hold(): void {
    const { writer } = this.#parts.delivery;
    this.#heldCounts.push(writer.recordCount);
    this.#held.hold(writer.finish());
  }

  /** The timestamps, null when all are `nowMs`; undefined when the records are not for this way. The last batch stands unfinished in the writer. */
  #write(records: readonly ProducerRecord<K, V>[], topic: TopicEntry, partition: number, nowMs: number): number[] | null | undefined {
    const { delivery } = this.#parts;
    const intake = this.#intake;
    const limit = delivery.batchByteLengthMax(topic);
    const writer = delivery.begin();
    let byteLength: number = writer.byteLength;
    let heldCount = 0;
    let timestamps: number[] | null = null;
    const count = records.length;
    for (let index = 0; index < count; index += 1) {
      intake.take(records[index] as ProducerRecord<K, V>, nowMs, index);
      const { key, value, headers, timestamp } = intake;
      if (intake.wasInterrupted || intake.topic !== topic.name || !this.#goesTo(partition, topic)) return undefined;
      if (timestamp !== nowMs && timestamps === null) timestamps = new Array<number>(index).fill(nowMs);
      if (timestamps !== null) timestamps.push(timestamp);
      const most = recordByteLengthMax(key === null ? 0 : key.length, value === null ? 0 : value.length, headersByteLength(headers));
      // A serializer that itself used the log may have taken the writer.
      if (writer.recordCount !== index - heldCount || writer.byteLength !== byteLength) return undefined;
      if (byteLength + most > limit) {
        // A record that may be too large for a batch of its own is measured on the other way.
        if (index === heldCount || HEADER_BYTE_LENGTH + most > limit) return undefined;
        heldCount = index;
        this.#hold();
        delivery.begin();
      }
      writer.append(key, value, headers, timestamp);
      byteLength = writer.byteLength;
    }
    return timestamps;
  }

  #goesTo(partition: number, topic: TopicEntry): boolean {
    const { partition: named, key } = this.#intake;
    if (named !== ANY_PARTITION) return named === partition;
    return topic.partitionCount === 1 || (key === null && topic.sticky.current(topic.partitionCount) === partition);
  }
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
