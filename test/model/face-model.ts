/** The face as an array sees it: what Odradek must do, in the simplest words that do it. */

export interface ModelRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
}

export class ModelPartition {
  readonly records: ModelRecord[] = [];
  logStart = 0;

  get end(): number {
    return this.records.length;
  }

  /** What a reader at `offset` is given, up to `count` records. */
  from(offset: number, count: number): { readonly offset: number; readonly record: ModelRecord }[] {
    const first = Math.max(offset, this.logStart);
    return this.records.slice(first, first + count).map((record, index) => ({ offset: first + index, record }));
  }

  firstAtOrAfter(timestamp: number): number | null {
    for (let offset = this.logStart; offset < this.end; offset += 1) {
      if ((this.records[offset] as ModelRecord).timestamp >= timestamp) return offset;
    }
    return null;
  }
}

export class ModelLog {
  readonly topics: Map<string, ModelPartition[]> = new Map();
  /** group → "topic/partition" → next offset. */
  readonly committed: Map<string, Map<string, number>> = new Map();

  partition(topic: string, partition: number): ModelPartition {
    return (this.topics.get(topic) as ModelPartition[])[partition] as ModelPartition;
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
}
