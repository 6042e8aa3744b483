/** When a batch opens a new segment. Pure: Kafka's rules (semantics.md 1) over plain facts; no jitter, one process has no herd. */
import type { TopicConfig } from "../../api/topic.ts";
import type { Clock } from "../../base/clock.ts";

export interface RollFacts {
  readonly baseOffset: number;
  readonly byteLength: number;
  /** The largest timestamp of the segment's first batch; -1: it has none, or there is no batch. */
  readonly firstTimestamp: number;
  readonly createdAtMs: number;
  indexIsFull(segmentIndexBytes: number): boolean;
}

export type RollReason = "bytes" | "time" | "index" | "offset";

/** Index entries hold an offset as a distance from the base in 31 bits. */
export const RELATIVE_OFFSET_MAX: number = 2 ** 31 - 1;
/** A position in an index entry is an int32. */
export const SEGMENT_BYTE_LENGTH_MAX: number = 2 ** 31 - 1;

export function rollReason(
  segment: RollFacts,
  batchByteLength: number,
  lastOffset: number,
  maxTimestamp: number,
  config: Pick<TopicConfig, "segmentBytes" | "segmentMs" | "segmentIndexBytes" | "cleanupPolicy" | "maxCompactionLagMs">,
  clock: Pick<Clock, "now">,
): RollReason | null {
  if (lastOffset - segment.baseOffset > RELATIVE_OFFSET_MAX) return "offset";
  if (segment.byteLength === 0) return null;
  if (segment.byteLength > Math.min(config.segmentBytes, SEGMENT_BYTE_LENGTH_MAX) - batchByteLength) return "bytes";
  const segmentMs = config.cleanupPolicy === "delete" ? config.segmentMs : Math.min(config.segmentMs, config.maxCompactionLagMs);
  const waitedMs = segment.firstTimestamp >= 0 ? maxTimestamp - segment.firstTimestamp : clock.now() - segment.createdAtMs;
  if (waitedMs > segmentMs) return "time";
  return segment.indexIsFull(config.segmentIndexBytes) ? "index" : null;
}
