/** What became of a `sendBatch` whose records went to one partition, in one batch or in several behind one another. */
import type { ProduceResponse } from "../api/broker.ts";
import { acknowledged, type Delivery, unacknowledged } from "./delivery.ts";
import type { Answer } from "./pending-batch.ts";
import { sendBatchRejection } from "./send-batch-rejection.ts";
import type { TopicEntry } from "./topic-directory.ts";
import type { Epoch } from "./unsettled.ts";

/** One batch of the call. */
export interface Share {
  readonly count: number;
  readonly byteLength: number;
}

/** A share's answer, or the error that it came to. */
type Fate = { readonly response: ProduceResponse } | { readonly error: unknown };

export interface Call {
  readonly topic: TopicEntry;
  readonly partition: number;
  /** In call order. */
  readonly shares: readonly Share[];
  /** Of each record; null: all have `nowMs`. */
  readonly timestamps: readonly number[] | null;
  readonly nowMs: number;
}

export class StraightOutcome {
  readonly promise: Promise<Answer[]>;
  readonly #delivery: Delivery;
  readonly #call: Call;
  readonly #epoch: Epoch;
  /** By share. */
  readonly #fates: (Fate | undefined)[] = [];
  #openCount: number;
  #resolve!: (answers: Answer[]) => void;
  #reject!: (error: unknown) => void;

  constructor(delivery: Delivery, call: Call) {
    this.#delivery = delivery;
    this.#call = call;
    this.#epoch = delivery.unsettled.begin();
    this.#openCount = call.shares.length;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The share's room is given back when it has settled. */
  follow(index: number, produced: Promise<ProduceResponse>): void {
    produced.then(
      (response) => this.#settle(index, { response }),
      (error: unknown) => this.#settle(index, { error }),
    );
  }

  /** With `acks: 0` that is all there is to wait for. */
  allHandedOver(): void {
    if (this.#delivery.acks !== 0) return;
    const { topic, partition } = this.#call;
    this.#resolve(this.#each((_share, _offsetDelta, timestamp) => unacknowledged(topic.name, partition, timestamp)));
  }

  #settle(index: number, fate: Fate): void {
    this.#delivery.inGoodTime(() => {
      const { topic, partition, shares } = this.#call;
      const { count, byteLength } = shares[index] as Share;
      this.#fates[index] = fate;
      if ("error" in fate) this.#delivery.failed(topic, partition, count, fate.error);
      this.#openCount -= 1;
      if (this.#openCount === 0) this.#close();
      this.#delivery.memory.release(byteLength);
    });
  }

  #close(): void {
    const errors = this.#fates.flatMap((fate) => (fate !== undefined && "error" in fate ? [fate.error] : []));
    if (errors.length > 0) this.#reject(sendBatchRejection(errors, this.#call.shares.length, () => this.#fatesByRecord()));
    else if (this.#delivery.acks !== 0) this.#resolve(this.#allAcknowledged());
    this.#epoch.end();
  }

  /** A loop of its own: this is what every call comes to. */
  #allAcknowledged(): Answer[] {
    const { topic, partition, shares, timestamps, nowMs } = this.#call;
    const { name } = topic;
    const answers = new Array<Answer>(this.#recordCount);
    let place = 0;
    for (let index = 0; index < shares.length; index += 1) {
      const { response } = this.#fates[index] as { readonly response: ProduceResponse };
      const { count } = shares[index] as Share;
      for (let offsetDelta = 0; offsetDelta < count; offsetDelta += 1, place += 1) {
        const timestamp = timestamps === null ? nowMs : (timestamps[place] as number);
        answers[place] = acknowledged(name, partition, response, offsetDelta, timestamp);
      }
    }
    return answers;
  }

  get #recordCount(): number {
    return this.#call.shares.reduce((sum, { count }) => sum + count, 0);
  }

  #fatesByRecord(): PromiseSettledResult<Answer>[] {
    const { topic, partition } = this.#call;
    return this.#each((share, offsetDelta, timestamp) => {
      const fate = this.#fates[share] as Fate;
      if ("error" in fate) return { status: "rejected", reason: fate.error };
      return { status: "fulfilled", value: acknowledged(topic.name, partition, fate.response, offsetDelta, timestamp) };
    });
  }

  #each<T>(make: (share: number, offsetDelta: number, timestamp: number) => T): T[] {
    const { shares, timestamps, nowMs } = this.#call;
    const all: T[] = [];
    for (const [index, { count }] of shares.entries()) {
      for (let offsetDelta = 0; offsetDelta < count; offsetDelta += 1)
        all.push(make(index, offsetDelta, timestamps?.[all.length] ?? nowMs));
    }
    return all;
  }
}
