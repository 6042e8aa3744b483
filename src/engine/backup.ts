/** A copy of a data directory, consistent while it is open: it opens as after a kill at the moment the copying began, or later. */
import type { StorageDriver, StorageFile } from "../api/storage-driver.ts";
import { UsageError } from "../base/errors.ts";
import { type House, OFFSETS_TOPIC } from "./house.ts";
import type { OpenTopic } from "./open-topic.ts";

const PIECE_BYTES = 1024 * 1024;
const CATALOG_FILE = "odradek.json";

export interface BackupReport {
  readonly files: number;
  readonly byteLength: number;
}

/** The target must be empty: a backup never writes over anything. */
export async function copyTo(house: House, target: StorageDriver): Promise<BackupReport> {
  if ((await target.list("")).length > 0) throw new UsageError("INVALID_ARGUMENT", "backup(): expected an empty directory");
  let files = 0;
  let byteLength = 0;
  const count = (copied: number): void => {
    files += 1;
    byteLength += copied;
  };
  // Commits first: a log that is copied later can only be longer, so no committed offset in the copy points past its log.
  const topics = house.topics.all().sort((a, b) => Number(b.name === OFFSETS_TOPIC) - Number(a.name === OFFSETS_TOPIC));
  for (const topic of topics) await copyTopic(house, topic, target, count);
  // The catalogue last: a backup cut short is a directory without one, not one that lacks its topics' records.
  for (const name of [CATALOG_FILE]) {
    if ((await house.context.storage.list("")).some((entry) => entry.name === name))
      count(await copyFile(house.context.storage, target, name, null));
  }
  await target.syncDirectory("");
  return { files, byteLength };
}

async function copyTopic(house: House, topic: OpenTopic, target: StorageDriver, count: (copied: number) => void): Promise<void> {
  for (const log of topic.openLogs()) {
    await target.createDirectory(log.spec.directory);
    for (const { name, byteLength } of log.snapshotFiles()) {
      count(await copyFile(house.context.storage, target, `${log.spec.directory}/${name}`, byteLength));
    }
    await target.syncDirectory(log.spec.directory);
  }
}

/** `byteLength` null: the whole file. */
async function copyFile(source: StorageDriver, target: StorageDriver, name: string, byteLength: number | null): Promise<number> {
  const from = await source.open(name, { create: "no", readOnly: true });
  try {
    const to = await target.open(name, { create: "new" });
    try {
      const length = Math.min(byteLength ?? from.byteLength(), from.byteLength());
      await copyBytes(from, to, length);
      await to.sync();
      return length;
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function copyBytes(from: StorageFile, to: StorageFile, byteLength: number): Promise<void> {
  const piece = new Uint8Array(Math.min(PIECE_BYTES, Math.max(1, byteLength)));
  for (let position = 0; position < byteLength; ) {
    // Each piece is fetched ahead off the loop, so that a large copy does not hold up everyone else.
    await from.readAhead(position, piece.byteLength);
    const read = from.readAt(piece.subarray(0, Math.min(piece.byteLength, byteLength - position)), position);
    if (read === 0) return;
    to.writeAt(piece.subarray(0, read), position);
    position += read;
  }
}
