/** A clean close of a partition: its files as Kafka leaves them, and the checksums that let the next open trust them unread. */

import { txnIndexFacts } from "../producers/txn-index-check.ts";
import { checksumsToLeave } from "../seal/left-blocks.ts";
import { indexFacts } from "../segment/index-facts.ts";
import type { OpenedLog } from "./opened-log.ts";
import { durableFacts } from "./state-facts.ts";

/** Everything written is flushed already. Durable when it resolves. */
export async function leaveInOrder(log: OpenedLog, highWatermark: number): Promise<void> {
  const { context, spec, segments, state } = log;
  const { active } = segments;
  const { files } = active;
  if (files === null || isAsLeft(log, highWatermark)) return;
  active.finishIndexes(files);
  active.cutUnwritten(files);
  await files.log.sync();
  await files.offsetIndex?.sync();
  await files.timeIndex?.sync();
  if (active.directoryUnflushed) await context.storage.syncDirectory(spec.directory);
  active.directoryUnflushed = false;
  const epochFor = (offset: number): number | null => log.epochs.epochFor(offset);
  const logChecksums = await checksumsToLeave(context.core, active, files, epochFor);
  await leaveProducers(log);
  await state.writeDurably({
    ...durableFacts(log, { segment: active, position: active.byteLength, offset: active.nextOffset }, highWatermark),
    cleanlyClosed: true,
    activeSegment: {
      baseOffset: active.baseOffset,
      logByteLength: active.byteLength,
      logChecksums,
      ...indexFacts(files),
      ...(await txnIndexFacts(context, spec.directory, active.baseOffset)),
    },
  });
  const bases = new Set(segments.all().map(({ baseOffset }) => baseOffset));
  await log.snapshots.keep((offset) => offset === active.nextOffset || bases.has(offset));
}

/** Whether all is as the clean close before left it, by the state on disk: nothing was written since, which would have been noted there. */
function isAsLeft(log: OpenedLog, highWatermark: number): boolean {
  const { active } = log.segments;
  const left = log.state.facts();
  if (left === null || !left.cleanlyClosed || left.activeSegment === null || active.directoryUnflushed) return false;
  const now = durableFacts(log, { segment: active, position: active.byteLength, offset: active.nextOffset }, highWatermark);
  const { cleanlyClosed: _left, activeSegment: _segment, txnIndex: txnIndexLeft, ...before } = left;
  const isSameTxnIndex =
    txnIndexLeft?.baseOffset === now.txnIndex?.baseOffset &&
    txnIndexLeft?.byteLength === now.txnIndex?.byteLength &&
    txnIndexLeft?.checksum === now.txnIndex?.checksum;
  return isSameTxnIndex && (Object.keys(before) as (keyof typeof before)[]).every((fact) => before[fact] === now[fact]);
}

/** As Kafka: a snapshot where the log ends, so that the next opening reads nothing else. */
async function leaveProducers(log: OpenedLog): Promise<void> {
  const { segments, producers, snapshots, abortedTransactions } = log;
  const { baseOffset, nextOffset } = segments.active;
  await abortedTransactions.persist();
  const snapshot = snapshots.take(producers);
  if (snapshot !== null && !snapshots.has(nextOffset)) await snapshots.write(nextOffset, snapshot);
  log.recoveryPoint = nextOffset;
  log.withoutProducers = snapshot === null;
  log.txnIndex = abortedTransactions.durable(baseOffset, nextOffset);
}
