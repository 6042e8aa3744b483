/** What others may ask of the producers that a partition knows. */

export interface OpenTransaction {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Of the producer's last marker here, -1 before the first: the next one's may not be lower. */
  readonly coordinatorEpoch: number;
  /** Where its first batch in this partition stands. */
  readonly firstOffset: number;
}

export interface LastEntry {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** -1: nothing but markers under this epoch. */
  readonly lastDataOffset: number;
}

export interface ProducerStates {
  readonly size: number;
  /** By first offset, ascending. */
  openTransactions(): readonly OpenTransaction[];
  openTransaction(producerId: bigint): OpenTransaction | null;
  /** Of all that were known here since the log was opened; -1n: there was none. */
  largestProducerId(): bigint;
  /** For compaction, which must keep each producer's last batch. */
  lastEntries(): Iterable<LastEntry>;
  /** Forgets producers without an open transaction whose last batch or marker has a timestamp at least so far back. */
  expire(nowMs: number, producerIdExpirationMs: number): void;
}

/** Kafka's `producer.id.expiration.ms`. */
export const PRODUCER_ID_EXPIRATION_MS: number = 24 * 3_600_000;
