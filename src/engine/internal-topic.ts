/** An internal topic as a place for records of the engine's own: written as batches, read from the start, made when first written. */
import type { Bytes } from "../api/bytes.ts";
import type { Timer } from "../base/clock.ts";
import { decodeMarker } from "../base/control-record.ts";
import { CorruptionError, UsageError } from "../base/errors.ts";
import { batchByteLengthAt, isControl, isTransactional, readBatchHeader } from "../base/record-batch.ts";
import { RecordCursor } from "../base/record-decoder.ts";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import { PartitionLog } from "../log/partition-log.ts";
import { newTopicId } from "../topic/topic-id.ts";
import { type House, INTERNAL_PARTITION_COUNT, makeTopic, partitionSpec } from "./house.ts";
import { removeLeftovers } from "./leftover.ts";
import type { OpenTopic } from "./open-topic.ts";

export interface InternalRecord {
  readonly key: Bytes;
  /** null: a tombstone. */
  readonly value: Bytes | null;
}

/** One batch of an internal topic, as it stands in its partition. */
export interface InternalBatch {
  /** -1: of no producer. */
  readonly producerId: bigint;
  /** Its records count when its producer's transaction has committed. */
  readonly transactional: boolean;
  /** What a marker says of its producer's open transaction; null: the batch has records. */
  readonly marker: "commit" | "abort" | null;
  readonly records: readonly InternalRecord[];
}

/** Whose transaction records belong to. */
export interface TransactionalWriter {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** A batch is closed past this size, well below every maxMessageBytes. */
const BATCH_BYTES_MAX = 512 * 1024;
const READ_BYTES = 1024 * 1024;
const NO_PRODUCER = Object.freeze({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });

export class InternalTopic {
  readonly #house: House;
  readonly #name: string;
  readonly #flushMs: number;
  readonly #making: Map<number, Promise<PartitionLog>> = new Map();
  readonly #unflushed: Set<PartitionLog> = new Set();
  #flushTimer: Timer | null = null;
  #topicMaking: Promise<OpenTopic> | null = null;

  constructor(house: House, name: string, flushMs: number) {
    this.#house = house;
    this.#name = name;
    this.#flushMs = flushMs;
  }

  /** Resolves when written; durable within `flushMs`, or with `durable` before it resolves. Keeps call order within a partition. */
  async append(
    partition: number,
    records: readonly InternalRecord[],
    durable: boolean,
    transaction: TransactionalWriter | null = null,
  ): Promise<void> {
    const log = await this.write(partition, records, transaction);
    if (durable) await log.flush();
    else this.#flushSoon(log);
  }

  /** Resolves when written, with the log whose `flush` makes it durable. Rejects when nothing, or not all of it, was kept. */
  async write(partition: number, records: readonly InternalRecord[], transaction: TransactionalWriter | null): Promise<PartitionLog> {
    if (this.#house.context.readOnly)
      throw new UsageError("READ_ONLY", `${this.#name} cannot be written: the log was opened with readOnly`);
    const slot = this.#house.topics.find(this.#name)?.slots[partition];
    const log = slot?.state === "open" ? slot.log : await this.#make(partition);
    const { writer } = this.#house.context.core;
    const now = this.#house.context.clock.now();
    // As Kafka's coordinator writes: its own turns keep the order, no sequence is needed.
    const options = transaction === null ? NO_PRODUCER : { ...transaction, baseSequence: -1, transactional: true };
    let next = 0;
    while (next < records.length) {
      writer.begin(options);
      do {
        const record = records[next] as InternalRecord;
        writer.append(record.key, record.value, null, now);
        next += 1;
      } while (next < records.length && writer.byteLength < BATCH_BYTES_MAX);
      const recordCount = writer.recordCount;
      const batch = writer.finish();
      const appended = log.append(batch, { recordCount, maxTimestamp: now });
      if (appended instanceof Promise) await appended;
    }
    return log;
  }

  /** Every batch of a partition, from the log start on, tombstones and markers included, a piece at a time. */
  async *read(partition: number): AsyncGenerator<InternalBatch[]> {
    const slot = this.#house.topics.find(this.#name)?.slots[partition];
    if (slot?.state === "failed") throw slot.error;
    if (slot?.state !== "open") return;
    const { log } = slot;
    let offset = log.watermarks.logStartOffset;
    while (offset < log.watermarks.highWatermark) {
      const batches = await log.read(offset, READ_BYTES);
      if (batches.byteLength === 0) return;
      const piece: InternalBatch[] = [];
      for (let position = 0; position < batches.byteLength; position += batchByteLengthAt(batches, position)) {
        offset = readBatchHeader(batches, position).lastOffset + 1;
        piece.push(internalBatch(this.#opened(log, batches, position)));
      }
      yield piece;
    }
  }

  /** The batch by itself, its records in the open: a broker may be told to compress what it keeps of offsets and transactions. */
  #opened(log: PartitionLog, batches: Bytes, position: number): Bytes {
    const batch = batches.subarray(position, position + batchByteLengthAt(batches, position));
    try {
      return this.#house.context.compression.decompressBatch(batch);
    } catch (error) {
      if (!(error instanceof CorruptBatchError)) throw error;
      const { baseOffset, lastOffset } = readBatchHeader(batch);
      const file = log.spec.directory;
      throw new CorruptionError(`${file}: the batch of offsets ${baseOffset} to ${lastOffset} cannot be opened: ${error.message}`, {
        file,
        byteRange: [position, position + batch.length],
        offsetRange: [baseOffset, lastOffset + 1],
        nextReadableOffset: lastOffset + 1,
        cause: error,
      });
    }
  }

  /** The log of a partition that has one. */
  log(partition: number): PartitionLog {
    return this.#house.topics.require(this.#name).log(partition) as PartitionLog;
  }

  /** Partitions that have a log. */
  partitions(): number[] {
    const slots = this.#house.topics.find(this.#name)?.slots ?? [];
    return slots.flatMap((slot, partition) => (slot.state === "empty" ? [] : [partition]));
  }

  /** Makes what was appended durable. */
  async flush(): Promise<void> {
    this.#flushTimer?.cancel();
    this.#flushTimer = null;
    const logs = [...this.#unflushed];
    this.#unflushed.clear();
    await Promise.all(logs.map((log) => log.flush()));
  }

  #flushSoon(log: PartitionLog): void {
    this.#unflushed.add(log);
    this.#flushTimer ??= this.#house.context.clock.after(this.#flushMs, () => {
      this.#flushTimer = null;
      this.flush().catch((error: unknown) => this.#house.events.emit("storage.failed", { topic: this.#name, error }));
    });
  }

  #make(partition: number): Promise<PartitionLog> {
    const under = this.#making.get(partition);
    if (under !== undefined) return under;
    const making = this.#makeLog(partition).finally(() => this.#making.delete(partition));
    this.#making.set(partition, making);
    return making;
  }

  async #makeLog(partition: number): Promise<PartitionLog> {
    const topic = await this.#topic();
    // Throws what keeps it from opening, where there is one.
    topic.log(partition);
    const spec = partitionSpec(this.#house, topic, partition, true);
    await this.#house.checkpoints.forgetDurably(spec);
    await removeLeftovers(this.#house.context.storage, [spec.directory]);
    const log = await PartitionLog.create(this.#house.context, spec);
    topic.slots[partition] = { state: "open", log };
    return log;
  }

  /** The topic enters the catalogue with its first record; one that a broker left enters it with ours. */
  #topic(): Promise<OpenTopic> {
    this.#topicMaking ??= this.#makeTopic().catch((error: unknown) => {
      this.#topicMaking = null;
      throw error;
    });
    return this.#topicMaking;
  }

  async #makeTopic(): Promise<OpenTopic> {
    const { catalog, topics, context } = this.#house;
    const existing = topics.find(this.#name);
    const topicId = existing?.topicId || newTopicId(context.random);
    const topic = existing ?? makeTopic(this.#house, { name: this.#name, topicId, frozen: false, overrides: {} });
    while (topic.slots.length < INTERNAL_PARTITION_COUNT) topic.slots.push({ state: "empty" });
    if (!catalog.topics().has(this.#name)) {
      await catalog.addTopic({ name: this.#name, topicId, partitions: topic.slots.length, overrides: {} });
    }
    topics.put(topic);
    return topic;
  }
}

function internalBatch(batch: Bytes): InternalBatch {
  const { attributes, producerId } = readBatchHeader(batch);
  const cursor = new RecordCursor(batch);
  if (isControl(attributes)) {
    const key = cursor.next() && cursor.keyLength >= 0 ? part(batch, cursor.keyStart, cursor.keyLength) : null;
    const type = decodeMarker(key, null)?.type;
    const marker = type === "commit" || type === "abort" ? type : null;
    return { producerId, transactional: isTransactional(attributes), marker, records: [] };
  }
  const records: InternalRecord[] = [];
  while (cursor.next()) {
    if (cursor.keyLength >= 0) records.push({ key: part(batch, cursor.keyStart, cursor.keyLength), value: valuePart(batch, cursor) });
  }
  return { producerId, transactional: isTransactional(attributes), marker: null, records };
}

const part = (batches: Bytes, start: number, byteLength: number): Bytes => batches.subarray(start, start + byteLength);

const valuePart = (batches: Bytes, cursor: RecordCursor): Bytes | null =>
  cursor.valueLength < 0 ? null : part(batches, cursor.valueStart, cursor.valueLength);
