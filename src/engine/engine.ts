/** The embedded broker: the port's calls, each handed to the part that answers it, and the order in which everything closes. */
import type {
  AtHand,
  Broker,
  ClientQuota,
  CommittedOffset,
  CreateTopicRequest,
  Fault,
  FetchRequest,
  FetchResponse,
  GroupSnapshot,
  HeartbeatRequest,
  JoinGroupRequest,
  JoinGroupResponse,
  LeaveGroupRequest,
  ListedOffset,
  ListOffsetsRequest,
  OffsetCommitRequest,
  ProduceRequest,
  ProduceResponse,
  ProducerIdentity,
  SyncGroupRequest,
  TopicMetadata,
  TransactionIdentity,
} from "../api/broker.ts";
import type { Bytes, TopicPartition } from "../api/bytes.ts";
import type { QuotaKey } from "../api/odradek.ts";
import type { StorageDriver, StorageLock } from "../api/storage-driver.ts";
import type { TopicConfig, TopicDescription } from "../api/topic.ts";
import { type OdradekError, UsageError } from "../base/errors.ts";
import type { Compression } from "../compression/compression.ts";
import type { Core } from "../core/core.ts";
import { asLeftByUs, writeCleanShutdown } from "../log/books/clean-shutdown.ts";
import type { PartitionLog } from "../log/partition-log.ts";
import { type BackupReport, copyTo } from "./backup.ts";
import { BatchAdmission } from "./batch-admission.ts";
import { Cleaner, type CleanerOptions } from "./cleaner.ts";
import type { Events } from "./events.ts";
import { FetchPath } from "./fetch-path.ts";
import { Following } from "./following.ts";
import type { GroupService } from "./group-service.ts";
import type { House } from "./house.ts";
import { LockWatch } from "./lock-watch.ts";
import { Maintenance } from "./maintenance.ts";
import { collectMetrics } from "./metrics.ts";
import { ProducePath } from "./produce-path.ts";
import { QuotaService } from "./quota-service.ts";
import { type ConfigChange, describe, describeWhole, TopicAdmin } from "./topic-admin.ts";
import { type TransactionService, wayToSend } from "./transaction-service.ts";
import { type MaintenanceReport, retain, upkeepTasks } from "./upkeep.ts";

export class Engine implements Broker {
  readonly core: Core;
  readonly compression: Compression;
  readonly events: Events;
  readonly #house: House;
  readonly #lock: LockWatch;
  readonly #groups: GroupService;
  readonly #transactions: TransactionService;
  readonly #admin: TopicAdmin;
  readonly #produce: ProducePath;
  readonly #fetch: FetchPath;
  readonly #quotas: QuotaService;
  readonly #cleaner: Cleaner;
  /** Of a log that is only read, beside a process that may write. */
  readonly #following: Following | null;
  readonly #maintenance: Maintenance;
  readonly #closed: AbortController = new AbortController();
  #fileTurn: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;

  constructor(
    house: House,
    groups: GroupService,
    transactions: TransactionService,
    lock: StorageLock | null,
    options: CleanerOptions = {},
  ) {
    const { context } = house;
    this.core = context.core;
    this.compression = context.compression;
    this.events = house.events;
    this.#house = house;
    this.#lock = new LockWatch(lock, house.events);
    this.#groups = groups;
    this.#transactions = transactions;
    this.#admin = new TopicAdmin(house, (topic) => groups.topicDeleted(topic));
    this.#produce = new ProducePath(
      house.topics,
      new BatchAdmission(context.core, context.compression),
      context.storage.durability,
      transactions,
    );
    this.#fetch = new FetchPath(house.topics, context.clock, this.#closed.signal);
    this.#quotas = new QuotaService({
      clock: context.clock,
      emit: house.events.emit,
      catalog: house.catalog,
      produce: (request, signal) => this.#produceNow(request, signal),
      fetch: (request, signal, spent) => this.#fetch.fetch(request, signal, spent),
      nothing: (request) => this.#fetch.nothing(request),
    });
    this.#cleaner = new Cleaner(house, options, (call) => this.#withFiles(call), this.#closed.signal);
    const withFiles = <T>(call: () => Promise<T>): Promise<T> => this.#withFiles(call);
    const tasks = upkeepTasks({ house, cleaner: this.#cleaner, groups, transactions, checkLock: () => this.#lock.check(), withFiles });
    this.#following = context.isFollowing === true ? new Following(house) : null;
    const readerTasks = this.#following === null ? [] : [this.#following.task()];
    this.#maintenance = new Maintenance(context.clock, house.events, context.readOnly ? readerTasks : tasks);
  }

  // ── Records ────────────────────────────────────────────────────────────────

  produce(request: ProduceRequest, signal?: AbortSignal): Promise<ProduceResponse> {
    return this.#quotas.isActive ? this.#quotas.produce(request, signal) : this.#produceNow(request, signal);
  }

  #produceNow(request: ProduceRequest, signal?: AbortSignal): Promise<ProduceResponse> {
    if (this.#closing !== null) return Promise.reject(this.#closedError("send"));
    if (this.#house.context.readOnly) return Promise.reject(new UsageError("READ_ONLY", "send: the log was opened with readOnly"));
    if (this.#lock.lost !== null) return Promise.reject(this.#lock.lost);
    return this.#produce.produce(request, signal);
  }

  fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse> {
    if (this.#closing !== null) return Promise.reject(this.#closedError("reading"));
    if (this.#following !== null) return this.#following.fetch(() => this.#fetch.fetch(request, signal));
    return this.#quotas.isActive ? this.#quotas.fetch(request, signal) : this.#fetch.fetch(request, signal);
  }

  get atHand(): AtHand | undefined {
    return this.#closing === null ? this.#fetch : undefined;
  }

  listOffsets(request: ListOffsetsRequest): Promise<readonly ListedOffset[]> {
    return this.#fetch.listOffsets(request);
  }

  // ── Topics ─────────────────────────────────────────────────────────────────

  async metadata(names: readonly string[] | null): Promise<readonly TopicMetadata[]> {
    const { topics } = this.#house;
    const wanted = names === null ? topics.all() : names.flatMap((name) => topics.find(name) ?? []);
    return wanted.map(describe);
  }

  createTopic(request: CreateTopicRequest): Promise<TopicMetadata> {
    return this.#changing("createTopic", () => this.#admin.create(request));
  }

  deleteTopic(topic: string): Promise<void> {
    return this.#changing("deleteTopic", () => {
      this.#cleaner.interrupt(topic);
      return this.#withFiles(() => this.#admin.delete(topic));
    });
  }

  createPartitions(topic: string, totalCount: number): Promise<void> {
    return this.#changing("createPartitions", () => this.#admin.createPartitions(topic, totalCount));
  }

  async describeConfig(topic: string): Promise<Readonly<TopicConfig>> {
    return this.#house.topics.require(topic).config;
  }

  alterConfig(topic: string, config: ConfigChange): Promise<void> {
    return this.#changing("alterTopic", () => this.#admin.alterConfig(topic, config));
  }

  deleteRecords(at: TopicPartition, beforeOffset: number): Promise<number> {
    return this.#changing("deleteRecords", async () => this.#admin.deleteRecords(at, beforeOffset));
  }

  adoptTopic(topic: string, options: { readonly partitions: number; readonly cleanupPolicy: TopicConfig["cleanupPolicy"] }): Promise<void> {
    return this.#changing("adoptTopic", async () => {
      await this.#withFiles(() => this.#admin.adopt(topic, options));
      const { slots } = this.#house.topics.require(topic);
      await this.#transactions.partitionsOpened(slots.map((_, partition) => ({ topic, partition })));
    });
  }

  topicNames(): string[] {
    return this.#house.topics.names();
  }

  hasTopic(topic: string): boolean {
    return this.#house.topics.find(topic) !== undefined;
  }

  describeTopic(topic: string): TopicDescription {
    return describeWhole(this.#house.topics.require(topic));
  }

  // ── Groups ─────────────────────────────────────────────────────────────────

  joinGroup(request: JoinGroupRequest, signal?: AbortSignal): Promise<JoinGroupResponse> {
    return this.#groups.joinGroup(request, signal);
  }

  syncGroup(request: SyncGroupRequest, signal?: AbortSignal): Promise<{ readonly assignment: Bytes }> {
    return this.#groups.syncGroup(request, signal);
  }

  heartbeat(request: HeartbeatRequest, signal?: AbortSignal): Promise<{ readonly rebalanceInProgress: boolean }> {
    return this.#groups.heartbeat(request, signal);
  }

  leaveGroup(request: LeaveGroupRequest): Promise<void> {
    return this.#groups.leaveGroup(request);
  }

  offsetCommit(request: OffsetCommitRequest): Promise<readonly (TopicPartition & { readonly fault: Fault | null })[]> {
    return this.#changing("commit", () => this.#groups.offsetCommit(request));
  }

  offsetFetch(request: {
    readonly groupId: string;
    readonly partitions: readonly TopicPartition[] | null;
    readonly requireStable?: boolean | undefined;
  }): Promise<readonly CommittedOffset[]> {
    return this.#groups.offsetFetch(request);
  }

  listGroups(): Promise<readonly string[]> {
    return this.#groups.listGroups();
  }

  describeGroup(groupId: string): Promise<GroupSnapshot> {
    return this.#groups.describeGroup(groupId);
  }

  deleteGroup(groupId: string): Promise<void> {
    return this.#groups.deleteGroup(groupId);
  }

  deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    return this.#groups.deleteOffsets(groupId, partitions);
  }

  // ── Transactions ───────────────────────────────────────────────────────────

  initProducerId(
    request: { readonly transactionalId: string | null; readonly transactionTimeoutMs: number },
    signal?: AbortSignal,
  ): Promise<ProducerIdentity> {
    return this.#changing(wayToSend(request), () => this.#transactions.initProducerId(request, signal));
  }

  addPartitions(request: TransactionIdentity & { readonly partitions: readonly TopicPartition[] }): Promise<void> {
    return this.#changing("transaction", () => this.#transactions.addPartitions(request));
  }

  addOffsets(request: TransactionIdentity & { readonly groupId: string }): Promise<void> {
    return this.#changing("commitOffsets", () => this.#transactions.addOffsets(request));
  }

  commitOffsets(request: TransactionIdentity & Omit<OffsetCommitRequest, "durable">): Promise<void> {
    return this.#changing("commitOffsets", () => this.#transactions.commitOffsets(request));
  }

  endTransaction(request: TransactionIdentity & { readonly commit: boolean }): Promise<ProducerIdentity> {
    return this.#changing("transaction", () => this.#transactions.endTransaction(request));
  }

  // ── Quotas ─────────────────────────────────────────────────────────────────

  alterClientQuotas(clientId: string | null, quota: { readonly [P in QuotaKey]?: number | null | undefined }): Promise<void> {
    if (this.#house.context.readOnly) {
      return Promise.reject(new UsageError("READ_ONLY", "alterClientQuotas: the log was opened with readOnly"));
    }
    return this.#changing("alterClientQuotas", () => this.#quotas.alter(clientId, quota));
  }

  async describeClientQuotas(): Promise<readonly ClientQuota[]> {
    return this.#quotas.describe();
  }

  /** Before the log closes: what producers hold back for a quota is written at once, and no one waits for it. */
  liftQuotas(): void {
    this.#quotas.lift();
  }

  // ── Upkeep ─────────────────────────────────────────────────────────────────

  reopenPartition(at: TopicPartition): Promise<void> {
    const settleTransactions = (): Promise<void> => this.#transactions.partitionReopened(at);
    const beforeAppends = (): Promise<void> => this.#groups.partitionReopened(at, settleTransactions);
    return this.#changing("reopenPartition", () => this.#admin.reopenPartition(at, beforeAppends));
  }

  backup(target: StorageDriver): Promise<BackupReport> {
    return this.#withFiles(() => copyTo(this.#house, target));
  }

  /** Retention and compaction for every topic that is ours, however little there is to do, and the expiry of offsets, now. */
  maintain(signal?: AbortSignal): Promise<MaintenanceReport> {
    return this.#withFiles(async () => {
      const { segmentsDeleted, bytesReclaimed } = await retain(this.#house, signal);
      if (this.#house.context.readOnly) return { segmentsDeleted, bytesReclaimed };
      const bytesCompacted = await this.#cleaner.cleanAll(signal);
      await this.#groups.expireOffsets();
      return { segmentsDeleted, bytesReclaimed: bytesReclaimed + bytesCompacted };
    });
  }

  metrics(): Readonly<Record<string, number>> {
    return collectMetrics(this.#house, this.#produce, this.#fetch, this.#groups, this.#transactions, this.#quotas, this.#cleaner);
  }

  /** Idempotent. Resolves when everything appended is durable and the lock is free. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { context, topics, checkpoints, cleanShutdown } = this.#house;
    this.#closed.abort();
    this.#quotas.close(this.#closedError("close"));
    this.#lock.check();
    // Another writer's directory by now, perhaps: our books must not be written over its own.
    const isOurs = !context.readOnly && this.#lock.lost === null;
    try {
      // Nothing of ours may be under way when the lock is free.
      await this.#maintenance.stop();
      await this.#fileTurn;
      await this.#admin.settled();
      // Whatever fails, the rest is closed: a log that stays open would write on beside the next owner.
      const outcomes = [
        // Before the groups: a transaction that ends may commit offsets.
        ...(await Promise.allSettled([this.#transactions.close(isOurs)])),
        ...(await Promise.allSettled([this.#groups.close()])),
        ...(await Promise.allSettled(closeLogs(topics.openLogs(), isOurs))),
      ];
      if (isOurs) {
        const allOpen = topics.all().every((topic) => topic.slots.every((slot) => slot.state !== "failed"));
        // A broker skips recovery where the marker stands: it is written only when there is nothing to recover.
        const frozenUnclean = !cleanShutdown && topics.all().some((topic) => topic.frozen);
        const allClosed = outcomes.every((outcome) => outcome.status === "fulfilled" && outcome.value !== "failed before");
        outcomes.push(...(await Promise.allSettled([checkpoints.write(topics.openLogs())])));
        const allWritten = outcomes.every((outcome) => outcome.status === "fulfilled");
        // A broker's directory in which nothing is ours stays as it was, to the last byte.
        const contents = this.#house.cleanShutdownContents;
        const isAllFrozen = topics.all().every((topic) => topic.frozen);
        if (allOpen && allClosed && allWritten && !frozenUnclean)
          await writeCleanShutdown(context.storage, isAllFrozen ? contents : asLeftByUs(contents));
      }
      const failed = outcomes.find((outcome) => outcome.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    } finally {
      await Promise.allSettled([this.#lock?.release()]);
      await context.storage.close();
    }
  }

  /** What removes files and what copies them take turns. */
  #withFiles<T>(call: () => Promise<T>): Promise<T> {
    const run = this.#fileTurn.then(call);
    this.#fileTurn = run.catch(() => {});
    return run;
  }

  /** After the first `close` nothing is begun any more that it would have to wait for. `call`: as those name it who hold the log. */
  #changing<T>(call: string, change: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) return Promise.reject(this.#closedError(call));
    return this.#lock.lost === null ? change() : Promise.reject(this.#lock.lost);
  }

  #closedError(call: string): UsageError {
    return new UsageError("LOG_CLOSED", `${call}: the log was closed`);
  }
}

/** Each resolves when its log is closed; one that fails meanwhile rejects. One that had failed before was told of when it did. */
function closeLogs(logs: readonly PartitionLog[], clean: boolean): Promise<"in order" | "failed before">[] {
  return logs.map(async (log) => {
    const before = log.failure;
    await log.close(clean);
    const after: OdradekError | null = log.failure;
    if (before === null && after !== null && after.code !== "LOG_CLOSED") throw after;
    return before === null ? "in order" : "failed before";
  });
}
