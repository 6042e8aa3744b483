/** What of an open log a backup copies, and the state that lets the copy open as this log would after a crash now. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import { LEADER_EPOCH_FILE } from "../books/leader-epochs.ts";
import { PARTITION_METADATA_FILE } from "../books/partition-metadata.ts";
import type { LogContext } from "../context/log-context.ts";
import { parseSegmentFileName, type SegmentFileKind, segmentFileName } from "../files/file-names.ts";
import type { LogPosition, OpenedLog } from "../opening/opened-log.ts";
import { durableFacts } from "../opening/state-facts.ts";
import { PartitionState, type PartitionStateFacts } from "../state/partition-state.ts";
import { STATE_BYTE_LENGTH } from "../state/state-slot.ts";

export interface SnapshotFile {
  /** Within the partition's directory. */
  readonly name: string;
  /** How much of it is part of the snapshot; null: as it stands when it is copied, since it is only ever replaced whole. */
  readonly byteLength: number | null;
  /** It may be gone when it is copied: the copy is opened without it, and reads more. */
  readonly isOptional?: boolean;
}

export interface LogSnapshot {
  readonly files: readonly SnapshotFile[];
  /** Where the copy begins and ends. */
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  /** null: the log has none, being another writer's. */
  readonly facts: PartitionStateFacts | null;
}

/** What stands beside a sealed `.log`: the seal protects the copy as it did the original, and says whether the indexes are those it knew. */
const BESIDE_SEALED: ReadonlySet<SegmentFileKind> = new Set(["index", "timeindex", "txnindex", "seal"]);

/**
 * Sealed segments whole, with all that stands beside them; the active one up to its durable end, its indexes to be built anew.
 * Everything named stays as it is while it is copied, as long as no segment is deleted.
 */
export async function takeSnapshot(log: OpenedLog, durable: LogPosition): Promise<LogSnapshot> {
  const { context, spec, segments, logStartOffset } = log;
  // All that may move is read before the first wait.
  const last = durable.segment.baseOffset;
  const lengths = new Map<number, number | null>();
  for (const segment of segments.all()) if (segment.baseOffset < last) lengths.set(segment.baseOffset, segment.byteLength);
  // Where the end is not certain the copy must be as uncertain: nothing is cut, and its own opening finds the same.
  const isCertain = log.endProblem === null;
  lengths.set(last, isCertain ? durable.position : null);
  const txnIndex = log.txnIndex?.baseOffset === last ? log.txnIndex : null;
  const noted = log.state.facts();
  const facts = noted === null || !isCertain ? noted : durableFacts(log, durable, durable.offset);
  const { recoveryPoint } = log;
  const files: SnapshotFile[] = [];
  for (const { name, kind } of await context.storage.list(spec.directory)) {
    if (kind !== "file") continue;
    if (name === PARTITION_METADATA_FILE || name === LEADER_EPOCH_FILE) files.push({ name, byteLength: null });
    const parsed = parseSegmentFileName(name);
    // What the copy knows of its producers: up to the point from which it is walked.
    if (parsed?.kind === "snapshot" && parsed.suffix === "" && parsed.baseOffset <= recoveryPoint)
      files.push({ name, byteLength: null, isOptional: true });
    if (parsed === null || parsed.suffix !== "" || !lengths.has(parsed.baseOffset) || !BESIDE_SEALED.has(parsed.kind)) continue;
    if (parsed.baseOffset < last) files.push({ name, byteLength: null });
  }
  if (txnIndex !== null) files.push({ name: segmentFileName(txnIndex.baseOffset, "txnindex"), byteLength: txnIndex.byteLength });
  for (const [baseOffset, byteLength] of lengths) files.push({ name: segmentFileName(baseOffset, "log"), byteLength });
  return { files, logStartOffset, logEndOffset: durable.offset, facts };
}

/** Makes the state of a copy whose files are there and durable: nothing that was deleted comes back. Answers its length. */
export async function writeSnapshotState(
  context: LogContext,
  target: StorageDriver,
  at: { readonly topic: string; readonly partition: number; readonly topicId: string; readonly directory: string },
  facts: PartitionStateFacts,
): Promise<number> {
  const state = await PartitionState.load({ ...context, storage: target, readOnly: false }, at.directory, at);
  try {
    await state.writeDurably(facts);
    return STATE_BYTE_LENGTH;
  } finally {
    await state.close();
  }
}
