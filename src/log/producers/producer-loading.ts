/** What a partition that was left in order knows of its producers: its last snapshot says it, or the log behind an older one. */
import { segmentFileName } from "../files/file-names.ts";
import type { Segment } from "../segment/segment.ts";
import type { PartitionStateFacts } from "../state/partition-state.ts";
import { beginReplay, type ReplaySource, replayThrough } from "./producer-replay.ts";
import type { ProducerTable } from "./producer-table.ts";
import { TransactionEntries } from "./transaction-entries.ts";
import { readOrRemake } from "./transaction-index-file.ts";

/** Where the log ends nothing is read of a partition without producers. */
export async function loadProducers(
  source: ReplaySource,
  segments: readonly Segment[],
  facts: PartitionStateFacts | null,
): Promise<ProducerTable> {
  const { nextOffset } = segments.at(-1) as Segment;
  const replay = await beginReplay(source, nextOffset, facts?.withoutProducers === true ? facts.recoveryPoint : null);
  if (replay.nextOffset >= nextOffset) return replay.table;
  await replayThrough(source.context, replay, segments, nextOffset);
  const { context, spec, snapshots } = source;
  const snapshot = context.readOnly || spec.frozen ? null : snapshots.take(replay.table);
  if (snapshot !== null) await snapshots.write(nextOffset, snapshot);
  return replay.table;
}

/** The active segment's transaction index, as the clean close left it; of another writer's, as it stands. */
export async function loadActiveTransactions(
  source: ReplaySource,
  segments: readonly Segment[],
  names: ReadonlySet<string>,
  facts: PartitionStateFacts | null,
): Promise<TransactionEntries> {
  const active = segments.at(-1) as Segment;
  const name = segmentFileName(active.baseOffset, "txnindex");
  const byteLength = facts === null ? null : (facts.activeSegment?.txnIndexByteLength ?? 0);
  if (!names.has(name) && !active.isInSwap && (byteLength ?? 0) === 0) return new TransactionEntries();
  return await readOrRemake(source, segments, active, (bytes) => {
    if (byteLength === null) return null;
    const length = bytes?.byteLength ?? 0;
    if (length !== byteLength) return `the clean close left ${byteLength} bytes, found ${bytes === null ? "no such file" : length}`;
    const left = facts?.activeSegment?.txnIndexChecksum ?? 0;
    return bytes === null || source.context.core.crc32c(bytes) >>> 0 === left >>> 0 ? null : "it is not what the clean close left";
  });
}
