/** Batches that are full, or whose time has come, and that may not be handed over yet: in order, until the gate opens for them. */
import type { BatchGate } from "./batch-gate.ts";
import type { PendingBatch } from "./pending-batch.ts";

export class HeldBatches {
  readonly #gate: BatchGate;
  readonly #handOver: (batch: PendingBatch) => void;
  readonly #refuse: (batch: PendingBatch, error: unknown) => void;
  readonly #onEmpty: () => void;
  /** Bounded by `bufferMemory`, which they have their room in. */
  #batches: PendingBatch[] = [];
  #isOpening = false;

  /** `onEmpty`: whoever waited behind them may go on. */
  constructor(
    gate: BatchGate,
    parts: {
      readonly handOver: (batch: PendingBatch) => void;
      readonly refuse: (batch: PendingBatch, error: unknown) => void;
      readonly onEmpty: () => void;
    },
  ) {
    this.#gate = gate;
    this.#handOver = parts.handOver;
    this.#refuse = parts.refuse;
    this.#onEmpty = parts.onEmpty;
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /** Behind one that is held everything is: else a partition's order would be lost. */
  mustHold({ topic, partition }: PendingBatch): boolean {
    return this.#batches.length > 0 || !this.#gate.isOpenFor(topic, partition);
  }

  add(batch: PendingBatch): void {
    this.#batches.push(batch);
    if (this.#isOpening) return;
    this.#isOpening = true;
    // At the end of the turn's own flush, so that all its batches are asked for at once.
    queueMicrotask(() => void this.#open());
  }

  async #open(): Promise<void> {
    while (this.#batches.length > 0) {
      const asked = [...this.#batches];
      let refusal: { readonly error: unknown } | null = null;
      try {
        await this.#gate.open(asked);
      } catch (error) {
        refusal = { error };
      }
      this.#batches = this.#batches.slice(asked.length);
      for (const batch of asked) {
        if (refusal === null) this.#handOver(batch);
        else this.#refuse(batch, refusal.error);
      }
    }
    this.#isOpening = false;
    this.#onEmpty();
  }
}
