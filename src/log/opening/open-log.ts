/** Opens a partition's directory: decides whether it was left in order, and hands what was not to recovery. */
import { CorruptionError } from "../../base/errors.ts";
import { LeaderEpochs } from "../books/leader-epochs.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { removeSegmentFiles, tidyPartitionFiles } from "../files/partition-files.ts";
import { loadActiveTransactions, loadProducers } from "../producers/producer-loading.ts";
import type { ReplaySource } from "../producers/producer-replay.ts";
import { ProducerSnapshots } from "../producers/producer-snapshots.ts";
import { ProducerTable } from "../producers/producer-table.ts";
import { Segment } from "../segment/segment.ts";
import { PartitionState } from "../state/partition-state.ts";
import { takeCleanEnd } from "./clean-start.ts";
import { absentSegment, type FoundSegments, findSegments } from "./found-segments.ts";
import { giveBack } from "./give-back.ts";
import { lastEpochIn } from "./last-epoch.ts";
import { openedBooks } from "./opened-books.ts";
import type { OpenedLog } from "./opened-log.ts";
import { type Opening, tellOfPartition } from "./opening.ts";
import { recover } from "./recovery.ts";
import { durableFacts } from "./state-facts.ts";
import { swapsOf } from "./whole-swaps.ts";

export async function openLog(context: LogContext, spec: PartitionSpec): Promise<OpenedLog> {
  const { storage } = context;
  const { directory } = spec;
  const readOnly = spec.frozen || context.readOnly;
  if (!readOnly) await tidyPartitionFiles(storage, directory, swapsOf(context, directory));
  const epochs = await LeaderEpochs.load(storage, directory);
  const state = await PartitionState.load(context, directory, { ...spec, readOnly });
  const opening: Opening = { context, spec, readOnly, epochs, state, facts: state.facts(), segments: [], behind: [] };
  try {
    if (state.foreign) throw foreign(spec, state.problem);
    for (const problem of [epochs.problem, state.problem])
      if (problem !== null) tellOfPartition(context, spec, "book.ignored", { problem });
    const found = await findSegments(opening);
    const active = opening.segments.at(-1) as Segment;
    const isInOrder = spec.cleanShutdown && !found.activeLacksIndex && (await takeCleanEnd(opening, active));
    return await (isInOrder ? openedInOrder(opening, found) : openedByRecovery(opening, found));
  } catch (error) {
    await giveBack([...opening.segments, ...opening.behind], state);
    throw error;
  }
}

async function openedInOrder({ context, spec, epochs, state, facts, segments }: Opening, found: FoundSegments): Promise<OpenedLog> {
  const source = { context, spec, snapshots: new ProducerSnapshots(context, spec, found.names) };
  const active = segments.at(-1) as Segment;
  const producers = await loadProducers(source, segments, facts);
  const entries = new Map([[active.baseOffset, await loadActiveTransactions(source, segments, found.names, facts)]]);
  const books = openedBooks(source, segments, producers, entries);
  return {
    ...{ context, spec, ...books, epochs, state },
    logStartOffset: found.logStartOffset,
    recoveryPoint: active.nextOffset,
    nextEpoch: await epochToBegin(context, epochs, segments),
    endProblem: null,
    unreadableFrom: null,
    withoutProducers: producers.size === 0,
    txnIndex: books.abortedTransactions.durable(active.baseOffset, active.nextOffset),
    writtenAs: facts?.writtenAs ?? "sync",
  };
}

/**
 * The book of epochs may be gone, or begin its last one behind the log's end, as no book of ours does: what is appended under that one would be
 * refused by whoever reads it. An epoch that batches carry is not begun a second time. null: the last one goes on.
 */
async function epochToBegin({ core }: LogContext, epochs: LeaderEpochs, segments: readonly Segment[]): Promise<number | null> {
  const latest = epochs.latest();
  if (latest !== null && latest.startOffset <= (segments.at(-1) as Segment).nextOffset) return null;
  return Math.max(latest?.epoch ?? -1, await lastEpochIn(core, segments)) + 1;
}

async function openedByRecovery(opening: Opening, { names, logStartOffset }: FoundSegments): Promise<OpenedLog> {
  const { context, spec, readOnly, epochs, state, segments, behind } = opening;
  const source = { context, spec, snapshots: new ProducerSnapshots(context, spec, names) };
  const recovered = await recover({ ...opening, snapshots: source.snapshots, names });
  const { recoveryPoint, nextEpoch, endProblem, unreadableFrom } = recovered;
  if (endProblem === null && (segments.at(-1) as Segment).nextOffset < logStartOffset) behind.push(...segments.splice(0));
  if (behind.length > 0) segments.push(await (readOnly ? absentSegment(context, spec, logStartOffset) : restartAt(source, logStartOffset)));
  const active = segments.at(-1) as Segment;
  const producers = behind.length > 0 ? new ProducerTable(spec.directory) : recovered.producers;
  const books = openedBooks(source, segments, producers, recovered.transactionEntries);
  const log: OpenedLog = {
    ...{ context, spec, ...books, epochs, state },
    ...{ logStartOffset, recoveryPoint, nextEpoch, endProblem, unreadableFrom },
    withoutProducers: producers.size === 0,
    txnIndex: books.abortedTransactions.durable(active.baseOffset, active.nextOffset),
    writtenAs: spec.config().durability,
  };
  if (!readOnly && endProblem === null) {
    const end = { segment: active, position: active.byteLength, offset: active.nextOffset };
    await state.writeDurably(durableFacts(log, end, active.nextOffset));
  }
  if (readOnly) await giveBack(behind);
  else await removeBehind(context, spec, behind);
  return log;
}

function foreign(spec: PartitionSpec, problem: string | null): CorruptionError {
  const message = `${spec.directory}: its files belong to another partition and are neither served nor changed: ${problem}`;
  return new CorruptionError(message, {
    file: spec.directory,
    byteRange: [0, 0],
    offsetRange: [0, 0],
    nextReadableOffset: null,
    code: "BOOK_CORRUPT",
  });
}

/**
 * On an "os" topic a log start may be durable before the records it passed over: they are lost with the power, and the log
 * ends before its start. It goes on at its start, as Kafka's does, so that no offset below it is handed out a second time.
 */
async function restartAt({ context, spec, snapshots }: ReplaySource, logStartOffset: number): Promise<Segment> {
  await snapshots.keep(() => false);
  const fresh = await Segment.create(context, spec.directory, logStartOffset, spec.config());
  try {
    await context.storage.syncDirectory(spec.directory);
    return fresh;
  } catch (error) {
    fresh.release();
    await fresh.closeIdle().catch(() => {});
    throw error;
  }
}

/** Once the state names the new segment. What a crash leaves of them lies below the log start. */
async function removeBehind(context: LogContext, spec: PartitionSpec, behind: readonly Segment[]): Promise<void> {
  for (const segment of behind) {
    while (segment.isHeld) segment.release();
    await segment.close();
    await removeSegmentFiles(context.storage, spec.directory, segment.baseOffset);
  }
}
