/**
 * The fast way of `sendBatch`: all records go to one partition that is known beforehand, so each is serialized straight into the
 * core's window, and nothing is made per record but its answer. Whatever does not fit this way goes the other (`waiting-batch.ts`).
 */
import type { ProducerRecord } from "../api/producer.ts";
import { HEADER_BYTE_LENGTH } from "../base/record-batch.ts";
import { SHORT_TEXT_LENGTH_MAX } from "../base/serdes/utf8-bytes.ts";
import type { Answer } from "./pending-batch.ts";
import { ANY_PARTITION, type RecordIntake, requireRecord } from "./record-intake.ts";
import { headersByteLength, recordByteLengthMax } from "./record-size.ts";
import { RecordStage } from "./record-stage.ts";
import { type Share, StraightOutcome } from "./straight-outcome.ts";
import type { TopicEntry } from "./topic-directory.ts";
import type { SendParts } from "./waiting-send.ts";

const NO_HEADERS_BYTE_LENGTH = headersByteLength(null);

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
      return this.#handOver(topic, partition, nowMs, timestamps);
    } finally {
      this.#rest?.release();
      this.#rest = null;
    }
  }

  /** Of a call whose records are known to be good: finishes the batch in the writer, and writes those that follow it. */
  #handOver(topic: TopicEntry, partition: number, nowMs: number, timestamps: readonly number[] | null): Promise<Answer[]> | null {
    const { delivery } = this.#parts;
    const { writer } = delivery;
    const rest = this.#rest;
    const first: Share = { count: writer.recordCount, byteLength: writer.byteLength };
    const shares = rest === null ? [first] : [first, ...sharesOf(rest, delivery.batchByteLengthMax(topic))];
    if (!delivery.memory.reserve(shares.reduce((sum, { byteLength }) => sum + byteLength, 0))) return null;
    topic.sticky.moveOn(partition, topic.partitionCount);
    const outcome = new StraightOutcome(delivery, { topic, partition, shares, timestamps, nowMs });
    let staged = 0;
    for (let index = 0; index < shares.length; index += 1) {
      const { count, byteLength } = shares[index] as Share;
      if (rest !== null && index > 0) {
        delivery.begin();
        for (const end = staged + count; staged < end; staged += 1) rest.writeTo(writer, staged);
      }
      outcome.follow(index, delivery.handOver(topic, partition, byteLength));
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
    const { isOfTextAndBytes } = intake;
    const isOnly = topic.partitionCount === 1;
    const count = records.length;
    for (let index = 0; index < count; index += 1) {
      const record = records[index] as ProducerRecord<K, V>;
      requireRecord(record, index);
      // Each field is read once; getters, if any, run here.
      const { topic: name, key: givenKey, value: givenValue, headers: givenHeaders, timestamp: givenTimestamp, partition: named } = record;
      // The usual record: a short text, some bytes, and nothing that is not as the others'. It is written with nothing made for it.
      if (
        isOfTextAndBytes &&
        typeof givenKey === "string" &&
        givenKey.length <= SHORT_TEXT_LENGTH_MAX &&
        givenValue instanceof Uint8Array &&
        givenValue.length > 0 &&
        name === topic.name &&
        (named === undefined ? isOnly : named === partition) &&
        givenHeaders === undefined &&
        givenTimestamp === undefined &&
        timestamps === null &&
        rest === null &&
        writer.begunCount === begunCount
      ) {
        const most = recordByteLengthMax(givenKey.length, givenValue.length, NO_HEADERS_BYTE_LENGTH);
        if (byteLength + most > limit) byteLength = writer.byteLength;
        if (byteLength + most <= limit && writer.appendText(givenKey, givenValue, nowMs)) {
          byteLength += most;
          continue;
        }
      }
      intake.takeFields(name, givenKey, givenValue, givenHeaders, givenTimestamp, named, nowMs, index);
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

/** Staged records cut into batches, each as large as the limit lets it be. Every record fits into one of its own. */
function sharesOf(stage: RecordStage, limit: number): Share[] {
  const shares: Share[] = [];
  let start = 0;
  let byteLength = stage.loneBatchByteLength(0);
  for (let index = 1; index < stage.count; index += 1) {
    const timestampDelta = (stage.timestamps[index] as number) - (stage.timestamps[start] as number);
    const more = stage.recordByteLength(index, index - start, timestampDelta);
    if (byteLength + more <= limit) {
      byteLength += more;
      continue;
    }
    shares.push({ count: index - start, byteLength });
    start = index;
    byteLength = stage.loneBatchByteLength(index);
  }
  shares.push({ count: stage.count - start, byteLength });
  return shares;
}
