/** The rest of a deletion that the catalogue has committed: directories, then committed offsets, then the name is free. */
import { parsePartitionDirectoryName } from "../log/files/file-names.ts";
import type { House } from "./house.ts";
import { removeDirectoryWhole } from "./leftover.ts";

/**
 * Resolves when all of it is durable; called again, it goes on where it was stopped. The name is freed last: a topic made anew
 * under it would inherit what is still there.
 */
export async function finishDeletion(house: House, topic: string, forgetOffsets: (topic: string) => Promise<void>): Promise<void> {
  const { catalog, checkpoints, context } = house;
  for (const entry of await context.storage.list("")) {
    const parsed = entry.kind === "directory" ? parsePartitionDirectoryName(entry.name) : null;
    if (parsed === null || parsed.topic !== topic || parsed.suffix !== "") continue;
    checkpoints.forget(parsed);
    await removeDirectoryWhole(context.storage, entry.name);
  }
  await context.storage.syncDirectory("");
  await forgetOffsets(topic);
  await catalog.removeTopic(topic);
}

/** What a crash or a refusal left of earlier deletions. One that cannot be finished now keeps its name, and nothing else from opening. */
export async function finishDeletions(house: House, forgetOffsets: (topic: string) => Promise<void>): Promise<void> {
  for (const topic of house.catalog.deleting()) {
    try {
      await finishDeletion(house, topic, forgetOffsets);
    } catch (error) {
      house.events.emit("maintenance.failed", { task: "deletion", topic, error });
    }
  }
}
