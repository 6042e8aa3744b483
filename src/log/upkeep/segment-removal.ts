/** Does what retention decided: the new log start is durable before the first file goes, and readers in its middle finish first. */
import type { Watermarks } from "../../api/bytes.ts";
import type { LogWriter } from "../append/log-writer.ts";
import { removeSegmentFiles } from "../files/partition-files.ts";
import type { OpenedLog } from "../opening/opened-log.ts";
import type { LogReader } from "../read/log-reader.ts";
import type { Segment } from "../segment/segment.ts";
import { moveLogStart } from "./log-start.ts";
import { type RetentionSegment, segmentsToDelete } from "./retention.ts";

export interface RetentionResult {
  readonly segmentsDeleted: number;
  readonly bytesReclaimed: number;
}

export async function removeExpired(log: OpenedLog, writer: LogWriter, reader: LogReader, marks: Watermarks): Promise<RetentionResult> {
  const { context, spec, segments } = log;
  const config = spec.config();
  const facts: RetentionSegment[] = [];
  const asksForTime = config.retentionMs !== Number.POSITIVE_INFINITY && config.cleanupPolicy !== "compact";
  for (const segment of segments.all()) {
    const active = segment === segments.active;
    const maxTimestamp = asksForTime ? await maxTimestampOf(reader, segment, active) : -1;
    facts.push({ baseOffset: segment.baseOffset, nextOffset: segment.nextOffset, byteLength: segment.byteLength, maxTimestamp, active });
  }
  const decision = segmentsToDelete(facts, config, marks, context.clock.now());
  if (decision.count === 0) return { segmentsDeleted: 0, bytesReclaimed: 0 };
  if (decision.rollActive) await writer.rollNow();
  // What was appended to the active segment since is not expired.
  const count =
    decision.rollActive && (facts.at(-1) as RetentionSegment).nextOffset !== segments.all()[decision.count - 1]?.nextOffset
      ? decision.count - 1
      : decision.count;
  const first = segments.all()[count];
  if (count === 0 || first === undefined) return { segmentsDeleted: 0, bytesReclaimed: 0 };
  if (first.baseOffset > log.logStartOffset) await moveLogStart(log, writer, first.baseOffset);
  let bytesReclaimed = 0;
  const problems: unknown[] = [];
  for (const [index, segment] of segments.removeOldest(count).entries()) {
    // Out of the list already: nobody else gives its handles back, or looks at it before the next opening.
    await segment.close().catch((error: unknown) => problems.push(error));
    try {
      await removeSegmentFiles(context.storage, spec.directory, segment.baseOffset);
    } catch (error) {
      problems.push(error);
      continue;
    }
    log.abortedTransactions.forget(segment.baseOffset);
    log.snapshots.forget(segment.baseOffset);
    bytesReclaimed += segment.byteLength;
    const { topic, partition } = spec;
    context.emit("segment.deleted", {
      partition: { topic, partition },
      baseOffset: segment.baseOffset,
      byteLength: segment.byteLength,
      reason: decision.reasons[index],
    });
  }
  if (problems.length > 0) throw problems[0];
  await context.storage.syncDirectory(spec.directory);
  return { segmentsDeleted: count, bytesReclaimed };
}

/** The largest timestamp a segment is known to hold; -1 when that cannot be told, and then time does not delete it. */
export async function maxTimestampOf(reader: LogReader, segment: Segment, active: boolean): Promise<number> {
  if (active || segment.maxTimestamp >= 0) return segment.maxTimestamp;
  return await reader.withSegment(segment, segment.baseOffset, async (files) => {
    // Of a segment that was sealed the seal has told it by now; else the time index, which is no authority, must agree with the batch it names.
    if (segment.maxTimestamp >= 0) return segment.maxTimestamp;
    const last = files.timeIndex?.lastEntry() ?? null;
    if (last === null) return -1;
    return (await reader.maxTimestampAt(segment, files, last.offset)) === last.timestamp ? last.timestamp : -1;
  });
}
