/** How much of a partition may be compacted, and how badly it wants it. Pure: Kafka's rules (`LogCleanerManager`) over plain facts. */
import type { TopicConfig } from "../../api/topic.ts";

/** What compaction needs to know of a segment; given from the oldest to the active one, which is the last. */
export interface CompactionSegment {
  readonly baseOffset: number;
  readonly byteLength: number;
  /** The largest timestamp in it; looked at only where `minCompactionLagMs` is set. */
  readonly maxTimestamp: number;
  /** The largest timestamp of its first batch, -1 where there is none; looked at only where `maxCompactionLagMs` is set. */
  readonly firstTimestamp: number;
}

export interface CompactionFacts {
  /** At least one. */
  readonly segments: readonly CompactionSegment[];
  /** Where the last pass ended; null: there was none. */
  readonly firstDirtyOffset: number | null;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly lastStableOffset: number;
  /** Nothing from here on may be rewritten yet, whatever the topic's rules say: a crash might still read it from its beginning. */
  readonly settledOffset: number;
}

export interface CompactionNeed {
  readonly firstDirtyOffset: number;
  /** A segment's base: whole segments alone are compacted, the active one never. */
  readonly firstUncleanableOffset: number;
  readonly cleanableBytes: number;
  /** Cleanable bytes to all that a pass would read; 0 when there are none. */
  readonly ratio: number;
  /** Records have waited longer than `maxCompactionLagMs`. */
  readonly mustClean: boolean;
}

export type CompactionRules = Readonly<Pick<TopicConfig, "minCompactionLagMs" | "maxCompactionLagMs">>;

export function compactionNeed(facts: CompactionFacts, rules: CompactionRules, nowMs: number): CompactionNeed {
  const { segments } = facts;
  const firstDirtyOffset = validFirstDirty(facts);
  const firstUncleanableOffset = firstUncleanable(facts, firstDirtyOffset, rules, nowMs);
  let cleanBytes = 0;
  let cleanableBytes = 0;
  for (const [index, segment] of segments.entries()) {
    // A segment that a pass ended in the middle of counts on both sides, as it does in Kafka.
    if (segment.baseOffset < firstDirtyOffset) cleanBytes += segment.byteLength;
    if (isFrom(segments, index, firstDirtyOffset) && segment.baseOffset < firstUncleanableOffset) cleanableBytes += segment.byteLength;
  }
  const ratio = cleanableBytes === 0 ? 0 : cleanableBytes / (cleanBytes + cleanableBytes);
  return { firstDirtyOffset, firstUncleanableOffset, cleanableBytes, ratio, mustClean: hasWaited(facts, firstDirtyOffset, rules, nowMs) };
}

/** Whether a pass is due by itself. */
export function isDue(need: CompactionNeed, config: Readonly<Pick<TopicConfig, "minCleanableDirtyRatio">>): boolean {
  return (need.mustClean && need.cleanableBytes > 0) || need.ratio > config.minCleanableDirtyRatio;
}

/**
 * A line that points outside the log says nothing about it: then all is dirty. So it is beyond what was settled, where no pass
 * can have been: taken at its word, deletes might be forgotten before the records that they delete.
 */
function validFirstDirty({ firstDirtyOffset, logStartOffset, logEndOffset, settledOffset }: CompactionFacts): number {
  if (firstDirtyOffset === null || firstDirtyOffset < logStartOffset) return logStartOffset;
  return firstDirtyOffset > Math.min(logEndOffset, settledOffset) ? logStartOffset : firstDirtyOffset;
}

function firstUncleanable(facts: CompactionFacts, firstDirtyOffset: number, rules: CompactionRules, nowMs: number): number {
  const { segments, lastStableOffset, settledOffset } = facts;
  const active = segments.at(-1) as CompactionSegment;
  let offset = Math.min(lastStableOffset, settledOffset, active.baseOffset);
  if (rules.minCompactionLagMs > 0) {
    const tooYoung = segments.find(
      (segment, index) =>
        segment !== active && isFrom(segments, index, firstDirtyOffset) && segment.maxTimestamp > nowMs - rules.minCompactionLagMs,
    );
    if (tooYoung !== undefined) offset = Math.min(offset, tooYoung.baseOffset);
  }
  return segments.findLast((segment) => segment.baseOffset <= offset)?.baseOffset ?? (segments[0] as CompactionSegment).baseOffset;
}

function hasWaited({ segments }: CompactionFacts, firstDirtyOffset: number, rules: CompactionRules, nowMs: number): boolean {
  if (rules.maxCompactionLagMs === Number.POSITIVE_INFINITY) return false;
  return segments
    .slice(0, -1)
    .some(
      (segment, index) =>
        isFrom(segments, index, firstDirtyOffset) &&
        segment.firstTimestamp > 0 &&
        segment.firstTimestamp < nowMs - rules.maxCompactionLagMs,
    );
}

/** Whether the segment is the one that holds `offset`, or a later one. */
function isFrom(segments: readonly CompactionSegment[], index: number, offset: number): boolean {
  return (segments[index + 1]?.baseOffset ?? Number.POSITIVE_INFINITY) > offset;
}
