/** A `sendBatch` whose records stand in bytes of our own: it finds their partitions, waits for room, and hands its batches over. */
import type { ProduceResponse } from "../api/broker.ts";
import type { ProducerRecord } from "../api/producer.ts";
import { BatchOutcome } from "./batch-outcome.ts";
import { type PlannedBatch, planBatches } from "./batch-plan.ts";
import { isTooLarge } from "./delivery.ts";
import { keyIsMissing, NOT_KNOWN, noSuchPartition } from "./partition-choice.ts";
import type { Answer } from "./pending-batch.ts";
import type { RecordStage } from "./record-stage.ts";
import type { TopicEntry } from "./topic-directory.ts";
import type { WaitingCall } from "./waiting-line.ts";
import type { SendParts } from "./waiting-send.ts";

export class WaitingBatch<K, V> implements WaitingCall {
  readonly promise: Promise<Answer[]>;
  readonly #parts: SendParts<K, V>;
  readonly #stage: RecordStage;
  readonly #topicNames: readonly string[];
  readonly #named: readonly number[];
  readonly #records: readonly ProducerRecord<K, V>[] | null;
  readonly #outcome: BatchOutcome;
  #plan: readonly PlannedBatch[] | null = null;
  #handedOverCount = 0;
  /** Room for the whole call was reserved at once: so that nothing comes between its batches. */
  #isReserved = false;
  #wasRefreshed = false;
  #isAsking = false;
  #error: { readonly is: unknown } | null = null;

  /** `records`: for a custom partitioner alone. */
  constructor(
    parts: SendParts<K, V>,
    stage: RecordStage,
    topicNames: readonly string[],
    named: readonly number[],
    records: readonly ProducerRecord<K, V>[] | null,
  ) {
    this.#parts = parts;
    this.#stage = stage;
    this.#topicNames = topicNames;
    this.#named = named;
    this.#records = records;
    this.#outcome = new BatchOutcome(parts.delivery, stage.timestamps);
    this.promise = this.#outcome.promise;
  }

  advance(): boolean {
    if (this.#isAsking) return false;
    try {
      if (this.#error !== null) throw this.#error.is;
      if (this.#plan === null) {
        const plan = this.#makePlan();
        if (plan === null) return false;
        this.#plan = plan;
        this.#outcome.expect(plan);
      }
      return this.#handOver(this.#plan);
    } catch (error) {
      this.#giveUp(error);
      return true;
    }
  }

  expire(): void {
    this.#giveUp(this.#parts.delivery.exhausted("sendBatch()", this.#isAsking));
  }

  #giveUp(error: unknown): void {
    if (this.#handedOverCount === 0) this.#outcome.refuse(error);
    else for (const batch of (this.#plan as readonly PlannedBatch[]).slice(this.#handedOverCount)) this.#outcome.failed(batch, error);
    this.#stage.release();
  }

  /** null: some topic must be asked for first. */
  #makePlan(): PlannedBatch[] | null {
    const { topics, choice, delivery } = this.#parts;
    const entries = new Map<string, TopicEntry>();
    const toAsk = new Set<string>();
    let seen: string | undefined;
    for (const name of this.#topicNames) {
      if (name === seen || entries.has(name) || toAsk.has(name)) continue;
      seen = name;
      const entry = topics.recent(name);
      if (entry === null) toAsk.add(name);
      else entries.set(name, entry);
    }
    if (toAsk.size > 0) return this.#refresh(toAsk);

    const destinations = { topics: [] as TopicEntry[], partitions: [] as number[] };
    for (let index = 0; index < this.#stage.count; index += 1) {
      const topic = entries.get(this.#topicNames[index] as string) as TopicEntry;
      const key = this.#stage.key(index);
      const partition = choice.choose(topic, this.#named[index] as number, key, this.#records?.[index] ?? null);
      if (partition === NOT_KNOWN) {
        if (this.#wasRefreshed) throw noSuchPartition(topic, this.#named[index] as number, `sendBatch(): record ${index}`);
        toAsk.add(topic.name);
      }
      if (key === null && topic.requiresKey) {
        if (this.#wasRefreshed) throw keyIsMissing(topic, `sendBatch(): record ${index}`);
        toAsk.add(topic.name);
      }
      destinations.topics.push(topic);
      destinations.partitions.push(partition);
    }
    if (toAsk.size > 0) return this.#refresh(toAsk);
    try {
      return planBatches(this.#stage, destinations, delivery);
    } catch (error) {
      // maxMessageBytes may have been raised since the topics were last asked for.
      if (!this.#wasRefreshed && isTooLarge(error)) return this.#refresh(new Set(entries.keys()));
      throw error;
    }
  }

  #handOver(plan: readonly PlannedBatch[]): boolean {
    const { delivery, accumulator } = this.#parts;
    // Before room is reserved: what is refused here has none to give back.
    if (!this.#mayGo(plan)) return false;
    const total = plan.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (!this.#isReserved && total <= delivery.memory.byteLengthMax) {
      if (!this.#reserve(total)) return false;
      this.#isReserved = true;
    }
    while (this.#handedOverCount < plan.length) {
      const batch = plan[this.#handedOverCount] as PlannedBatch;
      if (!this.#isReserved && !this.#reserve(batch.byteLength)) return false;
      accumulator.flushPartition(batch.topic, batch.partition);
      // Counted first: what goes wrong from here on is this batch's own, and told by the outcome.
      this.#handedOverCount += 1;
      this.#outcome.follow(batch, this.#produce(batch));
    }
    this.#stage.release();
    this.#outcome.allHandedOver();
    return true;
  }

  #reserve(byteLength: number): boolean {
    const { delivery, accumulator } = this.#parts;
    if (delivery.memory.reserve(byteLength)) return true;
    // What lingers holds the room that is wanted.
    accumulator.flushAll();
    return false;
  }

  #produce(batch: PlannedBatch): Promise<ProduceResponse> {
    const { topic, partition, indices, byteLength } = batch;
    const { delivery } = this.#parts;
    try {
      const writer = delivery.begin();
      for (const index of indices) this.#stage.writeTo(writer, index);
    } catch (error) {
      return Promise.reject(error);
    }
    topic.sticky.moveOn(partition, topic.partitionCount);
    return delivery.handOver(topic, partition, byteLength);
  }

  /** Asks for all its partitions at once. */
  #mayGo(plan: readonly PlannedBatch[]): boolean {
    const { accumulator, delivery } = this.#parts;
    if (accumulator.isHolding) return false;
    if (delivery.gate === null) return true;
    const shut = plan.slice(this.#handedOverCount).filter(({ topic, partition }) => !delivery.isOpenFor(topic, partition));
    if (shut.length === 0) return true;
    this.#wait(delivery.gate.open(shut));
    return false;
  }

  #refresh(names: ReadonlySet<string>): null {
    const { topics } = this.#parts;
    this.#wait(
      Promise.all([...names].map((name) => topics.refresh(name))).then(() => {
        this.#wasRefreshed = true;
      }),
    );
    return null;
  }

  #wait(answer: Promise<unknown>): void {
    this.#isAsking = true;
    void answer
      .catch((error: unknown) => {
        this.#error = { is: error };
      })
      .then(() => {
        this.#isAsking = false;
        this.#parts.delivery.line.advance();
      });
  }
}
