/** What a partition remembers of one producer: its epoch, its last batches, and its open transaction. */

/** Kafka remembers as many: a client has at most five requests in flight. */
export const REMEMBERED_BATCHES_MAX = 5;
const SEQUENCE_COUNT = 2 ** 31;

export interface ProducerBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly timestamp: number;
}

type Writable<Type> = { -readonly [Field in keyof Type]: Type[Field] };

/** Sequences go round: 2147483647 is followed by 0. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % SEQUENCE_COUNT;
}

export function sequenceBefore(sequence: number, count: number): number {
  return (sequence - (count % SEQUENCE_COUNT) + SEQUENCE_COUNT) % SEQUENCE_COUNT;
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
  /** Oldest first; of the present epoch alone. */
  readonly #batches: Writable<ProducerBatch>[] = [];

  constructor(producerId: bigint) {
    this.producerId = producerId;
  }

  get lastBatch(): ProducerBatch | null {
    return this.#batches[this.#batches.length - 1] ?? null;
  }

  /** -1: nothing but markers under this epoch. */
  get lastSequence(): number {
    return this.lastBatch?.lastSequence ?? -1;
  }

  /** The remembered batch of exactly these sequences. */
  find(firstSequence: number, lastSequence: number): ProducerBatch | null {
    const batches = this.#batches;
    for (let index = batches.length - 1; index >= 0; index -= 1) {
      const batch = batches[index] as ProducerBatch;
      if (batch.lastSequence === lastSequence && batch.firstSequence === firstSequence) return batch;
    }
    return null;
  }

  /** A new epoch begins without batches. */
  setEpoch(producerEpoch: number): void {
    if (producerEpoch === this.producerEpoch) return;
    this.producerEpoch = producerEpoch;
    this.#batches.length = 0;
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
    const batches = this.#batches;
    // The oldest one's object is used again: this runs for every batch of an idempotent producer.
    const oldest = batches.length < REMEMBERED_BATCHES_MAX ? undefined : batches.shift();
    if (oldest === undefined) batches.push({ firstSequence, lastSequence, baseOffset, lastOffset, timestamp });
    else {
      oldest.firstSequence = firstSequence;
      oldest.lastSequence = lastSequence;
      oldest.baseOffset = baseOffset;
      oldest.lastOffset = lastOffset;
      oldest.timestamp = timestamp;
      batches.push(oldest);
    }
    this.lastTimestamp = timestamp;
  }
}
