/** What tests of compaction need: keyed batches, everything that is there, and passes without a throttle. */
import { readBatchHeader } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import { batchByteLengthAt, lastOffsetAt, viewOf } from "../../src/log/batch/batch-header.ts";
import type { CompactionOptions, CompactionResult } from "../../src/log/compaction/compaction.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { core, NOW_MS, type RigOptions } from "./log-rig.ts";

/** Small segments of a compacted topic. */
export const KEYED: RigOptions = {
  config: { cleanupPolicy: "compact", segmentBytes: 400, indexIntervalBytes: 100, maxMessageBytes: 4000 },
};

export type KeyedPut = readonly [key: string | null, value: string | null];

export interface KeyedRecord {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
}

export const PASS: CompactionOptions = { dedupeBufferByteLength: 1 << 16 };

const text = new TextEncoder();
const plain = new TextDecoder();

export function keyedBatch(records: readonly KeyedPut[], timestamp: number = NOW_MS): Uint8Array {
  const { writer } = core;
  writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
  for (const [key, value] of records)
    writer.append(key === null ? null : text.encode(key), value === null ? null : text.encode(value), null, timestamp);
  return writer.finish().slice();
}

/** Appends one batch and waits until it is acknowledged; answers its first offset. */
export async function put(log: PartitionLog, records: readonly KeyedPut[], timestamp: number = NOW_MS): Promise<number> {
  const appended = await log.append(keyedBatch(records, timestamp), { recordCount: records.length, maxTimestamp: timestamp });
  await log.flushed(appended.lastOffset + 1);
  return appended.baseOffset;
}

/** A batch so large that the one before it is in a sealed segment. Its own stays active. */
export async function rollOver(log: PartitionLog): Promise<void> {
  await put(log, [["roll", "x".repeat(log.spec.config().segmentBytes - 90)]]);
  await log.sealUnsealed();
}

export async function compactAll(log: PartitionLog, options: Partial<CompactionOptions> = {}): Promise<CompactionResult> {
  return await log.compact({ ...PASS, ...options });
}

/** Everything from `from` on, as a consumer walks it: empty batches are passed over. */
export async function readKeyed(log: PartitionLog, from: number = log.watermarks.logStartOffset, maxBytes = 700): Promise<KeyedRecord[]> {
  const records: KeyedRecord[] = [];
  for (let offset = from; offset < log.watermarks.highWatermark; ) {
    const bytes = await log.read(offset, maxBytes);
    if (bytes.length === 0)
      throw new Error(`nothing could be read from ${offset}, below the high watermark ${log.watermarks.highWatermark}`);
    const view = viewOf(bytes);
    for (let at = 0; at < bytes.length; at += batchByteLengthAt(view, at)) {
      records.push(...keyedIn(bytes, at).filter((record) => record.offset >= offset));
      offset = Math.max(offset, lastOffsetAt(view, at) + 1);
    }
  }
  return records;
}

export function keyedIn(bytes: Uint8Array, at: number): KeyedRecord[] {
  const cursor = new RecordCursor(bytes, at);
  const part = (start: number, length: number): string | null => (length < 0 ? null : plain.decode(bytes.subarray(start, start + length)));
  const found: KeyedRecord[] = [];
  while (cursor.next())
    found.push({ offset: cursor.offset, key: part(cursor.keyStart, cursor.keyLength), value: part(cursor.valueStart, cursor.valueLength) });
  return found;
}

export interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly byteLength: number;
  readonly attributes: number;
  readonly recordCount: number;
  readonly producerId: bigint;
  readonly baseSequence: number;
}

/** The headers of whole batches. */
export function storedBatches(bytes: Uint8Array): StoredBatch[] {
  const found: StoredBatch[] = [];
  for (let at = 0; at < bytes.length; at += batchByteLengthAt(viewOf(bytes), at)) found.push(readBatchHeader(bytes, at));
  return found;
}
