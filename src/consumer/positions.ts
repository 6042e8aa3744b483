/** Finding where reading begins: what the group committed, else what `autoOffsetReset` says, and where a symbolic seek leads. */
import type { IsolationLevel, ListedOffset } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import { errorFromFault, OffsetError } from "../base/errors.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";
import { type PartitionState, partitionKey } from "./partition-state.ts";

export type Emit = (type: string, fields: { readonly partition?: TopicPartition; readonly [field: string]: unknown }) => void;

export interface PositionOptions {
  readonly groupId: string | null;
  readonly autoOffsetReset: "earliest" | "latest" | "none";
  readonly isolationLevel: IsolationLevel;
}

export class Positions {
  readonly #broker: ConsumerBroker;
  readonly #options: PositionOptions;
  readonly #emit: Emit;

  constructor(broker: ConsumerBroker, options: PositionOptions, emit: Emit) {
    this.#broker = broker;
    this.#options = options;
    this.#emit = emit;
  }

  /** Gives every state a position. A state that moved meanwhile (a seek, a revocation) is left as it is. */
  async resolve(states: readonly PartitionState[]): Promise<void> {
    const open = states.filter((state) => state.position === null && !state.revoked);
    if (open.length === 0) return;
    const epochs = new Map(open.map((state) => [state, state.epoch]));
    const moveTo = (state: PartitionState, offset: number): void => {
      if (epochs.get(state) === state.epoch) state.moveTo(offset);
    };
    await this.#fromCommitted(
      open.filter((state) => state.target === null),
      moveTo,
    );
    const rest = open.filter((state) => state.position === null && epochs.get(state) === state.epoch);
    if (rest.length === 0) return;
    const { autoOffsetReset } = this.#options;
    const wanted = rest.map((state) => ({ state, at: state.target ?? autoOffsetReset }));
    const listed = await this.#list(
      wanted.map(({ state, at }) => ({ topic: state.topic, partition: state.partition, at: at === "none" ? "earliest" : at })),
    );
    for (const [index, { state, at }] of wanted.entries()) {
      const { offset, watermarks } = listed[index] as ListedOffset;
      if (at === "none") {
        throw new OffsetError(
          "OFFSET_OUT_OF_RANGE",
          `${state}: expected a committed offset, as autoOffsetReset is "none"; found none. Seek to one of ${watermarks.logStartOffset} to ${watermarks.highWatermark}`,
          { range: watermarks },
        );
      }
      const to = offset as number;
      if (epochs.get(state) !== state.epoch) continue;
      if (state.target === null && at === "earliest") state.startedAt = to;
      state.target = null;
      state.rewindTo = to;
      moveTo(state, to);
    }
  }

  /** Meets a position that is out of range. Throws the `OffsetError` where `autoOffsetReset` is "none". */
  async reset(state: PartitionState, error: OffsetError): Promise<void> {
    const { autoOffsetReset } = this.#options;
    if (autoOffsetReset === "none") throw error;
    const { epoch, position } = state;
    const [listed] = await this.#list([{ topic: state.topic, partition: state.partition, at: autoOffsetReset }]);
    if (state.epoch !== epoch || state.revoked) return;
    const { offset, watermarks } = listed as ListedOffset;
    const to = offset as number;
    state.moveTo(to);
    state.rewindTo = to;
    this.#emit("offset.reset", {
      partition: { topic: state.topic, partition: state.partition },
      from: position,
      to,
      strategy: autoOffsetReset,
      range: watermarks,
    });
  }

  /** `at` a number: the first record whose timestamp is at least that. */
  async list(partition: TopicPartition, at: "earliest" | "latest" | number): Promise<ListedOffset> {
    const [listed] = await this.#list([{ topic: partition.topic, partition: partition.partition, at }]);
    return listed as ListedOffset;
  }

  /** The end of what this isolation level may read, by `topic-partition`. */
  async ends(partitions: readonly TopicPartition[]): Promise<Map<string, number>> {
    const listed = await this.#list(partitions.map(({ topic, partition }) => ({ topic, partition, at: "latest" as const })));
    return new Map(listed.map((each) => [partitionKey(each), each.offset as number]));
  }

  async #fromCommitted(states: readonly PartitionState[], moveTo: (state: PartitionState, offset: number) => void): Promise<void> {
    const { groupId } = this.#options;
    if (groupId === null || states.length === 0) return;
    const partitions = states.map(({ topic, partition }) => ({ topic, partition }));
    const requireStable = this.#options.isolationLevel === "readCommitted";
    const committed = await this.#broker.offsetFetch({ groupId, partitions, requireStable });
    const byKey = new Map(committed.map((each) => [partitionKey(each), each.nextOffset]));
    for (const state of states) {
      const nextOffset = byKey.get(partitionKey(state)) ?? null;
      const { inDoubt, rewindTo } = state;
      state.inDoubt = null;
      if (inDoubt !== null && nextOffset !== inDoubt && rewindTo !== null) {
        moveTo(state, rewindTo);
        continue;
      }
      if (nextOffset === null) continue;
      state.committed = nextOffset;
      state.rewindTo = null;
      moveTo(state, nextOffset);
    }
  }

  async #list(partitions: readonly (TopicPartition & { readonly at: "earliest" | "latest" | number })[]): Promise<readonly ListedOffset[]> {
    const listed = await this.#broker.listOffsets({ partitions, isolation: this.#options.isolationLevel });
    for (const { fault } of listed) if (fault !== null) throw errorFromFault(fault);
    return listed;
  }
}
