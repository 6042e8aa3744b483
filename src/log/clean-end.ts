/** A clean close of a partition: its files as Kafka leaves them, and the checksums that let the next open trust them unread. */
import type { OpenedLog } from "./opened-log.ts";
import { checksumsOf } from "./sealing.ts";
import { durableFacts } from "./state-facts.ts";
import { txnIndexFacts } from "./txn-index-check.ts";

/** Everything written is flushed already. Durable when it resolves. */
export async function leaveInOrder(log: OpenedLog, highWatermark: number): Promise<void> {
  const { context, spec, segments, state } = log;
  const { active } = segments;
  const { files } = active;
  if (files === null) return;
  active.finishIndexes(files);
  active.cutUnwritten(files);
  await files.log.sync();
  await files.offsetIndex?.sync();
  await files.timeIndex?.sync();
  if (active.directoryUnflushed) await context.storage.syncDirectory(spec.directory);
  active.directoryUnflushed = false;
  const logChecksums = await checksumsOf(context.core, files.log, active.byteLength);
  log.recoveryPoint = active.nextOffset;
  await state.writeDurably({
    ...durableFacts(log, { segment: active, position: active.byteLength, offset: active.nextOffset }, highWatermark),
    cleanlyClosed: true,
    activeSegment: {
      baseOffset: active.baseOffset,
      logByteLength: active.byteLength,
      logChecksums,
      indexByteLength: files.offsetIndex?.byteLength ?? 0,
      indexChecksum: files.offsetIndex?.checksum() ?? 0,
      timeIndexByteLength: files.timeIndex?.byteLength ?? 0,
      timeIndexChecksum: files.timeIndex?.checksum() ?? 0,
      ...(await txnIndexFacts(context, spec.directory, active.baseOffset)),
    },
  });
}
