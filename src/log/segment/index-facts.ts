/** What a book says of a segment's two indexes, so that they can be trusted unread: how long they are, and their checksums. */
import type { OffsetIndex } from "../index/offset-index.ts";
import type { TimeIndex } from "../index/time-index.ts";
import type { SegmentFiles } from "./segment.ts";

export interface IndexFacts {
  readonly indexByteLength: number;
  readonly indexChecksum: number;
  readonly timeIndexByteLength: number;
  readonly timeIndexChecksum: number;
}

/** Of files that may be written: only a reader meets a segment without indexes. */
export function indexFacts(files: SegmentFiles): IndexFacts {
  const [offsetIndex, timeIndex] = [files.offsetIndex as OffsetIndex, files.timeIndex as TimeIndex];
  return {
    indexByteLength: offsetIndex.byteLength,
    indexChecksum: offsetIndex.checksum(),
    timeIndexByteLength: timeIndex.byteLength,
    timeIndexChecksum: timeIndex.checksum(),
  };
}
