/**
 * Which transactional batches compaction may let go, told batch by batch in the order of offsets.
 * Source of the rules: Apache Kafka, `CleanedTransactionMetadata`.
 */
import { decodeMarker } from "../../base/control-record.ts";
import { isControl, isTransactional, PRODUCER_ID_AT } from "../../base/record-batch.ts";
import { RecordCursor } from "../../base/record-decoder.ts";
import { ATTRIBUTES_AT, lastOffsetAt, RECORD_COUNT_AT, viewOf } from "../batch/batch-header.ts";
import type { AbortedTransaction } from "../producers/transaction-index.ts";

export interface TransactionVerdict {
  /** Data of an aborted transaction, or a marker of which no data is left: nothing relies on it any more. */
  readonly isDiscardable: boolean;
  /** An abort marker that stays, since data of it was met: its entry goes on in the index of the segment that holds the marker. */
  readonly keptEntry: AbortedTransaction | null;
}

const STAYS: TransactionVerdict = { isDiscardable: false, keptEntry: null };
const GOES: TransactionVerdict = { isDiscardable: true, keptEntry: null };

interface OngoingAbort {
  readonly entry: AbortedTransaction;
  hasData: boolean;
}

export class CleanedTransactions {
  /** By first offset. */
  readonly #aborted: readonly AbortedTransaction[];
  #next = 0;
  readonly #ongoingAborts: Map<bigint, OngoingAbort> = new Map();
  readonly #ongoingCommits: Set<bigint> = new Set();

  /** `aborted`: every transaction that has a marker or data in what is walked. */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.#aborted = [...aborted].sort((left, right) => left.firstOffset - right.firstOffset);
  }

  /** To be asked of every batch, in order. */
  judge(batch: Uint8Array): TransactionVerdict {
    const view = viewOf(batch);
    const attributes = view.getInt16(ATTRIBUTES_AT);
    if (isControl(attributes)) return this.#judgeControl(batch, view);
    if (!isTransactional(attributes)) return STAYS;
    this.#begin(lastOffsetAt(view, 0));
    const producerId = view.getBigInt64(PRODUCER_ID_AT);
    const abort = this.#abortAt(producerId, lastOffsetAt(view, 0));
    if (abort === undefined) {
      this.#ongoingCommits.add(producerId);
      return STAYS;
    }
    abort.hasData = true;
    return GOES;
  }

  #judgeControl(batch: Uint8Array, view: DataView): TransactionVerdict {
    this.#begin(lastOffsetAt(view, 0));
    // Emptied by an earlier pass: it has said what it had to say.
    if (view.getInt32(RECORD_COUNT_AT) === 0) return GOES;
    const cursor = new RecordCursor(batch, 0);
    const marker =
      cursor.next() && cursor.keyLength >= 0
        ? decodeMarker(batch.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength), null)
        : null;
    const producerId = view.getBigInt64(PRODUCER_ID_AT);
    if (marker?.type === "abort") {
      const abort = this.#ongoingAborts.get(producerId);
      this.#ongoingAborts.delete(producerId);
      return abort?.hasData === true ? { isDiscardable: false, keptEntry: abort.entry } : GOES;
    }
    if (marker?.type === "commit") return this.#ongoingCommits.delete(producerId) ? STAYS : GOES;
    return STAYS;
  }

  /** The producer's aborted transaction that an offset belongs to. One whose marker was not met, since it is gone, ends by its offset. */
  #abortAt(producerId: bigint, offset: number): OngoingAbort | undefined {
    const abort = this.#ongoingAborts.get(producerId);
    if (abort === undefined || offset <= abort.entry.lastOffset) return abort;
    this.#ongoingAborts.delete(producerId);
    return undefined;
  }

  /** Transactions that begin at or before `offset` are under way from now on, but for those that end before it: a walk may begin anywhere. */
  #begin(offset: number): void {
    for (; ; this.#next += 1) {
      const entry = this.#aborted[this.#next];
      if (entry === undefined || entry.firstOffset > offset) return;
      if (entry.lastOffset < offset) continue;
      if (this.#abortAt(entry.producerId, entry.firstOffset) === undefined)
        this.#ongoingAborts.set(entry.producerId, { entry, hasData: false });
    }
  }
}
