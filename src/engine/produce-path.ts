/** The way of one batch from the broker port into a partition's log: checked, stamped, written, and acknowledged. */
import type { ProduceRequest, ProduceResponse } from "../api/broker.ts";
import type { Durability, TopicPartition } from "../api/bytes.ts";
import { StorageError, UsageError } from "../base/errors.ts";
import { ATTRIBUTES_AT, isTransactional, readBatchHeader } from "../base/record-batch.ts";
import type { Appended, PartitionLog } from "../log/partition-log.ts";
import type { BatchAdmission } from "./batch-admission.ts";
import type { TopicRegistry } from "./topic-registry.ts";

/** Throws unless a transactional batch belongs to the transaction that its producer has open. */
export interface TransactionVerifier {
  verify(at: TopicPartition, producerId: bigint, producerEpoch: number): void;
}

const WRITTEN: Readonly<Record<Durability, Durability>> = { power: "process", process: "process", none: "none" };

export class ProducePath {
  readonly #topics: TopicRegistry;
  readonly #admission: BatchAdmission;
  readonly #durability: Durability;
  readonly #transactions: TransactionVerifier;
  /** Part of `metrics()`. */
  batches = 0;
  records = 0;
  bytes = 0;

  constructor(topics: TopicRegistry, admission: BatchAdmission, durability: Durability, transactions: TransactionVerifier) {
    this.#topics = topics;
    this.#transactions = transactions;
    this.#admission = admission;
    this.#durability = durability;
  }

  /** Not an async function: the write must happen before it returns, while the lent batch is still the caller's. */
  produce(request: ProduceRequest, signal?: AbortSignal): Promise<ProduceResponse> {
    try {
      const topic = this.#topics.require(request.topic);
      const log = topic.log(request.partition);
      if (log === null || topic.internal) {
        throw new UsageError("INVALID_TOPIC_EXCEPTION", `topic "${topic.name}" is internal: it is written by the engine alone`);
      }
      if (topic.reopening.has(request.partition)) {
        throw new StorageError("PARTITION_FAILED", `${log.spec.directory}: the partition is being reopened and takes no appends yet`);
      }
      const { batch, verdict } = this.#admission.admit(topic, log, request.batch);
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
}
