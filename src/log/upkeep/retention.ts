/** Which segments may be deleted, and why. Pure: it looks at facts and answers how many, from the oldest on. */
import type { TopicConfig } from "../../api/topic.ts";

/** What retention needs to know of a segment; given from the oldest to the active one. */
export interface RetentionSegment {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly byteLength: number;
  /** -1: no record with a timestamp is known. */
  readonly maxTimestamp: number;
  readonly active: boolean;
}

/** `start`: all of it lies before the log's start. `size`: the rest reaches retentionBytes. `time`: its last record is older than retentionMs. */
export type RetentionReason = "start" | "size" | "time";

export interface RetentionDecision {
  readonly count: number;
  /** Whether the active segment is among them: it is rolled first. */
  readonly rollActive: boolean;
  /** One for each of the `count` segments. */
  readonly reasons: readonly RetentionReason[];
}

/** A timestamp further ahead is a mistake of its sender, and no measure of age. */
export const FUTURE_MS_MAX = 86_400_000;

/**
 * From the oldest segment on, up to the first that must stay; only segments wholly at or below the high watermark, never an
 * empty active one. A segment without a believable timestamp is not old. Compacted topics lose only what lies before the
 * log's start, unless their policy says delete as well.
 */
export function segmentsToDelete(
  segments: readonly RetentionSegment[],
  config: Readonly<Pick<TopicConfig, "retentionMs" | "retentionBytes" | "cleanupPolicy">>,
  marks: { readonly logStartOffset: number; readonly highWatermark: number },
  nowMs: number,
): RetentionDecision {
  const deletes = config.cleanupPolicy !== "compact";
  let surplusBytes = segments.reduce((total, segment) => total + segment.byteLength, 0) - config.retentionBytes;
  const reasons: RetentionReason[] = [];
  for (const [index, segment] of segments.entries()) {
    // After compaction a segment's records may end before the next one begins; up to there it answers for the offsets.
    const upTo = segments[index + 1]?.baseOffset ?? segment.nextOffset;
    if (upTo > marks.highWatermark || (segment.active && segment.byteLength === 0)) break;
    const reason = reasonFor(segment, upTo);
    if (reason === null) break;
    reasons.push(reason);
    surplusBytes -= segment.byteLength;
  }
  return { count: reasons.length, rollActive: segments[reasons.length - 1]?.active === true, reasons };

  function reasonFor(segment: RetentionSegment, upTo: number): RetentionReason | null {
    if (!segment.active && upTo <= marks.logStartOffset) return "start";
    if (!deletes) return null;
    if (surplusBytes >= segment.byteLength) return "size"; // what remains is never less than retentionBytes
    return isOld(segment.maxTimestamp) ? "time" : null;
  }

  function isOld(maxTimestamp: number): boolean {
    return maxTimestamp >= 0 && maxTimestamp <= nowMs + FUTURE_MS_MAX && nowMs - maxTimestamp > config.retentionMs;
  }
}
