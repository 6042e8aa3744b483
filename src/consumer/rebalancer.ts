/** What a rebalance does to a consumer: partitions come and go, listeners are told, and what was moved past is committed first. */
import type { TopicPartition } from "../api/bytes.ts";
import type { RebalanceListener } from "../api/consumer.ts";
import type { Assignment } from "./assignment.ts";
import type { Committer } from "./committer.ts";
import type { Fetcher } from "./fetcher.ts";
import type { Hand } from "./hand.ts";
import { isLost } from "./lost.ts";
import type { RebalanceTarget } from "./membership.ts";
import type { PartitionState } from "./partition-state.ts";
import type { Emit, Positions } from "./positions.ts";
import type { Reader } from "./reader.ts";

export interface RebalancerParts {
  readonly assignment: Assignment;
  readonly positions: Positions;
  readonly fetcher: Fetcher;
  readonly reader: Reader;
  readonly hand: Hand;
  /** Null: nothing is committed but by the caller. */
  readonly autoCommitter: Committer | null;
  readonly emit: Emit;
}

export class Rebalancer implements RebalanceTarget {
  readonly #parts: RebalancerParts;
  listener: RebalanceListener = {};
  #isTelling = false;

  constructor(parts: RebalancerParts) {
    this.#parts = parts;
  }

  assigned(): readonly TopicPartition[] {
    return this.#parts.assignment.partitions();
  }

  whenIdle(): Promise<void> {
    return this.#parts.hand.whenEmpty();
  }

  changed(): void {
    this.#parts.reader.interrupt();
  }

  async revoke(partitions: readonly TopicPartition[]): Promise<void> {
    const states = this.#statesOf(partitions);
    try {
      await this.#parts.autoCommitter?.commitMovedPast(states, true);
    } catch (error) {
      if (isLost(error)) throw error;
      this.#parts.autoCommitter?.report(error);
    }
    await this.#tell("onPartitionsRevoked", partitions);
    this.#remove(states);
  }

  async lose(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    this.#remove(this.#statesOf(partitions));
    // As in Kafka, who listens to one loss only hears of both.
    await this.#tell(this.listener.onPartitionsLost === undefined ? "onPartitionsRevoked" : "onPartitionsLost", partitions);
  }

  async assign(partitions: readonly TopicPartition[]): Promise<void> {
    const { assignment, positions } = this.#parts;
    const added = assignment.add(partitions);
    await this.#tell("onPartitionsAssigned", partitions);
    // Now, so that "latest" is the end at this time. What goes wrong is met by whoever asks for records.
    await positions.resolve(added).catch(() => {});
    this.#changedPartitions();
  }

  /** At the end: the listener hears that all is gone. */
  async revokeAll(): Promise<void> {
    const partitions = this.assigned();
    if (partitions.length === 0) return;
    // A listener that closes its consumer is not told again, as it would wait for itself.
    if (!this.#isTelling) await this.#tell("onPartitionsRevoked", partitions);
    this.#remove(this.#statesOf(partitions));
  }

  #statesOf(partitions: readonly TopicPartition[]): PartitionState[] {
    return partitions.flatMap((partition) => this.#parts.assignment.find(partition) ?? []);
  }

  #remove(states: readonly PartitionState[]): void {
    this.#parts.assignment.remove(states);
    this.#changedPartitions();
  }

  #changedPartitions(): void {
    this.#parts.fetcher.interrupt();
    this.#parts.reader.interrupt();
  }

  /** A listener that throws harms nobody but itself: the group would wait for it otherwise. */
  async #tell(name: keyof RebalanceListener, partitions: readonly TopicPartition[]): Promise<void> {
    this.#isTelling = true;
    try {
      await this.listener[name]?.(partitions);
    } catch (error) {
      this.#parts.emit("listener.failed", { listener: name, error });
    } finally {
      this.#isTelling = false;
    }
  }
}
