/** Which batches from the port are let into a topic's log, and in which form: opened to be checked, closed as the topic wants them. */
import { readInt16, readInt32, readInt64 } from "../base/big-endian.ts";
import { CoreFaultError, UsageError } from "../base/errors.ts";
import { isOwnBatch } from "../base/own-batch.ts";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  batchByteLengthAt,
  CRC_AT,
  codecNumber,
  codecOf,
  HEADER_BYTE_LENGTH,
  isControl,
  isLogAppendTime,
  isTransactional,
  LAST_OFFSET_DELTA_AT,
  MAGIC_AT,
  MAGIC_V2,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  RECORD_COUNT_AT,
  readBatchHeader,
} from "../base/record-batch.ts";
import type { Compression } from "../compression/compression.ts";
import type { Core } from "../core/core.ts";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import type { AppendVerdict } from "../log/append/append-queue.ts";
import type { PartitionLog } from "../log/partition-log.ts";
import { hasProducer } from "../log/producers/producer-table.ts";
import type { OpenTopic } from "./open-topic.ts";

export interface Admitted {
  /** As it will stand in the log: the sender's bytes where the topic leaves the codec to him. */
  readonly batch: Uint8Array;
  readonly verdict: AppendVerdict;
}

export class BatchAdmission {
  readonly #core: Core;
  readonly #compression: Compression;

  constructor(core: Core, compression: Compression) {
    this.#core = core;
    this.#compression = compression;
  }

  /** Kafka's rules for a batch that a client sent (storage-format: validation on append). Throws a `UsageError`; nothing was appended then. */
  admit(topic: OpenTopic, log: PartitionLog, batch: Uint8Array): Admitted {
    const { config } = topic;
    if (topic.frozen) {
      throw new UsageError(
        "TOPIC_NOT_ADOPTED",
        `topic "${topic.name}" was left here by another writer: adoptTopic names its settings first`,
      );
    }
    checkSize(topic, log, batch);
    const { compressionType } = config;
    const sent = batch.byteLength < HEADER_BYTE_LENGTH ? "none" : codecOf(readInt16(batch, ATTRIBUTES_AT));
    const isKept = compressionType === "producer" || sent === (compressionType === "uncompressed" ? "none" : compressionType);
    if (config.cleanupPolicy === "delete" && isOwnBatch(batch)) {
      const verdict = ownVerdict(batch, log);
      return { batch: isKept ? batch : this.#stored(topic, log, this.#opened(log, batch)), verdict };
    }
    const opened = this.#opened(log, batch);
    const verdict = this.#verdict(topic, log, opened);
    return { batch: isKept ? batch : this.#stored(topic, log, opened), verdict };
  }

  /** The batch with its records in the open; the checksum of the form that was sent is looked at first. */
  #opened(log: PartitionLog, batch: Uint8Array): Uint8Array {
    // What is too short, or of another magic, is refused with the rest of what a header may say wrong.
    if (batch.byteLength < HEADER_BYTE_LENGTH || batch[MAGIC_AT] !== MAGIC_V2) return batch;
    if (codecNumber(readInt16(batch, ATTRIBUTES_AT)) === 0) return batch;
    const where = `the batch for ${log.spec.directory} is refused`;
    const computed = this.#core.crc32c(batch.subarray(ATTRIBUTES_AT));
    const stored = readInt32(batch, CRC_AT) >>> 0;
    if (computed !== stored) {
      throw new UsageError("CORRUPT_MESSAGE", `${where}: checksum at byte ${CRC_AT}: computed ${hex(computed)}, stored ${hex(stored)}`);
    }
    try {
      return this.#compression.decompressBatch(batch);
    } catch (error) {
      if (error instanceof CorruptBatchError) throw new UsageError("CORRUPT_MESSAGE", `${where}: ${error.message}`, { cause: error });
      if (error instanceof UsageError) throw new UsageError(error.code, `${where}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  #verdict(topic: OpenTopic, log: PartitionLog, batch: Uint8Array): AppendVerdict {
    const where = `the batch for ${log.spec.directory} is refused`;
    const verdict = this.#core.validate(batch);
    if (verdict.problem !== null) {
      const code = verdict.problem === "checksum" ? "CORRUPT_MESSAGE" : "INVALID_RECORD";
      throw new UsageError(code, `${where}: ${verdict.problem} at byte ${verdict.position}`);
    }
    const { baseOffset } = readBatchHeader(batch);
    if (baseOffset !== 0) throw new UsageError("INVALID_RECORD", `${where}: expected base offset 0, found ${baseOffset}`);
    assertNumbered(batch, log);
    if (verdict.hasNullKey && topic.config.cleanupPolicy !== "delete") {
      throw new UsageError("INVALID_RECORD", `topic "${topic.name}" is compacted: every record needs a key`);
    }
    return verdict;
  }

  /** The open batch in the codec that the topic names; as Kafka has it, it must then fit as it did before. */
  #stored(topic: OpenTopic, log: PartitionLog, opened: Uint8Array): Uint8Array {
    const { compressionType } = topic.config;
    if (compressionType === "producer" || compressionType === "uncompressed") {
      checkSize(topic, log, opened);
      return opened;
    }
    const stored = this.#compression.compressBatch(opened, compressionType);
    checkSize(topic, log, stored);
    return stored;
  }
}

function checkSize({ config }: OpenTopic, log: PartitionLog, { byteLength }: Uint8Array): void {
  const { maxMessageBytes, segmentBytes } = config;
  const where = `a batch for ${log.spec.directory}`;
  if (byteLength > maxMessageBytes) {
    throw new UsageError("MESSAGE_TOO_LARGE", `${where} may have ${maxMessageBytes} bytes (maxMessageBytes); found ${byteLength}`);
  }
  if (byteLength > segmentBytes) {
    throw new UsageError("RECORD_LIST_TOO_LARGE", `${where} may have ${segmentBytes} bytes (segmentBytes); found ${byteLength}`);
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

/**
 * Of a batch that our own writer, and our own compression, have just finished: its header alone, of the kind that they write. Field by
 * field, since each send of one record comes by here and a whole header is a quarter of a kibibyte for the collector.
 */
function ownVerdict(batch: Uint8Array, log: PartitionLog): AppendVerdict {
  const attributes = readInt16(batch, ATTRIBUTES_AT);
  const recordCount = readInt32(batch, RECORD_COUNT_AT);
  const isWhole = batch[MAGIC_AT] === MAGIC_V2 && batchByteLengthAt(batch) === batch.byteLength && readInt64(batch, BASE_OFFSET_AT) === 0;
  const isPlain = codecOf(attributes) !== null && !isControl(attributes) && !isLogAppendTime(attributes);
  if (!isWhole || !isPlain || recordCount < 1 || readInt32(batch, LAST_OFFSET_DELTA_AT) !== recordCount - 1) {
    throw new CoreFaultError(
      "CORE_FAULT",
      `a batch for ${log.spec.directory}: expected ${batch.byteLength} bytes that our writer finished, found a header of other facts`,
    );
  }
  assertNumbered(batch, log);
  return { recordCount, maxTimestamp: readInt64(batch, MAX_TIMESTAMP_AT) };
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
