/** What `batches()` gives: stored batches of lazy views, one at a time. */
import { SerdeError } from "../base/errors.ts";
import { BatchView, type Serdes, viewSerdes } from "./batch-view.ts";
import { type IteratorParts, ReadIterator } from "./record-iterator.ts";
import type { RecordView } from "./record-view.ts";
import type { Session } from "./session.ts";

export class BatchIterator<K, V> extends ReadIterator<BatchView<K, V>, K, V> {
  readonly #serdes: Serdes<K, V>;

  constructor(parts: IteratorParts<K, V>, session: Session, serdes: Serdes<K, V>) {
    super(parts, session);
    this.#serdes = viewSerdes(serdes);
  }

  protected take(): BatchView<K, V> | null {
    // Where records may be skipped, each is decoded before its batch is given: that may take the caller's own time.
    return this.parts.policy.alwaysStops ? this.#deliver() : null;
  }

  protected override async takeSlowly(): Promise<BatchView<K, V> | null> {
    if (this.parts.policy.alwaysStops) return this.#deliver();
    const batch = this.#deliver();
    if (batch === null) return null;
    const { state } = batch.slice;
    try {
      const kept: RecordView<K, V>[] = [];
      for (const record of batch) if (await this.#decodes(record as RecordView<K, V>)) kept.push(record as RecordView<K, V>);
      // A seek may have come while the caller's function was asked.
      if (state.epoch !== batch.slice.epoch) return null;
      if (kept.length === batch.length) return batch;
      if (kept.length > 0) return new BatchView(batch.slice, batch.firstOffset, this.#serdes, kept);
      this.parts.hand.moveOn();
      return null;
    } catch (error) {
      state.giveBack();
      throw error;
    }
  }

  protected recover(error: unknown): Promise<void> {
    return Promise.reject(error);
  }

  #deliver(): BatchView<K, V> | null {
    const delivered = this.parts.reader.deliverSlice();
    return delivered === null ? null : new BatchView(delivered.slice, delivered.fromOffset, this.#serdes);
  }

  async #decodes(record: RecordView<K, V>): Promise<boolean> {
    try {
      record.key;
      record.value;
      return true;
    } catch (error) {
      if (error instanceof SerdeError && (await this.parts.policy.skips(error))) return false;
      throw error;
    }
  }
}
