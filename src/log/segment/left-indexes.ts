/** Whether the indexes that were left beside a segment are those of what is there now. */
import type { Core } from "../../core/core.ts";
import { scanBatches } from "../batch/batch-scan.ts";
import type { ActiveSegmentFacts } from "../state/state-slot.ts";
import type { Segment, SegmentFiles } from "./segment.ts";

/** Derived files that changed since the close are made again, by way of recovery. */
export function indexesAreAsLeft({ offsetIndex, timeIndex }: SegmentFiles, left: ActiveSegmentFacts): boolean {
  return (
    offsetIndex?.problem === null &&
    timeIndex?.problem === null &&
    offsetIndex.byteLength === left.indexByteLength &&
    timeIndex.byteLength === left.timeIndexByteLength &&
    offsetIndex.checksum() === left.indexChecksum &&
    timeIndex.checksum() === left.timeIndexChecksum
  );
}

/** Whether they name a batch behind the end of a log that is whole up to there. */
export async function indexesGoOn(core: Core, { baseOffset }: Segment, { log, offsetIndex, timeIndex }: SegmentFiles): Promise<boolean> {
  const byteLength = log.byteLength();
  const expectation = { nextOffset: baseOffset, order: "rising", epochFor: () => null } as const;
  const end = await scanBatches(core, log, [0, byteLength], expectation, () => {});
  if (end.reason !== "end") return false;
  return (offsetIndex?.lastEntry()?.position ?? -1) >= byteLength || (timeIndex?.lastEntry()?.offset ?? -1) >= end.nextOffset;
}
