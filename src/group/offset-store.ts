/** Committed offsets and kept groups: told from memory, changed through records of `__consumer_offsets`. */
import type { CommittedOffset, Fault, OffsetCommitRequest } from "../api/broker.ts";
import type { Bytes, NextOffset, TopicPartition } from "../api/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { faultFromError, GroupError, type OdradekError, UsageError } from "../base/errors.ts";
import type { GroupMetadata } from "./group-metadata.ts";
import { groupPartition } from "./group-partition.ts";
import { type ExpiryFacts, isExpired, OFFSETS_RETENTION_MS } from "./offset-expiry.ts";
import { OffsetTable } from "./offset-table.ts";
import { type Change, type OffsetAppender, OffsetWriter } from "./offset-writer.ts";
import { decodeGroupValue, encodeGroupValue } from "./schemas/group-metadata-value.ts";
import { decodeOffsetValue, encodeOffsetValue, type StoredOffset } from "./schemas/offset-commit-value.ts";
import { decodeKey, encodeGroupKey, encodeOffsetKey } from "./schemas/record-key.ts";

/** Kafka's `offset.metadata.max.bytes`, which counts characters too. */
const METADATA_LENGTH_MAX = 4096;

type StoreChange = Change &
  (
    | { readonly groupId: string; readonly topic: string; readonly partition: number; readonly stored: StoredOffset | null }
    | { readonly groupId: string; readonly topic: null; readonly group: GroupMetadata | null }
  );

export interface OffsetStoreOptions {
  readonly appender: OffsetAppender;
  readonly clock: Clock;
  /** Kafka's `offsets.retention.minutes`, in ms: 7 days unless said. */
  readonly offsetsRetentionMs?: number | undefined;
}

export interface SetBackOffset extends NextOffset {
  readonly groupId: string;
  /** What was committed before. */
  readonly from: number;
}

export class OffsetStore {
  readonly #table = new OffsetTable();
  readonly #writer: OffsetWriter<StoreChange>;
  readonly #clock: Clock;
  readonly #retentionMs: number;

  constructor({ appender, clock, offsetsRetentionMs }: OffsetStoreOptions) {
    this.#writer = new OffsetWriter(appender, (change) => this.#apply(change));
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
    for (const { key, value } of records) {
      try {
        if (key !== null) this.#loadRecord(key, value);
      } catch (error) {
        onUnreadable?.(error);
      }
    }
  }

  groupIds(): string[] {
    return this.#table.groupIds();
  }

  has(groupId: string): boolean {
    return this.#table.has(groupId);
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
    await this.#writer.write(groupPartition(groupId), changes, durable);
    return answers;
  }

  /** Resolves when written. */
  saveGroup(groupId: string, group: GroupMetadata): Promise<void> {
    return this.#writer.write(groupPartition(groupId), [groupChange(groupId, group)], false);
  }

  /** Everything of the group goes; resolves when that is durable. That it has no members is checked before. */
  async deleteGroup(groupId: string): Promise<void> {
    await this.#writer.settled(groupPartition(groupId));
    const changes: StoreChange[] = this.#table
      .offsetsOf(groupId)
      .map(({ topic, partition }) => offsetChange(groupId, topic, partition, null));
    if (this.#table.group(groupId) !== null) changes.push(groupChange(groupId, null));
    await this.#writer.write(groupPartition(groupId), changes, true);
  }

  /** Resolves when durable. That no member is subscribed to the topics is checked before. */
  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    await this.#writer.settled(groupPartition(groupId));
    const known = partitions.filter(({ topic, partition }) => this.#table.offset(groupId, topic, partition) !== null);
    const changes = known.map(({ topic, partition }) => offsetChange(groupId, topic, partition, null));
    await this.#writer.write(groupPartition(groupId), changes, true);
  }

  /** A topic that was deleted takes every group's offsets in it along: one made anew under its name begins at nothing. */
  async forgetTopic(topic: string): Promise<void> {
    await this.#writer.settled();
    await Promise.all(
      this.groupIds().map((groupId) => {
        const offsets = this.#table.offsetsOf(groupId).filter((offset) => offset.topic === topic);
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
        if (this.#writer.isChanging(partitionOf50, change.id)) continue;
        if (isExpired(offset, offset.topic, facts, nowMs, this.#retentionMs)) changes.push(change);
      }
      offsetCount += changes.length;
      if (facts.state === "Empty" && changes.length === offsets.length && !this.#writer.isBusy(partitionOf50)) {
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

  #loadRecord(keyBytes: Uint8Array, value: Uint8Array | null): void {
    const key = decodeKey(keyBytes);
    if (key.kind === "offset") {
      this.#table.setOffset(key.groupId, key.topic, key.partition, value === null ? null : decodeOffsetValue(value));
    } else if (key.kind === "group") {
      this.#table.setGroup(key.groupId, value === null ? null : decodeGroupValue(value));
    }
  }

  #apply(change: StoreChange): void {
    if (change.topic === null) this.#table.setGroup(change.groupId, change.group);
    else this.#table.setOffset(change.groupId, change.topic, change.partition, change.stored);
  }
}

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

function offsetChange(groupId: string, topic: string, partition: number, stored: StoredOffset | null): StoreChange {
  const value: Bytes | null = stored === null ? null : encodeOffsetValue(stored);
  // No topic's name holds a zero, and no number begins with a letter: ids of different things differ.
  return {
    id: `${partition}\0${topic}\0${groupId}`,
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
