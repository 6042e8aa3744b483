/** How a transaction ends, step by step: records durable, the outcome written, markers, completion. Called in the id's turn. */
import type { TopicPartition } from "../api/bytes.ts";
import type { Transaction } from "../transaction/transaction.ts";
import type { TransactionCoordinator } from "../transaction/transaction-coordinator.ts";
import { inDoubt } from "../transaction/transaction-errors.ts";
import { completed, fenced, prepared } from "../transaction/transaction-metadata.ts";
import type { House } from "./house.ts";
import type { TransactionLog } from "./transaction-log.ts";
import type { MarkerScope, MarkersOutcome, TransactionMarkers } from "./transaction-markers.ts";

export class TransactionEnding {
  readonly #house: House;
  readonly #coordinator: TransactionCoordinator;
  readonly #log: TransactionLog;
  readonly #markers: TransactionMarkers;
  /** Part of `metrics()`. */
  committed = 0;
  aborted = 0;

  constructor(house: House, coordinator: TransactionCoordinator, log: TransactionLog, markers: TransactionMarkers) {
    this.#house = house;
    this.#coordinator = coordinator;
    this.#log = log;
    this.#markers = markers;
  }

  /**
   * Rejects where nothing is decided: the transaction is as open as before, unless nobody can tell (its `doubt`). Resolves behind the
   * commit point, with the markers that are written and those that are not.
   */
  async commit(transaction: Transaction): Promise<MarkersOutcome> {
    transaction.isEnding = true;
    try {
      // In parallel, and before the outcome is written anywhere: what is committed must be there.
      await this.#markers.flush(transaction.metadata.partitions);
      const next = prepared(transaction.metadata, true, this.#now());
      const failureBefore = this.#log.failure(transaction.id);
      if (failureBefore !== null) throw failureBefore;
      try {
        await (await this.#log.write(transaction.id, next))();
      } catch (error) {
        // A full disk leaves nothing. A failed partition may hold the record, and show it to the next who opens it.
        const failure = this.#log.failure(transaction.id);
        if (failure === null) throw error;
        transaction.doubt = failure.message;
        this.#emit("transaction.inDoubt", transaction, { error: failure });
        throw inDoubt(transaction);
      }
      this.#coordinator.apply(transaction, next);
    } catch (error) {
      if (transaction.doubt === null) transaction.isEnding = false;
      throw error;
    }
    this.committed += 1;
    return await this.finish(transaction);
  }

  /** Never rejects: what is not written is written later, and nothing shows it before. */
  async abort(transaction: Transaction, reason: string, scope: MarkerScope = "everywhere"): Promise<MarkersOutcome> {
    transaction.isEnding = true;
    const next = prepared(transaction.metadata, false, this.#now());
    // Without this record it is open, and aborted at the next open all the same.
    await this.#log.write(transaction.id, next).catch(() => {});
    this.#coordinator.apply(transaction, next);
    this.aborted += 1;
    this.#emit("transaction.aborted", transaction, { reason });
    return await this.finish(transaction, scope);
  }

  /** Aborts with a raised epoch: its producer is out, here and in every partition that the transaction wrote to. */
  async fence(transaction: Transaction, reason: string, scope: MarkerScope = "everywhere"): Promise<MarkersOutcome> {
    this.#coordinator.apply(transaction, fenced(transaction.metadata, this.#now()));
    return await this.abort(transaction, reason, scope);
  }

  /** Writes the markers of an outcome that is decided, and when all of them are durable, that it is complete. Never rejects. */
  async finish(transaction: Transaction, scope: MarkerScope = "everywhere"): Promise<MarkersOutcome> {
    const { producerId, producerEpoch, state, partitions } = transaction.metadata;
    const commit = state === "PrepareCommit";
    const coordinatorEpoch = this.#log.coordinatorEpoch(transaction.id);
    const outcome = await this.#markers.end({ producerId, producerEpoch, coordinatorEpoch, commit }, partitions, scope);
    const [late] = outcome.late;
    if (late !== undefined)
      this.#tellLate(
        transaction,
        `${commit ? "committed" : "aborted"}; markers of ${named(outcome.late)} still to be written: ${late.error.message}`,
        late.error,
      );
    else await this.#complete(transaction, commit);
    return outcome;
  }

  /** Resolves when the last commit's completion is durable: only then may its partitions take records of the next. */
  async settled(transaction: Transaction): Promise<void> {
    await transaction.settling;
  }

  async #complete(transaction: Transaction, commit: boolean): Promise<void> {
    const next = completed(transaction.metadata, this.#now());
    try {
      const durable = await this.#log.write(transaction.id, next);
      this.#coordinator.apply(transaction, next);
      transaction.settling = commit ? durable() : Promise.resolve();
      // Told to whoever begins the next one; `stateReopened` mends it.
      transaction.settling.catch(() => {});
    } catch (error) {
      this.#tellLate(
        transaction,
        `${commit ? "committed" : "aborted"}; that all markers are written could not be noted: ${String(error)}`,
        error,
      );
    }
  }

  /** The partition of `__transaction_state` was reopened, and what is known stands there again, durably. */
  mended(transaction: Transaction): void {
    transaction.settling = Promise.resolve();
  }

  /** Once for each trouble, however often its end is tried again. */
  #tellLate(transaction: Transaction, trouble: string, error: unknown): void {
    if (transaction.trouble !== trouble) this.#emit("transaction.late", transaction, { error });
    transaction.trouble = trouble;
  }

  #emit(type: string, { id, metadata }: Transaction, fields: Readonly<Record<string, unknown>>): void {
    this.#house.events.emit(type, { transactionalId: id, producerId: metadata.producerId, ...fields });
  }

  #now(): number {
    return this.#house.context.clock.now();
  }
}

function named(late: readonly { readonly at: TopicPartition }[]): string {
  return late.map(({ at }) => `${at.topic}-${at.partition}`).join(", ");
}
