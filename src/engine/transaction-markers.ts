/** What a transaction asks of the partitions it wrote to: that its records be durable, and then that a marker end it. */
import type { TopicPartition } from "../api/bytes.ts";
import { type OdradekError, UsageError } from "../base/errors.ts";
import type { PartitionLog } from "../log/partition-log.ts";
import { storageError } from "../storage/errno.ts";
import { type House, OFFSETS_TOPIC } from "./house.ts";

export interface TransactionEnd {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly commit: boolean;
}

/** A marker that is durable. */
export interface WrittenMarker {
  readonly log: PartitionLog;
  readonly offset: number;
}

export interface LateMarker {
  readonly at: TopicPartition;
  readonly error: OdradekError;
}

export interface MarkersOutcome {
  readonly written: readonly WrittenMarker[];
  readonly late: readonly LateMarker[];
}

/** "everywhere": also behind batches that still wait to be written. "where open": after an opening or a failure, when none do. */
export type MarkerScope = "everywhere" | "where open";

export class TransactionMarkers {
  readonly #house: House;
  readonly #offsetsEnded: (partition: number, producerId: bigint, committed: boolean) => void;

  /** `offsetsEnded`: a marker is durable in that partition of `__consumer_offsets`. */
  constructor(house: House, offsetsEnded: (partition: number, producerId: bigint, committed: boolean) => void) {
    this.#house = house;
    this.#offsetsEnded = offsetsEnded;
  }

  /** Resolves when everything written to these partitions is durable, whatever their topics' levels. A topic that is gone has nothing to lose. */
  async flush(partitions: readonly TopicPartition[]): Promise<void> {
    const results = await Promise.allSettled(
      partitions.map(async (at) => {
        const log = this.#log(at);
        if (log === null) return;
        if (log.failure !== null) throw log.failure;
        await log.flush();
      }),
    );
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** Ends the transaction in all of these partitions at once. Never rejects: what could not be written is answered. */
  async end(end: TransactionEnd, partitions: readonly TopicPartition[], scope: MarkerScope): Promise<MarkersOutcome> {
    const written: WrittenMarker[] = [];
    const late: LateMarker[] = [];
    await Promise.all(
      partitions.map(async (at) => {
        try {
          const marker = await this.#endIn(at, end, scope);
          if (marker !== null) written.push(marker);
          if (at.topic === OFFSETS_TOPIC) this.#offsetsEnded(at.partition, end.producerId, end.commit);
        } catch (error) {
          late.push({ at, error: storageError(error, "the marker", `${at.topic}-${at.partition}`) });
        }
      }),
    );
    return { written, late };
  }

  async #endIn(at: TopicPartition, end: TransactionEnd, scope: MarkerScope): Promise<WrittenMarker | null> {
    const log = this.#log(at);
    if (log === null) return null;
    const open = log.producers.openTransaction(end.producerId);
    const isOpen = open !== null && open.producerEpoch <= end.producerEpoch;
    if (scope === "where open" && !isOpen && log.spec.frozen) return null;
    if (log.spec.frozen) {
      const message = `${log.spec.directory}: another writer left it with the transaction open; adoptTopic names its settings, then it is ended`;
      throw new UsageError("TOPIC_NOT_ADOPTED", message);
    }
    if (log.failure !== null) throw log.failure;
    try {
      if (scope === "where open" && !isOpen) {
        // The marker stands already, and is durable: the log was opened, or has flushed it.
        await log.flush();
        return null;
      }
      // Markers of a coordinator that came before, another writer's perhaps, must not make ours look stale.
      const coordinatorEpoch = Math.max(end.coordinatorEpoch, open?.coordinatorEpoch ?? -1);
      const { lastOffset } = await log.appendMarker({ ...end, coordinatorEpoch });
      await log.flush();
      return { log, offset: lastOffset };
    } catch (error) {
      if (this.#isGone(at, log)) return null;
      throw error;
    }
  }

  /** null: the topic is gone, or the partition never had a record. Throws what kept it from opening. */
  #log(at: TopicPartition): PartitionLog | null {
    const slot = this.#house.topics.find(at.topic)?.slots[at.partition];
    if (slot?.state === "failed") throw slot.error;
    return slot?.state === "open" ? slot.log : null;
  }

  #isGone(at: TopicPartition, log: PartitionLog): boolean {
    const slot = this.#house.topics.find(at.topic)?.slots[at.partition];
    return slot?.state !== "open" || slot.log !== log;
  }
}
