/** Which partition a record goes to: Kafka's rule for keys, one partition per batch for records without. */
import type { Random } from "../base/clock.ts";
import type { Core } from "../core/core.ts";

/** Kafka's default: `toPositive(murmur2(key)) % partitionCount`, over all partitions. */
export function partitionForKey(core: Core, key: Uint8Array, partitionCount: number): number {
  return partitionCount === 1 ? 0 : (core.murmur2(key) & 0x7fffffff) % partitionCount;
}

/** Where records without a key go until their batch is done; never the same twice in a row where there is a choice. */
export class StickyPartition {
  readonly #random: Random;
  #current = -1;

  constructor(random: Random) {
    this.#random = random;
  }

  current(partitionCount: number): number {
    if (this.#current < 0 || this.#current >= partitionCount) this.#current = Math.floor(this.#random.next() * partitionCount);
    return this.#current;
  }

  /** `partition`: where a batch has just been done. */
  moveOn(partition: number, partitionCount: number): void {
    if (partition !== this.#current || partitionCount < 2) return;
    this.#current = (partition + 1 + Math.floor(this.#random.next() * (partitionCount - 1))) % partitionCount;
  }
}
