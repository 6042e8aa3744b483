/** The segment that a roll goes on in: its files are made, and what is known of the producers where it begins is taken down. */
import type { Bytes } from "../../api/bytes.ts";
import type { OdradekError } from "../../base/errors.ts";
import type { OpenedLog } from "../opening/opened-log.ts";
import { Segment } from "../segment/segment.ts";

export interface NextSegment {
  /** Nobody knows it yet: the caller adds it to the log, in the same turn. */
  readonly next: Segment;
  /** Of the producers below it; null: none was known. */
  readonly snapshot: Bytes | null;
}

/** Called while nothing is appended. `failure`: what the log failed with meanwhile; then, as after any error, the files are closed again. */
export async function nextSegment(
  log: OpenedLog,
  failure: () => OdradekError | null,
  emit: (type: string, fields: Readonly<Record<string, unknown>>) => void,
): Promise<NextSegment> {
  const { context, spec, segments } = log;
  const old = segments.active;
  const next = await Segment.create(context, spec.directory, old.nextOffset, spec.config());
  try {
    const failed = failure();
    if (failed !== null) throw failed;
    try {
      old.finishIndexes(old.openFiles);
    } catch (error) {
      emit("storage.failed", { error }); // derived files: rebuilt at the next open, the log goes on
    }
    // No batch comes between: this is what was known of the producers below the new segment.
    return { next, snapshot: log.snapshots.take(log.producers) };
  } catch (error) {
    // Nobody knows the new segment yet: the next roll opens its files again.
    next.release();
    await next.close().catch(() => {});
    throw error;
  }
}
