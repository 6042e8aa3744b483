/** What a clean close left, believed when a partition is opened again. */
import { scanBatches } from "../batch/batch-scan.ts";
import { indexesAreAsLeft } from "../segment/left-indexes.ts";
import type { Segment } from "../segment/segment.ts";
import { type Opening, tellOfPartition } from "./opening.ts";

/** Whether the active segment ends where the clean close said; its end is then taken without looking at the bytes before. */
export async function takeCleanEnd({ context, spec, facts, epochs }: Opening, active: Segment): Promise<boolean> {
  const files = active.openFiles;
  const lastTime = files.timeIndex?.lastEntry() ?? null;
  active.maxTimestamp = lastTime?.timestamp ?? -1;
  active.maxTimestampOffset = lastTime?.offset ?? -1;
  if (facts !== null) {
    const left = facts.activeSegment;
    if (!facts.cleanlyClosed || facts.durableSegmentBase !== active.baseOffset || facts.durableEndPosition !== active.byteLength)
      return false;
    active.nextOffset = facts.durableEndOffset;
    active.warmFrom = active.byteLength;
    if (left === null) return active.byteLength === 0;
    active.checksums = { byteLength: left.logByteLength, checksums: left.logChecksums };
    if (indexesAreAsLeft(files, left)) return true;
    tellOfPartition(context, spec, "index.rebuilt", { file: active.logName, why: "it is not what the clean close left" });
    return false;
  }
  // Another writer's: the end is found from the last index entry on. What cannot be walked is for recovery to judge.
  const from = files.offsetIndex?.lastEntry()?.position ?? 0;
  if (from >= active.byteLength && from > 0) return false;
  const expectation = { nextOffset: active.baseOffset, order: "rising", epochFor: () => null } as const;
  let lastEpoch = -1;
  let maxTimestamp = active.maxTimestamp;
  let maxTimestampOffset = active.maxTimestampOffset;
  const end = await scanBatches(context.core, files.log, [from, active.byteLength], expectation, (batch) => {
    lastEpoch = batch.leaderEpoch;
    if (batch.maxTimestamp > maxTimestamp) [maxTimestamp, maxTimestampOffset] = [batch.maxTimestamp, batch.lastOffset];
  });
  if (end.position !== active.byteLength) return false;
  // A base offset has no checksum of Kafka's. Its checkpoint knows better how far the log went.
  if (end.nextOffset < (spec.checkpoint.recoveryPoint ?? 0)) return false;
  if (lastEpoch >= 0 && (epochs.latest()?.epoch ?? -1) < lastEpoch) return false;
  [active.maxTimestamp, active.maxTimestampOffset] = [maxTimestamp, maxTimestampOffset];
  active.nextOffset = Math.max(end.nextOffset, active.baseOffset);
  active.verified.add(from, active.byteLength);
  return true;
}
