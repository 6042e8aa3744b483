/** A copy of a data directory, consistent while it is open: it opens as after a kill at the moment the copying began, or later. */
import type { TopicPartition } from "../api/bytes.ts";
import type { StorageDriver, StorageFile } from "../api/storage-driver.ts";
import { UsageError } from "../base/errors.ts";
import { writeOffsetCheckpoint } from "../log/books/checkpoint-file.ts";
import { writeBytes } from "../log/files/file-bytes.ts";
import { isNotFound } from "../log/files/replace-file.ts";
import type { PartitionLog } from "../log/partition-log.ts";
import { type LogSnapshot, writeSnapshotState } from "../log/upkeep/log-snapshot.ts";
import { fenced } from "../storage/fenced.ts";
import type { House } from "./house.ts";

const PIECE_BYTES = 1024 * 1024;
const CATALOG_FILE = "odradek.json";
/** A broker's identity: a copy of its directory is still its directory. */
const IDENTITY_FILE = "meta.properties";

export interface BackupReport {
  readonly files: number;
  readonly byteLength: number;
}

/** Lines of Kafka's checkpoint files, for those who go by them: a topic of another writer has nothing else. */
interface CopiedEnds {
  readonly recoveryPoints: [TopicPartition, number][];
  readonly logStarts: [TopicPartition, number][];
  readonly highWatermarks: [TopicPartition, number][];
}

/** The target must be empty: a backup never writes over anything. */
export async function copyTo(house: House, driver: StorageDriver): Promise<BackupReport> {
  // Through the fence, so that a target that cannot be written is refused by name.
  const target = fenced(driver, { syncGate: house.syncGate });
  const inTheWay = await target.list("");
  if (inTheWay.length > 0) {
    const found = inTheWay.slice(0, 3).map((entry) => entry.name);
    throw new UsageError(
      "INVALID_ARGUMENT",
      `backup(): expected an empty directory, found ${inTheWay.length} entries, among them ${found.join(", ")}`,
    );
  }
  let files = 0;
  let byteLength = 0;
  const count = (copied: number): void => {
    files += 1;
    byteLength += copied;
  };
  const ends: CopiedEnds = { recoveryPoints: [], logStarts: [], highWatermarks: [] };
  // All of one moment: a transaction is in all of its partitions or in none, and no committed offset points past its log.
  const logs = house.topics.openLogs();
  for (const log of logs) await log.settleCompaction();
  const snapshots = logs.map((log) => ({ log, taken: log.snapshotOfWritten() }));
  await Promise.allSettled(snapshots.map(({ taken }) => taken));
  for (const { log, taken } of snapshots) await copyLog(house, log, await taken, target, ends, count);
  for (const [name, lines] of [
    ["recovery-point-offset-checkpoint", ends.recoveryPoints],
    ["log-start-offset-checkpoint", ends.logStarts],
    ["replication-offset-checkpoint", ends.highWatermarks],
  ] as const)
    count(await writeOffsetCheckpoint(target, name, lines));
  const present = new Set((await house.context.storage.list("")).map((entry) => entry.name));
  // The catalogue last: a backup cut short is a directory without one, not one that lacks its topics' records.
  for (const name of [IDENTITY_FILE, CATALOG_FILE]) if (present.has(name)) count(await copyFile(house.context.storage, target, name, null));
  await target.syncDirectory("");
  return { files, byteLength };
}

async function copyLog(
  house: House,
  log: PartitionLog,
  snapshot: LogSnapshot,
  target: StorageDriver,
  ends: CopiedEnds,
  count: (copied: number) => void,
): Promise<void> {
  const { topic, partition, directory } = log.spec;
  const { files, facts, logStartOffset, logEndOffset } = snapshot;
  await target.createDirectory(directory);
  for (const { name, byteLength, isOptional } of files) {
    const copied = copyFile(house.context.storage, target, `${directory}/${name}`, byteLength);
    const copiedByteLength = await (isOptional === true ? copied.catch(nullIfGone) : copied);
    if (copiedByteLength !== null) count(copiedByteLength);
  }
  await target.syncDirectory(directory);
  // Behind the bytes it speaks of, which are durable by now.
  if (facts !== null) count(await writeSnapshotState(house.context, target, log.spec, facts));
  const at = { topic, partition };
  ends.recoveryPoints.push([at, Math.min(log.recoveryPoint, logEndOffset)]);
  ends.logStarts.push([at, logStartOffset]);
  ends.highWatermarks.push([at, logEndOffset]);
}

/** Of a file that may go while the others are copied. */
function nullIfGone(error: unknown): null {
  if (isNotFound(error)) return null;
  throw error;
}

/** `byteLength` null: the whole file, as it stands when it is opened. */
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
  const piece = new Uint8Array(Math.min(PIECE_BYTES, byteLength));
  for (let position = 0; position < byteLength; ) {
    // Each piece is fetched ahead off the loop, so that a large copy does not hold up everyone else.
    await from.readAhead(position, piece.byteLength);
    const read = from.readAt(piece.subarray(0, Math.min(piece.byteLength, byteLength - position)), position);
    if (read === 0) return;
    writeBytes(to, piece.subarray(0, read), position);
    position += read;
  }
}
