/** Opening what a data directory holds: the topics of the catalogue, and those that another writer left. */
import type { TopicPartition } from "../api/bytes.ts";
import { turnOf } from "../base/turn.ts";
import { readPartitionMetadata } from "../log/books/partition-metadata.ts";
import { partitionDirectoryName } from "../log/files/file-names.ts";
import { PartitionLog } from "../log/partition-log.ts";
import { STATE_FILE } from "../log/state/partition-state.ts";
import { storageError } from "../storage/errno.ts";
import { PARTITION_COUNT_MAX } from "../topic/catalog-file.ts";
import { scanDirectory } from "../topic/directory-scan.ts";
import { newTopicId } from "../topic/topic-id.ts";
import { type House, INTERNAL_PARTITION_COUNT, isInternal, makeTopic, missingDirectory, partitionSpec } from "./house.ts";
import { holdsRecords } from "./leftover.ts";
import type { OpenTopic, PartitionSlot } from "./open-topic.ts";

/** Openings under way at once: enough to keep the disk busy in recovery, few enough to bound memory. */
const OPENINGS_AT_ONCE = 8;

export async function loadTopics(house: House): Promise<void> {
  const { catalog, topics } = house;
  const found = await partitionsOnDisk(house);
  // Gone since the catalogue says so; their directories are removed when the rest is open.
  for (const name of catalog.deleting()) found.delete(name);
  for (const entry of catalog.topics().values()) {
    const topic = makeTopic(house, { ...entry, frozen: false });
    const present = found.get(entry.name) ?? new Set();
    for (let partition = 0; partition < entry.partitions; partition += 1) {
      topic.slots.push(present.has(partition) || topic.internal ? { state: "empty" } : missingDirectory(entry.name, partition));
    }
    topics.put(topic);
  }
  for (const [name, present] of found) {
    if (catalog.topics().has(name)) continue;
    const adopted = await leftByAnother(house, name, present);
    if (adopted !== null) topics.put(adopted);
  }
  const wanted: [OpenTopic, number][] = topics.all().flatMap((topic) => {
    const present = found.get(topic.name) ?? new Set();
    return topic.slots.flatMap((slot, partition): [OpenTopic, number][] =>
      slot.state === "empty" && present.has(partition) ? [[topic, partition]] : [],
    );
  });
  await openEach(house, wanted);
}

/** Opens the logs of these partitions into the topic's slots. One that cannot be opened fails alone. */
export async function openPartitions(house: House, topic: OpenTopic, partitions: readonly number[]): Promise<void> {
  await openEach(
    house,
    partitions.map((partition): [OpenTopic, number] => [topic, partition]),
  );
}

async function openEach(house: House, wanted: readonly (readonly [OpenTopic, number])[]): Promise<void> {
  const queue = wanted.values();
  const turn = turnOf(house.context.clock);
  const worker = async (): Promise<void> => {
    for (const [topic, partition] of queue) {
      topic.slots[partition] = await openSlot(house, topic, partition);
      // A driver may open at once what is only read: a thousand partitions would be one turn.
      if (turn.isSpent()) await turn.next();
    }
  };
  await Promise.all(Array.from({ length: OPENINGS_AT_ONCE }, worker));
}

async function openSlot(house: House, topic: OpenTopic, partition: number): Promise<PartitionSlot> {
  const at: TopicPartition = { topic: topic.name, partition };
  try {
    return { state: "open", log: await PartitionLog.open(house.context, partitionSpec(house, topic, partition)) };
  } catch (cause) {
    const error = storageError(cause, "the opening", partitionDirectoryName(topic.name, partition));
    house.events.emit("partition.failed", { partition: at, error });
    return { state: "failed", error };
  }
}

/** A topic that has directories but no entry in the catalogue: another writer's, or the remains of a creation cut short. */
async function leftByAnother(house: House, name: string, present: ReadonlySet<number>): Promise<OpenTopic | null> {
  const { context } = house;
  const internal = isInternal(name);
  if (!internal) present = await foreignOf(house, name, present);
  if (present.size === 0) return null;
  const found = await topicIdOf(house, name, present);
  // The internal topics go on as ours: Kafka's settings for them are known. Nothing of ours can be written without an id.
  const isNamed = found === null && internal && !context.readOnly;
  const topicId = isNamed ? newTopicId(context.random) : (found ?? "");
  if (isNamed) await house.catalog.addTopic({ name, topicId, partitions: INTERNAL_PARTITION_COUNT, overrides: {} });
  const topic = makeTopic(house, { name, topicId, frozen: !internal, overrides: {} });
  const count = Math.max(Math.max(...present) + 1, internal ? INTERNAL_PARTITION_COUNT : 0);
  for (let partition = 0; partition < count; partition += 1) {
    topic.slots.push(present.has(partition) || internal ? { state: "empty" } : missingDirectory(name, partition));
  }
  return topic;
}

/** As the topic's partitions have it; null where none does: brokers before Kafka 2.8 kept no ids. */
async function topicIdOf(house: House, name: string, present: ReadonlySet<number>): Promise<string | null> {
  for (const partition of present) {
    const metadata = await readPartitionMetadata(house.context.storage, partitionDirectoryName(name, partition));
    if (metadata !== null) return metadata.topicId;
  }
  return null;
}

/**
 * Our own directories carry `odradek.state` before anything else; one of those without a record is what a crash left of a
 * `createTopic` or `adoptTopic`, and no partition of the topic.
 */
async function foreignOf(house: House, name: string, present: ReadonlySet<number>): Promise<ReadonlySet<number>> {
  const { storage } = house.context;
  const foreign = new Set<number>();
  for (const partition of present) {
    const directory = partitionDirectoryName(name, partition);
    const entries = await storage.list(directory);
    const isOurs = entries.length === 0 || entries.some((entry) => entry.name === STATE_FILE);
    if (!isOurs || (await holdsRecords(storage, directory))) foreign.add(partition);
  }
  return foreign;
}

/** What the names of the root's entries say. What belongs here by no rule is told of, and left alone. */
async function partitionsOnDisk(house: House): Promise<Map<string, ReadonlySet<number>>> {
  const { topics, suspicious } = scanDirectory(await house.context.storage.list(""));
  for (const { name, reason } of suspicious) house.events.emit("directory.suspicious", { name, reason });
  const found = new Map<string, ReadonlySet<number>>();
  for (const [topic, { partitionCount, present }] of topics) {
    if (partitionCount <= PARTITION_COUNT_MAX) found.set(topic, new Set(present));
    else
      house.events.emit("directory.suspicious", {
        name: `${topic}-${partitionCount - 1}`,
        reason: "a partition number that no topic here can have",
      });
  }
  return found;
}
