/** Compaction by a Map of keys in hex, and a filter that decodes and encodes again. */
import type { FilterOptions } from "../../../src/core/core.ts";
import { type SlowBatch, type SlowRecord, slowBatchBytes } from "./batch.ts";

export class SlowMap {
  readonly offsets = new Map<string, bigint>();
  latestOffset = -1n;

  put(batch: SlowBatch, startOffset: bigint): void {
    for (const record of batch.records) {
      const offset = batch.baseOffset + BigInt(record.offsetDelta);
      if (offset >= startOffset && record.key !== null) this.offsets.set(Buffer.from(record.key).toString("hex"), offset);
    }
    this.latestOffset = batch.baseOffset + BigInt(batch.lastOffsetDelta);
  }

  offsetOf(key: Uint8Array): bigint {
    return this.offsets.get(Buffer.from(key).toString("hex")) ?? -1n;
  }
}

export interface SlowFiltered {
  readonly outcome: "unchanged" | "rewritten" | "emptied" | "dropped";
  readonly bytes: Uint8Array;
}

const HORIZON = 0x40;
const LOG_APPEND_TIME = 0x08;

export function slowFilter(batch: SlowBatch, map: SlowMap, options: FilterOptions): SlowFiltered {
  const { nowMs, deleteRetentionMs, discardRecords = false, isEmptyMarker = false, retainEmpty = false } = options;
  const hasHorizon = (batch.attributes & HORIZON) !== 0;
  const isControl = (batch.attributes & 0x20) !== 0;
  const isLogAppendTime = (batch.attributes & LOG_APPEND_TIME) !== 0;
  const survives = (record: SlowRecord): boolean => {
    if (discardRecords) return false;
    if (isControl) return true;
    const offset = batch.baseOffset + BigInt(record.offsetDelta);
    if (offset > map.latestOffset) return true;
    if (record.key === null || offset < map.offsetOf(record.key)) return false;
    return record.value !== null || !hasHorizon || BigInt(nowMs) < batch.baseTimestamp;
  };
  const kept = batch.records.filter(survives);
  const original = slowBatchBytes(batch);
  if (kept.length === 0) {
    if (!retainEmpty) return { outcome: "dropped", bytes: new Uint8Array(0) };
    if (batch.records.length === 0) return { outcome: "unchanged", bytes: original };
    return {
      outcome: "emptied",
      bytes: slowBatchBytes({ ...batch, attributes: batch.attributes & 0x38, baseTimestamp: -1n, records: [] }),
    };
  }
  const getsHorizon = !hasHorizon && (isEmptyMarker || kept.some(({ value }) => value === null));
  if (kept.length === batch.records.length && !getsHorizon) return { outcome: "unchanged", bytes: original };

  const timestamps = kept.map(({ timestampDelta }) => (isLogAppendTime ? batch.maxTimestamp : batch.baseTimestamp + timestampDelta));
  const newHorizon = Number.isFinite(deleteRetentionMs) ? BigInt(nowMs + deleteRetentionMs) : 2n ** 63n - 1n;
  const baseTimestamp = getsHorizon ? newHorizon : hasHorizon ? batch.baseTimestamp : (timestamps[0] as bigint);
  const records = kept.map((record, i) => ({ ...record, timestampDelta: (timestamps[i] as bigint) - baseTimestamp }));
  const largest = timestamps.reduce((a, b) => (a > b ? a : b));
  return {
    outcome: "rewritten",
    bytes: slowBatchBytes({
      ...batch,
      attributes: batch.attributes | (getsHorizon ? HORIZON : 0),
      baseTimestamp,
      maxTimestamp: isLogAppendTime ? batch.maxTimestamp : largest,
      records,
    }),
  };
}
