/** What a batch was given in the log, now or when its producer sent it first. */
import type { OpenedLog } from "../opening/opened-log.ts";
import { hasProducer, type ProducerTable } from "../producers/producer-table.ts";

export interface Appended {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** The time stamped on every record, or -1 where the topic keeps the sender's. */
  readonly logAppendTime: number;
  /** Bytes written. */
  readonly byteLength: number;
  /** Its producer sent it before: nothing was written, and the offsets are those it got then. */
  readonly isDuplicate: boolean;
}

/** null: the batch is new, and in order if it has a producer. Throws a `ProducerStateError` when it is not. */
export function repeated(batch: Uint8Array, producers: ProducerTable, isLogAppendTime: boolean): Appended | null {
  if (!hasProducer(batch)) return null;
  const first = producers.check(batch);
  if (first === null) return null;
  const { baseOffset, lastOffset, timestamp } = first;
  return { baseOffset, lastOffset, logAppendTime: isLogAppendTime ? timestamp : -1, byteLength: 0, isDuplicate: true };
}

/** Of a batch that was just written to the active segment, all of it. */
export function noteProducer(log: OpenedLog, batch: Uint8Array, baseOffset: number, lastOffset: number, maxTimestamp: number): void {
  if (!hasProducer(batch)) return;
  const aborted = log.producers.admit(batch, 0, baseOffset, lastOffset, maxTimestamp);
  if (aborted !== null) log.abortedTransactions.add(log.segments.active, aborted);
}
