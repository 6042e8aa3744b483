/** Kafka's `.kafka_cleanshutdown`: there only between a close in order and the next open. */
import type { Bytes } from "../../api/bytes.ts";
import type { StorageDriver } from "../../api/storage-driver.ts";
import { CorruptionError } from "../../base/errors.ts";
import { isNotFound, openIfPresent, readWholeFile, replaceFile } from "../files/replace-file.ts";

export const CLEAN_SHUTDOWN_FILE = ".kafka_cleanshutdown";

const NEWLINE = 10;
/** Kafka's contents; -1 stands for a broker epoch that is not known. A broker writes no newline: by ours we know who was here last. */
const CONTENTS = new TextEncoder().encode(`${JSON.stringify({ version: 0, brokerEpoch: -1 })}\n`);
/** Kafka's marker has some forty bytes; of a longer one only its presence counts. */
const CONTENTS_BYTE_LENGTH_MAX = 4096;

/** Whether the marker is there. Its contents do not matter: before Kafka 3.7 it was empty. */
export async function readCleanShutdown(storage: StorageDriver): Promise<boolean> {
  const file = await openIfPresent(storage, CLEAN_SHUTDOWN_FILE);
  await file?.close();
  return file !== null;
}

/** What the marker says, to be written back by the next close in order: a broker's epoch is not ours to forget. null: nothing worth it. */
export async function cleanShutdownContents(storage: StorageDriver): Promise<Bytes | null> {
  const contents = await readWholeFile(storage, CLEAN_SHUTDOWN_FILE, CONTENTS_BYTE_LENGTH_MAX).catch((error: unknown) => {
    if (error instanceof CorruptionError) return null;
    throw error;
  });
  return contents === null || contents.byteLength === 0 ? null : contents;
}

/** Durable when it resolves: to be called before the first write after an open, or a crash would pass for a close in order. */
export async function removeCleanShutdown(storage: StorageDriver): Promise<void> {
  try {
    await storage.remove(CLEAN_SHUTDOWN_FILE);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  await storage.syncDirectory("");
}

/** By the marker's contents: no broker has written here since this engine's last close in order. */
export function isLeftByUs(contents: Uint8Array | null): boolean {
  return contents !== null && contents.at(-1) === NEWLINE;
}

/** `contents`: those found at the open. Durable when it resolves: to be called when everything else is. */
export async function writeCleanShutdown(storage: StorageDriver, contents: Uint8Array | null = null): Promise<void> {
  await replaceFile(storage, "", CLEAN_SHUTDOWN_FILE, contents ?? CONTENTS);
}

/** A broker's contents, its epoch kept, as ours. */
export function asLeftByUs(contents: Uint8Array | null): Uint8Array | null {
  return contents === null || isLeftByUs(contents) ? contents : Uint8Array.from([...contents, NEWLINE]);
}
