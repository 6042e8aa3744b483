/** The records sent to one partition that will go as one batch, and the promises they were answered with. */

import type { Acks } from "../api/bytes.ts";
import type { RecordMetadata } from "../api/producer.ts";
import type { Timer } from "../base/clock.ts";
import { HEADER_BYTE_LENGTH } from "../base/record-batch.ts";
import { RecordStage } from "./record-stage.ts";
import type { TopicEntry } from "./topic-directory.ts";
import type { Epoch } from "./unsettled.ts";

export type Answer = RecordMetadata<Acks>;

/** A promise's two ends, without a closure for each: read right after `new Promise(takeEnds)`. */
let lastResolve: (answer: Answer) => void;
let lastReject: (error: unknown) => void;
function takeEnds(resolve: (answer: Answer) => void, reject: (error: unknown) => void): void {
  lastResolve = resolve;
  lastReject = reject;
}

/** Of batches whose records were many the arrays are too large to be kept for the next. */
const COUNT_KEPT_MAX = 1024;
const BATCHES_KEPT_MAX = 32;

/** Batches between two uses, of all producers: one that is made for each single send is most of what a send leaves to the collector. */
const spare: PendingBatch[] = [];

/** An empty one. Whoever settles it gives it back. */
export function beginPendingBatch(topic: TopicEntry, partition: number, epoch: Epoch): PendingBatch {
  const batch = spare.pop() ?? new PendingBatch();
  batch.begin(topic, partition, epoch);
  return batch;
}

export class PendingBatch {
  topic!: TopicEntry;
  partition = -1;
  readonly stage: RecordStage = new RecordStage();
  /** Of the batch itself, and of every send that had waited before it came in: a flush of then waits for this batch too. */
  readonly epochs: Epoch[] = [];
  /** As it will be on the wire. */
  byteLength = 0;
  /** Waits for `lingerMs`. */
  timer: Timer | null = null;
  /** Its neighbours in the accumulator's list. */
  before: PendingBatch | null = null;
  after: PendingBatch | null = null;
  /** The two ends of each record's promise, one behind the other. */
  readonly #ends: (((answer: Answer) => void) | ((error: unknown) => void))[] = [];

  begin(topic: TopicEntry, partition: number, epoch: Epoch): void {
    this.topic = topic;
    this.partition = partition;
    this.byteLength = HEADER_BYTE_LENGTH;
    this.epochs.push(epoch);
  }

  /** For the record just added to the stage. */
  promise(): Promise<Answer> {
    const promise = new Promise<Answer>(takeEnds);
    this.#ends.push(lastResolve, lastReject);
    return promise;
  }

  /** For a record that was promised before it got here. */
  adopt(resolve: (answer: Answer) => void, reject: (error: unknown) => void): void {
    this.#ends.push(resolve, reject);
  }

  resolveAll(answer: (index: number) => Answer): void {
    const ends = this.#ends;
    for (let at = 0; at < ends.length; at += 2) (ends[at] as (answer: Answer) => void)(answer(at >> 1));
  }

  rejectAll(error: unknown): void {
    const ends = this.#ends;
    for (let at = 1; at < ends.length; at += 2) (ends[at] as (error: unknown) => void)(error);
  }

  /** It has settled, and nobody has it in hand any more. */
  giveBack(): void {
    if (this.stage.count > COUNT_KEPT_MAX || spare.length >= BATCHES_KEPT_MAX) return;
    this.epochs.length = 0;
    this.#ends.length = 0;
    this.timer = null;
    this.stage.reset();
    spare.push(this);
  }
}
