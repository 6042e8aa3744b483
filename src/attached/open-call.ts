/** A call that has not been answered: what it asks, what may be done with it when its owner goes, and who waits for it. */
import type { OffsetCommitRequest, ProduceRequest, TransactionIdentity } from "../api/broker.ts";
import { readBigInt64, readInt16 } from "../base/big-endian.ts";
import { OdradekError, ProducerStateError } from "../base/errors.ts";
import { ATTRIBUTES_AT, HEADER_BYTE_LENGTH, isTransactional, PRODUCER_EPOCH_AT, PRODUCER_ID_AT } from "../base/record-batch.ts";
import { CALLS, type CallName, type Fate } from "./calls.ts";

export class OpenCall {
  readonly name: CallName;
  readonly values: readonly unknown[];
  readonly signal: AbortSignal | undefined;
  readonly fate: Fate;
  /** The transaction it belongs to; null: none. */
  readonly transaction: { readonly id: string; readonly identity: string } | null;
  /** What no more than a few calls may be under way for; null: no such limit. */
  readonly lane: string | null;
  /** The bytes of its batch. */
  readonly byteLength: number;
  readonly promise: Promise<unknown>;
  readonly askedMs: number;
  id = 0;
  /** An owner went without answering it. */
  wasLost = false;
  isOver = false;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  readonly #onOver: (call: OpenCall, aborted: boolean) => void;
  readonly #onAbort = (): void => {
    this.reject(this.signal?.reason, true);
  };

  /** Copies a batch, which is lent. `onOver` runs once, before the promise settles. */
  constructor(
    name: CallName,
    values: readonly unknown[],
    signal: AbortSignal | undefined,
    askedMs: number,
    onOver: (call: OpenCall, aborted: boolean) => void,
  ) {
    this.name = name;
    this.signal = signal;
    this.askedMs = askedMs;
    this.#onOver = onOver;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (name === "produce") {
      const request = values[0] as ProduceRequest;
      const batch = new Uint8Array(request.batch);
      this.values = [{ ...request, batch }];
      this.byteLength = batch.byteLength;
      const claim = claimOf(batch);
      const isNumbered = claim !== null && claim.producerId >= 0n;
      this.transaction = claim?.transactional === true ? transactionOf(request.transactionalId ?? "", claim) : null;
      this.fate = this.transaction !== null ? "transaction" : isNumbered ? "again" : "doubt";
      this.lane = isNumbered ? `${claim.producerId}/${request.topic}-${request.partition}` : null;
    } else {
      this.values = values;
      this.byteLength = 0;
      this.lane = null;
      const { fate } = CALLS[name];
      const isOfTransaction = fate === "transaction" || name === "endTransaction";
      const identity = values[0] as TransactionIdentity;
      this.transaction = isOfTransaction ? transactionOf(identity.transactionalId, identity) : null;
      // From outside a group nothing guards it: asked again it might undo what another has committed meanwhile.
      const isUnguarded = name === "offsetCommit" && (values[0] as OffsetCommitRequest).generation < 0;
      this.fate = isUnguarded ? "doubt" : fate;
    }
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted === true) this.#onAbort();
  }

  resolve(value: unknown): void {
    if (this.#end(false)) this.#resolve(value);
  }

  reject(error: unknown, aborted = false): void {
    const isAborted = this.wasLost && this.name === "endTransaction" && isFenced(error);
    // Without that error as its cause, which would tell the producer that it is fenced for good.
    if (this.#end(aborted)) this.#reject(isAborted ? abortedWithOwner() : error);
  }

  #end(aborted: boolean): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.signal?.removeEventListener("abort", this.#onAbort);
    this.#onOver(this, aborted);
    return true;
  }
}

interface Claim {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly transactional: boolean;
}

/** What a batch's header says of its producer; null for what is no batch, which the owner refuses. */
function claimOf(batch: Uint8Array): Claim | null {
  if (batch.byteLength < HEADER_BYTE_LENGTH) return null;
  return {
    producerId: readBigInt64(batch, PRODUCER_ID_AT),
    producerEpoch: readInt16(batch, PRODUCER_EPOCH_AT),
    transactional: isTransactional(batch[ATTRIBUTES_AT + 1] as number),
  };
}

function transactionOf(id: string, { producerId, producerEpoch }: Omit<Claim, "transactional">): OpenCall["transaction"] {
  return { id, identity: `${producerId}/${producerEpoch}` };
}

/** A transaction that its owner took along is aborted under a raised epoch: to its own producer that is no fencing. */
export function abortedWithOwner(cause?: unknown): ProducerStateError {
  return new ProducerStateError(
    "TRANSACTION_ABORTABLE",
    "the process that had the log has gone, and with it this transaction: whoever has the log now aborts it; begin it again",
    { cause },
  );
}

function isFenced(error: unknown): boolean {
  return error instanceof OdradekError && (error.code === "PRODUCER_FENCED" || error.code === "INVALID_PRODUCER_EPOCH");
}
