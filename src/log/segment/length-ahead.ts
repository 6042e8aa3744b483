/** How far ahead of its batches the file of a segment that is written is made long, so that a flush has bytes to make durable and no length. Pure. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import type { TopicConfig } from "../../api/topic.ts";

/** A segment to which this process has written less than this part of what may be ahead is left as long as it is: small logs stay small. */
const BEGIN_SHARE = 64;

export interface WrittenSegment {
  /** Where the write that is to come ends. */
  readonly end: number;
  /** How much of that this process wrote. */
  readonly writtenByteLength: number;
}

/**
 * How long the file is to be made for a write; its end, where it is not to be longer than that. Never further ahead than was written
 * here, so that no log looks more than twice its size, and never beyond the size at which it rolls.
 */
export function lengthAhead({ end, writtenByteLength }: WrittenSegment, segmentBytes: number, aheadByteLength: number): number {
  if (writtenByteLength * BEGIN_SHARE < aheadByteLength) return end;
  return Math.max(end, Math.min(end + Math.min(writtenByteLength, aheadByteLength), segmentBytes));
}

/** Whether zeros at the end of a log's file may be space that was never written, whatever its settings were before. */
export function mayBeAhead(storage: StorageDriver, config: Pick<TopicConfig, "preallocate"> | null): boolean {
  return unwrittenByteLengthMax(storage, config) > 0;
}

/** So many of them at most. */
export function unwrittenByteLengthMax(storage: StorageDriver, config: Pick<TopicConfig, "preallocate"> | null): number {
  return config?.preallocate === true ? Number.POSITIVE_INFINITY : (storage.aheadByteLength ?? 0);
}
