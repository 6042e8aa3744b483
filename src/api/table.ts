/** A compacted topic read as a live map. */
import type { Options } from "./bytes.ts";
import type { ConsumerRecord } from "./consumer.ts";

export interface Table<K, V> extends AsyncDisposable {
  get(key: K): Promise<V | undefined>;
  has(key: K): Promise<boolean>;
  entries(): AsyncIterableIterator<[K, V]>;
  watch(options?: Options<{ signal: AbortSignal }>): AsyncIterableIterator<ConsumerRecord<K, V>>;
  close(): Promise<void>;
}
