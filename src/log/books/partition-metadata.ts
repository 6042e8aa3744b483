/** Kafka's `partition.metadata`: which topic, by its id, the files of a partition directory belong to. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import { OdradekError } from "../../base/errors.ts";
import { uuidFromText } from "../../base/uuid-text.ts";
import { bookCorrupt, inDirectory, readWholeFile, replaceFile } from "../files/replace-file.ts";

export const PARTITION_METADATA_FILE = "partition.metadata";

/** Kafka's is 43 bytes. */
const BYTE_LENGTH_MAX = 4096;
const ZERO_ID = "AAAAAAAAAAAAAAAAAAAAAA";
// The separator is a colon and any white space, as Kafka reads it; as Kafka writes it, one blank, and no line end at the end.
const CONTENTS = /^version:\s+0\s*\r?\ntopic_id:\s+(\S+)\s*$/;

/** null when there is no such file. Throws `BOOK_CORRUPT` for other contents, or the id of no topic. */
export async function readPartitionMetadata(storage: StorageDriver, directory: string): Promise<{ readonly topicId: string } | null> {
  const name = inDirectory(directory, PARTITION_METADATA_FILE);
  const bytes = await readWholeFile(storage, name, BYTE_LENGTH_MAX);
  if (bytes === null) return null;
  const topicId = CONTENTS.exec(new TextDecoder().decode(bytes))?.[1];
  if (topicId === undefined || uuidFromText(topicId) === null || topicId === ZERO_ID) {
    throw bookCorrupt(name, `expected "version: 0" and "topic_id: <22 characters>", found ${bytes.byteLength} other bytes`, [
      0,
      bytes.byteLength,
    ]);
  }
  return { topicId };
}

/** Kafka's bytes exactly. Durable when it resolves. */
export async function writePartitionMetadata(storage: StorageDriver, directory: string, topicId: string): Promise<void> {
  if (uuidFromText(topicId) === null || topicId === ZERO_ID) {
    throw new OdradekError("UNKNOWN_SERVER_ERROR", `${PARTITION_METADATA_FILE}: expected a topic id of 22 characters, found "${topicId}"`);
  }
  const contents = new TextEncoder().encode(`version: 0\ntopic_id: ${topicId}`);
  await replaceFile(storage, directory, PARTITION_METADATA_FILE, contents);
}
