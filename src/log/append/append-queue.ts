/** Batches that wait their turn to be appended, in call order: for room (C7), for a roll, for a leader epoch. */

import { StorageError } from "../../base/errors.ts";
import type { BatchVerdict } from "../../core/core.ts";

export type AppendVerdict = Pick<BatchVerdict, "recordCount" | "maxTimestamp">;

export interface WaitingBatch<Result> {
  readonly batch: Uint8Array;
  readonly verdict: AppendVerdict;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Above this the next call fails at once: senders bound their own memory well below it. */
const QUEUED_BYTES_MAX = 64 * 1024 * 1024;

export class AppendQueue<Result> {
  #waiting: (WaitingBatch<Result> & { readonly stop: () => void })[] = [];
  #byteLength = 0;

  get length(): number {
    return this.#waiting.length;
  }

  /** Copies the batch: the caller's bytes are lent only until this returns. One batch is taken whatever its size. */
  add(batch: Uint8Array, verdict: AppendVerdict, signal: AbortSignal | undefined, where: string): Promise<Result> {
    signal?.throwIfAborted();
    if (this.#waiting.length > 0 && this.#byteLength + batch.length > QUEUED_BYTES_MAX) {
      const message = `${where}: ${this.#byteLength} bytes already wait to be written and ${batch.length} more exceed ${QUEUED_BYTES_MAX}; the disk is slower than the senders`;
      throw new StorageError("KAFKA_STORAGE_ERROR", message);
    }
    const { recordCount, maxTimestamp } = verdict;
    return new Promise<Result>((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        this.#byteLength -= waiting.batch.length;
        reject(signal?.reason);
      };
      const stop = (): void => signal?.removeEventListener("abort", onAbort);
      const waiting = { batch: batch.slice(), verdict: { recordCount, maxTimestamp }, resolve, reject, stop };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(waiting);
      this.#byteLength += batch.length;
    });
  }

  peek(): WaitingBatch<Result> | undefined {
    return this.#waiting[0];
  }

  /** Takes the first one out: from now on its signal no longer matters. */
  take(): WaitingBatch<Result> | undefined {
    const first = this.#waiting.shift();
    if (first === undefined) return undefined;
    first.stop();
    this.#byteLength -= first.batch.length;
    return first;
  }

  rejectAll(error: unknown): void {
    for (let waiting = this.take(); waiting !== undefined; waiting = this.take()) waiting.reject(error);
  }
}
