/** What every test of the log needs: a context on some storage, a topic's settings, batches, and what records bytes hold. */
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import type { TopicConfig } from "../../src/api/topic.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import type { Core } from "../../src/core/core.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { batchByteLengthAt, viewOf } from "../../src/log/batch/batch-header.ts";
import type { LogContext } from "../../src/log/context/log-context.ts";
import { type Appended, PartitionLog, type PartitionSpec } from "../../src/log/partition-log.ts";
import { fenced } from "../../src/storage/fenced.ts";
import { Gate } from "../../src/storage/gate.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { compressionOf } from "../compression/support.ts";

export const core: Core = await loadCore();

export const TOPIC_CONFIG: TopicConfig = {
  cleanupPolicy: "delete",
  compressionType: "producer",
  durability: "sync",
  retentionMs: Number.POSITIVE_INFINITY,
  retentionBytes: Number.POSITIVE_INFINITY,
  deleteRetentionMs: 86_400_000,
  segmentBytes: 1_073_741_824,
  segmentMs: 604_800_000,
  segmentIndexBytes: 10_485_760,
  indexIntervalBytes: 4096,
  maxMessageBytes: 1_048_588,
  messageTimestampType: "CreateTime",
  minCleanableDirtyRatio: 0.5,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.POSITIVE_INFINITY,
  flushMessages: Number.POSITIVE_INFINITY,
  flushMs: Number.POSITIVE_INFINITY,
  preallocate: false,
};

export const NOW_MS = 1_700_000_000_000;

export interface RigOptions {
  readonly config?: Partial<TopicConfig>;
  readonly maxUnflushedBytes?: number;
  readonly recoveryPointIntervalBytes?: number;
  readonly keptTransactionBytesMax?: number;
  readonly cleanShutdown?: boolean;
  readonly leftByUs?: boolean;
  readonly frozen?: boolean;
  readonly readOnly?: boolean;
  readonly clock?: ManualClock;
  readonly checkpoint?: PartitionSpec["checkpoint"];
  readonly directory?: string;
  readonly topic?: string;
  readonly topicId?: string;
}

export interface Rig {
  readonly context: LogContext;
  readonly spec: PartitionSpec;
  readonly config: TopicConfig;
  readonly clock: ManualClock;
  readonly events: { type: string; fields: Record<string, unknown> }[];
}

export function rig(driver: StorageDriver, options: RigOptions = {}): Rig {
  const clock = options.clock ?? new ManualClock(NOW_MS);
  const events: Rig["events"] = [];
  const context: LogContext = {
    storage: fenced(driver, { syncGate: new Gate(4), readOnly: options.readOnly ?? false }),
    core,
    compression: compressionOf(core),
    clock,
    random: new SeededRandom(1),
    emit: (type, fields) => void events.push({ type, fields }),
    maxUnflushedBytes: options.maxUnflushedBytes ?? 8 * 1024 * 1024,
    ...(options.keptTransactionBytesMax === undefined ? {} : { keptTransactionBytesMax: options.keptTransactionBytesMax }),
    ...(options.recoveryPointIntervalBytes === undefined ? {} : { recoveryPointIntervalBytes: options.recoveryPointIntervalBytes }),
    readOnly: options.readOnly ?? false,
  };
  const config: TopicConfig = { ...TOPIC_CONFIG, ...options.config };
  const spec: PartitionSpec = {
    topic: options.topic ?? "orders",
    partition: 0,
    topicId: options.topicId ?? "AAAAAAAAAAAAAAAAAAAAAQ",
    directory: options.directory ?? "orders-0",
    config: () => config,
    frozen: options.frozen ?? false,
    checkpoint: options.checkpoint ?? { recoveryPoint: null, logStartOffset: null },
    cleanShutdown: options.cleanShutdown ?? false,
    leftByUs: options.leftByUs ?? options.cleanShutdown ?? false,
  };
  return { context, spec, config, clock, events };
}

/** One record's value as text, and its time. */
export interface PlainRecord {
  readonly value: string;
  readonly timestamp: number;
}

/** A batch as a producer would hand it over. */
export function batchOf(records: readonly PlainRecord[]): Uint8Array {
  const { writer } = core;
  writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
  for (const { value, timestamp } of records) writer.append(null, new TextEncoder().encode(value), null, timestamp);
  return writer.finish().slice();
}

export function append(log: PartitionLog, records: readonly PlainRecord[], signal?: AbortSignal): Appended | Promise<Appended> {
  const maxTimestamp = Math.max(...records.map((record) => record.timestamp));
  return log.append(batchOf(records), { recordCount: records.length, maxTimestamp }, signal);
}

/** Appends values as one batch at `NOW_MS`, and waits until it is acknowledged. */
export async function send(log: PartitionLog, ...values: string[]): Promise<Appended> {
  const appended = await append(
    log,
    values.map((value) => ({ value, timestamp: NOW_MS })),
  );
  await log.flushed(appended.lastOffset + 1);
  return appended;
}

export interface ReadRecord extends PlainRecord {
  readonly offset: number;
}

/** The records in whole batches. */
export function recordsIn(bytes: Uint8Array): ReadRecord[] {
  const records: ReadRecord[] = [];
  const view = viewOf(bytes);
  for (let position = 0; position < bytes.length; position += batchByteLengthAt(view, position)) {
    const cursor = new RecordCursor(bytes, position);
    while (cursor.next()) {
      const value = new TextDecoder().decode(bytes.subarray(cursor.valueStart, cursor.valueStart + cursor.valueLength));
      records.push({ offset: cursor.offset, value, timestamp: cursor.timestamp });
    }
  }
  return records;
}

/** Everything from `from` on, read as a consumer would. */
export async function readAll(log: PartitionLog, from: number = log.watermarks.logStartOffset, maxBytes = 4096): Promise<ReadRecord[]> {
  const records: ReadRecord[] = [];
  for (let offset = from; ; ) {
    const bytes = await log.read(offset, maxBytes);
    if (bytes.length === 0) return records;
    const read = recordsIn(bytes).filter((record) => record.offset >= offset);
    records.push(...read);
    offset = (read.at(-1)?.offset ?? offset) + 1;
  }
}

export async function created(driver: StorageDriver, options: RigOptions = {}): Promise<{ log: PartitionLog } & Rig> {
  const made = rig(driver, options);
  return { log: await PartitionLog.create(made.context, made.spec), ...made };
}

export async function opened(driver: StorageDriver, options: RigOptions = {}): Promise<{ log: PartitionLog } & Rig> {
  const made = rig(driver, options);
  return { log: await PartitionLog.open(made.context, made.spec), ...made };
}
