/** The partitions that a consumer reads now, and where it stands in each. */
import type { NextOffset, TopicPartition } from "../api/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { PartitionState, partitionKey } from "./partition-state.ts";

export class Assignment {
  #states: Map<string, PartitionState> = new Map();
  #list: readonly PartitionState[] = [];
  #hasPositions = true;

  /** A new array whenever the assignment changes. */
  get states(): readonly PartitionState[] {
    return this.#list;
  }

  /** Whether every partition's position is known. Remembered, since it is asked for every batch. */
  get hasPositions(): boolean {
    this.#hasPositions ||= this.#list.every((state) => state.position !== null);
    return this.#hasPositions;
  }

  /** Moves a partition to where a look-up will tell. */
  moveTo(state: PartitionState, target: number | "earliest" | "latest"): void {
    state.target = typeof target === "number" ? null : target;
    state.rewindTo = typeof target === "number" ? target : null;
    state.moveTo(state.rewindTo);
    if (state.position === null) this.#hasPositions = false;
  }

  /** Every partition back to where it stood before anything was delivered that is not committed. `inDoubt`: that may be committed. */
  rewind(inDoubt: readonly NextOffset[]): void {
    for (const { topic, partition, nextOffset } of inDoubt) {
      const state = this.find({ topic, partition });
      if (state !== undefined) state.inDoubt = nextOffset;
    }
    for (const state of this.#list) {
      state.target = null;
      state.moveTo(state.inDoubt === null ? state.rewindTo : null);
      if (state.position === null) this.#hasPositions = false;
    }
  }

  /** As the face tells it: plain objects. */
  partitions(): readonly TopicPartition[] {
    return this.#list.map(({ topic, partition }) => ({ topic, partition }));
  }

  find(partition: TopicPartition): PartitionState | undefined {
    return this.#states.get(partitionKey(partition));
  }

  /** Throws a `UsageError` NOT_ASSIGNED that says what is. */
  get(partition: TopicPartition, call: string): PartitionState {
    const state = this.find(checkPartition(partition, call));
    if (state !== undefined) return state;
    const list =
      this.#list.length === 0 ? "nothing is" : `these are: ${this.#list.slice(0, 20).join(", ")}${this.#list.length > 20 ? ", …" : ""}`;
    throw new UsageError("NOT_ASSIGNED", `${call}: ${partitionKey(partition)} is not assigned to this consumer; ${list}`);
  }

  /** Those named, or all. Throws a `UsageError` as `get` does. */
  statesOf(partitions: readonly TopicPartition[] | undefined, call: string): Iterable<PartitionState> {
    if (partitions === undefined) return this.states;
    if (Array.isArray(partitions)) return partitions.map((partition) => this.get(partition, call));
    throw new UsageError("INVALID_ARGUMENT", `${call}: expected an array of { topic, partition }, found ${describeValue(partitions)}`);
  }

  /** Adds what is not there yet; answers the new states. */
  add(partitions: readonly TopicPartition[]): PartitionState[] {
    const added: PartitionState[] = [];
    for (const partition of partitions) {
      if (this.find(partition) !== undefined) continue;
      const state = new PartitionState(partition);
      this.#states.set(partitionKey(state), state);
      added.push(state);
    }
    this.#list = [...this.#states.values()];
    if (added.length > 0) this.#hasPositions = false;
    return added;
  }

  remove(states: readonly PartitionState[]): void {
    for (const state of states) {
      state.revoked = true;
      state.handFrom = null;
      state.drop();
      this.#states.delete(partitionKey(state));
    }
    this.#list = [...this.#states.values()];
  }
}

/** Throws a `UsageError` unless `partition` is a topic and a partition number. */
export function checkPartition(partition: TopicPartition, call: string): TopicPartition {
  const { topic, partition: number } = (partition ?? {}) as Partial<TopicPartition>;
  if (typeof topic !== "string" || !Number.isSafeInteger(number) || (number as number) < 0) {
    throw new UsageError(
      "INVALID_ARGUMENT",
      `${call}: expected { topic, partition }, found ${typeof partition === "object" && partition !== null ? `topic ${describeValue(topic)}, partition ${describeValue(number)}` : describeValue(partition)}`,
    );
  }
  return { topic, partition: number as number };
}
