/** What every group has committed, and what is kept of the groups themselves: `__consumer_offsets` as it stands, in memory. */
import type { TopicPartition } from "../api/bytes.ts";
import type { GroupMetadata } from "./group-metadata.ts";
import type { StoredOffset } from "./schemas/offset-commit-value.ts";

export interface GroupOffset extends TopicPartition, StoredOffset {}

export class OffsetTable {
  readonly #offsets = new Map<string, Map<string, Map<number, StoredOffset>>>();
  readonly #groups = new Map<string, GroupMetadata>();

  /** Groups that have committed or been kept. */
  groupIds(): string[] {
    return [...new Set([...this.#offsets.keys(), ...this.#groups.keys()])];
  }

  group(groupId: string): GroupMetadata | null {
    return this.#groups.get(groupId) ?? null;
  }

  has(groupId: string): boolean {
    return this.#offsets.has(groupId) || this.#groups.has(groupId);
  }

  offset(groupId: string, topic: string, partition: number): StoredOffset | null {
    return this.#offsets.get(groupId)?.get(topic)?.get(partition) ?? null;
  }

  offsetsOf(groupId: string): GroupOffset[] {
    const offsets: GroupOffset[] = [];
    for (const [topic, partitions] of this.#offsets.get(groupId) ?? []) {
      for (const [partition, stored] of partitions) offsets.push({ topic, partition, ...stored });
    }
    return offsets;
  }

  setGroup(groupId: string, metadata: GroupMetadata | null): void {
    if (metadata === null) this.#groups.delete(groupId);
    else this.#groups.set(groupId, metadata);
  }

  /** null removes it. */
  setOffset(groupId: string, topic: string, partition: number, stored: StoredOffset | null): void {
    if (stored === null) {
      this.#remove(groupId, topic, partition);
      return;
    }
    const topics = this.#offsets.get(groupId) ?? new Map<string, Map<number, StoredOffset>>();
    this.#offsets.set(groupId, topics);
    const partitions = topics.get(topic) ?? new Map<number, StoredOffset>();
    topics.set(topic, partitions);
    partitions.set(partition, stored);
  }

  #remove(groupId: string, topic: string, partition: number): void {
    const topics = this.#offsets.get(groupId);
    const partitions = topics?.get(topic);
    if (topics === undefined || partitions === undefined) return;
    partitions.delete(partition);
    if (partitions.size === 0) topics.delete(topic);
    if (topics.size === 0) this.#offsets.delete(groupId);
  }
}
