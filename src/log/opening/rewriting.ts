/** What a recovery has accepted and nobody knows to be durable is written again, in place, and flushed before it is served. */
import type { StorageFile } from "../../api/storage-driver.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import type { ProducerRecovery } from "../producers/producer-recovery.ts";
import { removeSeal, sealSegment } from "../seal/sealing.ts";
import type { Segment } from "../segment/segment.ts";

const REWRITE_BYTE_LENGTH = 1024 * 1024;

interface RecoveredLog {
  readonly context: LogContext;
  readonly spec: PartitionSpec;
  readonly segments: readonly Segment[];
}

/**
 * What a crash or a failed flush left in the cache proves nothing. `rewriteFrom`: from where on, by base offset, bytes are not known to be
 * durable. Indexes and producers are made durable with them, and segments behind which the log goes on are sealed.
 */
export async function makeDurable(
  { context, spec, segments }: RecoveredLog,
  start: number,
  rewriteFrom: ReadonlyMap<number, number>,
  producers: ProducerRecovery,
): Promise<void> {
  for (const [index, segment] of segments.entries()) {
    if (index < start) continue;
    const isActive = index === segments.length - 1;
    const files = isActive && segment.files !== null ? segment.files : await segment.acquire();
    try {
      const from = rewriteFrom.get(segment.baseOffset) ?? segment.byteLength;
      await writeAgain(files.log, from, segment.byteLength);
      segment.cutUnwritten(files);
      if (isActive) {
        files.offsetIndex?.flush();
        files.timeIndex?.flush();
      } else segment.finishIndexes(files);
      await files.log.sync();
      await files.offsetIndex?.sync();
      await files.timeIndex?.sync();
      segment.unflushed = false;
    } finally {
      if (!isActive) segment.release();
    }
  }
  await producers.writeIndexes(segments.slice(start));
  // The last one may have been sealed, and a loss of power taken the next.
  await removeSeal(context, segments.at(-1) as Segment);
  await context.storage.syncDirectory(spec.directory);
  for (const segment of segments.slice(start)) segment.directoryUnflushed = false;
  for (const [index, segment] of segments.slice(start, -1).entries())
    await sealSegment(context, spec, segment, { nextBaseOffset: (segments[start + index + 1] as Segment).baseOffset });
}

/**
 * Where the end is not certain, what was accepted before it is served all the same: it must not go with the next loss of power, for its
 * offsets would be given out again (C4). Indexes, state and seals stay as they were found.
 */
export async function keepServed({ context, spec, segments }: RecoveredLog, rewriteFrom: ReadonlyMap<number, number>): Promise<void> {
  for (const segment of segments) {
    const from = rewriteFrom.get(segment.baseOffset);
    if (from === undefined) continue;
    const { log } = await segment.acquire();
    try {
      await writeAgain(log, from, segment.byteLength);
      await log.sync();
    } finally {
      segment.release();
    }
  }
  if (rewriteFrom.size > 0) await context.storage.syncDirectory(spec.directory);
}

async function writeAgain(log: StorageFile, from: number, to: number): Promise<void> {
  const piece = new Uint8Array(Math.min(REWRITE_BYTE_LENGTH, Math.max(0, to - from)));
  for (let position = from; position < to; position += piece.length) {
    const bytes = piece.subarray(0, Math.min(piece.length, to - position));
    await log.readAhead(position, bytes.length);
    log.readAt(bytes, position);
    log.writeAt(bytes, position);
  }
}
