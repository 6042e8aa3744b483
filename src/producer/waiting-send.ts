/** A `send` that could not be taken in at once: it waits in line with bytes of its own. */
import type { ProducerRecord } from "../api/producer.ts";
import type { Accumulator } from "./accumulator.ts";
import { type Delivery, isTooLarge, unacknowledged } from "./delivery.ts";
import { keyIsMissing, NOT_KNOWN, noSuchPartition, type PartitionChoice } from "./partition-choice.ts";
import type { Answer } from "./pending-batch.ts";
import type { RecordIntake } from "./record-intake.ts";
import type { WireHeaders } from "./record-size.ts";
import type { TopicDirectory } from "./topic-directory.ts";
import type { Epoch } from "./unsettled.ts";
import type { WaitingCall } from "./waiting-line.ts";

export interface SendParts<K, V> {
  readonly delivery: Delivery;
  readonly accumulator: Accumulator;
  readonly topics: TopicDirectory;
  readonly choice: PartitionChoice<K, V>;
}

export class WaitingSend<K, V> implements WaitingCall {
  readonly promise: Promise<Answer>;
  readonly #parts: SendParts<K, V>;
  readonly #record: ProducerRecord<K, V> | null;
  readonly #topic: string;
  readonly #key: Uint8Array | null;
  readonly #value: Uint8Array | null;
  readonly #headers: WireHeaders | null;
  readonly #timestamp: number;
  readonly #named: number;
  readonly #epoch: Epoch;
  #resolve!: (answer: Answer) => void;
  #reject!: (error: unknown) => void;
  #wasRefreshed = false;
  #isAsking = false;
  #error: { readonly is: unknown } | null = null;

  /** Copies what the intake has been lent. */
  constructor(parts: SendParts<K, V>, intake: RecordIntake<K, V>, record: ProducerRecord<K, V>) {
    this.#parts = parts;
    this.#record = parts.choice.isCustom ? record : null;
    this.#topic = intake.topic;
    this.#key = intake.key === null ? null : new Uint8Array(intake.key);
    this.#value = intake.value === null ? null : new Uint8Array(intake.value);
    this.#headers = intake.headers;
    this.#timestamp = intake.timestamp;
    this.#named = intake.partition;
    this.#epoch = parts.delivery.unsettled.begin();
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  advance(): boolean {
    if (this.#isAsking) return false;
    try {
      if (this.#error !== null) throw this.#error.is;
      return this.#takeIn();
    } catch (error) {
      // maxMessageBytes may have been raised since the topic was last asked for.
      if (!this.#wasRefreshed && isTooLarge(error)) return this.#refresh();
      this.#reject(error);
      this.#epoch.end();
      return true;
    }
  }

  expire(): void {
    this.#reject(this.#parts.delivery.exhausted("send()", this.#isAsking));
    this.#epoch.end();
  }

  #takeIn(): boolean {
    const { topics, choice, accumulator, delivery } = this.#parts;
    const topic = topics.recent(this.#topic);
    if (topic === null) return this.#refresh();
    const partition = choice.choose(topic, this.#named, this.#key, this.#record);
    if (partition === NOT_KNOWN) {
      if (!this.#wasRefreshed) return this.#refresh();
      throw noSuchPartition(topic, this.#named, "send()");
    }
    if (this.#key === null && topic.requiresKey) {
      if (!this.#wasRefreshed) return this.#refresh();
      throw keyIsMissing(topic, "send()");
    }
    const batch = accumulator.add(topic, partition, this.#key, this.#value, this.#headers, this.#timestamp);
    if (batch === null) {
      // What lingers holds the room that is wanted.
      accumulator.flushAll();
      return false;
    }
    batch.epochs.push(this.#epoch);
    if (delivery.acks === 0) this.#resolve(unacknowledged(topic.name, partition, this.#timestamp));
    else batch.adopt(this.#resolve, this.#reject);
    return true;
  }

  #refresh(): false {
    this.#isAsking = true;
    void this.#parts.topics
      .refresh(this.#topic)
      .catch((error: unknown) => {
        this.#error = { is: error };
      })
      .then(() => {
        this.#isAsking = false;
        this.#wasRefreshed = true;
        this.#parts.delivery.line.advance();
      });
    return false;
  }
}
