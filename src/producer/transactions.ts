/** A producer's transactions, one at a time: begun by the first send, ended with the body, all or nothing. */
import type { Acks } from "../api/bytes.ts";
import type { Transaction } from "../api/producer.ts";
import { OdradekError, ProducerStateError, UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import type { OffsetClaim, TransactionLink } from "../base/transaction-link.ts";
import type { Idempotence } from "./idempotence.ts";
import { OpenTransaction, type Sends } from "./open-transaction.ts";
import type { ProducerBroker } from "./producer-broker.ts";
import { TransactionGate } from "./transaction-gate.ts";
import { UsualLinks } from "./usual-links.ts";

export class Transactions<K, V> {
  readonly gate: TransactionGate;
  readonly #broker: ProducerBroker;
  readonly #transactionalId: string;
  readonly #idempotence: Idempotence;
  #current: OpenTransaction<K, V> | null = null;
  /** What becomes of the current one, once that is being decided. Never rejects. */
  #ending: Promise<void> | null = null;
  readonly #usual = new UsualLinks();
  /** Consumers whose offsets an end that failed may have committed. */
  readonly #inDoubt = new Map<TransactionLink, OffsetClaim>();
  /** A newer producer has this one's transactionalId. */
  #fenced: ProducerStateError | null = null;

  constructor(broker: ProducerBroker, transactionalId: string, idempotence: Idempotence) {
    this.#broker = broker;
    this.#transactionalId = transactionalId;
    this.#idempotence = idempotence;
    this.gate = new TransactionGate(broker, transactionalId, idempotence);
  }

  /** Throws what a producer that was fenced answers to every call. */
  refuseFenced(): void {
    if (this.#fenced !== null) throw this.#fenced;
  }

  /** `flush`: lets go what lingers. Rejects with the body's own error, or with what kept the transaction from being committed. */
  async run<T>(body: (tx: Transaction<K, V, Acks>) => Promise<T>, sends: Sends<K, V>, flush: () => Promise<void>): Promise<T> {
    if (this.#current !== null) {
      throw new UsageError("CONCURRENT_CALL", "transaction(): expected one transaction at a time, found another that has not ended");
    }
    const tx = new OpenTransaction(sends);
    this.#current = tx;
    this.#ending = null;
    try {
      this.gate.clear();
      if (!this.#idempotence.isReady) await this.#begin(tx);
      let value: T;
      try {
        if (tx.isOver) throw closed();
        value = await body(tx);
      } catch (error) {
        await this.#end(tx, () => this.#abort(tx, flush, error));
        throw error;
      }
      if (tx.isOver) throw closed();
      await this.#end(tx, () => this.#commit(tx, flush));
      return value;
    } finally {
      this.#usual.learn(tx.claims);
      this.#current = null;
    }
  }

  /** Aborts the transaction under way, unless its end has begun: that is waited for. */
  async close(flush: () => Promise<void>): Promise<void> {
    const tx = this.#current;
    if (tx === null) return;
    if (this.#ending === null) {
      const error = closed();
      tx.end(error, false);
      this.#ending = this.#abort(tx, flush, error);
    }
    await this.#ending;
  }

  /** Before the body: what it reads is then not changed any more by a producer that had this transactionalId before. */
  async #begin(tx: OpenTransaction<K, V>): Promise<void> {
    try {
      await this.#idempotence.ask();
      this.#settleDoubt();
    } catch (error) {
      this.#noticed(error);
      tx.fail(error as Error);
    }
  }

  /** Whoever ends it is the only one. */
  async #end(tx: OpenTransaction<K, V>, end: () => Promise<void>): Promise<void> {
    if (this.#ending !== null) return this.#ending;
    tx.end(new UsageError("INVALID_TXN_STATE", "the transaction has ended: its tx is of no use any more"), true);
    const ending = end();
    this.#ending = ending.catch(() => {});
    await ending;
  }

  async #commit(tx: OpenTransaction<K, V>, flush: () => Promise<void>): Promise<void> {
    try {
      await this.#settle(tx, flush);
      if (tx.failure !== null) throw tx.failure.error;
      if (tx.claims.size > 0) await this.#commitOffsets(tx);
    } catch (error) {
      await this.#abort(tx, flush, error);
      throw error;
    }
    if (this.gate.hasBegun) await this.#decide(tx);
  }

  /**
   * From here on nobody can say that nothing was committed, until the log has. Asked for a new identity it completes what was decided and
   * aborts what was not; only then do consumers learn the truth from what their groups have committed.
   */
  async #decide(tx: OpenTransaction<K, V>): Promise<void> {
    try {
      this.#idempotence.goOnWith(await this.#broker.endTransaction({ ...this.gate.identity, commit: true }));
    } catch (error) {
      this.#idempotence.renew();
      if (error instanceof OdradekError && error.code === "MARKERS_PENDING") {
        counted(tx);
        throw error;
      }
      this.#noticed(error);
      const isSettled =
        this.#fenced !== null ||
        (await this.#idempotence.ask().then(
          () => true,
          () => false,
        ));
      if (!isSettled) for (const [link, claim] of tx.claims) this.#inDoubt.set(link, claim);
      rewindInDoubt(tx.claims);
      throw error;
    }
    counted(tx);
  }

  /** What consumers delivered while nobody knew whether the offsets before it were committed may have been delivered already. */
  #settleDoubt(): void {
    if (this.#inDoubt.size === 0) return;
    rewindInDoubt(this.#inDoubt);
    this.#inDoubt.clear();
    throw new ProducerStateError(
      "TRANSACTION_ABORTABLE",
      "transaction(): whether the one before it was committed is known only now, and its consumers go back to where it left them; begin anew with what they deliver from here on",
    );
  }

  async #commitOffsets(tx: OpenTransaction<K, V>): Promise<void> {
    const { identity } = this.gate;
    const claims = [...tx.claims.values()].filter(({ offsets }) => offsets.length > 0);
    const groupIds = new Set(claims.map(({ member }) => member.groupId));
    for (const groupId of groupIds) {
      this.gate.hasBegun = true;
      await this.#broker.addOffsets({ ...identity, groupId });
    }
    for (const { member, offsets } of claims) {
      await this.#broker.commitOffsets({
        ...identity,
        ...member,
        offsets: offsets.map(({ topic, partition, nextOffset }) => ({ topic, partition, nextOffset, leaderEpoch: -1, metadata: "" })),
      });
    }
  }

  /** Never rejects: what goes wrong is told beside `error`, and the next transaction begins with an identity of its own. */
  async #abort(tx: OpenTransaction<K, V>, flush: () => Promise<void>, error: unknown): Promise<void> {
    try {
      await this.#settle(tx, flush);
      this.#noticed(error);
      if (tx.failure !== null) this.#noticed(tx.failure.error);
      if (this.#fenced === null && this.gate.hasBegun) {
        this.#idempotence.goOnWith(await this.#broker.endTransaction({ ...this.gate.identity, commit: false }));
      }
      // A partition's part that was asked for and refused may be known to the coordinator all the same.
      if (tx.failure !== null) this.#idempotence.renew();
    } catch (suppressed) {
      this.#idempotence.renew();
      attach(error, this.#noticed(suppressed));
    }
    for (const link of this.#usual.linksOf(tx.claims)) link.rewind();
  }

  async #settle(tx: OpenTransaction<K, V>, flush: () => Promise<void>): Promise<void> {
    const settled = tx.settled();
    await flush();
    await settled;
  }

  #noticed(error: unknown): unknown {
    if (isFenced(error)) {
      this.#fenced ??= new ProducerStateError(
        "PRODUCER_FENCED",
        `a newer producer with transactionalId ${describeValue(this.#transactionalId)} has begun, or a transaction of this one was open for too long; make another producer`,
        { cause: error },
      );
    }
    return error;
  }
}

/** Itself, or by what it was caused: the error of a whole `sendBatch`, or of a batch that stood behind another. */
function isFenced(error: unknown): boolean {
  if (!(error instanceof OdradekError)) return false;
  return error.code === "PRODUCER_FENCED" || error.code === "INVALID_PRODUCER_EPOCH" || isFenced(error.cause);
}

function closed(): UsageError {
  return new UsageError("PRODUCER_CLOSED", "the producer was closed: its transaction is aborted");
}

/** Its offsets are committed. */
function counted({ claims }: { readonly claims: ReadonlyMap<TransactionLink, OffsetClaim> }): void {
  for (const [link, { offsets }] of claims) link.committed(offsets);
}

/** Nobody can say whether its offsets are committed, or nobody could: the groups are asked. */
function rewindInDoubt(claims: ReadonlyMap<TransactionLink, OffsetClaim>): void {
  for (const [link, { offsets }] of claims) link.rewind(offsets);
}

/** Beside an error that is being told, another one. */
function attach(error: unknown, suppressed: unknown): void {
  if (!(error instanceof Error) || error.cause !== undefined || error === suppressed || !Object.isExtensible(error)) return;
  Object.defineProperty(error, "cause", { value: suppressed, writable: true, configurable: true, enumerable: false });
}
