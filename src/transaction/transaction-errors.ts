/** What a producer is told that may not do with its transaction what it asked for. */
import { ProducerStateError, UsageError } from "../base/errors.ts";
import type { Transaction } from "./transaction.ts";
import { TRANSACTION_TIMEOUT_MS_MAX } from "./transaction-metadata.ts";

export function checkTransactionalId(transactionalId: string): void {
  if (typeof transactionalId === "string" && transactionalId !== "") return;
  throw new UsageError("INVALID_REQUEST", `transactionalId: expected a string that is not empty, found ${JSON.stringify(transactionalId)}`);
}

export function checkTransactionTimeout(transactionTimeoutMs: number): void {
  if (Number.isInteger(transactionTimeoutMs) && transactionTimeoutMs > 0 && transactionTimeoutMs <= TRANSACTION_TIMEOUT_MS_MAX) return;
  const expected = `a whole number from 1 to ${TRANSACTION_TIMEOUT_MS_MAX} ms`;
  throw new UsageError("INVALID_TRANSACTION_TIMEOUT", `transactionTimeoutMs: expected ${expected}, found ${transactionTimeoutMs}`);
}

export function unknownMapping(transactionalId: string, producerId: bigint, known: bigint | null): ProducerStateError {
  const found = known === null ? "nobody's: it was never initialized here, or is forgotten" : `producer ${known}'s`;
  const message = `transactional id "${transactionalId}": expected it to be producer ${producerId}'s, found it to be ${found}; a new producer must initialize it`;
  return new ProducerStateError("INVALID_PRODUCER_ID_MAPPING", message);
}

export function fencedProducer({ id, metadata }: Transaction, producerEpoch: number): ProducerStateError {
  const message = `transactional id "${id}": expected epoch ${metadata.producerEpoch}, found ${producerEpoch}; a newer producer, or a timeout, has taken this one's place`;
  return new ProducerStateError("PRODUCER_FENCED", message);
}

export function stillFinishing(transaction: Transaction): ProducerStateError {
  if (transaction.doubt !== null) return inDoubt(transaction);
  const { id, metadata, trouble } = transaction;
  const why = trouble === null ? "" : `: ${trouble}`;
  return new ProducerStateError(
    "CONCURRENT_TRANSACTIONS",
    `transactional id "${id}": its last transaction is still being finished (${metadata.state})${why}`,
  );
}

export function wrongState(transaction: Pick<Transaction, "id" | "metadata">, wanted: string): ProducerStateError {
  const { id, metadata } = transaction;
  return new ProducerStateError(
    "INVALID_TXN_STATE",
    `transactional id "${id}": ${wanted}: found its transaction in state ${metadata.state}`,
  );
}

export function onlyAbortable(transaction: Transaction, reason: string): ProducerStateError {
  return new ProducerStateError(
    "TRANSACTION_ABORTABLE",
    `transactional id "${transaction.id}": ${reason}; abort the transaction and begin it anew`,
  );
}

export function inDoubt({ id, doubt }: Transaction): ProducerStateError {
  const message = `transactional id "${id}": whether its transaction is committed is not known: ${doubt}; reopenPartition, or the next open, settles it`;
  return new ProducerStateError("CONCURRENT_TRANSACTIONS", message);
}
