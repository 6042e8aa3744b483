/** What the body of one transaction holds: it sends through its producer, and says which consumers' offsets belong to it. */
import type { Acks, NextOffset } from "../api/bytes.ts";
import type { Consumer, Delivered } from "../api/consumer.ts";
import type { ProducerRecord, RecordMetadata, Transaction } from "../api/producer.ts";
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { reasonOf } from "../base/reason.ts";
import { type OffsetClaim, type TransactionLink, transactionLinkOf } from "../base/transaction-link.ts";

/** The producer's own ways in, unguarded. */
export interface Sends<K, V> {
  send(record: ProducerRecord<K, V>): Promise<RecordMetadata<Acks>>;
  sendBatch(records: readonly ProducerRecord<K, V>[]): Promise<RecordMetadata<Acks>[]>;
}

export class OpenTransaction<K, V> implements Transaction<K, V, Acks> {
  readonly #sends: Sends<K, V>;
  readonly #claims = new Map<TransactionLink, OffsetClaim>();
  #pendingCount = 0;
  #whenSettled: (() => void) | null = null;
  #failure: { readonly error: unknown } | null = null;
  /** What every call is told once the body is over. */
  #refusal: Error | null = null;
  /** What sends are told of a transaction that could not begin. */
  #neverBegan: Error | null = null;
  /** Whoever runs the body has been told its outcome: a send refused from now on is told to nobody else. */
  #hasEnded = false;

  constructor(sends: Sends<K, V>) {
    this.#sends = sends;
  }

  /** The first send that failed: then nothing of the transaction is committed, whether the body saw it or not. */
  get failure(): { readonly error: unknown } | null {
    return this.#failure;
  }

  get claims(): ReadonlyMap<TransactionLink, OffsetClaim> {
    return this.#claims;
  }

  send(record: ProducerRecord<K, V>): Promise<RecordMetadata<Acks>> {
    const refusal = this.#refusalOf("tx.send()");
    return refusal === null ? this.#watch(this.#sends.send(record)) : this.#refused(refusal);
  }

  sendBatch(records: readonly ProducerRecord<K, V>[]): Promise<RecordMetadata<Acks>[]> {
    const refusal = this.#refusalOf("tx.sendBatch()");
    return refusal === null ? this.#watch(this.#sends.sendBatch(records)) : this.#refused(refusal);
  }

  commitOffsets(consumer: Consumer<unknown, unknown>, upTo?: Delivered): void {
    if (this.#refusal !== null) throw this.#refusal;
    const link = transactionLinkOf(consumer);
    if (link === null) {
      throw new UsageError(
        "INVALID_ARGUMENT",
        `tx.commitOffsets(): expected a consumer that log.consumer() made, found ${describeValue(consumer)}`,
      );
    }
    const claim = link.claim(upTo);
    const before = this.#claims.get(link);
    this.#claims.set(link, before === undefined ? claim : { member: claim.member, offsets: later(before.offsets, claim.offsets) });
  }

  /** From now on every call is refused with this. `hasEnded`: nobody else will be told. */
  end(refusal: Error, hasEnded: boolean): void {
    this.#refusal ??= refusal;
    this.#hasEnded = hasEnded;
  }

  get isOver(): boolean {
    return this.#refusal !== null;
  }

  /** It cannot be: its sends are refused with this. The body still runs, since it alone can say which consumers must go back. */
  fail(error: Error): void {
    this.#failure = { error };
    this.#neverBegan = error;
  }

  /** Resolves when every send has settled, well or badly. */
  settled(): Promise<void> {
    if (this.#pendingCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenSettled = resolve;
    });
  }

  #refusalOf(call: string): Error | null {
    if (this.#refusal !== null) return this.#refusal;
    if (this.#neverBegan !== null) return this.#neverBegan;
    if (this.#failure === null) return null;
    const { error } = this.#failure;
    const what = reasonOf(error);
    return new UsageError("INVALID_TXN_STATE", `${call}: the transaction will be aborted, as an earlier send of it failed: ${what}`, {
      cause: error,
    });
  }

  #refused(refusal: Error): Promise<never> {
    const refused = Promise.reject(refusal);
    // A body that waits for none of its sends hears of it all the same: by the end of its transaction, which is still to come.
    if (!this.#hasEnded) refused.catch(() => {});
    return refused;
  }

  #watch<T>(sent: Promise<T>): Promise<T> {
    this.#pendingCount += 1;
    sent.then(this.#onSent, this.#onFailed);
    return sent;
  }

  readonly #onSent = (): void => {
    this.#pendingCount -= 1;
    if (this.#pendingCount === 0) this.#whenSettled?.();
  };

  readonly #onFailed = (error: unknown): void => {
    this.#failure ??= { error };
    this.#onSent();
  };
}

/** Of two claims for one consumer the later one wins, partition by partition. */
function later(before: readonly NextOffset[], after: readonly NextOffset[]): NextOffset[] {
  const kept = before.filter((old) => !after.some((each) => each.partition === old.partition && each.topic === old.topic));
  return [...kept, ...after];
}
