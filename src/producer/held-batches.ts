/** Finished batches of one call, side by side in memory of our own, until the whole call is known to be good. */

const ARENA_BYTE_LENGTH_MIN = 2 * 1024 * 1024;
/** A larger array is not kept for the next call. */
const ARENA_BYTE_LENGTH_KEPT = 4 * 1024 * 1024;
const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);

export class HeldBatches {
  // Kept between calls: fresh memory costs more than the copy into it.
  #arena: Uint8Array<ArrayBuffer> = NOTHING;
  #ends: number[] = [];

  get count(): number {
    return this.#ends.length;
  }

  get byteLength(): number {
    return this.#ends.at(-1) ?? 0;
  }

  /** Copies: what is given may be a view of the core's memory. */
  hold(batch: Uint8Array): void {
    const start = this.byteLength;
    const end = start + batch.length;
    if (end > this.#arena.length) {
      const larger = new Uint8Array(Math.max(end, this.#arena.length * 2, ARENA_BYTE_LENGTH_MIN));
      larger.set(this.#arena.subarray(0, start));
      this.#arena = larger;
    }
    this.#arena.set(batch, start);
    this.#ends.push(end);
  }

  /** A view, good until `clear`. */
  at(index: number): Uint8Array {
    return this.#arena.subarray(index === 0 ? 0 : this.#ends[index - 1], this.#ends[index]);
  }

  clear(): void {
    this.#ends = [];
    if (this.#arena.length > ARENA_BYTE_LENGTH_KEPT) this.#arena = NOTHING;
  }
}
