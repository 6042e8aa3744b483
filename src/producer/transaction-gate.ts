/** Which partitions the transaction under way has, as its coordinator was told: a batch for another one waits until it has. */
import type { TransactionIdentity } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import type { BatchGate, Destination } from "./batch-gate.ts";
import type { Idempotence } from "./idempotence.ts";
import type { ProducerBroker } from "./producer-broker.ts";
import type { TopicEntry } from "./topic-directory.ts";

export class TransactionGate implements BatchGate {
  readonly #broker: ProducerBroker;
  readonly #transactionalId: string;
  readonly #idempotence: Idempotence;
  readonly #added = new Map<TopicEntry, Set<number>>();
  /** Whether the coordinator has heard of this transaction: then it must be ended there. */
  hasBegun = false;

  constructor(broker: ProducerBroker, transactionalId: string, idempotence: Idempotence) {
    this.#broker = broker;
    this.#transactionalId = transactionalId;
    this.#idempotence = idempotence;
  }

  get identity(): TransactionIdentity {
    const { producerId, producerEpoch } = this.#idempotence.identity;
    return { transactionalId: this.#transactionalId, producerId, producerEpoch };
  }

  /** A transaction of no partitions. */
  clear(): void {
    this.#added.clear();
    this.hasBegun = false;
  }

  isOpenFor(topic: TopicEntry, partition: number): boolean {
    return this.#added.get(topic)?.has(partition) === true;
  }

  async open(destinations: readonly Destination[]): Promise<void> {
    const wanted = new Map<string, TopicPartition>();
    for (const { topic, partition } of destinations) {
      if (!this.isOpenFor(topic, partition)) wanted.set(`${topic.name}-${partition}`, { topic: topic.name, partition });
    }
    if (wanted.size > 0) await this.#broker.addPartitions({ ...this.identity, partitions: [...wanted.values()] });
    this.hasBegun = true;
    for (const { topic, partition } of destinations) {
      const partitions = this.#added.get(topic);
      if (partitions === undefined) this.#added.set(topic, new Set([partition]));
      else partitions.add(partition);
    }
  }
}
