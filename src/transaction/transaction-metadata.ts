/** What is kept of a transactional id, and the steps from one state of it to the next. Pure: each answers the metadata to be written. */
import type { TopicPartition } from "../api/bytes.ts";
import type { TransactionState } from "./transaction-state.ts";

/** Kafka's `transaction.max.timeout.ms`. */
export const TRANSACTION_TIMEOUT_MS_MAX: number = 15 * 60 * 1000;
/** Kafka's `transactional.id.expiration.ms`. */
export const TRANSACTIONAL_ID_EXPIRATION_MS: number = 7 * 24 * 3600 * 1000;
/** From here on a producer id is used up: the one epoch above it is for fencing its last producer. */
export const PRODUCER_EPOCH_EXHAUSTED: number = 2 ** 15 - 2;
export const NO_PRODUCER_ID = -1n;

export interface TransactionMetadata {
  readonly producerId: bigint;
  /** Kafka's, of a client with epochs that rise by each transaction; -1 here. */
  readonly previousProducerId: bigint;
  readonly nextProducerId: bigint;
  readonly producerEpoch: number;
  readonly timeoutMs: number;
  readonly state: TransactionState;
  /** Those of the transaction that is open or being finished. */
  readonly partitions: readonly TopicPartition[];
  /** Milliseconds since 1970. */
  readonly lastUpdateMs: number;
  /** -1: none has begun. */
  readonly startMs: number;
  readonly clientTransactionVersion: number;
}

/** A transactional id that nobody has used. */
export function newlyInitialized(producerId: bigint, timeoutMs: number, nowMs: number): TransactionMetadata {
  return {
    producerId,
    previousProducerId: NO_PRODUCER_ID,
    nextProducerId: NO_PRODUCER_ID,
    producerEpoch: 0,
    timeoutMs,
    state: "Empty",
    partitions: [],
    lastUpdateMs: nowMs,
    startMs: -1,
    clientTransactionVersion: 0,
  };
}

/** An idle id with its next producer. */
export function reinitialized(
  current: TransactionMetadata,
  identity: { readonly producerId: bigint; readonly producerEpoch: number },
  timeoutMs: number,
  nowMs: number,
): TransactionMetadata {
  const { producerId, producerEpoch } = identity;
  return { ...current, producerId, producerEpoch, timeoutMs, state: "Empty", partitions: [], lastUpdateMs: nowMs, startMs: -1 };
}

/** With these partitions in it; null where all of them are. */
export function withPartitions(current: TransactionMetadata, added: readonly TopicPartition[], nowMs: number): TransactionMetadata | null {
  const begins = current.state !== "Ongoing";
  const partitions = begins ? [] : [...current.partitions];
  const known = new Set(partitions.map(partitionKey));
  for (const { topic, partition } of added) {
    const key = partitionKey({ topic, partition });
    if (known.has(key)) continue;
    known.add(key);
    partitions.push({ topic, partition });
  }
  if (!begins && partitions.length === current.partitions.length) return null;
  return { ...current, state: "Ongoing", partitions, lastUpdateMs: nowMs, startMs: begins ? nowMs : current.startMs };
}

/** An open transaction whose producer is put out: every later word of that one is of an old epoch. */
export function fenced(current: TransactionMetadata, nowMs: number): TransactionMetadata {
  return { ...current, producerEpoch: current.producerEpoch + 1, state: "PrepareEpochFence", lastUpdateMs: nowMs };
}

/** With the outcome decided; for a commit, the commit point once it is durable. */
export function prepared(current: TransactionMetadata, commit: boolean, nowMs: number): TransactionMetadata {
  return { ...current, state: commit ? "PrepareCommit" : "PrepareAbort", lastUpdateMs: nowMs };
}

/** With every marker durable. */
export function completed(current: TransactionMetadata, nowMs: number): TransactionMetadata {
  const state = current.state === "PrepareCommit" ? "CompleteCommit" : "CompleteAbort";
  return { ...current, state, partitions: [], lastUpdateMs: nowMs };
}

export function partitionKey({ topic, partition }: TopicPartition): string {
  // No topic's name holds a slash.
  return `${topic}/${partition}`;
}
