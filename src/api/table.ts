/** A compacted topic read as a live map. */
import type { Options } from "./bytes.ts";
import type { ConsumerRecord } from "./consumer.ts";

/** Reads on until it is closed, and keeps the process alive so long. Keys are told apart by their bytes. */
export interface Table<K, V> extends AsyncDisposable {
  /**
   * The newest committed value; undefined: none, or deleted. Sees everything acknowledged with acks "all" before the call. The value is the
   * caller's own. Rejects with a `SerdeError` when it does not deserialize, and with what kept the table from reading: the next call tries again.
   */
  get(key: K): Promise<V | undefined>;
  /** As `get`, whether or not the value deserializes. */
  has(key: K): Promise<boolean>;
  /** All that stood in the table at the first `next()`, which sees what `get` would see then; changes made since do not show. In no order. */
  entries(): AsyncIterableIterator<[K, V]>;
  /**
   * Every change the table takes in from the call on; value null: a deletion. Begun before `entries()`, nothing is missed between the two.
   * A slow reader gets every change while no more than 1,024 wait, then the newest of each key; with changes of more than 65,536 keys
   * waiting it ends with a `UsageError` BUFFER_EXHAUSTED. Ends normally with `close()`; `signal` rejects with its reason.
   */
  watch(options?: Options<{ signal: AbortSignal }>): AsyncIterableIterator<ConsumerRecord<K, V>>;
  /** Ends everything that waits. Idempotent. */
  close(): Promise<void>;
}
