/** The numbers of one topic's batches: a sequence for each partition, under one producer id and epoch, by which a log tells a gap. */
import type { ProduceResponse, ProducerIdentity } from "../api/broker.ts";

/** After 2^31-1 comes 0. */
const SEQUENCE_COUNT = 2 ** 31;

export function sequenceAfter(baseSequence: number, recordCount: number): number {
  return (baseSequence + recordCount) % SEQUENCE_COUNT;
}

/**
 * It belongs to a topic's name, not to its id. A log that does not know the producer, as of a topic made anew, takes any sequence for
 * the first (Kafka's rule); but one that took a batch before we heard of the new topic would see a gap if we began at 0 then.
 */
export class Numbering {
  #under: ProducerIdentity | null = null;
  #next: (number | undefined)[] = [];
  #latest: (Promise<ProduceResponse> | undefined)[] = [];

  /** Whether anything was numbered under this identity. */
  isUnder(identity: ProducerIdentity): boolean {
    return this.#under === identity;
  }

  /**
   * Where the next batch of a partition begins; `first` where none was numbered under this identity. Identities are told apart
   * as objects, since the same id and epoch may be given out anew: with another object all partitions begin anew.
   */
  baseSequence(identity: ProducerIdentity, partition: number, first: number): number {
    if (this.#under !== identity) {
      this.#under = identity;
      this.#next = [];
      this.#latest = [];
    }
    return this.#next[partition] ?? first;
  }

  /** What became of the batch handed over last to this partition. */
  latest(partition: number): Promise<ProduceResponse> | undefined {
    return this.#latest[partition];
  }

  /** The next batch of this partition begins with `next`; `produced`: what becomes of the one before it. */
  moveOn(partition: number, next: number, produced: Promise<ProduceResponse>): void {
    this.#next[partition] = next;
    this.#latest[partition] = produced;
  }
}
