/** Which of the fifty partitions of `__consumer_offsets` keeps a group: Kafka's choice, by Java's hash of the group's id. */
import { COORDINATOR_PARTITION_COUNT, coordinatorPartition } from "../base/java-hash.ts";

export { javaHash } from "../base/java-hash.ts";

export const OFFSETS_TOPIC = "__consumer_offsets";
export const OFFSETS_PARTITION_COUNT: number = COORDINATOR_PARTITION_COUNT;

export function groupPartition(groupId: string): number {
  return coordinatorPartition(groupId);
}
