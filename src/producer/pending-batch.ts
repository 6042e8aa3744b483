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

export class PendingBatch {
  readonly topic: TopicEntry;
  readonly partition: number;
  readonly stage: RecordStage = new RecordStage();
  /** Of the batch itself, and of every send that had waited before it came in: a flush of then waits for this batch too. */
  readonly epochs: Epoch[];
  /** As it will be on the wire. */
  byteLength: number = HEADER_BYTE_LENGTH;
  /** Waits for `lingerMs`. */
  timer: Timer | null = null;
  readonly #resolves: ((answer: Answer) => void)[] = [];
  readonly #rejects: ((error: unknown) => void)[] = [];

  constructor(topic: TopicEntry, partition: number, epoch: Epoch) {
    this.topic = topic;
    this.partition = partition;
    this.epochs = [epoch];
  }

  /** For the record just added to the stage. */
  promise(): Promise<Answer> {
    const promise = new Promise<Answer>(takeEnds);
    this.#resolves.push(lastResolve);
    this.#rejects.push(lastReject);
    return promise;
  }

  /** For a record that was promised before it got here. */
  adopt(resolve: (answer: Answer) => void, reject: (error: unknown) => void): void {
    this.#resolves.push(resolve);
    this.#rejects.push(reject);
  }

  resolveAll(answer: (index: number) => Answer): void {
    for (let index = 0; index < this.#resolves.length; index += 1) (this.#resolves[index] as (answer: Answer) => void)(answer(index));
  }

  rejectAll(error: unknown): void {
    for (const reject of this.#rejects) reject(error);
  }
}
