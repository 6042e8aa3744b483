/** Whether the partitions that a caller names are there. */
import type { TopicPartition } from "../api/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { checkPartition } from "./assignment.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";

/** Throws a `UsageError` unless all are: INVALID_ARGUMENT, or UNKNOWN_TOPIC_OR_PARTITION with the nearest name. */
export async function checkAssigned(broker: ConsumerBroker, partitions: readonly TopicPartition[]): Promise<void> {
  if (!Array.isArray(partitions)) {
    throw new UsageError("INVALID_ARGUMENT", `assign: expected an array of { topic, partition }, found ${describeValue(partitions)}`);
  }
  for (const partition of partitions) checkPartition(partition, "assign");
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  const counts = new Map((await broker.metadata(topics)).map(({ name, partitionCount }) => [name, partitionCount]));
  for (const { topic, partition } of partitions) {
    const partitionCount = counts.get(topic);
    // Fails with the nearest name: metadata merely leaves an unknown topic out.
    if (partitionCount === undefined) await broker.describeConfig(topic);
    else if (partition >= partitionCount) {
      throw new UsageError(
        "UNKNOWN_TOPIC_OR_PARTITION",
        `assign: topic "${topic}" has partitions 0 to ${partitionCount - 1}, found partition ${partition}`,
      );
    }
  }
}
