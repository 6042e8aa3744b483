/** Partitions of several topics as Kafka's messages list them: grouped by topic, `{ topic, array of int32 }`. */
import type { TopicPartition } from "../../api/bytes.ts";
import type { ByteReader } from "../../base/byte-reader.ts";
import type { ByteWriter } from "../../base/byte-writer.ts";

/** By topic in code-unit order (Java's order of strings), then by number. */
export function compareTopicPartitions(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition;
}

export function writeTopicPartitions(writer: ByteWriter, partitions: readonly TopicPartition[]): void {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const numbers = byTopic.get(topic);
    if (numbers === undefined) byTopic.set(topic, [partition]);
    else numbers.push(partition);
  }
  writer.int32(byTopic.size);
  for (const [topic, numbers] of byTopic) {
    writer.string(topic).int32(numbers.length);
    for (const partition of numbers) writer.int32(partition);
  }
}

export function readTopicPartitions(reader: ByteReader): TopicPartition[] {
  const partitions: TopicPartition[] = [];
  for (let topicsLeft = reader.arrayCount(6); topicsLeft > 0; topicsLeft--) {
    const topic = reader.string();
    for (let left = reader.arrayCount(4); left > 0; left--) partitions.push({ topic, partition: reader.int32() });
  }
  return partitions;
}
