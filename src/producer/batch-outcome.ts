/** What became of each batch of one `sendBatch`, and the one answer made of it. */
import type { ProduceResponse } from "../api/broker.ts";
import type { PlannedBatch } from "./batch-plan.ts";
import { acknowledged, type Delivery, unacknowledged } from "./delivery.ts";
import type { Answer } from "./pending-batch.ts";
import { sendBatchRejection } from "./send-batch-rejection.ts";
import type { Epoch } from "./unsettled.ts";

export class BatchOutcome {
  readonly promise: Promise<Answer[]>;
  readonly #delivery: Delivery;
  readonly #timestamps: readonly number[];
  readonly #epoch: Epoch;
  #plan: readonly PlannedBatch[] = [];
  #openCount = 0;
  readonly #responses = new Map<PlannedBatch, ProduceResponse>();
  readonly #errors = new Map<PlannedBatch, unknown>();
  #resolve!: (answers: Answer[]) => void;
  #reject!: (error: unknown) => void;

  constructor(delivery: Delivery, timestamps: readonly number[]) {
    this.#delivery = delivery;
    this.#timestamps = timestamps;
    this.#epoch = delivery.unsettled.begin();
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  expect(plan: readonly PlannedBatch[]): void {
    this.#plan = plan;
    this.#openCount = plan.length;
  }

  /** Nothing was appended, and nothing will be. */
  refuse(error: unknown): void {
    this.#reject(error);
    this.#epoch.end();
  }

  /** Its room is given back when it has settled. */
  follow(batch: PlannedBatch, produced: Promise<ProduceResponse>): void {
    const settle = (record: () => void): void =>
      this.#delivery.inGoodTime(() => {
        record();
        this.#close();
        this.#delivery.memory.release(batch.byteLength);
      });
    produced.then(
      (response) => settle(() => this.#responses.set(batch, response)),
      (error: unknown) =>
        settle(() => {
          this.#errors.set(batch, error);
          this.#delivery.failed(batch.topic, batch.partition, batch.indices.length, error);
        }),
    );
  }

  /** The batch was never handed over. */
  failed(batch: PlannedBatch, error: unknown): void {
    this.#errors.set(batch, error);
    this.#close();
  }

  /** With `acks: 0` that is all there is to wait for. */
  allHandedOver(): void {
    if (this.#delivery.acks !== 0) return;
    this.#resolve(
      this.#answers((batch, _offsetDelta, index) => unacknowledged(batch.topic.name, batch.partition, this.#timestamps[index] as number)),
    );
  }

  #close(): void {
    this.#openCount -= 1;
    if (this.#openCount > 0) return;
    if (this.#errors.size === 0) this.#resolve(this.#allAcknowledged());
    else this.#reject(sendBatchRejection([...this.#errors.values()], this.#plan.length, () => this.#fates()));
    this.#epoch.end();
  }

  #allAcknowledged(): Answer[] {
    const timestamps = this.#timestamps;
    const answers = new Array<Answer>(timestamps.length);
    for (const batch of this.#plan) {
      const { topic, partition, indices } = batch;
      const response = this.#responses.get(batch) as ProduceResponse;
      for (let offsetDelta = 0; offsetDelta < indices.length; offsetDelta += 1) {
        const index = indices[offsetDelta] as number;
        answers[index] = acknowledged(topic.name, partition, response, offsetDelta, timestamps[index] as number);
      }
    }
    return answers;
  }

  #answers<T>(make: (batch: PlannedBatch, offsetDelta: number, index: number) => T): T[] {
    const answers = new Array<T>(this.#timestamps.length);
    for (const batch of this.#plan) {
      for (let offsetDelta = 0; offsetDelta < batch.indices.length; offsetDelta += 1) {
        const index = batch.indices[offsetDelta] as number;
        answers[index] = make(batch, offsetDelta, index);
      }
    }
    return answers;
  }

  #acknowledged(batch: PlannedBatch, offsetDelta: number, index: number): Answer {
    const response = this.#responses.get(batch) as ProduceResponse;
    return acknowledged(batch.topic.name, batch.partition, response, offsetDelta, this.#timestamps[index] as number);
  }

  #fates(): PromiseSettledResult<Answer>[] {
    return this.#answers((batch, offsetDelta, index) =>
      this.#errors.has(batch)
        ? { status: "rejected", reason: this.#errors.get(batch) }
        : { status: "fulfilled", value: this.#acknowledged(batch, offsetDelta, index) },
    );
  }
}
