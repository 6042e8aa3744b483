/** Kafka's offset checkpoints at the top of a data directory: one offset per partition, as `<topic> <partition> <offset>`. */
import type { TopicPartition } from "../../api/bytes.ts";
import type { StorageDriver } from "../../api/storage-driver.ts";
import { isTopicName, PARTITION_MAX, partitionDirectoryName } from "../files/file-names.ts";
import { bookCorrupt, readWholeFile, replaceFile } from "../files/replace-file.ts";
import { CHECKPOINT_BYTE_LENGTH_MAX, decodeCheckpoint, encodeCheckpoint, excerpt, wholeNumber } from "./checkpoint-text.ts";

/** Offsets by the name of the partition's directory; null when there is no such file. Throws `BOOK_CORRUPT` when it cannot be believed. */
export async function readOffsetCheckpoint(storage: StorageDriver, name: string): Promise<Map<string, number> | null> {
  const bytes = await readWholeFile(storage, name, CHECKPOINT_BYTE_LENGTH_MAX);
  if (bytes === null) return null;
  const offsets = new Map<string, number>();
  for (const columns of decodeCheckpoint(bytes, name, 3)) {
    const [topic, partitionText, offsetText] = columns as [string, string, string];
    const partition = wholeNumber(partitionText);
    const offset = wholeNumber(offsetText);
    if (!isTopicName(topic) || partition === null || partition > PARTITION_MAX || offset === null) {
      throw bookCorrupt(name, `expected "<topic> <partition> <offset>", found "${excerpt(columns.join(" "))}"`, [0, bytes.byteLength]);
    }
    const key = partitionDirectoryName(topic, partition);
    if (offsets.has(key)) throw bookCorrupt(name, `names ${key} twice`, [0, bytes.byteLength]);
    offsets.set(key, offset);
  }
  return offsets;
}

/** Replaces the file whole; durable when it resolves. An entry given twice counts as last given. Answers the file's length in bytes. */
export async function writeOffsetCheckpoint(
  storage: StorageDriver,
  name: string,
  entries: Iterable<[TopicPartition, number]>,
): Promise<number> {
  const lines = new Map<string, string>();
  for (const [{ topic, partition }, offset] of entries) {
    lines.set(partitionDirectoryName(topic, partition), `${topic} ${partition} ${offset}`);
  }
  const bytes = encodeCheckpoint([...lines.values()]);
  await replaceFile(storage, "", name, bytes);
  return bytes.byteLength;
}
