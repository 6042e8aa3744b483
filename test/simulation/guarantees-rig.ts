/** Keys, producers and transactions over the broker port: how a simulated program sends, and all that a reader can see. */
import type { Broker, IsolationLevel, ProducerIdentity } from "../../src/api/broker.ts";
import type { Bytes } from "../../src/api/bytes.ts";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import type { TopicConfig } from "../../src/api/topic.ts";
import { batchByteLengthAt, codecNumber, isControl, isTransactional, readBatchHeader } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import type { CodecName } from "../../src/compression/compression.ts";
import type { BatchWriter } from "../../src/core/core.ts";
import type { ManualClock } from "../../src/testing/manual-clock.ts";
import { openEngine } from "./engine-rig.ts";

/** What the simulation asks of a broker: the engine's calls, and those of the one that lies. */
export interface Subject {
  readonly broker: Pick<
    Broker,
    | "produce"
    | "fetch"
    | "listOffsets"
    | "createTopic"
    | "deleteRecords"
    | "offsetFetch"
    | "initProducerId"
    | "addPartitions"
    | "addOffsets"
    | "commitOffsets"
    | "endTransaction"
  > & { hasTopic(topic: string): boolean; maintain(): Promise<unknown>; close(): Promise<void> };
  readonly clock: ManualClock;
  readonly writer: BatchWriter;
  /** null: this codec cannot be written here. */
  compress(batch: Uint8Array, codec: CodecName): Bytes | null;
  decompress(batch: Uint8Array): Bytes;
}

/** Tombstones go when this has passed after the pass that first met them. */
export const DELETE_RETENTION_MS = 60_000;
export const RETENTION_MS = 200_000;
export const TRANSACTION_TIMEOUT_MS = 100_000;

/** One topic of each kind. Ratio 0: every call of `maintain` cleans what there is. */
export const GUARANTEE_TOPICS: Readonly<Record<string, Partial<TopicConfig>>> = {
  plain: { cleanupPolicy: "delete" },
  kept: { cleanupPolicy: "compact", minCleanableDirtyRatio: 0, deleteRetentionMs: DELETE_RETENTION_MS },
  aging: {
    cleanupPolicy: "compact,delete",
    minCleanableDirtyRatio: 0,
    deleteRetentionMs: DELETE_RETENTION_MS,
    retentionMs: RETENTION_MS,
  },
  quick: { cleanupPolicy: "compact", minCleanableDirtyRatio: 0, deleteRetentionMs: DELETE_RETENTION_MS, durability: "os" },
};
export const PARTITION_COUNT = 2;

const utf8 = new TextEncoder();
const text = new TextDecoder();
const ID_HEADER = utf8.encode("id");

/** One record as a program sends it. The id stands in a header: it tells tombstones apart, and shows that headers are kept. */
export interface SentRecord {
  readonly id: number;
  readonly key: string;
  readonly value: string | null;
  readonly timestamp: number;
}

export async function openSubject(storage: StorageDriver, seed: number, startMs: number): Promise<Subject> {
  const life = await openEngine(storage, seed, { startMs, dedupeBufferByteLength: 240 });
  const { engine } = life;
  return {
    broker: engine,
    clock: life.clock,
    writer: engine.core.writer,
    compress: (batch, codec) => (engine.compression.canCompress(codec) ? engine.compression.compressBatch(batch, codec) : null),
    decompress: (batch) => engine.compression.decompressBatch(batch),
  };
}

export interface Identity extends ProducerIdentity {
  readonly baseSequence: number;
  readonly transactional: boolean;
}

export const NOBODY: Identity = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false };

/** Writes before it returns its promise wherever the broker can. Resolves with the base offset. */
export async function sendRecords(
  subject: Subject,
  at: { readonly topic: string; readonly partition: number },
  records: readonly SentRecord[],
  from: Identity = NOBODY,
  codec: CodecName | null = null,
  transactionalId?: string,
): Promise<number> {
  const { writer, broker } = subject;
  writer.begin(from);
  for (const { id, key, value, timestamp } of records) {
    writer.append(utf8.encode(key), value === null ? null : utf8.encode(value), [[ID_HEADER, utf8.encode(`${id}`)]], timestamp);
  }
  const plain = writer.finish();
  const batch = (codec === null ? null : subject.compress(plain, codec)) ?? plain;
  const { topic, partition } = at;
  return (await broker.produce({ topic, partition, batch, acks: "all", transactionalId })).baseOffset;
}

export interface FoundRecord extends SentRecord {
  readonly offset: number;
  readonly producerId: bigint;
  readonly transactional: boolean;
}

export interface FoundMarker {
  readonly offset: number;
  readonly producerId: bigint;
  readonly commit: boolean;
}

/** One fetch, taken apart. */
export interface FoundRun {
  readonly records: FoundRecord[];
  readonly markers: FoundMarker[];
  /** Behind the last batch; where to go on. */
  readonly nextOffset: number;
  readonly marks: {
    readonly logStartOffset: number;
    readonly lastStableOffset: number;
    readonly highWatermark: number;
    readonly logEndOffset: number;
  };
}

export class ReadFault extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What one fetch from `offset` gives a reader of this isolation, aborted records taken out as a reader takes them out. */
export async function fetchRun(
  { broker, decompress }: Subject,
  topic: string,
  partition: number,
  offset: number,
  isolation: IsolationLevel,
  maxBytes = 700,
): Promise<FoundRun> {
  const wanted = [{ topic, partition, offset, maxBytes }];
  const answer = (await broker.fetch({ partitions: wanted, minBytes: 0, maxWaitMs: 0, maxBytes, isolation })).partitions[0]!;
  const { fault, watermarks: marks, batches, abortedTransactions } = answer;
  if (fault !== null) throw new ReadFault(fault.code, `${topic}-${partition} at ${offset}: ${fault.code}: ${fault.message}`);
  const records: FoundRecord[] = [];
  const markers: FoundMarker[] = [];
  const waiting = [...abortedTransactions].sort((a, b) => a.firstOffset - b.firstOffset);
  const aborted = new Set<bigint>();
  let nextOffset = offset;
  for (let at = 0; at < batches.byteLength; at += batchByteLengthAt(batches, at)) {
    const { attributes, lastOffset, producerId } = readBatchHeader(batches, at);
    if (lastOffset < nextOffset - 1) throw new ReadFault("ORDER", `${topic}-${partition}: a batch to ${lastOffset} behind ${nextOffset}`);
    while (waiting[0] !== undefined && waiting[0].firstOffset <= lastOffset) aborted.add(waiting.shift()!.producerId);
    const whole = batches.subarray(at, at + batchByteLengthAt(batches, at));
    const cursor = new RecordCursor(codecNumber(attributes) === 0 ? whole : decompress(whole));
    const transactional = isTransactional(attributes);
    while (cursor.next()) {
      const { offset: found, timestamp } = cursor;
      if (isControl(attributes)) {
        const commit = new DataView(cursor.key()!.slice().buffer).getInt16(2) === 1;
        if (!commit) aborted.delete(producerId);
        markers.push({ offset: found, producerId, commit });
      } else if (!(isolation === "readCommitted" && transactional && aborted.has(producerId))) {
        const [id] = cursor.decodeHeaders();
        const value = cursor.value();
        const key = text.decode(cursor.key() ?? new Uint8Array());
        records.push({
          id: id?.[1] == null ? -1 : Number(text.decode(id[1])),
          key,
          value: value === null ? null : text.decode(value),
          timestamp,
          offset: found,
          producerId,
          transactional,
        });
      }
    }
    nextOffset = lastOffset + 1;
  }
  return { records: records.filter((record) => record.offset >= offset), markers, nextOffset, marks };
}

export interface FoundPartition {
  readonly marks: FoundRun["marks"];
  readonly records: readonly FoundRecord[];
  readonly markers: readonly FoundMarker[];
}

/** All that a reader of this isolation is given, from the log start on. */
export async function readFromStart(
  subject: Subject,
  topic: string,
  partition: number,
  isolation: IsolationLevel,
): Promise<FoundPartition> {
  const [listed] = await subject.broker.listOffsets({ partitions: [{ topic, partition, at: "earliest" }], isolation });
  const { fault, watermarks: marks } = listed!;
  if (fault !== null) throw new ReadFault(fault.code, `${topic}-${partition}: ${fault.code}: ${fault.message}`);
  const end = isolation === "readCommitted" ? marks.lastStableOffset : marks.highWatermark;
  const records: FoundRecord[] = [];
  const markers: FoundMarker[] = [];
  for (let offset = marks.logStartOffset; offset < end; ) {
    const run = await fetchRun(subject, topic, partition, offset, isolation);
    if (run.nextOffset === offset) throw new ReadFault("STUCK", `${topic}-${partition}: nothing at ${offset}, readable up to ${end}`);
    records.push(...run.records);
    markers.push(...run.markers);
    offset = run.nextOffset;
  }
  return { marks, records, markers };
}
