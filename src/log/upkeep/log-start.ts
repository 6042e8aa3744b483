/** Moves the start of a log up: the new one is durable before anyone is told or a file goes. */
import type { Watermarks } from "../../api/bytes.ts";
import { StorageError } from "../../base/errors.ts";
import type { LogWriter } from "../append/log-writer.ts";
import type { OpenedLog } from "../opening/opened-log.ts";
import type { LogReader } from "../read/log-reader.ts";

/** At its user's word. Answers the log start as it is then; the files below go with retention. Above the high watermark is out of range, below the start changes nothing. */
export async function deleteBefore(
  log: OpenedLog,
  writer: LogWriter,
  reader: LogReader,
  marks: Watermarks,
  offset: number,
): Promise<number> {
  if (offset <= marks.logStartOffset && offset >= 0) return marks.logStartOffset;
  reader.assertInRange(offset, marks, marks.highWatermark);
  await moveLogStart(log, writer, offset);
  return offset;
}

/** Where it cannot be made durable, it stays where it was. */
export async function moveLogStart(log: OpenedLog, writer: LogWriter, offset: number): Promise<void> {
  const before = log.logStartOffset;
  log.logStartOffset = offset;
  try {
    await writer.settling.save();
  } catch (error) {
    log.logStartOffset = before;
    throw error;
  }
  await forgetEpochsBefore(log, offset);
}

/**
 * Epochs below the log start harm nobody, and the room to write their file anew may be just what is missing: on a full disk
 * that is told and left to the next cut, so that what frees room can go on.
 */
export async function forgetEpochsBefore({ context, epochs, spec }: OpenedLog, offset: number): Promise<void> {
  try {
    await epochs.truncateFromStart(offset);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const { topic, partition } = spec;
    context.emit("storage.failed", { partition: { topic, partition }, error });
  }
}
