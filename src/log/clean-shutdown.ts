/** Kafka's `.kafka_cleanshutdown`: there only between a close in order and the next open. */
import type { StorageDriver } from "../api/storage-driver.ts";
import { isNotFound, openIfPresent, replaceFile } from "./replace-file.ts";

export const CLEAN_SHUTDOWN_FILE = ".kafka_cleanshutdown";

/** Kafka's contents; -1 stands for a broker epoch that is not known. */
const CONTENTS = JSON.stringify({ version: 0, brokerEpoch: -1 });

/** Whether the marker is there. Its contents do not matter: before Kafka 3.7 it was empty. */
export async function readCleanShutdown(storage: StorageDriver): Promise<boolean> {
  const file = await openIfPresent(storage, CLEAN_SHUTDOWN_FILE);
  await file?.close();
  return file !== null;
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

/** Durable when it resolves: to be called when everything else is. */
export async function writeCleanShutdown(storage: StorageDriver): Promise<void> {
  await replaceFile(storage, "", CLEAN_SHUTDOWN_FILE, new TextEncoder().encode(CONTENTS));
}
