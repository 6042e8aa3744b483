/**
 * The broker port: what stands between the face (producer, consumer, table) and whatever keeps the log.
 *
 * Nothing but plain data and bytes crosses it; every call is asynchronous; the words and error codes are Kafka's.
 * The embedded engine implements it on files. A call that fails as a whole rejects with an `OdradekError`;
 * where one call speaks of many partitions, each answer carries a `Fault` of its own, or null.
 */
import type { Acks, Bytes, Durability, TopicPartition, Watermarks } from "./bytes.ts";
import type { GroupState } from "./group.ts";
import type { QuotaKey } from "./odradek.ts";
import type { StorageDriver } from "./storage-driver.ts";
import type { TopicConfig, TopicDescription } from "./topic.ts";

/** Whether a reader is given records of transactions that are open or were aborted. */
export type IsolationLevel = "readCommitted" | "readUncommitted";

/** An error as plain data: `errorFromFault` in `base/errors.ts` makes the class of it again. */
export interface Fault {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  /** What the family adds: the watermarks of an OffsetError, the byte range of a CorruptionError. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** All that a producer, a consumer and a table ask of whoever keeps the log. */
export interface Broker extends DataBroker, TopicBroker, GroupBroker, TransactionBroker, QuotaBroker {}

/** A keeper in this process may answer at once. */
export type AtOnce<T> = T | Promise<T>;

/** Whoever keeps a log: the port, and what the face asks of the log as a whole. */
export interface LogKeeper extends Broker {
  /** Of every topic, the internal ones included. */
  topicNames(): AtOnce<string[]>;
  /** Whether there is a topic of this name. */
  hasTopic(topic: string): AtOnce<boolean>;
  /** Rejects with `UNKNOWN_TOPIC_OR_PARTITION`. */
  describeTopic(topic: string): AtOnce<TopicDescription>;
  /** Takes over a topic that another writer left. */
  adoptTopic(topic: string, options: { readonly partitions: number; readonly cleanupPolicy: TopicConfig["cleanupPolicy"] }): Promise<void>;
  /** After a failed flush: recovery, then writable again. */
  reopenPartition(at: TopicPartition): Promise<void>;
  /** Into `target`, which is the driver of `directory`: one of them suits a keeper in this process, the other one elsewhere. */
  backup(target: StorageDriver, directory: string | URL): Promise<{ readonly files: number; readonly byteLength: number }>;
  /** Retention and compaction now. */
  maintain(signal?: AbortSignal): Promise<{ readonly segmentsDeleted: number; readonly bytesReclaimed: number }>;
  /** Of a keeper elsewhere: as of its last answer. */
  metrics(): Readonly<Record<string, number>>;
  /** Before the log closes: what producers hold back for a quota is written at once, and no one waits for it. */
  liftQuotas(): void;
  /** Idempotent. */
  close(): Promise<void>;
}

// ── Records ──────────────────────────────────────────────────────────────────

/** The calls that move records. */
export interface DataBroker {
  /**
   * Appends one batch. Calls for one partition keep their order. The write happens before the call returns its promise
   * wherever it can; where it cannot (room, a partition still opening) the bytes are copied first.
   */
  produce(request: ProduceRequest, signal?: AbortSignal): Promise<ProduceResponse>;
  /** Whole batches as stored, beginning with the one that holds the offset. Waits up to `maxWaitMs` for `minBytes`. */
  fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse>;
  /** Where partitions begin and end, or the first record of a time. */
  listOffsets(request: ListOffsetsRequest, signal?: AbortSignal): Promise<readonly ListedOffset[]>;
  /** Of a broker in this process: what it can tell without waiting. Nobody may count on it. */
  readonly atHand?: AtHand | undefined;
}

/** Gives memory of that length, whatever stands in it. */
export type MemoryFor = (byteLength: number) => Bytes;

/** What a broker in this process can tell without waiting. */
export interface AtHand {
  /** null: the partition is not there, or not open; asking in earnest says why. */
  standing(topic: string, partition: number): Standing | null;
  /**
   * What a `fetch` of this partition alone would answer with "readCommitted"; null: only `fetch` can tell, perhaps that it fails.
   * `memory` is asked for the bytes to read to, at most once, where they are read.
   */
  read(wanted: FetchRequest["partitions"][number], memory?: MemoryFor): FetchedPartition | null;
  /** Fills `into` with what stands there in the batch; false: it must be read whole, since it is not there or was not checked yet. */
  part?(wanted: BatchPart, into: Uint8Array): boolean;
}

/** A piece of a batch that `read` once gave, from the byte `from` on. The asker keeps it, and asks with it again. */
export interface BatchPart extends TopicPartition {
  readonly baseOffset: number;
  readonly byteLength: number;
  /** As stored in its header. */
  readonly checksum: number;
  readonly from: number;
  /** The keeper's own, null at first: where it found the batch. */
  place: object | null;
}

/** Which topic a partition belongs to, of all that ever had its name, and where its log begins. */
export interface Standing {
  readonly topicId: string;
  readonly logStartOffset: number;
}

export interface ProduceRequest extends TopicPartition {
  /**
   * One record batch, magic 2, as it would stand on the wire: base offset 0, its CRC right. Lent until the call returns:
   * it may be a view of the core's memory, and base offset and leader epoch are stamped into it in place.
   */
  readonly batch: Uint8Array;
  /** "all": resolves when durable and below the high watermark. 1: when written. (Zero is the sender not waiting.) */
  readonly acks: Exclude<Acks, 0>;
  readonly clientId?: string | undefined;
  readonly transactionalId?: string | undefined;
}

/** Where a batch went, and how long that lasts. */
export interface ProduceResponse {
  readonly baseOffset: number;
  /** The time stamped on every record of the batch, or -1 where the topic keeps the sender's. */
  readonly logAppendTime: number;
  readonly logStartOffset: number;
  readonly durability: Durability;
  /** How long the broker holds this client's next requests back, for its quota; 0: not at all. */
  readonly throttleTimeMs: number;
}

/** From where on, how much, and how long to wait for it. */
export interface FetchRequest {
  readonly partitions: readonly (TopicPartition & { readonly offset: number; readonly maxBytes: number })[];
  readonly minBytes: number;
  readonly maxWaitMs: number;
  /** For all partitions together; at least one whole batch comes, whatever its size. */
  readonly maxBytes: number;
  readonly isolation: IsolationLevel;
  readonly clientId?: string | undefined;
}

/** One answer for each partition that was asked for. */
export interface FetchResponse {
  readonly partitions: readonly FetchedPartition[];
  /**
   * As in a `ProduceResponse`. A client over its quota gets empty partitions, and its records later; while it is held back its fetches
   * wait, for their `maxWaitMs` at most, and are answered empty where that was not enough.
   */
  readonly throttleTimeMs: number;
}

export interface FetchedPartition extends TopicPartition {
  readonly fault: Fault | null;
  readonly watermarks: Watermarks;
  /** Sorted by first offset; a reader that wants committed records alone drops these producers' batches from there to their marker. */
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
  /** Whole batches, checked, in memory of their own that is never used again for anything else. Empty when there is nothing. */
  readonly batches: Bytes;
}

/** Which ends or times of which partitions. */
export interface ListOffsetsRequest {
  /** `at` a number: the first record whose timestamp is at least that. */
  readonly partitions: readonly (TopicPartition & { readonly at: "earliest" | "latest" | number })[];
  readonly isolation: IsolationLevel;
}

export interface ListedOffset extends TopicPartition {
  readonly fault: Fault | null;
  /** null: no record is that late. */
  readonly offset: number | null;
  /** The found record's own timestamp; -1 for "earliest" and "latest". */
  readonly timestamp: number;
  readonly watermarks: Watermarks;
}

// ── Topics ───────────────────────────────────────────────────────────────────

/** The calls that make, change and remove topics. */
export interface TopicBroker {
  /** null: all topics. A topic that is not there is left out of the answer. */
  metadata(topics: readonly string[] | null): Promise<readonly TopicMetadata[]>;
  /** Rejects with `TOPIC_ALREADY_EXISTS`. Resolves when durable. */
  createTopic(request: CreateTopicRequest): Promise<TopicMetadata>;
  /** Resolves when durable. */
  deleteTopic(topic: string): Promise<void>;
  /** `totalCount` is how many there are to be, never fewer than there were. */
  createPartitions(topic: string, totalCount: number): Promise<void>;
  /** Every setting, defaults included. */
  describeConfig(topic: string): Promise<Readonly<TopicConfig>>;
  /** null: back to the default. */
  alterConfig(topic: string, config: { readonly [P in keyof TopicConfig]?: TopicConfig[P] | null | undefined }): Promise<void>;
  /** Moves the log start; answers the new one. Resolves when durable. */
  deleteRecords(partition: TopicPartition, beforeOffset: number): Promise<number>;
}

/** What a producer or consumer has to know of a topic. */
export interface TopicMetadata {
  readonly name: string;
  readonly topicId: string;
  readonly internal: boolean;
  readonly partitionCount: number;
  readonly maxMessageBytes: number;
  /** A compacted topic: a record without a key is refused. */
  readonly requiresKey: boolean;
}

/** A topic to be made: its partitions, its settings, and perhaps an id that it has elsewhere. */
export interface CreateTopicRequest {
  readonly topic: string;
  readonly partitions: number;
  readonly config: { readonly [P in keyof TopicConfig]?: TopicConfig[P] | undefined };
  readonly topicId?: string | undefined;
}

// ── Groups: the classic protocol ─────────────────────────────────────────────

/** The calls of groups, in Kafka's classic protocol: members assign, the coordinator relays. */
export interface GroupBroker {
  /** Resolves when the join barrier falls. An empty `memberId` gets one. */
  joinGroup(request: JoinGroupRequest, signal?: AbortSignal): Promise<JoinGroupResponse>;
  /** Resolves when the leader's assignment is in. */
  syncGroup(request: SyncGroupRequest, signal?: AbortSignal): Promise<{ readonly assignment: Bytes }>;
  /** Resolves at once when a rebalance is due, else after `maxWaitMs`. Rejects with `UNKNOWN_MEMBER_ID`, `ILLEGAL_GENERATION`, `FENCED_INSTANCE_ID`. */
  heartbeat(request: HeartbeatRequest, signal?: AbortSignal): Promise<{ readonly rebalanceInProgress: boolean }>;
  /** What the members had is free for the others. */
  leaveGroup(request: LeaveGroupRequest): Promise<void>;
  /** Resolves when written, or with `durable` when durable. A member's error rejects the whole; a partition's stands in the answer. */
  offsetCommit(request: OffsetCommitRequest): Promise<readonly (TopicPartition & { readonly fault: Fault | null })[]>;
  /**
   * `partitions` null: all that the group has committed. `requireStable`: rejects with `UNSTABLE_OFFSET_COMMIT` while an open
   * transaction has offsets of these partitions; whoever began at the old ones would read again what it is about to commit.
   */
  offsetFetch(request: {
    readonly groupId: string;
    readonly partitions: readonly TopicPartition[] | null;
    readonly requireStable?: boolean | undefined;
  }): Promise<readonly CommittedOffset[]>;
  /** The ids of all groups that have members or offsets. */
  listGroups(): Promise<readonly string[]>;
  /** Rejects with `GROUP_ID_NOT_FOUND`. */
  describeGroup(groupId: string): Promise<GroupSnapshot>;
  /** The group must have no members. */
  deleteGroup(groupId: string): Promise<void>;
  /** Of topics to which no member is subscribed. */
  deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void>;
}

/** Which member of which group. */
export interface MemberIdentity {
  readonly groupId: string;
  readonly memberId: string;
  /** Kafka's `group.instance.id`: a static member keeps its assignment across restarts. */
  readonly groupInstanceId: string | null;
}

/** What a member brings when it joins: its protocols, and how long it may be silent. */
export interface JoinGroupRequest extends MemberIdentity {
  readonly clientId: string;
  readonly protocolType: string;
  /** In order of preference; the metadata is opaque to the coordinator. */
  readonly protocols: readonly { readonly name: string; readonly metadata: Bytes }[];
  /** null: a member in this process, which needs no session timer and no initial rebalance delay. */
  readonly sessionTimeoutMs: number | null;
  readonly rebalanceTimeoutMs: number;
}

/** Who one is in the new generation, and for its leader who else there is. */
export interface JoinGroupResponse {
  readonly memberId: string;
  readonly generation: number;
  readonly protocolName: string;
  readonly leader: string;
  /** Told to the leader alone; empty for the others. */
  readonly members: readonly { readonly memberId: string; readonly groupInstanceId: string | null; readonly metadata: Bytes }[];
}

/** The leader's assignment, or the question for it. */
export interface SyncGroupRequest extends MemberIdentity {
  readonly generation: number;
  /** The leader's; empty from the others. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Bytes }[];
}

/** A sign of life, which waits for news. */
export interface HeartbeatRequest extends MemberIdentity {
  readonly generation: number;
  readonly maxWaitMs: number;
}

/** The members that go. */
export interface LeaveGroupRequest {
  readonly groupId: string;
  readonly members: readonly { readonly memberId: string; readonly groupInstanceId: string | null }[];
}

/** Positions to keep for a group. */
export interface OffsetCommitRequest extends MemberIdentity {
  /** -1 with an empty member id: a committer outside the group, let in only while the group has no members. */
  readonly generation: number;
  readonly durable: boolean;
  readonly offsets: readonly (TopicPartition & {
    readonly nextOffset: number;
    readonly leaderEpoch: number;
    readonly metadata: string;
  })[];
}

export interface CommittedOffset extends TopicPartition {
  /** null: nothing committed. */
  readonly nextOffset: number | null;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** A group at one moment, with the bytes that only its members understand. */
export interface GroupSnapshot {
  readonly groupId: string;
  readonly state: GroupState;
  readonly generation: number;
  readonly protocolType: string;
  readonly protocolName: string | null;
  readonly members: readonly (Omit<MemberIdentity, "groupId"> & {
    readonly clientId: string;
    readonly metadata: Bytes;
    readonly assignment: Bytes;
  })[];
}

// ── Transactions ─────────────────────────────────────────────────────────────

/** The calls of idempotence and transactions. Producer ids are never `number`: they use all 64 bits. */
export interface TransactionBroker {
  /**
   * `transactionalId` null: a fresh id, epoch 0. Else the id that belongs to it, its epoch raised, so that every producer that had it
   * before is fenced, and what that one had begun is aborted before this resolves.
   */
  initProducerId(
    request: { readonly transactionalId: string | null; readonly transactionTimeoutMs: number },
    signal?: AbortSignal,
  ): Promise<ProducerIdentity>;
  /** Must have resolved before the first transactional batch of a partition is produced: else that is `INVALID_TXN_STATE`. */
  addPartitions(request: TransactionIdentity & { readonly partitions: readonly TopicPartition[] }): Promise<void>;
  /** Before the first `commitOffsets` of a group in a transaction. */
  addOffsets(request: TransactionIdentity & { readonly groupId: string }): Promise<void>;
  /** Part of the transaction: told to `offsetFetch` when it has committed. */
  commitOffsets(request: TransactionIdentity & Omit<OffsetCommitRequest, "durable">): Promise<void>;
  /** Resolves when the markers are durable and the last stable offset has passed them. Answers the identity to go on with. */
  endTransaction(request: TransactionIdentity & { readonly commit: boolean }): Promise<ProducerIdentity>;
}

/** What a producer's batches are numbered under. A higher epoch fences the lower ones. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** Which producer acts, and under which transactional id. */
export interface TransactionIdentity extends ProducerIdentity {
  readonly transactionalId: string;
}

// ── Quotas ───────────────────────────────────────────────────────────────────

/** The calls that limit clients. */
export interface QuotaBroker {
  /** `clientId` null: the default of all clients that have none of their own. A value null: back to that default. */
  alterClientQuotas(clientId: string | null, quota: { readonly [P in QuotaKey]?: number | null | undefined }): Promise<void>;
  /** All that are set, the default among them. */
  describeClientQuotas(): Promise<readonly ClientQuota[]>;
}

/** The limits of one client, or with `clientId` null of all that have none of their own. */
export interface ClientQuota {
  readonly clientId: string | null;
  readonly quota: Readonly<Partial<Record<QuotaKey, number>>>;
}
