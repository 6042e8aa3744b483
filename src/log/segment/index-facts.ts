/** What a book says of a segment's two indexes, so that they can be trusted unread: how long they are, and their checksums. */
import { type SegmentFiles, withIndexes } from "./segment.ts";

export interface IndexFacts {
  readonly indexByteLength: number;
  readonly indexChecksum: number;
  readonly timeIndexByteLength: number;
  readonly timeIndexChecksum: number;
}

/** Of files that may be written. */
export function indexFacts(files: SegmentFiles): IndexFacts {
  const { offsetIndex, timeIndex } = withIndexes(files);
  return {
    indexByteLength: offsetIndex.byteLength,
    indexChecksum: offsetIndex.checksum(),
    timeIndexByteLength: timeIndex.byteLength,
    timeIndexChecksum: timeIndex.checksum(),
  };
}
