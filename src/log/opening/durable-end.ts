/** How far a partition was durable when it was left, as its state or a checkpoint says, and what it is when that is not there. */
import { CorruptionError, type OdradekError } from "../../base/errors.ts";
import type { Segment } from "../segment/segment.ts";
import type { RecoveryInput } from "./recovery.ts";

/** D: below it everything was durable, so that whatever is wrong there is damage. */
export interface DurableEnd {
  readonly offset: number;
  /** -1: only the offset is known (Kafka's checkpoint). */
  readonly segmentBase: number;
  readonly position: number;
  /** The segment that holds it is not there. */
  readonly missing: OdradekError | null;
}

export function durableEnd(
  { facts, segments, spec }: Pick<RecoveryInput, "facts" | "segments" | "spec">,
  recoveryPoint: number,
): DurableEnd {
  if (facts === null || facts.durableEndOffset < recoveryPoint)
    return { offset: recoveryPoint, segmentBase: -1, position: 0, missing: null };
  const { durableSegmentBase: segmentBase, durableEndPosition: position, durableEndOffset: offset } = facts;
  const holder = segments.find((segment) => segment.baseOffset === segmentBase);
  const firstBase = (segments[0] as Segment).baseOffset;
  // A roll whose directory entry was lost with the power: nothing had been acknowledged in it.
  const isEmptyRoll = position === 0;
  // Another writer has retained it away since.
  const isBehindUs = firstBase >= offset;
  // Another writer has rolled it, and cleaned it, perhaps into a segment before it: we note the roll before we clean.
  const mayBeCleaned = (spec.isForeign ?? spec.frozen) || spec.config().cleanupPolicy !== "delete";
  const isCleaned = mayBeCleaned && segments.some(({ baseOffset }) => baseOffset >= offset);
  if (holder !== undefined && (holder.byteLength >= position || !isCleaned)) return { offset, segmentBase, position, missing: null };
  if (isEmptyRoll || isBehindUs || isCleaned)
    return { offset: isBehindUs ? firstBase : offset, segmentBase: -1, position: 0, missing: null };
  const file = `${spec.directory}/${String(segmentBase).padStart(20, "0")}.log`;
  return {
    offset,
    segmentBase,
    position,
    missing: uncertainEnd(
      file,
      [0, position],
      [segmentBase, offset - 1],
      `${file}: expected ${position} durable bytes, found no such file`,
    ),
  };
}

/** Why nothing may be appended: what should be there is not. */
export function uncertainEnd(
  file: string,
  byteRange: readonly [number, number],
  offsetRange: readonly [number, number],
  message: string,
  older = false,
): CorruptionError {
  const code = older ? "UNSUPPORTED_MAGIC" : "CORRUPT_MESSAGE";
  return new CorruptionError(`${message}; nothing is appended until it is repaired`, {
    file,
    byteRange,
    offsetRange,
    nextReadableOffset: null,
    code,
  });
}
