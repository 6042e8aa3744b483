/** `java.lang.String.hashCode`, by which Kafka finds the partition of an internal topic that keeps a group or a transactional id. */

/** Kafka's `offsets.topic.num.partitions` and `transaction.state.log.num.partitions`. */
export const COORDINATOR_PARTITION_COUNT = 50;

export function coordinatorPartition(id: string): number {
  const hash = javaHash(id);
  // Kafka's abs: the one number without a positive twin counts as 0.
  return (hash === -(2 ** 31) ? 0 : Math.abs(hash)) % COORDINATOR_PARTITION_COUNT;
}

/** Over UTF-16 code units, in 32 bits that wrap. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  return hash;
}
