/** What a partition remembers of one producer: its epoch, its last batches, and its open transaction. */

/** Kafka remembers as many: a client has at most five requests in flight. */
export const REMEMBERED_BATCHES_MAX = 5;
const SEQUENCE_MAX = 0x7fff_ffff;

export interface ProducerBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly timestamp: number;
}

type Writable<Type> = { -readonly [Field in keyof Type]: Type[Field] };

/** Sequences go round: 2147483647 is followed by 0. What has none (-1) counts up from there, as in Kafka. */
export function sequenceAfter(sequence: number, count: number): number {
  // A mask, since a remainder of what may not fit into 32 bits costs as much as the rest of the check.
  return sequence < 0 ? sequence + count : (sequence + count) & SEQUENCE_MAX;
}

export function sequenceBefore(sequence: number, count: number): number {
  return (sequence - count) & SEQUENCE_MAX;
}

export class ProducerEntry {
  readonly producerId: bigint;
  /** -1: none was ever seen. */
  producerEpoch = -1;
  /** Of the last marker; -1: there was none. */
  coordinatorEpoch = -1;
  /** Of the last batch or marker. */
  lastTimestamp = -1;
  /** Where the open transaction began; -1: none is open. */
  transactionFirstOffset = -1;
  /** Of the present epoch alone, in a ring: this runs for every batch of an idempotent producer, and its objects are used again. */
  readonly #batches: Writable<ProducerBatch>[] = [];
  #newest = -1;

  constructor(producerId: bigint) {
    this.producerId = producerId;
  }

  get lastBatch(): ProducerBatch | null {
    return this.#batches[this.#newest] ?? null;
  }

  /** -1: nothing but markers under this epoch. */
  get lastSequence(): number {
    return this.lastBatch?.lastSequence ?? -1;
  }

  /** The remembered batch of exactly these sequences. */
  find(firstSequence: number, lastSequence: number): ProducerBatch | null {
    for (const batch of this.#batches) if (batch.lastSequence === lastSequence && batch.firstSequence === firstSequence) return batch;
    return null;
  }

  /** A new epoch begins without batches. */
  setEpoch(producerEpoch: number): void {
    if (producerEpoch === this.producerEpoch) return;
    this.producerEpoch = producerEpoch;
    this.#batches.length = 0;
    this.#newest = -1;
  }

  addBatch(
    producerEpoch: number,
    firstSequence: number,
    lastSequence: number,
    baseOffset: number,
    lastOffset: number,
    timestamp: number,
  ): void {
    this.setEpoch(producerEpoch);
    this.#newest = (this.#newest + 1) % REMEMBERED_BATCHES_MAX;
    const oldest = this.#batches[this.#newest];
    if (oldest === undefined) this.#batches.push({ firstSequence, lastSequence, baseOffset, lastOffset, timestamp });
    else {
      oldest.firstSequence = firstSequence;
      oldest.lastSequence = lastSequence;
      oldest.baseOffset = baseOffset;
      oldest.lastOffset = lastOffset;
      oldest.timestamp = timestamp;
    }
    this.lastTimestamp = timestamp;
  }
}
