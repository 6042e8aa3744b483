/** Offsets committed within transactions that are still open: kept aside, by producer, until a marker says what becomes of them. */

export interface PendingOffset {
  /** What it would replace: the same for every commit of one group and partition. */
  readonly id: string;
  readonly groupId: string;
}

interface Pending<P extends PendingOffset> {
  readonly offset: P;
  /** Of two for one place the one written later counts, whichever commits first: so it is for whoever reads the log. */
  readonly order: number;
}

export class PendingOffsets<P extends PendingOffset> {
  /** By the partition of `__consumer_offsets`, the producer and the id. */
  readonly #partitions: Map<number, Map<bigint, Map<string, Pending<P>>>> = new Map();
  #order = 0;

  add(partitionOf50: number, producerId: bigint, offset: P): void {
    let producers = this.#partitions.get(partitionOf50);
    if (producers === undefined) {
      producers = new Map();
      this.#partitions.set(partitionOf50, producers);
    }
    let offsets = producers.get(producerId);
    if (offsets === undefined) {
      offsets = new Map();
      producers.set(producerId, offsets);
    }
    this.#order += 1;
    offsets.set(offset.id, { offset, order: this.#order });
  }

  /** The producer's transaction has ended in that partition: takes its offsets out, and those that a commit of them outdates. */
  end(partitionOf50: number, producerId: bigint, committed: boolean): P[] {
    const producers = this.#partitions.get(partitionOf50);
    const ended = producers?.get(producerId);
    if (producers === undefined || ended === undefined) return [];
    producers.delete(producerId);
    if (committed) {
      for (const [id, { order }] of ended) this.#forgetIn(producers, id, order);
    }
    if (producers.size === 0) this.#partitions.delete(partitionOf50);
    return [...ended.values()].map(({ offset }) => offset);
  }

  /** Something was written for this place outside of any transaction: what was pending for it is of the past. */
  supersede(partitionOf50: number, id: string): void {
    const producers = this.#partitions.get(partitionOf50);
    if (producers !== undefined) this.#forgetIn(producers, id, Number.POSITIVE_INFINITY);
  }

  /** Before the partition is read again. */
  forget(partitionOf50: number): void {
    this.#partitions.delete(partitionOf50);
  }

  has(partitionOf50: number, id: string): boolean {
    for (const offsets of this.#partitions.get(partitionOf50)?.values() ?? []) if (offsets.has(id)) return true;
    return false;
  }

  /** One of each place. */
  ofGroup(partitionOf50: number, groupId: string): P[] {
    const found = new Map<string, P>();
    for (const offsets of this.#partitions.get(partitionOf50)?.values() ?? []) {
      for (const [id, { offset }] of offsets) if (offset.groupId === groupId) found.set(id, offset);
    }
    return [...found.values()];
  }

  groupIds(): Set<string> {
    const groupIds = new Set<string>();
    for (const producers of this.#partitions.values()) {
      for (const offsets of producers.values()) for (const { offset } of offsets.values()) groupIds.add(offset.groupId);
    }
    return groupIds;
  }

  #forgetIn(producers: Map<bigint, Map<string, Pending<P>>>, id: string, before: number): void {
    for (const [producerId, offsets] of producers) {
      const pending = offsets.get(id);
      if (pending === undefined || pending.order >= before) continue;
      offsets.delete(id);
      if (offsets.size === 0) producers.delete(producerId);
    }
  }
}
