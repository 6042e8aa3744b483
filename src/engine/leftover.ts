/** Partition directories that a crash left behind: made for a topic that was never committed, or outlived one that was deleted. */
import type { StorageDriver } from "../api/storage-driver.ts";
import { UsageError } from "../base/errors.ts";
import { parseSegmentFileName } from "../log/files/file-names.ts";
import { STATE_FILE } from "../log/state/partition-state.ts";

/** Whether a directory holds a record batch, in any segment, or has held one: a log that begins later. One without is nobody's loss. */
export async function holdsRecords(storage: StorageDriver, directory: string): Promise<boolean> {
  for (const entry of await storage.list(directory)) {
    const segment = entry.kind === "file" ? parseSegmentFileName(entry.name) : null;
    if (segment?.kind === "log") {
      if (segment.baseOffset > 0) return true;
      const file = await storage.open(`${directory}/${entry.name}`, { create: "no", readOnly: true });
      try {
        if (file.byteLength() > 0) return true;
      } finally {
        await file.close();
      }
    }
  }
  return false;
}

/** Clears the places for new partitions. A directory with records in it is never removed. */
export async function removeLeftovers(storage: StorageDriver, directories: readonly string[]): Promise<void> {
  const found = new Set((await storage.list("")).map(({ name }) => name));
  for (const directory of directories) if (found.has(directory)) await removeLeftover(storage, directory);
}

async function removeLeftover(storage: StorageDriver, directory: string): Promise<void> {
  if (await holdsRecords(storage, directory)) {
    throw new UsageError("TOPIC_ALREADY_EXISTS", `the directory ${directory} holds records of another topic; move it away first`);
  }
  await removeUncommitted(storage, directory);
}

/**
 * Removes a directory that no catalogue names. `odradek.state` goes last, and durably so: what a crash leaves without it would
 * pass for another writer's.
 */
export async function removeUncommitted(storage: StorageDriver, directory: string): Promise<void> {
  for (const { kind, name } of await storage.list(directory)) {
    if (kind === "file" && name !== STATE_FILE) await storage.remove(`${directory}/${name}`);
  }
  await storage.syncDirectory(directory);
  await removeDirectoryWhole(storage, directory);
}

/** Removes a partition directory with everything in it: for a topic whose deletion is committed. */
export async function removeDirectoryWhole(storage: StorageDriver, directory: string): Promise<void> {
  for (const entry of await storage.list(directory)) if (entry.kind === "file") await storage.remove(`${directory}/${entry.name}`);
  await storage.removeDirectory(directory);
}
