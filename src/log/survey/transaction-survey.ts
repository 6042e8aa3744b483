/**
 * Holds the `.txnindex` files of a partition against its batches: an aborted transaction that no entry names is read as if it had committed,
 * an entry of one that did not abort hides records.
 */
import { readInt16 } from "../../base/big-endian.ts";
import { decodeMarker } from "../../base/control-record.ts";
import { OdradekError } from "../../base/errors.ts";
import { ATTRIBUTES_AT, isControl } from "../../base/record-batch.ts";
import { RecordCursor, RecordFramingError } from "../../base/record-decoder.ts";
import type { ScannedBatch } from "../batch/batch-scan.ts";
import { hasProducer, ProducerTable } from "../producers/producer-table.ts";
import type { AbortedTransaction } from "../producers/transaction-index.ts";

export interface TransactionIndexProblem {
  /** Of the marker. */
  readonly offset: number;
  readonly problem: string;
}

export interface TransactionIndexVerdict {
  readonly problems: readonly TransactionIndexProblem[];
  /** What the index must say at least: every aborted transaction whose marker lies in the segment and whose records the log still has. */
  readonly expected: readonly AbortedTransaction[];
}

export class TransactionSurvey {
  readonly #table: ProducerTable;
  #expected: AbortedTransaction[] = [];
  /** Offsets of the segment's abort markers. */
  #abortMarkers: Set<number> = new Set();

  /** `where`: the partition, for messages. */
  constructor(where: string) {
    this.#table = new ProducerTable(where);
  }

  /** The batches of all segments in order; `bytes` are the batch's own. */
  take(bytes: Uint8Array, { baseOffset, lastOffset, maxTimestamp }: ScannedBatch): void {
    if (!hasProducer(bytes)) return;
    if (isControl(readInt16(bytes, ATTRIBUTES_AT)) && isAbort(bytes)) this.#abortMarkers.add(baseOffset);
    const aborted = this.#table.admit(bytes, 0, baseOffset, lastOffset, maxTimestamp);
    if (aborted !== null) this.#expected.push(aborted);
  }

  /** What the index of the segment that ends here says, held against it. Begins the next segment. */
  finishSegment(entries: readonly AbortedTransaction[]): TransactionIndexVerdict {
    const problems: TransactionIndexProblem[] = [];
    const expected = this.#expected;
    for (const { producerId, firstOffset, lastOffset } of expected) {
      const entry = entries.find((each) => each.lastOffset === lastOffset);
      const found = entry === undefined ? "none" : `producer ${entry.producerId} from offset ${entry.firstOffset}`;
      // Its first batches may be gone, by retention or the cleaner: the entry then begins before what is left.
      if (entry !== undefined && entry.producerId === producerId && entry.firstOffset <= firstOffset) continue;
      const problem = `expected an entry of producer ${producerId}, aborted at offset ${lastOffset} from offset ${firstOffset} on, found ${found}`;
      problems.push({ offset: lastOffset, problem });
    }
    for (const { producerId, lastOffset } of entries) {
      if (this.#abortMarkers.has(lastOffset)) continue;
      const problem = `expected an abort marker of producer ${producerId} at offset ${lastOffset}, which an entry names, found none`;
      problems.push({ offset: lastOffset, problem });
    }
    this.#expected = [];
    this.#abortMarkers = new Set();
    return { problems, expected };
  }
}

function isAbort(bytes: Uint8Array): boolean {
  try {
    const cursor = new RecordCursor(bytes);
    return cursor.next() && decodeMarker(cursor.key(), cursor.value())?.type === "abort";
  } catch (error) {
    if (error instanceof RecordFramingError || error instanceof OdradekError) return false;
    throw error;
  }
}
