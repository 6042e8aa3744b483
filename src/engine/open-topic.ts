/** A topic as the engine holds it: its identity, its settings, and a slot for each partition. */
import type { TopicConfig } from "../api/topic.ts";
import { type OdradekError, UsageError } from "../base/errors.ts";
import type { PartitionLog } from "../log/partition-log.ts";

/**
 * Where a partition's log stands. A slot is empty while a lazy partition (of an internal topic) has no record yet,
 * and failed when its log could not be opened: the others go on.
 */
export type PartitionSlot =
  | { readonly state: "open"; readonly log: PartitionLog }
  | { readonly state: "empty" }
  | { readonly state: "failed"; readonly error: OdradekError };

export class OpenTopic {
  readonly name: string;
  readonly topicId: string;
  readonly internal: boolean;
  /** Left here by another writer and not adopted yet: readable, but nothing in it changes. */
  readonly frozen: boolean;
  readonly slots: PartitionSlot[];
  /** Partitions whose log is being recovered: readable as far as it goes, and nothing is appended until committed offsets fit it (C5). */
  readonly reopening: Set<number> = new Set();
  #overrides: Readonly<Partial<TopicConfig>>;
  #config: Readonly<TopicConfig>;

  constructor(facts: {
    readonly name: string;
    readonly topicId: string;
    readonly internal: boolean;
    readonly frozen: boolean;
    readonly overrides: Readonly<Partial<TopicConfig>>;
    readonly config: Readonly<TopicConfig>;
    readonly slots: PartitionSlot[];
  }) {
    this.name = facts.name;
    this.topicId = facts.topicId;
    this.internal = facts.internal;
    this.frozen = facts.frozen;
    this.slots = facts.slots;
    this.#overrides = facts.overrides;
    this.#config = facts.config;
  }

  get config(): Readonly<TopicConfig> {
    return this.#config;
  }

  /** What was set for this topic alone. */
  get overrides(): Readonly<Partial<TopicConfig>> {
    return this.#overrides;
  }

  /** The logs ask for their configuration each time, so a change holds from the next append on. */
  configure(overrides: Readonly<Partial<TopicConfig>>, config: Readonly<TopicConfig>): void {
    this.#overrides = overrides;
    this.#config = config;
  }

  /** The log of a partition; null for an empty slot. Throws what kept a failed one from opening, or that there is no such partition. */
  log(partition: number): PartitionLog | null {
    const slot = this.slots[partition];
    if (slot === undefined) {
      throw new UsageError(
        "UNKNOWN_TOPIC_OR_PARTITION",
        `topic "${this.name}" has partitions 0 to ${this.slots.length - 1}; found partition ${String(partition)}`,
      );
    }
    if (slot.state === "failed") throw slot.error;
    return slot.state === "open" ? slot.log : null;
  }

  openLogs(): PartitionLog[] {
    return this.slots.flatMap((slot) => (slot.state === "open" ? [slot.log] : []));
  }
}
