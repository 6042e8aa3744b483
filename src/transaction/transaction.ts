/** One transactional id as the coordinator holds it: what is written of it, and what is known in this process alone. */
import type { TopicPartition } from "../api/bytes.ts";
import { partitionKey, type TransactionMetadata } from "./transaction-metadata.ts";
import { isIdle } from "./transaction-state.ts";

export class Transaction {
  readonly id: string;
  /** Since when the open one is open, by the monotonic clock. */
  openedAtMs = 0;
  /** Its end has begun: nothing more is let in, though the state may still be Ongoing. */
  isEnding = false;
  /** Why it can only be aborted; null: it may still commit. */
  doom: string | null = null;
  /** Why markers, or the record of their end, are still to be written; null: nothing is late. */
  trouble: string | null = null;
  /** Why nobody knows whether it is committed: its commit's record may stand, or not. null: it is known. */
  doubt: string | null = null;
  /** Resolves when the record that completes the last commit is durable; rejects where nobody knows whether it is. */
  settling: Promise<void> = Promise.resolve();
  #metadata: TransactionMetadata;
  #partitionKeys: ReadonlySet<string>;

  constructor(id: string, metadata: TransactionMetadata) {
    this.id = id;
    this.#metadata = metadata;
    this.#partitionKeys = new Set(metadata.partitions.map(partitionKey));
  }

  get metadata(): TransactionMetadata {
    return this.#metadata;
  }

  /** Of the coordinator alone, which keeps the index by producer id. */
  become(metadata: TransactionMetadata): void {
    this.#metadata = metadata;
    this.#partitionKeys = new Set(metadata.partitions.map(partitionKey));
    if (isIdle(metadata.state)) {
      this.isEnding = false;
      this.doom = null;
      this.trouble = null;
      this.doubt = null;
    }
  }

  has(at: TopicPartition): boolean {
    return this.#partitionKeys.has(partitionKey(at));
  }
}
