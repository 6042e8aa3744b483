/** The way of one batch from the broker port into a partition's log: checked, stamped, written, and acknowledged. */
import type { ProduceRequest, ProduceResponse } from "../api/broker.ts";
import type { Durability, TopicPartition } from "../api/bytes.ts";
import { readInt16, readInt32 } from "../base/big-endian.ts";
import { CoreFaultError, StorageError, UsageError } from "../base/errors.ts";
import { isOwnBatch } from "../base/own-batch.ts";
import {
  ATTRIBUTES_AT,
  BASE_SEQUENCE_AT,
  codecNumber,
  codecOf,
  isControl,
  isLogAppendTime,
  isTransactional,
  MAGIC_V2,
  PRODUCER_EPOCH_AT,
  readBatchHeader,
} from "../base/record-batch.ts";
import type { Core } from "../core/core.ts";
import type { AppendVerdict } from "../log/append-queue.ts";
import type { Appended, PartitionLog } from "../log/partition-log.ts";
import { hasProducer } from "../log/producer-table.ts";
import type { OpenTopic } from "./open-topic.ts";
import type { TopicRegistry } from "./topic-registry.ts";

/** Throws unless a transactional batch belongs to the transaction that its producer has open. */
export interface TransactionVerifier {
  verify(at: TopicPartition, producerId: bigint, producerEpoch: number): void;
}

const WRITTEN: Readonly<Record<Durability, Durability>> = { power: "process", process: "process", none: "none" };

export class ProducePath {
  readonly #topics: TopicRegistry;
  readonly #core: Core;
  readonly #durability: Durability;
  readonly #transactions: TransactionVerifier;
  /** Part of `metrics()`. */
  batches = 0;
  records = 0;
  bytes = 0;

  constructor(topics: TopicRegistry, core: Core, durability: Durability, transactions: TransactionVerifier) {
    this.#topics = topics;
    this.#transactions = transactions;
    this.#core = core;
    this.#durability = durability;
  }

  /** Not an async function: the write must happen before it returns, while the lent batch is still the caller's. */
  produce(request: ProduceRequest, signal?: AbortSignal): Promise<ProduceResponse> {
    try {
      const { batch } = request;
      const topic = this.#topics.require(request.topic);
      const log = topic.log(request.partition);
      if (log === null || topic.internal) {
        throw new UsageError("INVALID_TOPIC_EXCEPTION", `topic "${topic.name}" is internal: it is written by the engine alone`);
      }
      if (topic.reopening.has(request.partition)) {
        throw new StorageError("PARTITION_FAILED", `${log.spec.directory}: the partition is being reopened and takes no appends yet`);
      }
      const verdict = this.#check(topic, log, batch);
      if (isTransactional(batch[ATTRIBUTES_AT + 1] as number)) this.#checkTransaction(request);
      this.batches += 1;
      this.records += verdict.recordCount;
      this.bytes += batch.byteLength;
      const appended = log.append(batch, verdict, signal);
      return appended instanceof Promise
        ? appended.then((later) => this.#acknowledge(log, later, request.acks))
        : this.#acknowledge(log, appended, request.acks);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #acknowledge(log: PartitionLog, appended: Appended, acks: 1 | "all"): Promise<ProduceResponse> {
    if (acks === 1) return Promise.resolve(this.#response(log, appended, WRITTEN[this.#durability]));
    return log.flushed(appended.lastOffset + 1).then((durability) => this.#response(log, appended, durability));
  }

  #response(log: PartitionLog, appended: Appended, durability: Durability): ProduceResponse {
    return {
      baseOffset: appended.baseOffset,
      logAppendTime: appended.logAppendTime,
      logStartOffset: log.watermarks.logStartOffset,
      durability,
      throttleTimeMs: 0,
    };
  }

  /** Before its first batch here the transaction must name this partition: else nobody would know to end it. */
  #checkTransaction({ topic, partition, batch }: ProduceRequest): void {
    const { producerId, producerEpoch } = readBatchHeader(batch);
    this.#transactions.verify({ topic, partition }, producerId, producerEpoch);
  }

  /** Kafka's rules for a batch that a client sent (storage-format: validation on append). */
  #check(topic: OpenTopic, log: PartitionLog, batch: Uint8Array): AppendVerdict {
    const { config } = topic;
    if (topic.frozen) {
      throw new UsageError(
        "TOPIC_NOT_ADOPTED",
        `topic "${topic.name}" was left here by another writer: adoptTopic names its settings first`,
      );
    }
    if (batch.byteLength > config.maxMessageBytes) {
      throw new UsageError(
        "MESSAGE_TOO_LARGE",
        `a batch for ${log.spec.directory} may have ${config.maxMessageBytes} bytes (maxMessageBytes); found ${batch.byteLength}`,
      );
    }
    if (batch.byteLength > config.segmentBytes) {
      throw new UsageError(
        "RECORD_LIST_TOO_LARGE",
        `a batch for ${log.spec.directory} may have ${config.segmentBytes} bytes (segmentBytes); found ${batch.byteLength}`,
      );
    }
    if (config.cleanupPolicy === "delete" && isOwnBatch(batch)) return ownVerdict(batch, log);
    const verdict = this.#core.validate(batch);
    if (verdict.problem !== null) {
      throw new UsageError(
        verdict.problem === "checksum" ? "CORRUPT_MESSAGE" : "INVALID_RECORD",
        `the batch for ${log.spec.directory} is refused: ${verdict.problem} at byte ${verdict.position}`,
      );
    }
    const { attributes, baseOffset } = readBatchHeader(batch);
    if (codecNumber(attributes) !== 0) {
      const codec = codecOf(attributes) ?? `codec ${codecNumber(attributes)}`;
      throw new UsageError("UNSUPPORTED_COMPRESSION_TYPE", `batches compressed with ${codec} cannot be appended to ${log.spec.directory}`);
    }
    if (isControl(attributes) || isLogAppendTime(attributes)) {
      throw new UsageError(
        "INVALID_RECORD",
        `the batch for ${log.spec.directory} is refused: control and LogAppendTime bits are the broker's`,
      );
    }
    if (baseOffset !== 0) {
      throw new UsageError("INVALID_RECORD", `the batch for ${log.spec.directory} is refused: expected base offset 0, found ${baseOffset}`);
    }
    assertNumbered(batch, log);
    if (verdict.hasNullKey && config.cleanupPolicy !== "delete") {
      throw new UsageError("INVALID_RECORD", `topic "${topic.name}" is compacted: every record needs a key`);
    }
    return verdict;
  }
}

/** A producer's id comes with an epoch and a sequence, a transaction with a producer. What coordinators write has none, and comes another way. */
function assertNumbered(batch: Uint8Array, log: PartitionLog): void {
  if (hasProducer(batch)) {
    const producerEpoch = readInt16(batch, PRODUCER_EPOCH_AT);
    const baseSequence = readInt32(batch, BASE_SEQUENCE_AT);
    if (producerEpoch >= 0 && baseSequence >= 0) return;
    const found = `found ${producerEpoch} and ${baseSequence}`;
    const message = `the batch for ${log.spec.directory} is refused: with a producer id, expected an epoch and a base sequence of 0 or more, ${found}`;
    throw new UsageError("INVALID_RECORD", message);
  }
  if (isTransactional(readInt16(batch, ATTRIBUTES_AT)))
    throw new UsageError("INVALID_RECORD", `the batch for ${log.spec.directory} is refused: it is transactional and has no producer id`);
}

/** Of a batch that our own writer has just finished: its header alone, which must be of the kind that the writer writes. */
function ownVerdict(batch: Uint8Array, log: PartitionLog): AppendVerdict {
  const { magic, byteLength, attributes, baseOffset, recordCount, lastOffsetDelta, maxTimestamp } = readBatchHeader(batch);
  const isWhole = magic === MAGIC_V2 && byteLength === batch.byteLength && baseOffset === 0;
  const isPlain = codecNumber(attributes) === 0 && !isControl(attributes) && !isLogAppendTime(attributes);
  if (!isWhole || !isPlain || recordCount < 1 || lastOffsetDelta !== recordCount - 1) {
    throw new CoreFaultError(
      "CORE_FAULT",
      `a batch for ${log.spec.directory}: expected ${batch.byteLength} bytes that our writer finished, found a header of other facts`,
    );
  }
  assertNumbered(batch, log);
  return { recordCount, maxTimestamp };
}
