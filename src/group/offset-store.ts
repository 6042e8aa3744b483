/** Committed offsets and kept groups: told from memory, changed through records of `__consumer_offsets`. */
import type { CommittedOffset, Fault, OffsetCommitRequest, ProducerIdentity } from "../api/broker.ts";
import type { Bytes, NextOffset, TopicPartition } from "../api/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { errorFromFault, faultFromError, GroupError, type OdradekError, UsageError } from "../base/errors.ts";
import type { GroupMetadata } from "./group-metadata.ts";
import { groupPartition } from "./group-partition.ts";
import { type ExpiryFacts, isExpired, OFFSETS_RETENTION_MS } from "./offset-expiry.ts";
import { OffsetTable } from "./offset-table.ts";
import { type Change, type OffsetAppender, OffsetWriter } from "./offset-writer.ts";
import { PendingOffsets } from "./pending-offsets.ts";
import { decodeGroupValue, encodeGroupValue } from "./schemas/group-metadata-value.ts";
import { decodeOffsetValue, encodeOffsetValue, type StoredOffset } from "./schemas/offset-commit-value.ts";
import { decodeKey, encodeGroupKey, encodeOffsetKey } from "./schemas/record-key.ts";

/** Kafka's `offset.metadata.max.bytes`, which counts characters too. */
const METADATA_LENGTH_MAX = 4096;

type OffsetChange = Change & {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly stored: StoredOffset | null;
};
type StoreChange = OffsetChange | (Change & { readonly groupId: string; readonly topic: null; readonly group: GroupMetadata | null });

export interface OffsetStoreOptions {
  readonly appender: OffsetAppender;
  readonly clock: Clock;
  /** Kafka's `offsets.retention.minutes`, in ms: 7 days unless said. */
  readonly offsetsRetentionMs?: number | undefined;
}

/** A batch of `__consumer_offsets` as it stands there. */
export interface StoredBatch {
  /** -1: of no producer. */
  readonly producerId: bigint;
  readonly transactional: boolean;
  /** What a marker says of its producer's transaction; null: the batch has records. */
  readonly marker: "commit" | "abort" | null;
  readonly records: Iterable<{ readonly key: Uint8Array | null; readonly value: Uint8Array | null }>;
}

export interface SetBackOffset extends NextOffset {
  readonly groupId: string;
  /** What was committed before. */
  readonly from: number;
}

export class OffsetStore {
  readonly #table = new OffsetTable();
  readonly #pending = new PendingOffsets<OffsetChange>();
  readonly #writer: OffsetWriter<StoreChange>;
  readonly #clock: Clock;
  readonly #retentionMs: number;

  constructor({ appender, clock, offsetsRetentionMs }: OffsetStoreOptions) {
    this.#writer = new OffsetWriter(appender, (change, transaction) => this.#written(change, transaction));
    this.#clock = clock;
    this.#retentionMs = offsetsRetentionMs ?? OFFSETS_RETENTION_MS;
  }

  /**
   * Takes records as they stand in a partition, oldest first, in one piece or several; before anything else is asked. Types
   * of record that are not ours are passed over. One that is ours and cannot be read is passed over too and told to
   * `onUnreadable`: a lost commit is a redelivery, and the record stays where it is.
   */
  load(
    records: Iterable<{ readonly key: Uint8Array | null; readonly value: Uint8Array | null }>,
    onUnreadable?: (error: unknown) => void,
  ): void {
    this.loadBatch({ producerId: -1n, transactional: false, marker: null, records }, -1, onUnreadable);
  }

  /** As `load`, of a batch in that partition: what belongs to a transaction counts from its marker on. */
  loadBatch(
    { producerId, transactional, marker, records }: StoredBatch,
    partitionOf50: number,
    onUnreadable?: (error: unknown) => void,
  ): void {
    if (marker !== null) this.transactionEnded(partitionOf50, producerId, marker === "commit");
    for (const { key, value } of records) {
      try {
        if (key !== null) this.#loadRecord(key, value, partitionOf50, transactional ? producerId : null);
      } catch (error) {
        onUnreadable?.(error);
      }
    }
  }

  /** Offsets that pend for a partition about to be read again. */
  forgetPending(partitionOf50: number): void {
    this.#pending.forget(partitionOf50);
  }

  groupIds(): string[] {
    return [...new Set([...this.#table.groupIds(), ...this.#pending.groupIds()])];
  }

  has(groupId: string): boolean {
    return this.#table.has(groupId) || this.#pending.ofGroup(groupPartition(groupId), groupId).length > 0;
  }

  /** What was kept of the group, for `GroupCoordinator.restore`. */
  group(groupId: string): GroupMetadata | null {
    return this.#table.group(groupId);
  }

  /** `partitions` null: all that the group has committed. */
  fetch(groupId: string, partitions: readonly TopicPartition[] | null): CommittedOffset[] {
    if (partitions === null) {
      const offsets = this.#table.offsetsOf(groupId);
      return offsets.map(({ topic, partition, nextOffset, leaderEpoch, metadata }) => ({
        topic,
        partition,
        nextOffset,
        leaderEpoch,
        metadata,
      }));
    }
    return partitions.map(({ topic, partition }) => {
      const stored = this.#table.offset(groupId, topic, partition);
      return {
        topic,
        partition,
        nextOffset: stored?.nextOffset ?? null,
        leaderEpoch: stored?.leaderEpoch ?? -1,
        metadata: stored?.metadata ?? "",
      };
    });
  }

  /**
   * Resolves when written, with `durable` when durable; a partition that is refused has its fault in the answer. Whether the
   * committer may is checked before (`GroupCoordinator.checkCommit`), as is whether the partition is there.
   */
  async commit(
    groupId: string,
    offsets: OffsetCommitRequest["offsets"],
    durable: boolean,
  ): Promise<(TopicPartition & { readonly fault: Fault | null })[]> {
    const { changes, answers } = this.#offsetChanges(groupId, offsets);
    await this.#writer.write(groupPartition(groupId), changes, durable);
    return answers;
  }

  /**
   * As `commit`, within a transaction that its producer has open: told to nobody until `transactionEnded`. Resolves when written;
   * rejects, with nothing written, when one of the offsets is refused.
   */
  async commitInTransaction(groupId: string, offsets: OffsetCommitRequest["offsets"], transaction: ProducerIdentity): Promise<void> {
    const { changes, answers } = this.#offsetChanges(groupId, offsets);
    const refused = answers.find(({ fault }) => fault !== null)?.fault;
    if (refused) throw errorFromFault(refused);
    await this.#writer.write(groupPartition(groupId), changes, false, transaction);
  }

  /** One of these partitions (null: of all) for which an open transaction has an offset of the group; null: there is none. */
  pendingOf(groupId: string, partitions: readonly TopicPartition[] | null): TopicPartition | null {
    const partitionOf50 = groupPartition(groupId);
    if (partitions === null) return this.#pending.ofGroup(partitionOf50, groupId)[0] ?? null;
    return partitions.find(({ topic, partition }) => this.#pending.has(partitionOf50, offsetId(groupId, topic, partition))) ?? null;
  }

  /** A marker of this producer stands in that partition: what pended there counts, or never was. */
  transactionEnded(partitionOf50: number, producerId: bigint, committed: boolean): void {
    const ended = this.#pending.end(partitionOf50, producerId, committed);
    if (committed) for (const change of ended) this.#table.setOffset(change.groupId, change.topic, change.partition, change.stored);
  }

  /** Resolves when written. */
  saveGroup(groupId: string, group: GroupMetadata): Promise<void> {
    return this.#writer.write(groupPartition(groupId), [groupChange(groupId, group)], false);
  }

  /** Everything of the group goes; resolves when that is durable. That it has no members is checked before. */
  async deleteGroup(groupId: string): Promise<void> {
    await this.#writer.settled(groupPartition(groupId));
    const changes: StoreChange[] = this.#placesOf(groupId).map(({ topic, partition }) => offsetChange(groupId, topic, partition, null));
    if (this.#table.group(groupId) !== null) changes.push(groupChange(groupId, null));
    await this.#writer.write(groupPartition(groupId), changes, true);
  }

  /** Resolves when durable. That no member is subscribed to the topics is checked before. */
  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    await this.#writer.settled(groupPartition(groupId));
    const known = new Set(this.#placesOf(groupId).map(placeOf));
    const changes = partitions
      .filter((at) => known.has(placeOf(at)))
      .map(({ topic, partition }) => offsetChange(groupId, topic, partition, null));
    await this.#writer.write(groupPartition(groupId), changes, true);
  }

  /** A topic that was deleted takes every group's offsets in it along: one made anew under its name begins at nothing. */
  async forgetTopic(topic: string): Promise<void> {
    await this.#writer.settled();
    await Promise.all(
      this.groupIds().map((groupId) => {
        const offsets = this.#placesOf(groupId).filter((offset) => offset.topic === topic);
        return this.deleteOffsets(groupId, offsets);
      }),
    );
  }

  /**
   * C5: sets back every offset beyond its partition's log end; resolves with them when that is durable. `logEndOf` answers
   * null for a partition that is not there or cannot tell, whose offsets stay as they are.
   */
  async clamp(logEndOf: (partition: TopicPartition) => number | null): Promise<SetBackOffset[]> {
    const setBack: SetBackOffset[] = [];
    const writes: Promise<void>[] = [];
    for (const groupId of this.groupIds()) {
      const changes: StoreChange[] = [];
      for (const { topic, partition, ...stored } of this.#table.offsetsOf(groupId)) {
        const logEnd = logEndOf({ topic, partition });
        if (logEnd === null || stored.nextOffset <= logEnd) continue;
        // The commit's own time stays: setting back is no sign of life.
        changes.push(offsetChange(groupId, topic, partition, { ...stored, nextOffset: logEnd, leaderEpoch: -1, expireTimestamp: -1 }));
        setBack.push({ groupId, topic, partition, nextOffset: logEnd, from: stored.nextOffset });
      }
      writes.push(this.#writer.write(groupPartition(groupId), changes, true));
    }
    await Promise.all(writes);
    return setBack;
  }

  /**
   * Lets go of what has expired at `nowMs`; resolves when written, with the groups of which nothing is left. `factsOf` tells of
   * a group that has a coordinator's state; null: it has none, and only its commits speak for it.
   */
  async expire(
    nowMs: number,
    factsOf: (groupId: string) => ExpiryFacts | null,
  ): Promise<{ readonly offsetCount: number; readonly goneGroupIds: string[] }> {
    const goneGroupIds: string[] = [];
    const writes: Promise<void>[] = [];
    let offsetCount = 0;
    for (const groupId of this.groupIds()) {
      const facts = factsOf(groupId) ?? { state: "Empty", protocolType: "", stateTimestamp: -1, subscribedTopics: null };
      const partitionOf50 = groupPartition(groupId);
      const offsets = this.#table.offsetsOf(groupId);
      const changes: StoreChange[] = [];
      for (const offset of offsets) {
        const change = offsetChange(groupId, offset.topic, offset.partition, null);
        // A commit on its way is younger than what is known here.
        if (this.#writer.isChanging(partitionOf50, change.id) || this.#pending.has(partitionOf50, change.id)) continue;
        if (isExpired(offset, offset.topic, facts, nowMs, this.#retentionMs)) changes.push(change);
      }
      offsetCount += changes.length;
      const isIdle = !this.#writer.isBusy(partitionOf50) && this.#pending.ofGroup(partitionOf50, groupId).length === 0;
      if (facts.state === "Empty" && changes.length === offsets.length && isIdle) {
        goneGroupIds.push(groupId);
        if (this.#table.group(groupId) !== null) changes.push(groupChange(groupId, null));
      }
      writes.push(this.#writer.write(partitionOf50, changes, false));
    }
    await Promise.all(writes);
    return { offsetCount, goneGroupIds };
  }

  /** Resolves when nothing is on its way any more. */
  settled(): Promise<void> {
    return this.#writer.settled();
  }

  #offsetChanges(
    groupId: string,
    offsets: OffsetCommitRequest["offsets"],
  ): { readonly changes: StoreChange[]; readonly answers: (TopicPartition & { readonly fault: Fault | null })[] } {
    if (groupId === "") throw new GroupError("INVALID_GROUP_ID", "groupId: expected a string that is not empty");
    const commitTimestamp = this.#clock.now();
    const changes: StoreChange[] = [];
    const answers = offsets.map(({ topic, partition, nextOffset, metadata }) => {
      const error = refusal(groupId, nextOffset, metadata);
      // Epoch -1: a committed offset must not make a reader doubt a log that was truncated and grew again under a new epoch.
      const stored = { nextOffset, leaderEpoch: -1, metadata, commitTimestamp, expireTimestamp: -1 };
      if (error === null) changes.push(offsetChange(groupId, topic, partition, stored));
      return { topic, partition, fault: error === null ? null : faultFromError(error) };
    });
    return { changes, answers };
  }

  /** Everything that the group has committed or is about to. */
  #placesOf(groupId: string): TopicPartition[] {
    const places = new Map<string, TopicPartition>();
    for (const { topic, partition } of this.#table.offsetsOf(groupId)) places.set(placeOf({ topic, partition }), { topic, partition });
    for (const { topic, partition } of this.#pending.ofGroup(groupPartition(groupId), groupId))
      places.set(placeOf({ topic, partition }), { topic, partition });
    return [...places.values()];
  }

  #loadRecord(keyBytes: Uint8Array, value: Uint8Array | null, partitionOf50: number, producerId: bigint | null): void {
    const key = decodeKey(keyBytes);
    if (key.kind === "offset") {
      const { groupId, topic, partition } = key;
      const id = offsetId(groupId, topic, partition);
      const stored = value === null ? null : decodeOffsetValue(value);
      this.#keep({ id, key: NO_BYTES, value: null, groupId, topic, partition, stored }, partitionOf50, producerId);
    } else if (key.kind === "group") {
      this.#table.setGroup(key.groupId, value === null ? null : decodeGroupValue(value));
    }
  }

  #written(change: StoreChange, transaction: ProducerIdentity | null): void {
    if (change.topic === null) this.#table.setGroup(change.groupId, change.group);
    else this.#keep(change, groupPartition(change.groupId), transaction === null ? null : transaction.producerId);
  }

  /** `producerId` null: outside of any transaction. */
  #keep(change: OffsetChange, partitionOf50: number, producerId: bigint | null): void {
    if (producerId !== null) {
      this.#pending.add(partitionOf50, producerId, change);
      return;
    }
    this.#pending.supersede(partitionOf50, change.id);
    this.#table.setOffset(change.groupId, change.topic, change.partition, change.stored);
  }
}

const NO_BYTES: Bytes = new Uint8Array();

function refusal(groupId: string, nextOffset: number, metadata: string): OdradekError | null {
  if (!Number.isSafeInteger(nextOffset) || nextOffset < 0) {
    return new UsageError("INVALID_ARGUMENT", `commit of group "${groupId}": nextOffset: expected 0 to 2^53-1, found ${nextOffset}`);
  }
  if (metadata.length > METADATA_LENGTH_MAX) {
    const found = `expected at most ${METADATA_LENGTH_MAX} characters, found ${metadata.length}`;
    return new UsageError("OFFSET_METADATA_TOO_LARGE", `commit of group "${groupId}": metadata: ${found}`);
  }
  return null;
}

const placeOf = ({ topic, partition }: TopicPartition): string => `${partition}\0${topic}`;
// No topic's name holds a zero, and no number begins with a letter: ids of different things differ.
const offsetId = (groupId: string, topic: string, partition: number): string => `${partition}\0${topic}\0${groupId}`;

function offsetChange(groupId: string, topic: string, partition: number, stored: StoredOffset | null): OffsetChange {
  const value: Bytes | null = stored === null ? null : encodeOffsetValue(stored);
  return {
    id: offsetId(groupId, topic, partition),
    key: encodeOffsetKey(groupId, topic, partition),
    value,
    groupId,
    topic,
    partition,
    stored,
  };
}

function groupChange(groupId: string, group: GroupMetadata | null): StoreChange {
  const value: Bytes | null = group === null ? null : encodeGroupValue(group);
  return { id: `group\0${groupId}`, key: encodeGroupKey(groupId), value, groupId, topic: null, group };
}
