/** Which of the fifty partitions of `__consumer_offsets` keeps a group: Kafka's choice, by Java's hash of the group's id. */

export const OFFSETS_TOPIC = "__consumer_offsets";
export const OFFSETS_PARTITION_COUNT = 50;

export function groupPartition(groupId: string): number {
  const hash = javaHash(groupId);
  // Kafka's abs: the one number without a positive twin counts as 0.
  return (hash === -(2 ** 31) ? 0 : Math.abs(hash)) % OFFSETS_PARTITION_COUNT;
}

/** `java.lang.String.hashCode`: over UTF-16 code units, in 32 bits that wrap. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  return hash;
}
