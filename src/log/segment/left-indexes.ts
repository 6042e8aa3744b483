/** Whether the indexes of the segment that a clean close left are still what it left. */

import type { ActiveSegmentFacts } from "../state/state-slot.ts";
import type { SegmentFiles } from "./segment.ts";

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
