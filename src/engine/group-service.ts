/** The group calls of the broker port: the coordinator decides, the offset store keeps, `__consumer_offsets` holds. */
import type {
  CommittedOffset,
  Fault,
  GroupSnapshot,
  HeartbeatRequest,
  JoinGroupRequest,
  JoinGroupResponse,
  LeaveGroupRequest,
  OffsetCommitRequest,
  ProducerIdentity,
  SyncGroupRequest,
} from "../api/broker.ts";
import type { Bytes, TopicPartition } from "../api/bytes.ts";
import { CorruptionError, errorFromFault, faultFromError, GroupError, type OdradekError, StorageError } from "../base/errors.ts";
import { GroupCoordinator } from "../group/coordinator.ts";
import { groupPartition } from "../group/group-partition.ts";
import { OffsetStore } from "../group/offset-store.ts";
import { subscribedTopics } from "../group/subscribed-topics.ts";
import { storageError } from "../storage/errno.ts";
import { type House, OFFSETS_TOPIC } from "./house.ts";
import { InternalTopic } from "./internal-topic.ts";

export class GroupService {
  readonly #house: House;
  readonly #topic: InternalTopic;
  readonly #store: OffsetStore;
  readonly #coordinator: GroupCoordinator;
  /** Partitions of `__consumer_offsets` whose records the storage refused to give: what their groups committed is not known. */
  readonly #unread: Map<number, OdradekError> = new Map();

  private constructor(house: House, topic: InternalTopic) {
    const { clock, random } = house.context;
    this.#house = house;
    this.#topic = topic;
    this.#store = new OffsetStore({ appender: topic, clock });
    this.#coordinator = new GroupCoordinator({
      clock,
      random,
      save: (groupId, metadata) => this.#store.saveGroup(groupId, metadata),
      emit: house.events.emit,
    });
  }

  /** Reads what was committed. Transactions are to be recovered next, then `settle` must set back what points too far. */
  static async start(house: House, options: { readonly offsetsFlushMs: number }): Promise<GroupService> {
    const topic = new InternalTopic(house, OFFSETS_TOPIC, options.offsetsFlushMs);
    const service = new GroupService(house, topic);
    for (const partition of topic.partitions()) await service.#load(partition);
    service.#restoreGroups();
    return service;
  }

  /** C5: sets back, durably, what lies beyond its log's end, before anything is appended there. */
  async settle(): Promise<void> {
    if (!this.#house.context.readOnly) await this.#clamp(() => true);
  }

  get count(): number {
    return this.#groupIds().length;
  }

  joinGroup(request: JoinGroupRequest, signal?: AbortSignal): Promise<JoinGroupResponse> {
    return this.#coordinator.joinGroup(request, signal);
  }

  syncGroup(request: SyncGroupRequest, signal?: AbortSignal): Promise<{ readonly assignment: Bytes }> {
    return this.#coordinator.syncGroup(request, signal);
  }

  heartbeat(request: HeartbeatRequest, signal?: AbortSignal): Promise<{ readonly rebalanceInProgress: boolean }> {
    return this.#coordinator.heartbeat(request, signal);
  }

  leaveGroup(request: LeaveGroupRequest): Promise<void> {
    return this.#coordinator.leaveGroup(request);
  }

  async offsetCommit(request: OffsetCommitRequest): Promise<readonly (TopicPartition & { readonly fault: Fault | null })[]> {
    this.#coordinator.checkCommit(request);
    this.#refuseUnread(groupPartition(request.groupId));
    const faults = request.offsets.map((at) => this.#partitionFault(at));
    const good = request.offsets.filter((_, index) => faults[index] === null);
    const answers = (await this.#store.commit(request.groupId, good, request.durable)).values();
    return request.offsets.map(({ topic, partition }, index) => {
      const fault = faults[index] ?? (answers.next().value as { readonly fault: Fault | null }).fault;
      return { topic, partition, fault };
    });
  }

  /** Offsets that count when this producer's transaction commits; resolves when written. */
  async commitInTransaction(request: Omit<OffsetCommitRequest, "durable">, transaction: ProducerIdentity): Promise<void> {
    this.#coordinator.checkCommit(request);
    this.#refuseUnread(groupPartition(request.groupId));
    const fault = request.offsets.map((at) => this.#partitionFault(at)).find((found) => found !== null);
    if (fault) throw errorFromFault(fault);
    await this.#store.commitInTransaction(request.groupId, request.offsets, transaction);
  }

  /** The transaction's marker is durable in that partition of `__consumer_offsets`. */
  transactionEnded(partition: number, producerId: bigint, committed: boolean): void {
    this.#store.transactionEnded(partition, producerId, committed);
  }

  async offsetFetch(request: {
    readonly groupId: string;
    readonly partitions: readonly TopicPartition[] | null;
    readonly requireStable?: boolean | undefined;
  }): Promise<readonly CommittedOffset[]> {
    this.#refuseUnread(groupPartition(request.groupId));
    const unstable = request.requireStable === true ? this.#store.pendingOf(request.groupId, request.partitions) : null;
    if (unstable !== null) {
      const message = `group "${request.groupId}": a transaction that is still open has offsets of ${unstable.topic}-${unstable.partition}; ask again when it has ended`;
      throw new GroupError("UNSTABLE_OFFSET_COMMIT", message);
    }
    const offsets = this.#store.fetch(request.groupId, request.partitions);
    return this.#house.context.readOnly ? this.#asIfSettled(offsets, request.partitions !== null) : offsets;
  }

  async listGroups(): Promise<readonly string[]> {
    return this.#groupIds();
  }

  async describeGroup(groupId: string): Promise<GroupSnapshot> {
    const described = this.#coordinator.describe(groupId);
    if (described !== null) return described;
    if (!this.#store.has(groupId)) throw noSuchGroup(groupId);
    // Offsets that were committed without a membership: a group all the same, with nobody in it.
    return { groupId, state: "Empty", generation: 0, protocolType: "", protocolName: null, members: [] };
  }

  async deleteGroup(groupId: string): Promise<void> {
    if (this.#coordinator.describe(groupId) === null && !this.#store.has(groupId)) throw noSuchGroup(groupId);
    this.#coordinator.checkEmpty(groupId);
    await this.#store.deleteGroup(groupId);
    this.#coordinator.remove(groupId);
  }

  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    const snapshot = await this.describeGroup(groupId);
    const subscribed = subscribedTopics(snapshot);
    const held = partitions.find(({ topic }) => snapshot.members.length > 0 && (subscribed === null || subscribed.has(topic)));
    if (held !== undefined) {
      throw new GroupError(
        "GROUP_SUBSCRIBED_TO_TOPIC",
        `group "${groupId}" is subscribed to "${held.topic}"; its members must leave it first`,
      );
    }
    await this.#store.deleteOffsets(groupId, partitions);
  }

  /** What the groups had committed in a topic goes with it: one made anew under its name begins at nothing. */
  async topicDeleted(topic: string): Promise<void> {
    // Offsets that cannot be seen cannot be forgotten, and would be there for the next topic of that name.
    for (const partition of this.#unread.keys()) this.#refuseUnread(partition);
    await this.#store.forgetTopic(topic);
  }

  /**
   * A partition was recovered: committed offsets that it keeps are read, where they were not; then `settleTransactions` ends what can
   * be ended now; then committed offsets that lie behind its end are set back.
   */
  async partitionReopened(at: TopicPartition, settleTransactions: () => Promise<void>): Promise<void> {
    const isLoaded = at.topic === OFFSETS_TOPIC && this.#unread.delete(at.partition);
    if (isLoaded) {
      await this.#load(at.partition);
      this.#refuseUnread(at.partition);
      this.#restoreGroups();
    }
    await settleTransactions();
    if (at.topic !== OFFSETS_TOPIC) await this.#clamp(({ topic, partition }) => topic === at.topic && partition === at.partition);
    else if (isLoaded) await this.#clamp(() => true);
  }

  async expireOffsets(): Promise<void> {
    const { clock } = this.#house.context;
    const { goneGroupIds } = await this.#store.expire(clock.now(), (groupId) => {
      const group = this.#coordinator.describe(groupId);
      if (group === null) return null;
      const { state, protocolType } = group;
      return {
        state,
        protocolType,
        stateTimestamp: this.#coordinator.stateTimestamp(groupId) as number,
        subscribedTopics: subscribedTopics(group),
      };
    });
    for (const groupId of goneGroupIds) {
      if (this.#coordinator.describe(groupId)?.state === "Empty") this.#coordinator.remove(groupId);
    }
  }

  /** Rejects the calls that wait, and makes what was committed durable. */
  async close(): Promise<void> {
    this.#coordinator.close();
    await this.#store.settled();
    await this.#topic.flush();
  }

  #groupIds(): string[] {
    return [...new Set([...this.#coordinator.groupIds(), ...this.#store.groupIds()])].sort();
  }

  #partitionFault(at: TopicPartition): Fault | null {
    try {
      // A partition that could not be opened may still be committed to: its offsets are not its records.
      if (this.#house.topics.require(at.topic).slots[at.partition] === undefined) this.#house.topics.log(at);
      return null;
    } catch (error) {
      return faultFromError(error);
    }
  }

  async #load(partition: number): Promise<void> {
    const at = { topic: OFFSETS_TOPIC, partition };
    const told = (error: unknown): void => this.#house.events.emit("book.rebuilt", { partition: at, error });
    try {
      this.#store.forgetPending(partition);
      for await (const batches of this.#topic.read(partition)) for (const batch of batches) this.#store.loadBatch(batch, partition, told);
    } catch (error) {
      // What is damaged is redelivered. What may be whole must not pass for nothing: a group that begins at "latest" would skip.
      if (!(error instanceof CorruptionError)) this.#unread.set(partition, storageError(error, "reading", OFFSETS_TOPIC));
      // Either way the rest of the directory opens.
      told(error);
    }
  }

  #restoreGroups(): void {
    for (const groupId of this.#store.groupIds()) {
      const kept = this.#store.group(groupId);
      if (kept !== null && this.#coordinator.describe(groupId) === null) this.#coordinator.restore(groupId, kept);
    }
  }

  #refuseUnread(partition: number): void {
    const error = this.#unread.get(partition);
    if (error === undefined) return;
    const message = `${OFFSETS_TOPIC}-${partition} could not be read, so what its groups committed is not known; reopenPartition tries again: ${error.message}`;
    throw new StorageError("KAFKA_STORAGE_ERROR", message, { cause: error });
  }

  /** What an opening to write would answer: to one that reads alone nothing was set back, and no deletion finished. */
  #asIfSettled(offsets: readonly CommittedOffset[], isAsked: boolean): readonly CommittedOffset[] {
    const gone = new Set(this.#house.catalog.deleting());
    const settled = offsets.map((offset): CommittedOffset => {
      const { topic, partition, nextOffset } = offset;
      if (gone.has(topic)) return { topic, partition, nextOffset: null, leaderEpoch: -1, metadata: "" };
      const logEnd = this.#logEndOf(offset);
      return nextOffset !== null && logEnd !== null && nextOffset > logEnd ? { ...offset, nextOffset: logEnd, leaderEpoch: -1 } : offset;
    });
    return isAsked ? settled : settled.filter(({ topic }) => !gone.has(topic));
  }

  /** null: it is not open, and cannot tell. */
  #logEndOf({ topic, partition }: TopicPartition): number | null {
    const slot = this.#house.topics.find(topic)?.slots[partition];
    return slot?.state === "open" ? slot.log.watermarks.logEndOffset : null;
  }

  async #clamp(concerns: (at: TopicPartition) => boolean): Promise<void> {
    const setBack = await this.#store.clamp((at) => (concerns(at) ? this.#logEndOf(at) : null));
    for (const { groupId, topic, partition, nextOffset, from } of setBack) {
      this.#house.events.emit("offset.clamped", { partition: { topic, partition }, groupId, nextOffset, from });
    }
  }
}

function noSuchGroup(groupId: string): OdradekError {
  return new GroupError("GROUP_ID_NOT_FOUND", `there is no group "${groupId}"`);
}
