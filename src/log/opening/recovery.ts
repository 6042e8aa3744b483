/** What is done with a partition that was not left in order (C9): finds where the log ends, tells a torn tail from damage, makes the rest durable. */
import type { StorageFile } from "../../api/storage-driver.ts";
import { isStorageFull, type OdradekError, StorageError } from "../../base/errors.ts";
import { HEADER_BYTE_LENGTH, lastOffsetAt, readInt64, viewOf } from "../batch/batch-header.ts";
import { endOfBytes, hasBytesBeyond, type ScanEnd, scanBatches } from "../batch/batch-scan.ts";
import { batchBehind, type KnownEnd } from "../batch/resync.ts";
import type { LeaderEpochs } from "../books/leader-epochs.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { BLOCK_BYTE_LENGTH } from "../files/file-bytes.ts";
import { segmentFileName } from "../files/file-names.ts";
import { removeSegmentFiles } from "../files/partition-files.ts";
import { ProducerRecovery, type RecoveredProducers } from "../producers/producer-recovery.ts";
import type { ProducerSnapshots } from "../producers/producer-snapshots.ts";
import { noteGaps } from "../seal/sealing.ts";
import { indexesAreAsLeft } from "../segment/left-indexes.ts";
import { mayBeAhead, unwrittenByteLengthMax } from "../segment/length-ahead.ts";
import { type Segment, type SegmentFiles, withIndexes } from "../segment/segment.ts";
import type { PartitionStateFacts } from "../state/partition-state.ts";
import { type DurableEnd, durableEnd, uncertainEnd } from "./durable-end.ts";
import { lastEpochIn } from "./last-epoch.ts";
import { keepServed, makeDurable } from "./rewriting.ts";

export interface RecoveryInput {
  readonly context: LogContext;
  readonly spec: PartitionSpec;
  /** Ascending, the last one's handles held. Segments that are cut away are taken out. */
  readonly segments: Segment[];
  readonly facts: PartitionStateFacts | null;
  readonly epochs: LeaderEpochs;
  readonly snapshots: ProducerSnapshots;
  /** The files of the directory. */
  readonly names: ReadonlySet<string>;
  /** Nothing on disk changes: what would be cut is passed over. */
  readonly readOnly: boolean;
}

export interface Recovered extends RecoveredProducers {
  readonly recoveryPoint: number;
  readonly nextEpoch: number | null;
  readonly endProblem: OdradekError | null;
  readonly unreadableFrom: number | null;
}

/** Where a walk stopped before the end of what is there. */
interface BadBatch {
  readonly segment: Segment;
  readonly index: number;
  readonly end: ScanEnd;
}

/** On a disk without room for what a recovery makes (indexes, snapshots, seals) the records are served all the same, and nothing is appended. */
export async function recover(input: RecoveryInput): Promise<Recovered> {
  try {
    return await recoverWith(input, null);
  } catch (error) {
    if (input.readOnly || !isStorageFull(error)) throw error;
    const noRoom = withoutRoom(input.spec, error);
    input.context.emit("storage.failed", { partition: { topic: input.spec.topic, partition: input.spec.partition }, error: noRoom });
    return await recoverWith({ ...input, readOnly: true }, noRoom);
  }
}

async function recoverWith(input: RecoveryInput, noRoom: StorageError | null): Promise<Recovered> {
  const { spec, segments, facts, epochs, readOnly } = input;
  const firstBase = (segments[0] as Segment).baseOffset;
  const recoveryPoint = Math.max(firstBase, facts?.recoveryPoint ?? spec.checkpoint.recoveryPoint ?? 0);
  const durable = durableEnd(input, recoveryPoint);
  const start = firstWalked(input, recoveryPoint);
  const producers = await ProducerRecovery.begin(input, { ...input, start, recoveryPoint }, facts);
  const walk = new Walk(input, recoveryPoint, durable, producers);
  let bad: BadBatch | null = null;
  let problem: OdradekError | null = durable.missing;
  for (let index = start; index < segments.length && bad === null && problem === null; index += 1) {
    const segment = segments[index] as Segment;
    if (index < segments.length - 1) await segment.acquire();
    try {
      await noteGaps(input.context, segment);
      const end = await walk.through(segment, index > start);
      if (durable.segmentBase === segment.baseOffset && segment.openFiles.log.byteLength() < durable.position) {
        problem = shorter(segment, end, durable);
      } else if (end.reason !== "end" && !(await endsInUnwrittenSpace(segments, index, end))) bad = { segment, index, end };
    } finally {
      if (index < segments.length - 1) segment.release();
    }
  }
  if (bad !== null && problem === null) problem = await judge(input, bad, durable);
  if (bad === null && problem === null && facts !== null) problem = endsTooEarly(segments.at(-1) as Segment, walk.acceptedOffset, durable);
  if (bad !== null && problem === null) await cut(input, bad);
  const active = segments.at(-1) as Segment;
  const endProblem = problem ?? noRoom;
  const unreadableFrom = problem === null ? null : walk.acceptedOffset;
  if (problem !== null) active.nextOffset = Math.max(walk.acceptedOffset, durable.offset, active.baseOffset);
  else if (!readOnly) await makeDurable(input, start, walk.rewriteFrom, producers);
  if (noRoom !== null || (problem !== null && !readOnly)) await keepServed(input, walk.rewriteFrom);
  const known = problem === null ? await producers.finish(segments, active.nextOffset) : producers.outcome();
  const walkedEpoch = Math.max(epochs.latest()?.epoch ?? -1, walk.lastEpoch);
  const latestEpoch = walkedEpoch >= 0 ? walkedEpoch : await lastEpochIn(input.context.core, segments);
  const found = { recoveryPoint: endProblem === null ? active.nextOffset : recoveryPoint, nextEpoch: latestEpoch + 1 };
  return { ...found, ...known, endProblem, unreadableFrom };
}

/**
 * The segment that holds the recovery point. A point at a segment's very beginning may have come there while the one before was the
 * last, and a crash kept that one from its seal: it is walked as well, is sealed, and its transaction index held against the state.
 */
function firstWalked({ segments, facts, names }: RecoveryInput, recoveryPoint: number): number {
  const holding = Math.max(
    0,
    segments.findLastIndex((segment) => segment.baseOffset <= recoveryPoint),
  );
  const before = segments[holding - 1];
  if (before === undefined || facts === null || segments[holding]?.baseOffset !== recoveryPoint) return holding;
  return names.has(segmentFileName(before.baseOffset, "seal")) ? holding : holding - 1;
}

/**
 * A segment sized ahead that was rolled, and whose cut a loss of power took back: zeros alone follow its last batch, and the next
 * segment goes on with the next offset, so that nothing can be missing between them.
 */
async function endsInUnwrittenSpace(segments: readonly Segment[], index: number, end: ScanEnd): Promise<boolean> {
  if (segments[index + 1]?.baseOffset !== end.nextOffset) return false;
  return !(await hasBytesBeyond((segments[index] as Segment).openFiles.log, end.position));
}

/** Walks segments from the recovery point on, counts their batches in and rebuilds their indexes. */
class Walk {
  readonly #input: RecoveryInput;
  readonly #recoveryPoint: number;
  readonly #durable: DurableEnd;
  readonly #producers: ProducerRecovery;
  /** The offset after the last batch accepted. */
  acceptedOffset: number;
  lastEpoch = -1;
  /** Of the segment walked last. */
  #isContiguous = true;
  /** By base offset: from where on bytes were not known to be durable. */
  readonly rewriteFrom: Map<number, number> = new Map();

  constructor(input: RecoveryInput, recoveryPoint: number, durable: DurableEnd, producers: ProducerRecovery) {
    this.#producers = producers;
    this.#input = input;
    this.#recoveryPoint = recoveryPoint;
    this.#durable = durable;
    this.acceptedOffset = (input.segments[0] as Segment).baseOffset;
  }

  async through(segment: Segment, isLater: boolean): Promise<ScanEnd> {
    const { context, facts, epochs, readOnly, spec } = this.#input;
    const files = segment.openFiles;
    const isExact = facts !== null && segment.contiguous;
    // Whoever compacts keeps the batch before the active segment: offsets that are missing there were lost with the power.
    const isTornRoll = facts !== null && segment === this.#input.segments.at(-1) && segment.byteLength === 0;
    const mustFollow = (isExact && this.#isContiguous) || isTornRoll;
    this.#isContiguous = segment.contiguous;
    if (isLater && (mustFollow ? segment.baseOffset !== this.acceptedOffset : segment.baseOffset < this.acceptedOffset)) {
      const detail = `expected a segment that begins at offset ${this.acceptedOffset}, found ${segment.baseOffset}`;
      return { position: 0, nextOffset: this.acceptedOffset, reason: "order", detail };
    }
    // Nothing is written into the indexes of a log that may not change.
    const into: SegmentFiles = readOnly ? { log: files.log, offsetIndex: null, timeIndex: null } : files;
    // They are not made again then, and nothing tells whether they are what was written.
    if (readOnly) segment.indexIsBelieved = false;
    const fileByteLength = files.log.byteLength();
    let from = readOnly ? 0 : this.#prepareIndexes(segment, files, isLater, fileByteLength);
    let nextOffset = from === 0 ? segment.baseOffset : baseOffsetAt(files.log, from);
    await this.#producers.enter(segment, files.log, from, nextOffset);
    segment.byteLength = from;
    segment.nextOffset = nextOffset;
    segment.bytesSinceIndexEntry = 0;
    const lastTime = into.timeIndex?.lastEntry() ?? null;
    segment.maxTimestamp = lastTime?.timestamp ?? -1;
    segment.maxTimestampOffset = lastTime?.offset ?? -1;
    segment.checksums = null;
    const epochFor = (offset: number): number | null => epochs.epochFor(offset);
    const { indexIntervalBytes } = spec.config();
    for (;;) {
      const begin = from;
      const order = isExact ? "exact" : "rising";
      const end = await scanBatches(context.core, files.log, [from, fileByteLength], { nextOffset, order, epochFor }, (batch) => {
        if (batch.lastOffset >= this.#durable.offset && !this.rewriteFrom.has(segment.baseOffset))
          this.rewriteFrom.set(segment.baseOffset, batch.position);
        this.lastEpoch = Math.max(this.lastEpoch, batch.leaderEpoch);
        this.#producers.take(batch);
        segment.admit(into, batch.byteLength, batch.lastOffset, batch.maxTimestamp, indexIntervalBytes);
      });
      segment.verified.add(begin, end.position);
      this.acceptedOffset = segment.nextOffset;
      segment.warmFrom = segment.byteLength;
      const known = this.#knownEnd(segment, fileByteLength);
      if (end.reason === "end" || end.reason === "older" || known === null || end.nextOffset >= known.offset) return end;
      // Damage behind which the log is known to go on: it alone is lost.
      const behind = await batchBehind(context.core, files.log, end, known, { order, epochFor });
      from = behind?.position ?? known.position;
      nextOffset = behind?.baseOffset ?? known.offset;
      segment.byteLength = from;
      segment.nextOffset = nextOffset;
      this.acceptedOffset = nextOffset;
    }
  }

  /** A place in the segment up to which all was durable, and the offset there; null: none is known. */
  #knownEnd(segment: Segment, fileByteLength: number): KnownEnd | null {
    const { segmentBase, position, offset } = this.#durable;
    if (segmentBase === segment.baseOffset) return fileByteLength < position ? null : { position, offset };
    const { segments } = this.#input;
    const next = segments[segments.indexOf(segment) + 1];
    return next === undefined || next.baseOffset > offset ? null : { position: fileByteLength, offset: next.baseOffset };
  }

  /** Leaves in the indexes what was durable with the recovery point; answers from where on the log must be walked. */
  #prepareIndexes(segment: Segment, files: SegmentFiles, isLater: boolean, fileByteLength: number): number {
    const { offsetIndex, timeIndex } = withIndexes(files);
    const left = this.#input.facts?.activeSegment ?? null;
    const isAsLeft = left === null || left.baseOffset !== segment.baseOffset || indexesAreAsLeft(files, left);
    offsetIndex.truncateTo(isLater ? segment.baseOffset : this.#recoveryPoint);
    timeIndex.truncateTo(isLater ? segment.baseOffset : this.#recoveryPoint);
    const last = offsetIndex.lastEntry();
    const lastTime = timeIndex.lastEntry();
    const { facts } = this.#input;
    const wrong = offsetIndex.problem !== null || timeIndex.problem !== null || facts === null || !isAsLeft;
    const isBelieved =
      !wrong &&
      last !== null &&
      last.position + HEADER_BYTE_LENGTH <= fileByteLength &&
      lastOffsetOf(files.log, last.position) === last.offset &&
      lastTime !== null;
    if (isBelieved) return last.position;
    offsetIndex.clear();
    timeIndex.clear();
    return 0;
  }
}

function lastOffsetOf(log: StorageFile, position: number): number {
  return lastOffsetAt(headerAt(log, position), 0);
}

function baseOffsetAt(log: StorageFile, position: number): number {
  return readInt64(headerAt(log, position), 0);
}

function headerAt(log: StorageFile, position: number): DataView {
  const header = new Uint8Array(HEADER_BYTE_LENGTH);
  log.readAt(header, position);
  return viewOf(header);
}

/** null: a torn tail, which may be cut. Else why the end of the log is not certain. */
async function judge(
  { context, spec, segments, facts }: RecoveryInput,
  { segment, index, end }: BadBatch,
  durable: DurableEnd,
): Promise<OdradekError | null> {
  const what = `batch at ${segment.logName}:${end.position}: ${end.reason}${end.detail === "" ? "" : `: ${end.detail}`}`;
  const bytes = [end.position, segment.openFiles.log.byteLength()] as const;
  if (end.reason === "older")
    return uncertainEnd(
      segment.logName,
      bytes,
      [end.nextOffset, end.nextOffset],
      `${what}; messages of magic 0 and 1 are not read here`,
      true,
    );
  if (end.nextOffset < durable.offset) {
    return uncertainEnd(
      segment.logName,
      bytes,
      [end.nextOffset, durable.offset - 1],
      `${what}; offsets up to ${durable.offset} were durable`,
    );
  }
  const config = spec.config();
  // The settings may be others by now; states of before do not say how it was written.
  if (facts !== null && (facts.writtenAs === "os" || config.durability === "os")) return null;
  // One batch may be larger than the window that bounds what is unflushed.
  const windowByteLength = Math.max(context.maxUnflushedBytes, config.maxMessageBytes);
  const isAhead = mayBeAhead(context.storage, config);
  const unwrittenMax = unwrittenByteLengthMax(context.storage, config);
  let beyond = end.position + windowByteLength;
  for (const later of segments.slice(index)) {
    const files = await later.acquire();
    try {
      const byteLength = files.log.byteLength();
      // A block whose bytes did not come to the disk goes on behind the last byte that was written.
      if (isAhead) beyond += BLOCK_BYTE_LENGTH;
      if (await hasBytesBeyond(files.log, Math.max(0, beyond))) {
        const message = `${what}; ${later.logName} goes on more than ${windowByteLength} bytes behind it, which no torn write explains`;
        return uncertainEnd(segment.logName, bytes, [end.nextOffset, end.nextOffset], message);
      }
      // Zeros behind the last byte are no distance, as far as they may be space that was never written.
      const bytesEnd =
        isAhead && later !== segments.at(-1) ? await endOfBytes(files.log, later === segment ? end.position : 0) : byteLength;
      beyond -= Math.max(bytesEnd, byteLength - unwrittenMax);
    } finally {
      later.release();
    }
  }
  return null;
}

function withoutRoom({ directory }: PartitionSpec, cause: StorageError): StorageError {
  const message = `${directory}: its recovery found no room on the disk (${cause.message}): its records are served, and nothing is appended; make room, then reopenPartition`;
  return new StorageError("PARTITION_FAILED", message, { cause });
}

/** Whole batches, as many bytes as there should be, and other ones: a file in another's place. */
function endsTooEarly({ logName, byteLength }: Segment, acceptedOffset: number, durable: DurableEnd): OdradekError | null {
  if (acceptedOffset >= durable.offset) return null;
  const offsets = [acceptedOffset, durable.offset - 1] as const;
  return uncertainEnd(
    logName,
    [byteLength, byteLength],
    offsets,
    `${logName}: expected offsets up to ${offsets[1]}, found them to end at ${acceptedOffset}`,
  );
}

function shorter(segment: Segment, end: ScanEnd, durable: DurableEnd): OdradekError {
  const byteLength = segment.openFiles.log.byteLength();
  const message = `${segment.logName}: expected ${durable.position} durable bytes, found ${byteLength}; offsets ${end.nextOffset} to ${durable.offset - 1} are missing`;
  return uncertainEnd(segment.logName, [byteLength, durable.position], [end.nextOffset, durable.offset - 1], message);
}

/** Ends the log before the bad batch. Later segments go first, the newest before the others: a crash on the way leaves the same question. */
async function cut({ context, spec, segments, readOnly }: RecoveryInput, { segment, index, end }: BadBatch): Promise<void> {
  const { storage } = context;
  let byteLength = 0;
  while (
    segments.length > index + 1 ||
    (segments.length > 1 && end.position === 0 && segments.at(-1) === segment && isOutOfLine(segment, end))
  ) {
    const later = segments.pop() as Segment;
    byteLength += later.files?.log.byteLength() ?? later.byteLength;
    while (later.isHeld) later.release();
    await later.closeIdle();
    if (!readOnly) await removeSegmentFiles(storage, spec.directory, later.baseOffset);
  }
  const active = segments.at(-1) as Segment;
  const files = active.isHeld && active.files !== null ? active.files : await active.acquire();
  let isZeroTail = false;
  if (active === segment) {
    const bytesEnd = await endOfBytes(files.log, end.position);
    isZeroTail = byteLength === 0 && bytesEnd === end.position;
    // What was never written is not told as cut.
    byteLength += (mayBeAhead(storage, spec.config()) ? bytesEnd : files.log.byteLength()) - end.position;
  }
  if (!readOnly) {
    await storage.syncDirectory(spec.directory);
    if (active === segment) files.log.truncate(end.position);
  }
  // Zeros behind the end are space that was never written: nothing was cut that anyone wrote.
  if (isZeroTail) return;
  // What stands there now may be what the writer, whom this log follows, put into that space meanwhile.
  if (context.isFollowing === true && end.reason === "zero") return;
  const { topic, partition } = spec;
  const fields = { file: segment.logName, bytes: byteLength, firstOffset: end.nextOffset, reason: end.reason, detail: end.detail };
  context.emit("recovery.cut", { partition: { topic, partition }, ...fields });
}

/** The segment itself does not follow from the one before it. */
function isOutOfLine(segment: Segment, end: ScanEnd): boolean {
  return end.reason === "order" && segment.baseOffset !== end.nextOffset;
}
