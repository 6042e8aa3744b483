/** Reads a segment's `.txnindex` into memory. */
import type { LogContext } from "./log-context.ts";
import type { Segment } from "./segment.ts";
import { TransactionEntries } from "./transaction-entries.ts";
import { readTransactionIndexBytes } from "./transaction-index.ts";

export async function loadTransactionEntries(context: LogContext, segment: Segment): Promise<TransactionEntries> {
  const bytes = await readTransactionIndexBytes(context, segment.directory, segment.baseOffset, segment.isInSwap ? "swap" : "");
  return bytes === null ? new TransactionEntries() : new TransactionEntries(bytes);
}
