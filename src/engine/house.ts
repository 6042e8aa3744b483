/** What the parts of one engine share: the storage, the books, the topics that are open, and the ways to be heard. */
import type { TopicPartition } from "../api/bytes.ts";
import type { TopicConfig } from "../api/topic.ts";
import { StorageError } from "../base/errors.ts";
import { isLeftByUs } from "../log/books/clean-shutdown.ts";
import type { LogContext } from "../log/context/log-context.ts";
import { partitionDirectoryName } from "../log/files/file-names.ts";
import type { PartitionSpec } from "../log/partition-log.ts";
import type { Gate } from "../storage/gate.ts";
import type { Catalog } from "../topic/catalog.ts";
import { resolveConfig } from "../topic/topic-config.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { Events } from "./events.ts";
import { OpenTopic, type PartitionSlot } from "./open-topic.ts";
import type { TopicRegistry } from "./topic-registry.ts";

export const OFFSETS_TOPIC = "__consumer_offsets";
export const TRANSACTIONS_TOPIC = "__transaction_state";
/** Kafka's offsets.topic.num.partitions and transaction.state.log.num.partitions. */
export const INTERNAL_PARTITION_COUNT = 50;

/**
 * Kafka's settings for the internal topics. Commits are flushed by `offsetsFlushMs` and on demand, not one by one:
 * a lost commit is a redelivery, never a loss.
 */
export const INTERNAL_CONFIG: Readonly<Partial<TopicConfig>> = Object.freeze({
  cleanupPolicy: "compact",
  segmentBytes: 104_857_600,
  durability: "os",
});

export interface House {
  readonly context: LogContext;
  readonly catalog: Catalog;
  readonly topics: TopicRegistry;
  readonly checkpoints: Checkpoints;
  readonly events: Events;
  /** The door that flushes go through; undefined: the process's own. */
  readonly syncGate: Gate | undefined;
  readonly defaults: Readonly<Partial<TopicConfig>>;
  /** Whether the last one to close this directory, Odradek or a broker, did so in order. */
  readonly cleanShutdown: boolean;
  /** What its marker said; null where it said nothing. */
  readonly cleanShutdownContents: Uint8Array | null;
}

export function isInternal(topic: string): boolean {
  return topic === OFFSETS_TOPIC || topic === TRANSACTIONS_TOPIC;
}

export function makeTopic(
  house: House,
  facts: { readonly name: string; readonly topicId: string; readonly frozen: boolean; readonly overrides: Readonly<Partial<TopicConfig>> },
): OpenTopic {
  const internal = isInternal(facts.name);
  const overrides = internal ? { ...INTERNAL_CONFIG, ...facts.overrides } : facts.overrides;
  return new OpenTopic({
    ...facts,
    internal,
    overrides,
    config: resolveConfig(overrides, internal ? {} : house.defaults),
    slots: [],
  });
}

/** What a log of this topic's partition is opened or made with. */
export function partitionSpec(house: House, topic: OpenTopic, partition: number, fresh = false): PartitionSpec {
  const at: TopicPartition = { topic: topic.name, partition };
  return {
    ...at,
    topicId: topic.topicId,
    directory: partitionDirectoryName(topic.name, partition),
    config: () => topic.config,
    frozen: topic.frozen || house.context.readOnly,
    isForeign: topic.frozen,
    checkpoint: fresh ? { recoveryPoint: null, logStartOffset: null } : house.checkpoints.of(at),
    cleanShutdown: fresh || house.cleanShutdown,
    leftByUs: fresh || isLeftByUs(house.cleanShutdownContents),
  };
}

export function missingDirectory(topic: string, partition: number): PartitionSlot {
  const directory = partitionDirectoryName(topic, partition);
  // Not made anew: an empty log in the place of a lost one would hand out its offsets a second time.
  const message = `the catalogue names partition ${partition} of topic "${topic}", but its directory ${directory} is not there; restore it from a backup`;
  return { state: "failed", error: new StorageError("FILE_NOT_FOUND", message) };
}
