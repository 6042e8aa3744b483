/** Which neighbouring segments are rewritten into one. Pure: Kafka's `groupSegmentsBySize`. */
import type { TopicConfig } from "../../api/topic.ts";
import { RELATIVE_OFFSET_MAX } from "../append/roll-policy.ts";

export interface GroupableSegment {
  readonly baseOffset: number;
  /** Where the next segment begins. */
  readonly endOffset: number;
  readonly byteLength: number;
  readonly indexByteLength: number;
  readonly timeIndexByteLength: number;
}

/** Every group fits one segment even if nothing in it goes away; a segment that is too large already stands alone. */
export function groupSegments<Segment extends GroupableSegment>(
  segments: readonly Segment[],
  config: Readonly<Pick<TopicConfig, "segmentBytes" | "segmentIndexBytes">>,
): Segment[][] {
  const groups: Segment[][] = [];
  let total = { byteLength: 0, indexByteLength: 0, timeIndexByteLength: 0 };
  for (const segment of segments) {
    const group = groups.at(-1);
    const sum = {
      byteLength: total.byteLength + segment.byteLength,
      indexByteLength: total.indexByteLength + segment.indexByteLength,
      timeIndexByteLength: total.timeIndexByteLength + segment.timeIndexByteLength,
    };
    const fits =
      group !== undefined &&
      sum.byteLength <= config.segmentBytes &&
      sum.indexByteLength <= config.segmentIndexBytes &&
      sum.timeIndexByteLength <= config.segmentIndexBytes &&
      // What is empty has no offset that an index entry would have to reach.
      (segment.byteLength === 0 || segment.endOffset - 1 - (group[0] as Segment).baseOffset <= RELATIVE_OFFSET_MAX);
    if (fits) {
      group.push(segment);
      total = sum;
    } else {
      groups.push([segment]);
      total = segment;
    }
  }
  return groups;
}
