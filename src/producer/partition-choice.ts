/** From a record to its partition: the one it names, the custom partitioner's, its key's, or the one that sticks. */
import type { ProducerOptions, ProducerRecord } from "../api/producer.ts";
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import type { Core } from "../core/core.ts";
import { partitionForKey } from "./partitioner.ts";
import { ANY_PARTITION } from "./record-intake.ts";
import type { TopicEntry } from "./topic-directory.ts";

/** The record names a partition that the topic is not known to have. */
export const NOT_KNOWN = -2;

export class PartitionChoice<K, V> {
  readonly #core: Core;
  readonly #partitioner: ProducerOptions<K, V>["partitioner"] | undefined;

  constructor(core: Core, partitioner: ProducerOptions<K, V>["partitioner"] | undefined) {
    this.#core = core;
    this.#partitioner = partitioner;
  }

  /** Then a record's choice runs the program's code: nothing lent may be in hand. */
  get isCustom(): boolean {
    return this.#partitioner !== undefined;
  }

  /** `NOT_KNOWN`, or a partition of the topic. Throws a `UsageError` for what the custom partitioner should not have answered. */
  choose(topic: TopicEntry, named: number, key: Uint8Array | null, record: ProducerRecord<K, V> | null): number {
    const { partitionCount } = topic;
    if (named !== ANY_PARTITION) return named < partitionCount ? named + 0 : NOT_KNOWN;
    if (this.#partitioner !== undefined) return this.#ask(this.#partitioner, topic, key, record as ProducerRecord<K, V>);
    return key === null ? topic.sticky.current(partitionCount) : partitionForKey(this.#core, key, partitionCount);
  }

  #ask(partitioner: ProducerOptions<K, V>["partitioner"], topic: TopicEntry, key: Uint8Array | null, record: ProducerRecord<K, V>): number {
    const { name, partitionCount } = topic;
    let answer: unknown;
    try {
      answer = partitioner(record, key === null ? null : new Uint8Array(key), partitionCount);
    } catch (cause) {
      throw new UsageError("INVALID_ARGUMENT", `the partitioner threw for a record of topic ${JSON.stringify(name)}`, { cause });
    }
    if (!Number.isSafeInteger(answer) || (answer as number) < 0 || (answer as number) >= partitionCount) {
      throw new UsageError(
        "UNKNOWN_TOPIC_OR_PARTITION",
        `the partitioner: expected a partition of ${JSON.stringify(name)}, 0 to ${partitionCount - 1}; found ${describeValue(answer)}`,
      );
    }
    return (answer as number) + 0;
  }
}

export function noSuchPartition(topic: TopicEntry, named: number, place: string): UsageError {
  return new UsageError(
    "UNKNOWN_TOPIC_OR_PARTITION",
    `${place}: expected a partition of ${JSON.stringify(topic.name)}, 0 to ${topic.partitionCount - 1}; found ${named}`,
  );
}

/** What a compacted topic does with a record that has no key, before anything is handed over. */
export function keyIsMissing(topic: TopicEntry, place: string): UsageError {
  return new UsageError("INVALID_RECORD", `${place}: topic ${JSON.stringify(topic.name)} is compacted: expected a key, found none`);
}
