/** The face as an array sees it: what Odradek must do, in the simplest words that do it. */

import { COMPACTED } from "./face-commands.ts";

export interface ModelRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
}

/** What an offset is spent on: a record, one that its transaction took back, or the mark of a transaction's end. */
export interface ModelEntry {
  readonly kind: "record" | "aborted" | "marker";
  readonly record: ModelRecord;
}

const MARKER: ModelEntry = { kind: "marker", record: { key: null, value: null, timestamp: Number.POSITIVE_INFINITY } };

/** Keys are few, so that records replace one another; without one where the topic allows it. */
export function recordsOf(topic: string, values: readonly (string | null)[], timestamp: number): ModelRecord[] {
  return values.map((value, index) => ({
    key: topic === COMPACTED || index % 2 === 0 ? `k${(timestamp + index) % 5}` : null,
    value,
    timestamp: timestamp + index,
  }));
}

export class ModelPartition {
  readonly entries: ModelEntry[] = [];
  logStart = 0;
  /** A compacted topic may have lost what a newer record of the same key replaced, below here. */
  compactedBelow = 0;

  get end(): number {
    return this.entries.length;
  }

  append(records: readonly ModelRecord[], kind: "record" | "aborted" = "record"): void {
    for (const record of records) this.entries.push({ kind, record });
  }

  mark(): void {
    this.entries.push(MARKER);
  }

  /** The record a reader may be given at an offset; null: none is there for it. */
  at(offset: number): ModelRecord | null {
    const entry = this.entries[offset];
    return entry?.kind === "record" ? entry.record : null;
  }

  /** What a reader at `offset` is given, were nothing compacted away. */
  from(offset: number): { readonly offset: number; readonly record: ModelRecord }[] {
    const found: { offset: number; record: ModelRecord }[] = [];
    for (let at = Math.max(offset, this.logStart); at < this.end; at += 1) {
      const record = this.at(at);
      if (record !== null) found.push({ offset: at, record });
    }
    return found;
  }

  /** By key, where its newest record stands. */
  newest(): Map<string | null, number> {
    return new Map(this.from(0).map(({ offset, record }) => [record.key, offset]));
  }

  /** Whether compaction may have taken the record at an offset. */
  mayBeGone(offset: number): boolean {
    const record = this.at(offset);
    return record !== null && offset < this.compactedBelow && (this.newest().get(record.key) as number) > offset;
  }

  firstAtOrAfter(timestamp: number): number | null {
    for (let offset = this.logStart; offset < this.end; offset += 1) {
      if ((this.entries[offset] as ModelEntry).record.timestamp >= timestamp) return offset;
    }
    return null;
  }
}

export interface ModelTopic {
  readonly isCompacted: boolean;
  readonly partitions: ModelPartition[];
}

export class ModelLog {
  readonly topics: Map<string, ModelTopic> = new Map();
  /** group → "topic/partition" → next offset. */
  readonly committed: Map<string, Map<string, number>> = new Map();
  /** Client id, "" for the default → producerByteRate. */
  readonly quotas: Map<string, number> = new Map();

  partition(topic: string, partition: number): ModelPartition {
    return (this.topics.get(topic) as ModelTopic).partitions[partition] as ModelPartition;
  }

  commit(group: string, topic: string, partition: number, nextOffset: number): void {
    const offsets = this.committed.get(group) ?? new Map();
    this.committed.set(group, offsets.set(`${topic}/${partition}`, nextOffset));
  }

  committedOffset(group: string, topic: string, partition: number): number | null {
    return this.committed.get(group)?.get(`${topic}/${partition}`) ?? null;
  }

  /** A topic that goes takes the offsets committed in it along. */
  forget(topic: string): void {
    this.topics.delete(topic);
    for (const offsets of this.committed.values()) for (const key of offsets.keys()) if (key.startsWith(`${topic}/`)) offsets.delete(key);
  }

  /** What is compacted may be cleaned up to where it ends now. */
  maintain(): void {
    for (const { isCompacted, partitions } of this.topics.values())
      if (isCompacted) for (const partition of partitions) partition.compactedBelow = partition.end;
  }
}
