/** Collects single sends into batches, one per partition, and lets each go when it is full, when its time has come, or when asked. */
import type { ProduceResponse } from "../api/broker.ts";
import type { Clock } from "../base/clock.ts";
import { acknowledged, type Delivery } from "./delivery.ts";
import { HeldBatches } from "./held-batches.ts";
import { beginPendingBatch, type PendingBatch } from "./pending-batch.ts";
import { headersByteLength, loneBatchByteLength, recordByteLength, type WireHeaders } from "./record-size.ts";
import type { TopicEntry } from "./topic-directory.ts";

const NULL_LENGTH = -1;
/**
 * With `lingerMs: 0` a batch goes in a microtask at the end of the turn. While further sends keep coming in (from
 * continuations a few awaits deep), it is put off, this many times at most: they belong to the same turn.
 */
const PUT_OFF_MAX = 4;

/** For microtasks: the runtime's `queueMicrotask` keeps a context for each, half a kibibyte of it. */
const NOW = Promise.resolve();

export class Accumulator {
  readonly #delivery: Delivery;
  readonly #clock: Clock;
  readonly #lingerMs: number;
  readonly #batchSize: number;
  /** The batches that take records in, oldest first, in a list through themselves. */
  #first: PendingBatch | null = null;
  #last: PendingBatch | null = null;
  readonly #held: HeldBatches | null;
  #addedCount = 0;
  #turnEndIsNear = false;
  #turnCount = 0;
  /** While the end of the turn is near: how many had been added at the last look, and how often the end was put off. */
  #seenCount = 0;
  #putOffCount = 0;
  /** Flushes under way: what is let in meanwhile does not linger. */
  #hurryCount = 0;

  constructor(delivery: Delivery, clock: Clock, settings: { readonly lingerMs: number; readonly batchSize: number }) {
    this.#delivery = delivery;
    this.#clock = clock;
    this.#lingerMs = settings.lingerMs;
    this.#batchSize = settings.batchSize;
    const { gate, line } = delivery;
    this.#held =
      gate === null
        ? null
        : new HeldBatches(gate, {
            handOver: (batch) => this.#handOver(batch),
            refuse: (batch, error) => this.#refuse(batch, error),
            onEmpty: () => line.advance(),
          });
  }

  /** A number for this turn, once something was taken in that goes at its end; -1 before. */
  get turn(): number {
    return this.#turnEndIsNear ? this.#turnCount : -1;
  }

  /** Batches stand ready that may not be handed over yet: nothing may overtake them. When that is over the line is advanced. */
  get isHolding(): boolean {
    return this.#held !== null && !this.#held.isEmpty;
  }

  /**
   * Takes the record in; answers its batch, which then owes it a promise. null: no room in `bufferMemory`, nothing was done.
   * Throws `MESSAGE_TOO_LARGE`.
   */
  add(
    topic: TopicEntry,
    partition: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: WireHeaders | null,
    timestamp: number,
  ): PendingBatch | null {
    const keyLength = key === null ? NULL_LENGTH : key.length;
    const valueLength = value === null ? NULL_LENGTH : value.length;
    const headerBytes = headersByteLength(headers);
    const { memory } = this.#delivery;
    let batch = topic.pending[partition];
    let full: PendingBatch | undefined;
    if (batch !== undefined) {
      const { stage } = batch;
      const byteLength = recordByteLength(stage.count, timestamp - (stage.timestamps[0] as number), keyLength, valueLength, headerBytes);
      if (batch.byteLength + byteLength > Math.min(this.#batchSize, this.#delivery.batchByteLengthMax(topic))) {
        full = batch;
        batch = undefined;
      } else if (!memory.reserve(byteLength)) return null;
      else batch.byteLength += byteLength;
    }
    if (batch === undefined) {
      const byteLength = loneBatchByteLength(keyLength, valueLength, headerBytes);
      if (byteLength > this.#delivery.batchByteLengthMax(topic)) throw this.#delivery.tooLarge(topic, byteLength, "send()");
      if (!memory.reserve(byteLength)) return null;
      batch = this.#begin(topic, partition, byteLength);
    }
    this.#addedCount += 1;
    batch.stage.add(key, value, headers, timestamp);
    // Only now: key and value may be lent, and handing over a batch may run the program's listeners.
    if (full !== undefined) this.flushBatch(full);
    return batch;
  }

  /** Lets this partition's batch go, if there is one: what is appended next comes behind it. */
  flushPartition(topic: TopicEntry, partition: number): void {
    const batch = topic.pending[partition];
    if (batch !== undefined) this.flushBatch(batch);
  }

  flushAll(): void {
    // From the front each time: a listener that runs meanwhile may send more, or flush.
    while (this.#first !== null) this.flushBatch(this.#first);
  }

  /** Until `work` is done nothing lingers. */
  async hurry(work: () => Promise<void>): Promise<void> {
    this.#hurryCount += 1;
    try {
      this.flushAll();
      await work();
    } finally {
      this.#hurryCount -= 1;
    }
  }

  /** Never throws: what goes wrong is told to those who sent. */
  flushBatch(batch: PendingBatch): void {
    const { topic, partition } = batch;
    this.#unlink(batch);
    if (topic.pending[partition] === batch) topic.pending[partition] = undefined;
    batch.timer?.cancel();
    topic.sticky.moveOn(partition, topic.partitionCount);
    if (this.#held?.mustHold(batch) === true) this.#held.add(batch);
    else this.#handOver(batch);
  }

  #handOver(batch: PendingBatch): void {
    const { topic, partition, stage, byteLength } = batch;
    let produced: Promise<ProduceResponse>;
    try {
      const writer = this.#delivery.begin();
      for (let index = 0; index < stage.count; index += 1) stage.writeTo(writer, index);
      produced = this.#delivery.handOver(topic, partition, byteLength);
    } catch (error) {
      produced = Promise.reject(error);
    }
    stage.release();
    produced.then(
      (response) => this.#told(batch, response, null),
      (error: unknown) => this.#told(batch, null, error),
    );
  }

  /** It was never handed over. */
  #refuse(batch: PendingBatch, error: unknown): void {
    batch.stage.release();
    this.#settle(batch, null, error);
  }

  #begin(topic: TopicEntry, partition: number, byteLength: number): PendingBatch {
    const batch = beginPendingBatch(topic, partition, this.#delivery.unsettled.begin());
    batch.byteLength = byteLength;
    topic.pending[partition] = batch;
    this.#link(batch);
    if (this.#lingerMs === 0 || this.#hurryCount > 0) this.#flushAtTurnEnd();
    else batch.timer = this.#clock.after(this.#lingerMs, () => this.flushBatch(batch), true);
    return batch;
  }

  #flushAtTurnEnd(): void {
    if (this.#turnEndIsNear) return;
    this.#turnEndIsNear = true;
    this.#seenCount = 0;
    this.#putOffCount = 0;
    void NOW.then(this.#look);
  }

  readonly #look = (): void => {
    if (this.#addedCount !== this.#seenCount && this.#putOffCount < PUT_OFF_MAX) {
      this.#seenCount = this.#addedCount;
      this.#putOffCount += 1;
      void NOW.then(this.#look);
      return;
    }
    this.#turnEndIsNear = false;
    this.#turnCount += 1;
    this.flushAll();
  };

  #link(batch: PendingBatch): void {
    batch.before = this.#last;
    if (this.#last === null) this.#first = batch;
    else this.#last.after = batch;
    this.#last = batch;
  }

  #unlink(batch: PendingBatch): void {
    const { before, after } = batch;
    if (before === null) this.#first = after;
    else before.after = after;
    if (after === null) this.#last = before;
    else after.before = before;
    batch.before = null;
    batch.after = null;
  }

  #told(batch: PendingBatch, response: ProduceResponse | null, error: unknown): void {
    if (this.#delivery.isLate()) void this.#delivery.nextTurn().then(() => this.#settle(batch, response, error));
    else this.#settle(batch, response, error);
  }

  #settle(batch: PendingBatch, response: ProduceResponse | null, error: unknown): void {
    const { topic, partition, stage } = batch;
    if (response === null) {
      this.#delivery.failed(topic, partition, stage.count, error);
      batch.rejectAll(error);
    } else batch.resolveAll((index) => acknowledged(topic.name, partition, response, index, stage.timestamps[index] as number));
    for (const epoch of batch.epochs) epoch.end();
    const { byteLength } = batch;
    batch.giveBack();
    this.#delivery.memory.release(byteLength);
  }
}
