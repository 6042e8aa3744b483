/** Kafka's transaction coordinator: the transactional ids, who may do what with each, and what falls due. No I/O; the clock is given. */
import type { TransactionIdentity } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { ProducerStateError } from "../base/errors.ts";
import { Transaction } from "./transaction.ts";
import { fencedProducer, onlyAbortable, stillFinishing, unknownMapping, wrongState } from "./transaction-errors.ts";
import { TRANSACTIONAL_ID_EXPIRATION_MS, type TransactionMetadata } from "./transaction-metadata.ts";
import { isIdle, isPrepared, mayFollow, type TransactionState } from "./transaction-state.ts";

export interface TransactionCoordinatorOptions {
  readonly clock: Clock;
  /** Kafka's `transactional.id.expiration.ms`: 7 days unless said. */
  readonly transactionalIdExpirationMs?: number | undefined;
}

export class TransactionCoordinator {
  readonly #clock: Clock;
  readonly #expirationMs: number;
  readonly #byId: Map<string, Transaction> = new Map();
  readonly #byProducerId: Map<bigint, Transaction> = new Map();

  constructor({ clock, transactionalIdExpirationMs }: TransactionCoordinatorOptions) {
    this.#clock = clock;
    this.#expirationMs = transactionalIdExpirationMs ?? TRANSACTIONAL_ID_EXPIRATION_MS;
  }

  find(transactionalId: string): Transaction | null {
    return this.#byId.get(transactionalId) ?? null;
  }

  ofProducer(producerId: bigint): Transaction | null {
    return this.#byProducerId.get(producerId) ?? null;
  }

  all(): Transaction[] {
    return [...this.#byId.values()];
  }

  countIn(state: TransactionState): number {
    let count = 0;
    for (const { metadata } of this.#byId.values()) if (metadata.state === state) count += 1;
    return count;
  }

  /** What a restart finds, or an id that is used for the first time. */
  put(transactionalId: string, metadata: TransactionMetadata): Transaction {
    if (this.#byId.has(transactionalId)) throw new Error(`put: transactional id "${transactionalId}" is there already`);
    const transaction = new Transaction(transactionalId, metadata);
    this.#byId.set(transactionalId, transaction);
    this.#byProducerId.set(metadata.producerId, transaction);
    return transaction;
  }

  /** Goes on to what was written. A step that no coordinator takes is our own defect. */
  apply(transaction: Transaction, next: TransactionMetadata): void {
    const { metadata } = transaction;
    if (!mayFollow(metadata.state, next.state)) {
      throw new Error(`transactional id "${transaction.id}": ${next.state} cannot follow ${metadata.state}`);
    }
    if (next.state === "Ongoing" && metadata.state !== "Ongoing") transaction.openedAtMs = this.#clock.monotonic();
    if (next.producerId !== metadata.producerId) {
      this.#byProducerId.delete(metadata.producerId);
      this.#byProducerId.set(next.producerId, transaction);
    }
    transaction.become(next);
  }

  /** Forgets an idle id. */
  remove(transaction: Transaction): void {
    if (!mayFollow(transaction.metadata.state, "Dead")) throw wrongState(transaction, "only an idle id can be forgotten");
    this.#byId.delete(transaction.id);
    this.#byProducerId.delete(transaction.metadata.producerId);
  }

  /** Throws unless the identity is the one that this id has now. */
  require({ transactionalId, producerId, producerEpoch }: TransactionIdentity): Transaction {
    const transaction = this.#byId.get(transactionalId);
    if (transaction === undefined) throw unknownMapping(transactionalId, producerId, null);
    const { metadata } = transaction;
    if (metadata.producerId !== producerId) throw unknownMapping(transactionalId, producerId, metadata.producerId);
    if (metadata.producerEpoch !== producerEpoch) throw fencedProducer(transaction, producerEpoch);
    return transaction;
  }

  /** For partitions and offsets to be added: throws `CONCURRENT_TRANSACTIONS` while the last one is being finished. */
  requireAddable(identity: TransactionIdentity): Transaction {
    const transaction = this.require(identity);
    const { state } = transaction.metadata;
    if (transaction.isEnding || (state !== "Ongoing" && !isIdle(state))) throw stillFinishing(transaction);
    return transaction;
  }

  /** For what belongs to a transaction that is open: a group's offsets. */
  requireOpen(identity: TransactionIdentity, wanted: TopicPartition): Transaction {
    const transaction = this.requireAddable(identity);
    if (transaction.metadata.state !== "Ongoing") throw wrongState(transaction, "a transaction must be open");
    if (!transaction.has(wanted)) throw wrongState(transaction, `${wanted.topic}-${wanted.partition} must be added to it first`);
    return transaction;
  }

  /**
   * For `endTransaction`: the transaction, which is open and may end so; or `hasEnded`: it has, and this is the same call again.
   * Throws Kafka's errors for every other state.
   */
  checkEnd(identity: TransactionIdentity, commit: boolean): { readonly transaction: Transaction; readonly hasEnded: boolean } {
    const transaction = this.require(identity);
    const { state } = transaction.metadata;
    const wanted = commit ? "it cannot be committed" : "it cannot be aborted";
    if (state === (commit ? "CompleteCommit" : "CompleteAbort")) return { transaction, hasEnded: true };
    if (state === (commit ? "PrepareAbort" : "PrepareCommit")) throw wrongState(transaction, wanted);
    if (isPrepared(state) || state === "PrepareEpochFence" || transaction.isEnding) throw stillFinishing(transaction);
    if (state !== "Ongoing") throw wrongState(transaction, wanted);
    if (commit && transaction.doom !== null) throw onlyAbortable(transaction, transaction.doom);
    return { transaction, hasEnded: false };
  }

  /** Throws unless a transactional batch of this producer belongs to the transaction it has open. */
  verify(at: TopicPartition, producerId: bigint, producerEpoch: number): void {
    const transaction = this.#byProducerId.get(producerId);
    if (transaction === undefined) {
      const message = `${at.topic}-${at.partition}: producer ${producerId} has no transactional id here: its batch can belong to no transaction`;
      throw new ProducerStateError("INVALID_PRODUCER_ID_MAPPING", message);
    }
    const { metadata } = transaction;
    if (metadata.producerEpoch !== producerEpoch) throw fencedProducer(transaction, producerEpoch);
    if (transaction.isEnding || metadata.state !== "Ongoing") throw wrongState(transaction, "a batch must come while it is open");
    if (!transaction.has(at)) throw wrongState(transaction, `${at.topic}-${at.partition} must be added to it before its first batch`);
  }

  /** Open for longer than their timeout, and not being ended. */
  overdue(): Transaction[] {
    const nowMs = this.#clock.monotonic();
    return this.all().filter(
      ({ metadata, isEnding, openedAtMs }) => metadata.state === "Ongoing" && !isEnding && nowMs - openedAtMs > metadata.timeoutMs,
    );
  }

  /** Idle for longer than an id is kept. */
  expired(): Transaction[] {
    const nowMs = this.#clock.now();
    return this.all().filter(({ metadata }) => isIdle(metadata.state) && nowMs - metadata.lastUpdateMs >= this.#expirationMs);
  }
}
