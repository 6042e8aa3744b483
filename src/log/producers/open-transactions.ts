/** The transactions of a partition that keep readers of committed records waiting: those open, and those whose marker is not readable yet. */

interface EndedTransaction {
  readonly firstOffset: number;
  /** Of the marker. */
  readonly lastOffset: number;
}

const NONE = Number.POSITIVE_INFINITY;

export class OpenTransactions {
  /** By first offset, ascending: a later one begins behind all that are open. */
  readonly #open: Map<number, bigint> = new Map();
  #ended: EndedTransaction[] = [];
  /** While a log is being opened all of it counts as readable. */
  #highWatermark = NONE;
  #firstUnstableOffset = NONE;

  /** Where the earliest of them began; infinity: there is none. */
  get firstUnstableOffset(): number {
    return this.#firstUnstableOffset;
  }

  get count(): number {
    return this.#open.size;
  }

  begin(firstOffset: number, producerId: bigint): void {
    this.#open.set(firstOffset, producerId);
    if (firstOffset < this.#firstUnstableOffset) this.#firstUnstableOffset = firstOffset;
  }

  /** Its marker stands at `lastOffset`: it goes on being unstable until that can be read. */
  end(firstOffset: number, lastOffset: number): void {
    this.#open.delete(firstOffset);
    if (lastOffset >= this.#highWatermark) this.#ended.push({ firstOffset, lastOffset });
    else this.#recompute();
  }

  moveHighWatermark(highWatermark: number): void {
    this.#highWatermark = highWatermark;
    if (this.#ended.length === 0) return;
    const before = this.#ended.length;
    this.#ended = this.#ended.filter((transaction) => transaction.lastOffset >= highWatermark);
    if (this.#ended.length < before) this.#recompute();
  }

  /** The first offset of the earliest one that is open and not this producer's; null: there is none. */
  earliestOfOthers(producerId: bigint): number | null {
    for (const [firstOffset, other] of this.#open) if (other !== producerId) return firstOffset;
    return null;
  }

  entries(): Iterable<readonly [firstOffset: number, producerId: bigint]> {
    return this.#open;
  }

  #recompute(): void {
    let first = NONE;
    for (const firstOffset of this.#open.keys()) {
      first = firstOffset;
      break;
    }
    for (const { firstOffset } of this.#ended) if (firstOffset < first) first = firstOffset;
    this.#firstUnstableOffset = first;
  }
}
