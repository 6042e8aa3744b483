/** The slow twin of compaction: Kafka's rule over an array of batches, and the laws that hold whatever happens to the files. */
import type { KeyedPut, KeyedRecord } from "./compaction-rig.ts";

interface TwinBatch {
  readonly records: KeyedRecord[];
  readonly nextOffset: number;
  /** When its tombstones may go; null: no pass has kept one of them yet. */
  horizonMs: number | null;
}

export class Twin {
  /** Everything that was ever appended, by offset. */
  readonly history: KeyedRecord[] = [];
  batches: TwinBatch[] = [];
  logStartOffset = 0;

  append(baseOffset: number, puts: readonly KeyedPut[]): void {
    const records = puts.map(([key, value], index) => ({ offset: baseOffset + index, key, value }));
    for (const record of records) this.history[record.offset] = record;
    this.batches.push({ records, nextOffset: baseOffset + puts.length, horizonMs: null });
  }

  /** One pass with room for every key. */
  compact(firstDirtyOffset: number, endOffset: number, nowMs: number, deleteRetentionMs: number): void {
    const newest = new Map<string, number>();
    for (const { records } of this.batches)
      for (const { offset, key } of records) if (offset >= firstDirtyOffset && offset < endOffset && key !== null) newest.set(key, offset);
    for (const batch of this.batches) {
      if (batch.nextOffset > endOffset) continue;
      const keepsTombstones = batch.horizonMs === null || nowMs < batch.horizonMs;
      const kept = batch.records.filter(
        ({ offset, key, value }) => key !== null && offset >= (newest.get(key) ?? -1) && (value !== null || keepsTombstones),
      );
      batch.records.splice(0, batch.records.length, ...kept);
      if (batch.horizonMs === null && kept.some(({ value }) => value === null)) batch.horizonMs = nowMs + deleteRetentionMs;
    }
  }

  visible(): KeyedRecord[] {
    return this.batches.flatMap(({ records }) => records).filter(({ offset }) => offset >= this.logStartOffset);
  }
}

/**
 * What holds of anything that a reader may find, whatever passes, crashes and reopenings lie behind it: null, or what is wrong.
 * `until`: history beyond it need not be there.
 */
export function lawsBroken(
  history: readonly KeyedRecord[],
  found: readonly KeyedRecord[],
  logStartOffset: number,
  until: number = history.length,
): string | null {
  let before = -1;
  const state = new Map<string, KeyedRecord>();
  for (const record of found) {
    if (record.offset <= before) return `offset ${record.offset} follows ${before}`;
    before = record.offset;
    const was = history[record.offset];
    if (was === undefined || was.key !== record.key || was.value !== record.value)
      return `offset ${record.offset}: expected ${JSON.stringify(was)} or nothing, found ${JSON.stringify(record)}`;
    if (record.key !== null) state.set(record.key, record);
  }
  const end = Math.max(until, before + 1);
  const newest = new Map<string, KeyedRecord>();
  for (const record of history.slice(0, end)) if (record?.key !== null && record !== undefined) newest.set(record.key, record);
  for (const [key, record] of newest) {
    const last = state.get(key);
    if (record.offset < logStartOffset) continue;
    if (record.value !== null && last?.offset !== record.offset)
      return `key ${key}: expected its newest value at ${record.offset}, found ${JSON.stringify(last)}`;
    if (record.value === null && last !== undefined && last.value !== null)
      return `key ${key} was deleted at ${record.offset}, and came back from ${last.offset}`;
  }
  return null;
}
