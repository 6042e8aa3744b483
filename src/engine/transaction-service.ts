/** The transaction calls of the broker port: the coordinator decides, `__transaction_state` keeps, markers in the partitions tell. */
import type { OffsetCommitRequest, ProducerIdentity, TransactionIdentity } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import type { Timer } from "../base/clock.ts";
import { StorageError, UsageError } from "../base/errors.ts";
import { coordinatorPartition } from "../base/java-hash.ts";
import type { Transaction } from "../transaction/transaction.ts";
import { TransactionCoordinator } from "../transaction/transaction-coordinator.ts";
import { checkTransactionalId, checkTransactionTimeout, stillFinishing } from "../transaction/transaction-errors.ts";
import { newlyInitialized, PRODUCER_EPOCH_EXHAUSTED, reinitialized, withPartitions } from "../transaction/transaction-metadata.ts";
import { isIdle, isPrepared } from "../transaction/transaction-state.ts";
import type { GroupService } from "./group-service.ts";
import { type House, OFFSETS_TOPIC, TRANSACTIONS_TOPIC } from "./house.ts";
import { ProducerIds } from "./producer-ids.ts";
import { TransactionEnding } from "./transaction-ending.ts";
import { TransactionLog } from "./transaction-log.ts";
import { type MarkersOutcome, TransactionMarkers } from "./transaction-markers.ts";
import { TransactionRecovery } from "./transaction-recovery.ts";
import { Turns } from "./turns.ts";

/** How long after a marker could not be written it is tried again. */
const RETRY_MS = 1000;

export class TransactionService {
  readonly #house: House;
  readonly #groups: GroupService;
  readonly #ids: ProducerIds;
  readonly #log: TransactionLog;
  readonly #coordinator: TransactionCoordinator;
  readonly #ending: TransactionEnding;
  readonly #recovery: TransactionRecovery;
  /** By transactional id. */
  readonly #turns: Turns<string> = new Turns();
  #begun = 0;
  #retryTimer: Timer | null = null;
  #isClosed = false;

  private constructor(house: House, groups: GroupService, flushMs: number) {
    this.#house = house;
    this.#groups = groups;
    this.#ids = new ProducerIds(house);
    this.#log = new TransactionLog(house, flushMs);
    this.#coordinator = new TransactionCoordinator({ clock: house.context.clock });
    const markers = new TransactionMarkers(house, (partition, producerId, committed) =>
      groups.transactionEnded(partition, producerId, committed),
    );
    this.#ending = new TransactionEnding(house, this.#coordinator, this.#log, markers);
    this.#recovery = new TransactionRecovery(house, this.#coordinator, this.#log, markers, this.#ending, this.#ids);
  }

  /** When it resolves, what was prepared is completed and everything else that was open is aborted, as far as its partitions can be written. */
  static async start(house: House, groups: GroupService, options: { readonly flushMs: number }): Promise<TransactionService> {
    const service = new TransactionService(house, groups, options.flushMs);
    await service.#recovery.atOpen();
    service.#retryLater();
    return service;
  }

  // ── The calls of the port ──────────────────────────────────────────────────

  async initProducerId(
    request: { readonly transactionalId: string | null; readonly transactionTimeoutMs: number },
    signal?: AbortSignal,
  ): Promise<ProducerIdentity> {
    this.#refuse(wayToSend(request));
    signal?.throwIfAborted();
    const { transactionalId, transactionTimeoutMs } = request;
    if (transactionalId === null) return { producerId: await this.#ids.next(), producerEpoch: 0 };
    checkTransactionalId(transactionalId);
    checkTransactionTimeout(transactionTimeoutMs);
    return await this.#turns.take(transactionalId, async () => {
      signal?.throwIfAborted();
      this.#refuse("transaction", transactionalId);
      const transaction = this.#coordinator.find(transactionalId);
      if (transaction === null) return await this.#initializeNew(transactionalId, transactionTimeoutMs);
      return await this.#initializeNext(transaction, transactionTimeoutMs);
    });
  }

  async addPartitions(request: TransactionIdentity & { readonly partitions: readonly TopicPartition[] }): Promise<void> {
    this.#refuse("transaction", request.transactionalId);
    await this.#turns.take(request.transactionalId, async () => {
      const transaction = this.#coordinator.requireAddable(request);
      for (const at of request.partitions) this.#refuseUnwritable(at);
      await this.#add(transaction, request.partitions);
    });
  }

  async addOffsets(request: TransactionIdentity & { readonly groupId: string }): Promise<void> {
    this.#refuse("commitOffsets", request.transactionalId);
    await this.#turns.take(request.transactionalId, () =>
      this.#add(this.#coordinator.requireAddable(request), [offsetsPartition(request.groupId)]),
    );
  }

  async commitOffsets(request: TransactionIdentity & Omit<OffsetCommitRequest, "durable">): Promise<void> {
    this.#refuse("commitOffsets", request.transactionalId);
    await this.#turns.take(request.transactionalId, async () => {
      this.#coordinator.requireOpen(request, offsetsPartition(request.groupId));
      const { producerId, producerEpoch } = request;
      await this.#groups.commitInTransaction(request, { producerId, producerEpoch });
    });
  }

  async endTransaction(request: TransactionIdentity & { readonly commit: boolean }): Promise<ProducerIdentity> {
    this.#refuse("transaction", request.transactionalId);
    const { producerId, producerEpoch, commit } = request;
    const ended = await this.#turns.take(request.transactionalId, async () => {
      const { transaction, hasEnded } = this.#coordinator.checkEnd(request, commit);
      if (hasEnded) return null;
      const outcome = await (commit ? this.#ending.commit(transaction) : this.#ending.abort(transaction, "by its producer"));
      return { transaction, outcome };
    });
    if (ended !== null) {
      if (isPrepared(ended.transaction.metadata.state)) this.#retryLater();
      await this.#untilStable(ended.outcome);
      refuseLate(ended.outcome, request);
    }
    return { producerId, producerEpoch };
  }

  /** Throws unless a transactional batch may be appended there now. */
  verify(at: TopicPartition, producerId: bigint, producerEpoch: number): void {
    this.#coordinator.verify(at, producerId, producerEpoch);
  }

  // ── Upkeep ─────────────────────────────────────────────────────────────────

  /** Kafka's scan: open transactions past their timeout are aborted, ids past their expiration forgotten, what is late is tried again. */
  async scan(): Promise<void> {
    await Promise.all(this.#coordinator.overdue().map((transaction) => this.#timeOut(transaction)));
    await Promise.all(this.#coordinator.expired().map((transaction) => this.#expire(transaction)));
    await this.#finishLate();
  }

  /** A partition was opened, or opened again, after a failure: what it kept from being ended is ended now. */
  async partitionReopened(at: TopicPartition): Promise<void> {
    if (this.#house.context.readOnly) return;
    if (at.topic === TRANSACTIONS_TOPIC) {
      const known = this.#coordinator.all().filter(({ id }) => coordinatorPartition(id) === at.partition);
      await this.#recovery.stateReopened(at.partition, known, (id, call) => this.#turns.take(id, call));
    } else {
      for (const transaction of this.#coordinator.all()) {
        if (transaction.metadata.state === "Ongoing" && transaction.has(at))
          transaction.doom = `${at.topic}-${at.partition} had to be recovered meanwhile, and records of it may be lost`;
      }
      await this.partitionsOpened([at]);
    }
  }

  /** Partitions that could not be written until now: a topic that was adopted. */
  async partitionsOpened(partitions: readonly TopicPartition[]): Promise<void> {
    this.#ids.noteLogs();
    await this.#finishLate();
    for (const at of partitions) await this.#recovery.abortUnnamed(at);
  }

  metrics(): Record<string, number> {
    const { committed, aborted } = this.#ending;
    return {
      "transactions.begun": this.#begun,
      "transactions.committed": committed,
      "transactions.aborted": aborted,
      "transactions.open": this.#coordinator.countIn("Ongoing"),
    };
  }

  /** Waits for what is under way, then aborts what is still open: its producers end with the log. */
  async close(mayWrite: boolean): Promise<void> {
    this.#isClosed = true;
    this.#retryTimer?.cancel();
    await this.#turns.settled();
    await this.#ids.settled();
    if (!mayWrite) return;
    const open = this.#coordinator.all().filter(({ metadata, isEnding }) => metadata.state === "Ongoing" && !isEnding);
    // What cannot be ended now is at the next open.
    await Promise.allSettled(open.map((transaction) => this.#ending.fence(transaction, "the log was closed")));
  }

  // ── What they are made of ──────────────────────────────────────────────────

  async #initializeNew(transactionalId: string, timeoutMs: number): Promise<ProducerIdentity> {
    const metadata = newlyInitialized(await this.#ids.next(), timeoutMs, this.#house.context.clock.now());
    // Durable before anyone has it: an epoch given twice would have its records swallowed as duplicates.
    await (await this.#log.write(transactionalId, metadata))();
    this.#coordinator.put(transactionalId, metadata);
    return { producerId: metadata.producerId, producerEpoch: metadata.producerEpoch };
  }

  async #initializeNext(transaction: Transaction, timeoutMs: number): Promise<ProducerIdentity> {
    const isFenced = transaction.metadata.state === "Ongoing" && transaction.doubt === null;
    // What a producer before this one had begun.
    if (isFenced) await this.#ending.fence(transaction, "another producer has taken its transactional id");
    else if (isPrepared(transaction.metadata.state)) await this.#ending.finish(transaction, "where open");
    if (!isIdle(transaction.metadata.state)) {
      this.#retryLater();
      throw stillFinishing(transaction);
    }
    const { producerId, producerEpoch } = transaction.metadata;
    // The epoch that fenced the last producer was given to nobody.
    const nextEpoch = isFenced ? producerEpoch : producerEpoch + 1;
    const identity =
      nextEpoch <= PRODUCER_EPOCH_EXHAUSTED
        ? { producerId, producerEpoch: nextEpoch }
        : { producerId: await this.#ids.next(), producerEpoch: 0 };
    const next = reinitialized(transaction.metadata, identity, timeoutMs, this.#house.context.clock.now());
    const durable = await this.#log.write(transaction.id, next);
    // From here on the old producer is out, whatever becomes of the flush.
    this.#coordinator.apply(transaction, next);
    await durable();
    return identity;
  }

  async #add(transaction: Transaction, partitions: readonly TopicPartition[]): Promise<void> {
    const next = withPartitions(transaction.metadata, partitions, this.#house.context.clock.now());
    if (next === null) return;
    // Else a crash could show the commit before as unfinished beside records of this one, and take them along.
    if (transaction.metadata.state !== "Ongoing") {
      await this.#ending.settled(transaction);
      this.#begun += 1;
    }
    // Not flushed: an open transaction that no record names is aborted all the same.
    await this.#log.write(transaction.id, next);
    this.#coordinator.apply(transaction, next);
  }

  /** Until readers of committed records are past every marker that is written. */
  async #untilStable({ written }: MarkersOutcome): Promise<void> {
    // Of a log that fails or goes meanwhile nobody reads any further; the outcome stands.
    await Promise.allSettled(written.map(({ log, offset }) => log.stableBeyond(offset)));
  }

  #timeOut(transaction: Transaction): Promise<void> {
    return this.#turns.take(transaction.id, async () => {
      // Ended meanwhile, by a call that came first.
      if (!this.#coordinator.overdue().includes(transaction)) return;
      const { producerId, timeoutMs } = transaction.metadata;
      await this.#ending.fence(transaction, "it timed out");
      this.#house.events.emit("transaction.timedOut", { transactionalId: transaction.id, producerId, timeoutMs });
      this.#retryLater();
    });
  }

  #expire(transaction: Transaction): Promise<void> {
    return this.#turns.take(transaction.id, async () => {
      if (!this.#coordinator.expired().includes(transaction)) return;
      await this.#log.write(transaction.id, null);
      this.#coordinator.remove(transaction);
    });
  }

  async #finishLate(): Promise<void> {
    const late = this.#coordinator.all().filter(({ metadata }) => isPrepared(metadata.state));
    await Promise.all(
      late.map(({ id }) =>
        this.#turns.take(id, async () => {
          const transaction = this.#coordinator.find(id);
          if (transaction !== null && isPrepared(transaction.metadata.state)) await this.#ending.finish(transaction, "where open");
        }),
      ),
    );
  }

  #retryLater(): void {
    const isLate = this.#coordinator.all().some(({ metadata, trouble }) => isPrepared(metadata.state) && trouble !== null);
    if (!isLate || this.#isClosed || this.#retryTimer !== null) return;
    this.#retryTimer = this.#house.context.clock.after(RETRY_MS, () => {
      this.#retryTimer = null;
      void this.#finishLate().then(
        () => this.#retryLater(),
        (error: unknown) => this.#house.events.emit("maintenance.failed", { task: "transactions", error }),
      );
    });
  }

  /** `call`: by the name it has for those who hold the log, not the port's. */
  #refuse(call: string, transactionalId?: string): void {
    if (this.#isClosed) throw new UsageError("LOG_CLOSED", `${call}: the log was closed`);
    if (this.#house.context.readOnly) throw new UsageError("READ_ONLY", `${call}: the log was opened with readOnly`);
    if (transactionalId !== undefined) this.#recovery.refuseUnread(coordinatorPartition(transactionalId));
  }

  #refuseUnwritable(at: TopicPartition): void {
    const topic = this.#house.topics.require(at.topic);
    if (topic.internal)
      throw new UsageError("INVALID_TOPIC_EXCEPTION", `topic "${topic.name}" is internal: it is written by the engine alone`);
    topic.log(at.partition);
    if (topic.frozen)
      throw new UsageError(
        "TOPIC_NOT_ADOPTED",
        `topic "${topic.name}" was left here by another writer: adoptTopic names its settings first`,
      );
  }
}

/** What a program called that needs a producer id. */
export function wayToSend({ transactionalId }: { readonly transactionalId: string | null }): string {
  return transactionalId === null ? "send" : "transaction";
}

function offsetsPartition(groupId: string): TopicPartition {
  return { topic: OFFSETS_TOPIC, partition: coordinatorPartition(groupId) };
}

/** The outcome is decided and part of it not told yet: nothing that could be taken back. */
function refuseLate(
  { late }: MarkersOutcome,
  { transactionalId, commit }: { readonly transactionalId: string; readonly commit: boolean },
): void {
  const [first] = late;
  if (first === undefined) return;
  const where = late.map(({ at }) => `${at.topic}-${at.partition}`).join(", ");
  const message = `transactional id "${transactionalId}": ${commit ? "committed" : "aborted"}; markers of ${where} still to be written: ${first.error.message}`;
  throw new StorageError("MARKERS_PENDING", message, { cause: first.error });
}
