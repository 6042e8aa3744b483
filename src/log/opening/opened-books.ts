/** What a log knows beside its segments when it is opened: its producers, their snapshots, and transactions that were aborted. */
import { AbortedTransactions } from "../producers/aborted-transactions.ts";
import type { ReplaySource } from "../producers/producer-replay.ts";
import type { ProducerTable } from "../producers/producer-table.ts";
import { TransactionEntries } from "../producers/transaction-entries.ts";
import { loadTransactionEntries } from "../producers/transaction-index-file.ts";
import type { Segment } from "../segment/segment.ts";
import { SegmentList } from "../segment/segment-list.ts";
import type { OpenedLog } from "./opened-log.ts";

/** `entries`: the transaction indexes of segments that were looked at; the others are read when they are asked for. */
export function openedBooks(
  source: ReplaySource,
  segments: readonly Segment[],
  producers: ProducerTable,
  entries: ReadonlyMap<number, TransactionEntries>,
): Pick<OpenedLog, "segments" | "producers" | "snapshots" | "abortedTransactions"> {
  const { context, spec, snapshots } = source;
  const list = new SegmentList(segments);
  const unread = segments.map(({ baseOffset }) => baseOffset);
  const load = (segment: Segment): Promise<TransactionEntries> => loadTransactionEntries(source, list.all(), segment);
  const abortedTransactions = new AbortedTransactions(context, spec.directory, list, unread, load);
  for (const segment of segments) {
    const known = entries.get(segment.baseOffset) ?? (segment === segments.at(-1) ? new TransactionEntries() : undefined);
    if (known !== undefined) abortedTransactions.put(segment.baseOffset, known);
  }
  return { segments: list, producers, snapshots, abortedTransactions };
}
