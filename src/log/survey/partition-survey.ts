/** Looks at a partition's directory without opening it as a log: every file held against every other, and each defect told. Reads alone. */
import type { StorageFile } from "../../api/storage-driver.ts";
import type { TopicConfig } from "../../api/topic.ts";
import { OdradekError } from "../../base/errors.ts";
import type { ScannedBatch } from "../batch/batch-scan.ts";
import { LEADER_EPOCH_FILE, LeaderEpochs } from "../books/leader-epochs.ts";
import { PARTITION_METADATA_FILE, readPartitionMetadata } from "../books/partition-metadata.ts";
import type { LogContext } from "../context/log-context.ts";
import { findBadBlock, SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";
import { type Defect, REMEDY_BACKUP, REMEDY_REPAIR } from "../files/defect.ts";
import { BLOCK_BYTE_LENGTH, readBytes } from "../files/file-bytes.ts";
import { segmentFileName } from "../files/file-names.ts";
import { listPartitionFiles } from "../files/partition-files.ts";
import { inDirectory, readWholeFile } from "../files/replace-file.ts";
import { type AbortedTransaction, decodeTransactionIndex, readTransactionIndexBytes } from "../producers/transaction-index.ts";
import { txnIndexDefect } from "../producers/txn-index-check.ts";
import { decodeSeal, SEAL_BYTE_LENGTH_MAX } from "../seal/seal.ts";
import { readSealAt } from "../seal/sealing.ts";
import { mayBeAhead } from "../segment/length-ahead.ts";
import { PartitionState, type PartitionStateFacts, STATE_FILE } from "../state/partition-state.ts";
import { IndexSurvey } from "./index-survey.ts";
import { payloadDefect } from "./payload-survey.ts";
import { type DamagedRange, type SegmentSurvey, surveySegment } from "./segment-survey.ts";
import { snapshotDefects } from "./snapshot-survey.ts";
import { TransactionSurvey } from "./transaction-survey.ts";

export interface PartitionToSurvey {
  readonly topic: string;
  readonly partition: number;
  readonly directory: string;
  /** "" where the catalogue does not know the topic. */
  readonly topicId: string;
  /** Without a catalogue's word, null: another writer's, whose offsets may have gaps. */
  readonly config: Readonly<TopicConfig> | null;
  /** The directory was closed in order: nothing may be torn. */
  readonly cleanShutdown: boolean;
  readonly recoveryPoint: number | null;
}

export interface SurveyedSegment extends SegmentSurvey {
  readonly baseOffset: number;
  readonly file: string;
  readonly isActive: boolean;
  readonly order: "exact" | "rising";
  readonly seal: "fits" | "absent" | "bad";
  readonly indexes: "fit" | "bad";
  readonly txnIndex: "fits" | "bad";
  /** What the batches say that the transaction index must. */
  readonly abortedTransactions: readonly AbortedTransaction[];
}

export interface PartitionSurvey {
  readonly at: PartitionToSurvey;
  readonly defects: readonly Defect[];
  /** What is no defect, but worth a word. */
  readonly notes: readonly string[];
  readonly segments: readonly SurveyedSegment[];
  readonly facts: PartitionStateFacts | null;
  readonly hasState: boolean;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  /** As the batches say: each epoch with its first offset. */
  readonly epochs: readonly { readonly epoch: number; readonly startOffset: number }[];
}

/** The checks of one directory share what they found so far. */
interface Findings {
  readonly defects: Defect[];
  readonly notes: string[];
  readonly epochs: { epoch: number; startOffset: number }[];
  readonly transactions: TransactionSurvey;
  /** A range of some segment is no good batch: what stands there is not known, and with it where transactions begin and end. */
  isDamaged: boolean;
}

export async function surveyPartition(context: LogContext, at: PartitionToSurvey): Promise<PartitionSurvey> {
  const { storage } = context;
  const { directory } = at;
  const found: Findings = { defects: [], notes: [], epochs: [], transactions: new TransactionSurvey(directory), isDamaged: false };
  await checkMetadata(context, at, found);
  const { facts, hasState } = await checkState(context, at, found);
  const epochs = await LeaderEpochs.load(storage, directory);
  if (epochs.problem !== null) {
    const file = inDirectory(directory, LEADER_EPOCH_FILE);
    found.defects.push({ kind: "epochs", file, byteRange: null, offsetRange: null, problem: epochs.problem, remedy: REMEDY_REPAIR });
  }
  const { baseOffsets } = await listPartitionFiles(storage, directory);
  const logStartOffset = Math.max(facts?.logStartOffset ?? 0, baseOffsets[0] ?? 0);
  // What lies below the log start was deleted; a crash may have brought it back.
  const live = baseOffsets.filter((_, index) => (baseOffsets[index + 1] ?? Number.POSITIVE_INFINITY) > logStartOffset);
  const segments: SurveyedSegment[] = [];
  for (const [index, baseOffset] of live.entries()) {
    segments.push(await checkSegment(context, at, { baseOffset, next: live[index + 1] ?? null, facts, epochs }, found));
  }
  found.defects.push(...(await snapshotDefects(context, directory)));
  const active = segments.at(-1);
  tellRanges(context, at, segments, facts, found);
  if (facts !== null && active === undefined && facts.durableEndOffset > facts.logStartOffset) {
    const problem = `${directory}: expected segments up to offset ${facts.durableEndOffset - 1}, found none`;
    found.defects.push({
      kind: "missing",
      file: directory,
      byteRange: null,
      offsetRange: [logStartOffset, facts.durableEndOffset - 1],
      problem,
      remedy: REMEDY_BACKUP,
    });
  }
  const logEndOffset = Math.max(logStartOffset, active?.ranges.at(-1)?.nextOffset ?? active?.nextOffset ?? 0);
  const { defects, notes } = found;
  return { at, defects, notes, epochs: found.epochs, segments, facts, hasState, logStartOffset, logEndOffset };
}

async function checkMetadata({ storage }: LogContext, at: PartitionToSurvey, found: Findings): Promise<void> {
  const file = inDirectory(at.directory, PARTITION_METADATA_FILE);
  try {
    const metadata = await readPartitionMetadata(storage, at.directory);
    if (metadata === null || at.topicId === "" || metadata.topicId === at.topicId) return;
    const problem = `${file}: expected the id of topic "${at.topic}", ${at.topicId}; found ${metadata.topicId}: the files are another topic's`;
    found.defects.push({ kind: "foreign", file, byteRange: null, offsetRange: null, problem, remedy: REMEDY_BACKUP });
  } catch (error) {
    if (!(error instanceof OdradekError)) throw error;
    found.defects.push({ kind: "metadata", file, byteRange: null, offsetRange: null, problem: error.message, remedy: REMEDY_REPAIR });
  }
}

async function checkState(
  context: LogContext,
  at: PartitionToSurvey,
  found: Findings,
): Promise<{ facts: PartitionStateFacts | null; hasState: boolean }> {
  const { directory, cleanShutdown } = at;
  const file = inDirectory(directory, STATE_FILE);
  const hasState = (await context.storage.list(directory)).some((entry) => entry.name === STATE_FILE);
  const state = await PartitionState.load(context, directory, { ...at, readOnly: true, cleanShutdown });
  // What was read is all that is wanted of it.
  await state.close();
  const facts = state.facts();
  if (state.problem !== null) {
    const kind = state.foreign ? "foreign" : "state";
    // One torn slot is what a crash leaves; the other then holds.
    const isTorn = !cleanShutdown && facts !== null;
    if (isTorn) found.notes.push(`${state.problem}; the other slot holds`);
    else
      found.defects.push({
        kind,
        file,
        byteRange: null,
        offsetRange: null,
        problem: state.problem,
        remedy: state.foreign ? REMEDY_BACKUP : REMEDY_REPAIR,
      });
  }
  return { facts, hasState };
}

async function checkSegment(
  context: LogContext,
  at: PartitionToSurvey,
  place: {
    readonly baseOffset: number;
    readonly next: number | null;
    readonly facts: PartitionStateFacts | null;
    readonly epochs: LeaderEpochs;
  },
  found: Findings,
): Promise<SurveyedSegment> {
  const { core, storage } = context;
  const { baseOffset, next, facts, epochs } = place;
  const isActive = next === null;
  const file = inDirectory(at.directory, segmentFileName(baseOffset, "log"));
  // As the log itself sees it: an offset may be missing where a topic is compacted, or another wrote it.
  const sealed = isActive ? "absent" : await readSealAt(context, at.directory, baseOffset);
  const hasGaps = sealed !== "absent" && !("problem" in sealed) && sealed.hasGaps;
  const order = facts !== null && at.config?.cleanupPolicy === "delete" && !hasGaps ? "exact" : "rising";
  const durableOffset = isActive ? (facts?.durableEndOffset ?? null) : null;
  const log = await storage.open(file, { create: "no", readOnly: true });
  try {
    const indexes = await IndexSurvey.load(storage, at.directory, baseOffset, facts !== null);
    const take = (batch: ScannedBatch): void => {
      indexes.take(batch);
      if (batch.leaderEpoch > (found.epochs.at(-1)?.epoch ?? -1))
        found.epochs.push({ epoch: batch.leaderEpoch, startOffset: batch.baseOffset });
      const bytes = readBytes(log, batch.position, batch.byteLength);
      found.transactions.take(bytes, batch);
      const payload = payloadDefect(context.compression, file, bytes, batch);
      if (payload !== null) found.defects.push(payload);
    };
    const epochFor = epochs.problem === null ? (offset: number) => epochs.epochFor(offset) : () => null;
    const survey = await surveySegment(
      core,
      log,
      { baseOffset, endOffset: next ?? (at.cleanShutdown ? durableOffset : null), durableOffset, order, epochFor },
      take,
    );
    const isDamaged = survey.ranges.length > 0;
    found.isDamaged ||= isDamaged;
    const problems = indexes.finish(survey.end);
    // An index of the segment being written may be behind, and is rebuilt by the next open.
    const countsIndexes = !isActive || at.cleanShutdown;
    for (const { file: name, byteRange, offset, problem } of problems) {
      const offsetRange = offset === null ? null : ([offset, offset] as const);
      if (countsIndexes && !isDamaged)
        found.defects.push({ kind: "index", file: name, byteRange, offsetRange, problem: `${name}: ${problem}`, remedy: REMEDY_REPAIR });
      else if (!isDamaged) found.notes.push(`${name}: ${problem}; the next open rebuilds it`);
    }
    const seal = isActive ? "absent" : await checkSeal(context, at, baseOffset, log, survey, found);
    if (isActive && at.cleanShutdown) checkActiveBlocks(context, file, log, survey, facts, found);
    const closed = isActive && at.cleanShutdown && facts?.cleanlyClosed === true ? facts.activeSegment : null;
    // A seal of a log that another writer changed says nothing about what stands beside it now.
    const known = sealed === "absent" || "problem" in sealed || sealed.logByteLength !== log.byteLength() ? null : sealed;
    const changed = await txnIndexDefect(context, at.directory, baseOffset, { seal: known, closed });
    if (changed !== null) found.defects.push(changed);
    const transactions = await checkTransactions(context, at, baseOffset, { isChanged: changed !== null, countsIndexes }, found);
    return {
      ...survey,
      baseOffset,
      file,
      isActive,
      order,
      seal,
      indexes: problems.length === 0 || !countsIndexes ? "fit" : "bad",
      ...transactions,
    };
  } finally {
    await log.close();
  }
}

async function checkTransactions(
  context: LogContext,
  at: PartitionToSurvey,
  baseOffset: number,
  left: { readonly isChanged: boolean; readonly countsIndexes: boolean },
  found: Findings,
): Promise<Pick<SurveyedSegment, "txnIndex" | "abortedTransactions">> {
  const bytes = await readTransactionIndexBytes(context, at.directory, baseOffset);
  const { problems, expected } = found.transactions.finishSegment(decodeTransactionIndex(bytes ?? new Uint8Array(0)));
  const name = inDirectory(at.directory, segmentFileName(baseOffset, "txnindex"));
  let isBad = left.isChanged;
  // What is not what was left is told of already; behind damage nobody knows which transactions there were.
  for (const { offset, problem } of left.isChanged || found.isDamaged ? [] : problems) {
    if (left.countsIndexes) {
      isBad = true;
      const range = { byteRange: null, offsetRange: [offset, offset] } as const;
      found.defects.push({ kind: "txnindex", file: name, ...range, problem: `${name}: ${problem}`, remedy: REMEDY_REPAIR });
    } else found.notes.push(`${name}: ${problem}; the next open rebuilds it`);
  }
  return { txnIndex: isBad ? "bad" : "fits", abortedTransactions: expected };
}

async function checkSeal(
  { core, storage }: LogContext,
  at: PartitionToSurvey,
  baseOffset: number,
  log: StorageFile,
  survey: SegmentSurvey,
  found: Findings,
): Promise<SurveyedSegment["seal"]> {
  const file = inDirectory(at.directory, segmentFileName(baseOffset, "seal"));
  const bad = (problem: string): "bad" => {
    found.defects.push({ kind: "seal", file, byteRange: null, offsetRange: null, problem: `${file}: ${problem}`, remedy: REMEDY_REPAIR });
    return "bad";
  };
  let bytes: Uint8Array | null;
  try {
    bytes = await readWholeFile(storage, file, SEAL_BYTE_LENGTH_MAX);
    if (bytes === null) return "absent";
    const seal = decodeSeal(bytes, file, core);
    const isOurs = seal.partition === at.partition && seal.baseOffset === baseOffset && (at.topicId === "" || seal.topicId === at.topicId);
    if (!isOurs) return bad(`it is the seal of partition ${seal.partition}, base offset ${seal.baseOffset}, topic id ${seal.topicId}`);
    if (seal.logByteLength !== log.byteLength()) {
      if (survey.ranges.length > 0) return "bad";
      return bad(`it was made of ${seal.logByteLength} bytes; the log has ${log.byteLength()} now: another writer changed it`);
    }
    checkBlocks(
      core,
      log,
      { byteLength: seal.logByteLength, checksums: seal.logChecksums },
      inDirectory(at.directory, segmentFileName(baseOffset, "log")),
      survey,
      found,
    );
    return "fits";
  } catch (error) {
    if (!(error instanceof OdradekError)) throw error;
    return bad(error.message);
  }
}

function checkActiveBlocks(
  { core }: LogContext,
  file: string,
  log: StorageFile,
  survey: SegmentSurvey,
  facts: PartitionStateFacts | null,
  found: Findings,
): void {
  const left = facts?.cleanlyClosed === true ? facts.activeSegment : null;
  if (left === null || left === undefined || left.logByteLength !== log.byteLength()) return;
  checkBlocks(core, log, { byteLength: left.logByteLength, checksums: left.logChecksums }, file, survey, found);
}

/** A bit that no batch's own checksum covers, in a place where nothing else tells of it. */
function checkBlocks(
  core: LogContext["core"],
  log: StorageFile,
  sealed: { readonly byteLength: number; readonly checksums: readonly number[] },
  file: string,
  survey: SegmentSurvey,
  found: Findings,
): void {
  for (let from = 0; from < sealed.byteLength; ) {
    const block = findBadBlock(core, log, sealed, from, sealed.byteLength);
    if (block < 0) return;
    const range = [block * SEAL_BLOCK_BYTE_LENGTH, Math.min(sealed.byteLength, (block + 1) * SEAL_BLOCK_BYTE_LENGTH)] as const;
    from = range[1];
    if (survey.ranges.some((each) => each.position < range[1] && each.end > range[0])) continue;
    const problem = `${file}: bytes ${range[0]} to ${range[1]} are not what was sealed, though every batch there is whole`;
    found.defects.push({ kind: "changed", file, byteRange: range, offsetRange: null, problem, remedy: REMEDY_BACKUP });
  }
}

/** Damage, or what a crash leaves behind the durable end: the next open cuts that. */
function tellRanges(
  context: LogContext,
  at: PartitionToSurvey,
  segments: SurveyedSegment[],
  facts: PartitionStateFacts | null,
  found: Findings,
): void {
  const durableOffset = Math.max(facts?.recoveryPoint ?? at.recoveryPoint ?? 0, facts?.durableEndOffset ?? 0);
  const windowByteLength = Math.max(context.maxUnflushedBytes, at.config?.maxMessageBytes ?? 0);
  const byteLengthBehind = (index: number): number => segments.slice(index + 1).reduce((sum, each) => sum + each.end, 0);
  for (const [index, segment] of segments.entries()) {
    // As recovery reckons: a block whose bytes did not come to the disk goes on behind the last byte that was written.
    const isAhead = mayBeAhead(context.storage, at.config);
    const blocksByteLength = isAhead ? BLOCK_BYTE_LENGTH * (segments.length - index) : 0;
    for (const range of segment.ranges) {
      // Zeros behind the last byte of a segment that was made long first were never written: they are no distance.
      const rangeEnd = range.isTail ? (segment.writtenEnd ?? range.end) : range.end;
      const beyond = Math.max(segment.end, rangeEnd) - range.position + byteLengthBehind(index) - blocksByteLength;
      // In another writer's log nothing says how far it was durable: there, only an end that nothing readable follows is torn.
      const mayBeTorn = facts !== null || (range.isTail && segment.isActive);
      const isTorn =
        !at.cleanShutdown && mayBeTorn && range.reason !== "older" && range.firstOffset >= durableOffset && beyond <= windowByteLength;
      if (isTorn) {
        found.notes.push(
          `${sentence(segment.file, range)}: behind the durable end, so a crash tore it; the next open cuts the log at offset ${range.firstOffset}`,
        );
        segments[index] = { ...segment, ranges: segment.ranges.filter((each) => each.position < range.position) };
        segments.length = index + 1;
        return;
      }
      const kind = range.reason === "older" ? "older" : "batch";
      const remedy =
        kind === "older"
          ? "let Kafka 3 rewrite it: messages of magic 0 and 1 are not read here"
          : range.place === null
            ? REMEDY_REPAIR
            : `${REMEDY_REPAIR}, with every record`;
      const lastOffset = Math.max(range.firstOffset, (range.nextOffset ?? range.firstOffset + 1) - 1);
      found.defects.push({
        kind,
        file: segment.file,
        byteRange: [range.position, range.end],
        offsetRange: [range.firstOffset, lastOffset],
        problem: sentence(segment.file, range),
        remedy,
      });
    }
  }
}

function sentence(file: string, range: DamagedRange): string {
  const offsets =
    range.nextOffset === null
      ? `offsets from ${range.firstOffset} on`
      : range.nextOffset - range.firstOffset === 1
        ? `offset ${range.firstOffset}`
        : `offsets ${range.firstOffset} to ${range.nextOffset - 1}`;
  return `${file}: bytes ${range.position} to ${range.end} (${offsets}) are no good batch: ${range.reason}${range.detail === "" ? "" : `: ${range.detail}`}`;
}
