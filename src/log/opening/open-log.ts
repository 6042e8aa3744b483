/** Opens a partition's directory, or makes one: decides whether it was left in order, and hands what was not to recovery. */
import { CorruptionError } from "../../base/errors.ts";
import { scanBatches } from "../batch/batch-scan.ts";
import { LeaderEpochs } from "../books/leader-epochs.ts";
import { writePartitionMetadata } from "../books/partition-metadata.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { segmentFileName } from "../files/file-names.ts";
import { listPartitionFiles, removeSegmentFiles, tidyPartitionFiles, viewPartitionFiles } from "../files/partition-files.ts";
import { inDirectory } from "../files/replace-file.ts";
import { AbortedTransactions } from "../producers/aborted-transactions.ts";
import { loadActiveTransactions, loadProducers } from "../producers/producer-loading.ts";
import type { ReplaySource } from "../producers/producer-replay.ts";
import { ProducerSnapshots } from "../producers/producer-snapshots.ts";
import { ProducerTable } from "../producers/producer-table.ts";
import { TransactionEntries } from "../producers/transaction-entries.ts";
import { loadTransactionEntries } from "../producers/transaction-index-file.ts";
import { noteGaps } from "../seal/sealing.ts";
import { rebuildIndexes } from "../segment/index-rebuild.ts";
import { indexesAreAsLeft } from "../segment/left-indexes.ts";
import { Segment } from "../segment/segment.ts";
import { SegmentList } from "../segment/segment-list.ts";
import { PartitionState, type PartitionStateFacts } from "../state/partition-state.ts";
import type { OpenedLog } from "./opened-log.ts";
import { recover } from "./recovery.ts";
import { durableFacts } from "./state-facts.ts";

/** A new partition, all of it durable when it resolves. */
export async function createLog(context: LogContext, spec: PartitionSpec): Promise<OpenedLog> {
  const { storage } = context;
  const { directory } = spec;
  await storage.createDirectory(directory);
  // First of all files, and there before any other can be: by its name alone a creation cut short by a crash is known as ours,
  // and not taken for an empty partition that another writer left.
  const state = await PartitionState.load(context, directory, identityOf(spec, false));
  const segments: Segment[] = [];
  try {
    await storage.syncDirectory(directory);
    return await createFiles(context, spec, state, segments);
  } catch (error) {
    await closeAll(segments, state);
    throw error;
  }
}

async function createFiles(context: LogContext, spec: PartitionSpec, state: PartitionState, segments: Segment[]): Promise<OpenedLog> {
  const { storage } = context;
  const { directory } = spec;
  // Each by a name of its own, and all before the state: their flushes need not wait for one another.
  const [, epochs, active] = await allOf([
    writePartitionMetadata(storage, directory, spec.topicId),
    firstEpoch(storage, directory),
    Segment.create(context, directory, 0, spec.config()).then((segment) => {
      segments.push(segment);
      return segment;
    }),
  ]);
  const snapshots = new ProducerSnapshots(context, spec, []);
  const books = booksOf({ context, spec, snapshots }, segments, new ProducerTable(directory), new Map());
  const log = { context, spec, ...books, epochs, state, logStartOffset: 0, recoveryPoint: 0, nextEpoch: null };
  const writtenAs = spec.config().durability;
  const opened: OpenedLog = { ...log, writtenAs, withoutProducers: true, txnIndex: null, endProblem: null, unreadableFrom: null };
  // The segment is empty and needs no flush of its own; its name and all others become durable with the state's.
  await state.writeDurably(durableFacts(opened, { segment: active, position: 0, offset: 0 }, 0));
  await storage.syncDirectory("");
  active.directoryUnflushed = false;
  return opened;
}

async function firstEpoch(storage: LogContext["storage"], directory: string): Promise<LeaderEpochs> {
  const epochs = await LeaderEpochs.load(storage, directory);
  if (epochs.latest() === null) await epochs.assign(0, 0);
  return epochs;
}

/** Waits for all of them, then throws the first failure: nothing is under way behind an error. */
async function allOf<Works extends readonly unknown[]>(works: { readonly [Index in keyof Works]: Promise<Works[Index]> }): Promise<Works> {
  for (const result of await Promise.allSettled(works)) if (result.status === "rejected") throw result.reason;
  return (await Promise.all(works)) as unknown as Works;
}

export async function openLog(context: LogContext, spec: PartitionSpec): Promise<OpenedLog> {
  const { storage } = context;
  const { directory } = spec;
  const readOnly = spec.frozen || context.readOnly;
  const endOfSwap = (name: string, baseOffset: number): Promise<number> => endOfLog(context, inDirectory(directory, name), baseOffset);
  if (!readOnly) await tidyPartitionFiles(storage, directory, endOfSwap);
  const epochs = await LeaderEpochs.load(storage, directory);
  const state = await PartitionState.load(context, directory, identityOf(spec, readOnly));
  const segments: Segment[] = [];
  /** Segments that ended before the log start: no part of the log any more. */
  const behind: Segment[] = [];
  try {
    if (state.foreign) throw foreign(spec, state.problem);
    for (const problem of [epochs.problem, state.problem]) if (problem !== null) report(context, spec, "book.ignored", { problem });
    const facts = state.facts();
    const files = readOnly
      ? await viewPartitionFiles(storage, directory, endOfSwap)
      : { ...(await listPartitionFiles(storage, directory)), inSwap: NONE, problem: null };
    if (files.problem !== null) report(context, spec, "swap.ignored", { problem: files.problem });
    // Kafka's checkpoint is a text without a checksum: it counts where a broker may have closed it after us, and where nothing else tells.
    const isTheirs = facts === null || (spec.cleanShutdown && spec.leftByUs !== true);
    const checkpointed = isTheirs ? (spec.checkpoint.logStartOffset ?? 0) : 0;
    const logStartOffset = Math.max(facts?.logStartOffset ?? 0, checkpointed, files.baseOffsets[0] ?? 0);
    for (const [index, baseOffset] of files.baseOffsets.entries()) {
      const next = files.baseOffsets[index + 1];
      // A deleted segment that came back with a loss of power, or whose removal was cut short.
      if (next !== undefined && next <= logStartOffset) {
        if (!readOnly) await removeSegmentFiles(storage, directory, baseOffset);
        continue;
      }
      const segment = new Segment(context, directory, baseOffset, readOnly);
      segment.isInSwap = files.inSwap.has(baseOffset);
      await lookAt(context, spec, segment, next ?? null, facts !== null);
      segments.push(segment);
    }
    if (segments.length === 0 && facts !== null && facts.durableEndOffset > logStartOffset) throw lost(spec, logStartOffset, facts);
    if (segments.length === 0)
      segments.push(await firstSegment(context, spec, Math.max(logStartOffset, facts?.durableEndOffset ?? 0), readOnly));
    else await (segments.at(-1) as Segment).acquire();
    if (files.names.has(segmentFileName((segments.at(-1) as Segment).baseOffset, "seal")))
      await noteGaps(context, segments.at(-1) as Segment);
    const snapshots = new ProducerSnapshots(context, spec, files.names);
    const source = { context, spec, snapshots };
    const lacksIndex = (segment: Segment): boolean =>
      (["index", "timeindex"] as const).some((kind) => !files.names.has(segmentFileName(segment.baseOffset, kind)));
    if (!readOnly) await rebuildMissing(context, spec, segments.slice(0, -1).filter(lacksIndex));
    const activeLacksIndex = !readOnly && files.baseOffsets.length > 0 && lacksIndex(segments.at(-1) as Segment);
    if (activeLacksIndex) report(context, spec, "index.rebuilt", { file: segments.at(-1)?.logName, why: "it was missing" });
    if (spec.cleanShutdown && !activeLacksIndex && (await takeCleanEnd(context, spec, segments.at(-1) as Segment, facts, epochs))) {
      const active = segments.at(-1) as Segment;
      const nextEpoch = epochs.latest() === null ? 0 : null;
      const producers = await loadProducers(source, segments, facts);
      const entries = new Map([[active.baseOffset, await loadActiveTransactions(source, segments, files.names, facts)]]);
      const books = booksOf(source, segments, producers, entries);
      const log = { context, spec, ...books, epochs, state, logStartOffset, recoveryPoint: active.nextOffset, nextEpoch };
      const txnIndex = books.abortedTransactions.durable(active.baseOffset, active.nextOffset);
      const writtenAs = facts?.writtenAs ?? "sync";
      return { ...log, writtenAs, withoutProducers: producers.size === 0, txnIndex, endProblem: null, unreadableFrom: null };
    }
    const recovered = await recover({ context, spec, segments, facts, epochs, snapshots, names: files.names, readOnly });
    if (recovered.endProblem === null && (segments.at(-1) as Segment).nextOffset < logStartOffset) behind.push(...segments.splice(0));
    if (behind.length > 0)
      segments.push(await (readOnly ? absentSegment(context, spec, logStartOffset) : restartAt(source, logStartOffset)));
    const active = segments.at(-1) as Segment;
    const books = booksOf(
      source,
      segments,
      behind.length > 0 ? new ProducerTable(directory) : recovered.producers,
      recovered.transactionEntries,
    );
    const { recoveryPoint, nextEpoch, endProblem, unreadableFrom } = recovered;
    const ends = { logStartOffset, recoveryPoint, nextEpoch, endProblem, unreadableFrom };
    const txnIndex = books.abortedTransactions.durable(active.baseOffset, active.nextOffset);
    const withoutProducers = books.producers.size === 0;
    const writtenAs = spec.config().durability;
    const log: OpenedLog = { context, spec, ...books, epochs, state, ...ends, withoutProducers, txnIndex, writtenAs };
    if (!readOnly && recovered.endProblem === null) {
      await state.writeDurably(
        durableFacts(log, { segment: active, position: active.byteLength, offset: active.nextOffset }, active.nextOffset),
      );
    }
    if (readOnly) await giveBack(behind);
    else await removeBehind(context, spec, behind);
    return log;
  } catch (error) {
    await closeAll([...segments, ...behind], state);
    throw error;
  }
}

/** `entries`: the transaction indexes of segments that were looked at; the others are read when they are asked for. */
function booksOf(
  source: ReplaySource,
  segments: readonly Segment[],
  producers: ProducerTable,
  entries: ReadonlyMap<number, TransactionEntries>,
): Pick<OpenedLog, "segments" | "producers" | "snapshots" | "abortedTransactions"> {
  const { context, spec, snapshots } = source;
  const list = new SegmentList(segments);
  const unread = segments.map(({ baseOffset }) => baseOffset);
  const load = (segment: Segment): Promise<TransactionEntries> => loadTransactionEntries(source, list.all(), segment);
  const abortedTransactions = new AbortedTransactions(context, spec.directory, list, unread, load);
  for (const segment of segments) {
    const known = entries.get(segment.baseOffset) ?? (segment === segments.at(-1) ? new TransactionEntries() : undefined);
    if (known !== undefined) abortedTransactions.put(segment.baseOffset, known);
  }
  return { segments: list, producers, snapshots, abortedTransactions };
}

/** Gives back what was opened, whatever state it is in. */
async function closeAll(segments: readonly Segment[], state: PartitionState): Promise<void> {
  await giveBack(segments);
  await state.close().catch(() => {});
}

async function giveBack(segments: readonly Segment[]): Promise<void> {
  for (const segment of segments) {
    while (segment.isHeld) segment.release();
    await segment.closeIdle().catch(() => {});
  }
}

function identityOf(spec: PartitionSpec, readOnly: boolean): Parameters<typeof PartitionState.load>[2] {
  return { topic: spec.topic, partition: spec.partition, topicId: spec.topicId, readOnly, cleanShutdown: spec.cleanShutdown };
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

/** No segment is there, and records were: an empty log in their place would pass for one that never had any. */
function lost(spec: PartitionSpec, logStartOffset: number, { durableEndOffset }: PartitionStateFacts): CorruptionError {
  const message = `${spec.directory}: expected segments with offsets ${logStartOffset} to ${durableEndOffset - 1}, found none; restore them from a backup`;
  const offsetRange = [logStartOffset, durableEndOffset - 1] as const;
  return new CorruptionError(message, { file: spec.directory, byteRange: [0, 0], offsetRange, nextReadableOffset: null });
}

/** Its length; and of one that is not the last, where it ends. What was rewritten may have gaps. */
async function lookAt(
  context: LogContext,
  spec: PartitionSpec,
  segment: Segment,
  nextBaseOffset: number | null,
  isOurs: boolean,
): Promise<void> {
  const log = await context.storage.open(segment.logName, { create: "no", readOnly: true });
  try {
    segment.byteLength = log.byteLength();
  } finally {
    await log.close();
  }
  segment.warmFrom = segment.byteLength;
  // A topic without an entry in the catalogue has a policy that nobody here knows: a broker may have compacted what we wrote.
  // The last one was never compacted, whoever wrote it.
  const mayHaveGaps = spec.config().cleanupPolicy !== "delete" && nextBaseOffset !== null;
  segment.contiguous = isOurs && !(spec.isForeign ?? spec.frozen) && !mayHaveGaps && !segment.isInSwap;
  if (nextBaseOffset === null) return;
  segment.nextOffset = nextBaseOffset;
  segment.checksums = segment.isInSwap ? null : "unread";
}

/** As Kafka does at once: a search without an index would read a segment from its beginning. */
async function rebuildMissing(context: LogContext, spec: PartitionSpec, segments: readonly Segment[]): Promise<void> {
  for (const segment of segments) {
    const files = await segment.acquire();
    try {
      await rebuildIndexes(context, spec, segment, files, "it was missing");
    } finally {
      segment.release();
    }
    await segment.closeIdle();
  }
}

/** There is no segment: an empty one at the log start is legal, and appendable. */
async function firstSegment(context: LogContext, spec: PartitionSpec, baseOffset: number, readOnly: boolean): Promise<Segment> {
  return readOnly
    ? await absentSegment(context, spec, baseOffset)
    : await Segment.create(context, spec.directory, baseOffset, spec.config());
}

/** In its place, for whoever may make none. */
async function absentSegment(context: LogContext, spec: PartitionSpec, baseOffset: number): Promise<Segment> {
  const absent = new Segment(context, spec.directory, baseOffset, true);
  absent.isAbsent = true;
  await absent.acquire();
  return absent;
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

/** Whether the active segment ends where the clean close said; its end is then taken without looking at the bytes before. */
async function takeCleanEnd(
  context: LogContext,
  spec: PartitionSpec,
  active: Segment,
  facts: PartitionStateFacts | null,
  epochs: LeaderEpochs,
): Promise<boolean> {
  const files = active.openFiles;
  const lastTime = files.timeIndex?.lastEntry() ?? null;
  active.maxTimestamp = lastTime?.timestamp ?? -1;
  active.maxTimestampOffset = lastTime?.offset ?? -1;
  if (facts !== null) {
    const left = facts.activeSegment;
    if (!facts.cleanlyClosed || facts.durableSegmentBase !== active.baseOffset || facts.durableEndPosition !== active.byteLength)
      return false;
    active.nextOffset = facts.durableEndOffset;
    active.warmFrom = active.byteLength;
    if (left === null) return active.byteLength === 0;
    active.checksums = { byteLength: left.logByteLength, checksums: left.logChecksums };
    if (indexesAreAsLeft(files, left)) return true;
    report(context, spec, "index.rebuilt", { file: active.logName, why: "it is not what the clean close left" });
    return false;
  }
  // Another writer's: the end is found from the last index entry on. What cannot be walked is for recovery to judge.
  const from = files.offsetIndex?.lastEntry()?.position ?? 0;
  if (from >= active.byteLength && from > 0) return false;
  const expectation = { nextOffset: active.baseOffset, order: "rising", epochFor: () => null } as const;
  let lastEpoch = -1;
  let maxTimestamp = active.maxTimestamp;
  let maxTimestampOffset = active.maxTimestampOffset;
  const end = await scanBatches(context.core, files.log, [from, active.byteLength], expectation, (batch) => {
    lastEpoch = batch.leaderEpoch;
    if (batch.maxTimestamp > maxTimestamp) [maxTimestamp, maxTimestampOffset] = [batch.maxTimestamp, batch.lastOffset];
  });
  if (end.position !== active.byteLength) return false;
  // A base offset has no checksum of Kafka's. Its checkpoint knows better how far the log went.
  if (end.nextOffset < (spec.checkpoint.recoveryPoint ?? 0)) return false;
  if (lastEpoch >= 0 && (epochs.latest()?.epoch ?? -1) < lastEpoch) return false;
  [active.maxTimestamp, active.maxTimestampOffset] = [maxTimestamp, maxTimestampOffset];
  active.nextOffset = Math.max(end.nextOffset, active.baseOffset);
  active.verified.add(from, active.byteLength);
  return true;
}

/** The offset after the last batch of a complete `.log.swap`. */
async function endOfLog(context: LogContext, name: string, baseOffset: number): Promise<number> {
  const file = await context.storage.open(name, { create: "no", readOnly: true });
  try {
    const expectation = { nextOffset: baseOffset, order: "rising", epochFor: () => null } as const;
    const byteLength = file.byteLength();
    const end = await scanBatches(context.core, file, [0, byteLength], expectation, () => {});
    if (end.position === byteLength) return end.nextOffset;
    const message = `${name}:${end.position}: expected the whole of a rewritten segment that is to be put in place, found ${end.reason}${end.detail === "" ? "" : `: ${end.detail}`}; nothing in ${directoryOf(name)} is changed until it is repaired`;
    throw new CorruptionError(message, {
      file: name,
      byteRange: [end.position, byteLength],
      offsetRange: [end.nextOffset, end.nextOffset],
      nextReadableOffset: null,
    });
  } finally {
    await file.close();
  }
}

const NONE: ReadonlySet<number> = new Set();

function directoryOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}

function report(context: LogContext, spec: PartitionSpec, type: string, fields: Readonly<Record<string, unknown>>): void {
  context.emit(type, { partition: { topic: spec.topic, partition: spec.partition }, ...fields });
}
