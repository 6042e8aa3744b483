/** `__transaction_state`: what is written of each transactional id, and read at open. */
import type { OdradekError } from "../base/errors.ts";
import { coordinatorPartition } from "../base/java-hash.ts";
import { storageError } from "../storage/errno.ts";
import { decodeTransactionKey, encodeTransactionKey } from "../transaction/schemas/transaction-key.ts";
import { decodeTransactionValue, encodeTransactionValue } from "../transaction/schemas/transaction-value.ts";
import type { TransactionMetadata } from "../transaction/transaction-metadata.ts";
import { type House, TRANSACTIONS_TOPIC } from "./house.ts";
import { InternalTopic } from "./internal-topic.ts";

export type KeptTransactions = Map<string, TransactionMetadata>;

export class TransactionLog {
  readonly #topic: InternalTopic;

  constructor(house: House, flushMs: number) {
    this.#topic = new InternalTopic(house, TRANSACTIONS_TOPIC, flushMs);
  }

  partitions(): number[] {
    return this.#topic.partitions();
  }

  /** The last word on each id of a partition. `onProducerId` is told every id in it, also of records that are outdated. */
  async read(
    partition: number,
    onProducerId: (producerId: bigint) => void,
    onUnreadable: (error: unknown) => void,
  ): Promise<KeptTransactions> {
    const kept: KeptTransactions = new Map();
    for await (const batches of this.#topic.read(partition)) {
      for (const { records } of batches) {
        for (const { key, value } of records) {
          const transactionalId = decodeTransactionKey(key);
          if (transactionalId === null) continue;
          if (value === null) {
            kept.delete(transactionalId);
            continue;
          }
          try {
            const metadata = decodeTransactionValue(value);
            for (const id of [metadata.producerId, metadata.previousProducerId, metadata.nextProducerId]) onProducerId(id);
            kept.set(transactionalId, metadata);
          } catch (error) {
            onUnreadable(error);
          }
        }
      }
    }
    return kept;
  }

  /** Kafka's: the leader epoch of the partition of an id that is known, which only rises. */
  coordinatorEpoch(transactionalId: string): number {
    return this.#topic.log(coordinatorPartition(transactionalId)).leaderEpoch;
  }

  /** Why the partition of an id that is known takes no records; null: it does. */
  failure(transactionalId: string): OdradekError | null {
    return this.#topic.log(coordinatorPartition(transactionalId)).failure;
  }

  /**
   * Resolves when written, with what makes it durable. Rejects when nothing was kept. `metadata` null: a tombstone.
   * The answered promise must be called; it rejects when nobody can say whether the record will be there after a crash.
   */
  async write(transactionalId: string, metadata: TransactionMetadata | null): Promise<() => Promise<void>> {
    const value = metadata === null ? null : encodeTransactionValue(metadata);
    const record = { key: encodeTransactionKey(transactionalId), value };
    const partition = coordinatorPartition(transactionalId);
    const log = await this.#topic.write(partition, [record], null);
    return async () => {
      try {
        await log.flush();
      } catch (error) {
        throw storageError(error, "flushing", log.spec.directory);
      }
    };
  }
}
