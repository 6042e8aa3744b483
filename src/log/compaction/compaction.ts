/** Compacts one partition, as Kafka's cleaner does: round after round, group after group, each put in place before the next is begun. */
import type { Watermarks } from "../../api/bytes.ts";
import { OdradekError } from "../../base/errors.ts";
import { reasonOf } from "../../base/reason.ts";
import { turnOf } from "../../base/turn.ts";
import type { Compactor } from "../../core/core.ts";
import { errnoOf } from "../../storage/errno.ts";
import type { LogWriter } from "../append/log-writer.ts";
import { segmentFileName } from "../files/file-names.ts";
import { inDirectory, openIfPresent } from "../files/replace-file.ts";
import type { OpenedLog } from "../opening/opened-log.ts";
import type { LastEntry } from "../producers/producer-states.ts";
import type { AbortedTransaction } from "../producers/transaction-index.ts";
import type { LogReader } from "../read/log-reader.ts";
import type { Segment } from "../segment/segment.ts";
import { maxTimestampOf } from "../upkeep/segment-removal.ts";
import { type CleanedFacts, type CleanedSegment, removeCleaned } from "./cleaned-segment.ts";
import { type CompactionNeed, type CompactionSegment, compactionNeed } from "./compaction-need.ts";
import { Placing } from "./compaction-placing.ts";
import { CompactionRound, endOf } from "./compaction-round.ts";
import { type GroupableSegment, groupSegments } from "./segment-groups.ts";
import { SegmentSwap } from "./segment-swap.ts";

export interface CompactionOptions {
  /** Of the offset map, at most: `logCleanerDedupeBufferSize`. A map that is full makes another round. */
  readonly dedupeBufferByteLength: number;
  /** Resolves when so many bytes more may be read or written; none: at once. */
  readonly throttle?: (byteLength: number) => Promise<void>;
  /** No further round is begun after so many; all unless said. */
  readonly roundsMax?: number;
  /** Ends the pass: what was not put in place by then is as it was. */
  readonly signal?: AbortSignal | undefined;
}

export interface CompactionResult {
  /** Where the next pass begins; what lies before it is clean. */
  readonly firstDirtyOffset: number;
  /** 0: there was nothing to do. */
  readonly rounds: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly recordsBefore: number;
  readonly recordsAfter: number;
  readonly segmentsBefore: number;
  readonly segmentsAfter: number;
  readonly durationMs: number;
}

/** What compaction needs of its partition. */
export interface CompactionHost {
  readonly log: OpenedLog;
  readonly reader: LogReader;
  readonly writer: LogWriter;
  readonly watermarks: () => Watermarks;
  readonly lastEntries: () => Iterable<LastEntry>;
  readonly aborted: (fromOffset: number, endOffset: number) => Promise<readonly AbortedTransaction[]>;
  /** The partition closes. */
  readonly closing: AbortSignal;
}

/** Trouble that passes: the next pass tries again. Anything else would only be met again, and may get worse. */
const PASSING_ERRNOS: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EMFILE", "ENFILE", "EACCES", "EPERM", "EBUSY"]);

/** A map for few bytes is small; it is zeroed at once, and memory is not for nothing. */
const DEDUPE_BUFFER_BYTE_LENGTH_MIN = 256 * 1024;
/** Room for a key in every six bytes: compressed ones fit too, as a rule. */
const DEDUPE_BYTES_PER_DIRTY_BYTE = 4;
/** No offset has more than one key; of the 24 bytes of a slot a tenth is kept free, and a third makes the ways in it short. A small map is near, a large one is not. */
const DEDUPE_BYTES_PER_DIRTY_OFFSET = 32;
const HASH_SECRET_BYTE_LENGTH = 16;
const INT32_MAX = 2 ** 31 - 1;

export class Compaction {
  readonly #host: CompactionHost;
  #firstDirtyOffset: number | null;
  #problem: OdradekError | null = null;
  /** One that stands in the list and could not be brought to its end yet. */
  #swap: SegmentSwap | null = null;
  #isHalfSwapped = false;
  #isStateLost = false;
  /** Trouble has passed, perhaps of room: one segment at a time, until a pass comes to its end. */
  #isTight = false;

  constructor(host: CompactionHost, firstDirtyOffset: number | null) {
    this.#host = host;
    this.#firstDirtyOffset = firstDirtyOffset;
  }

  /** Where the last pass ended; null: there was none. */
  get firstDirtyOffset(): number | null {
    return this.#firstDirtyOffset;
  }

  /** Why the partition is not compacted until it is opened anew; null: nothing is known against it. */
  get problem(): OdradekError | null {
    return this.#problem;
  }

  /** Looks into segments for timestamps only where the topic's settings ask for them. */
  need(nowMs: number): Promise<CompactionNeed> {
    return this.#guarded(() => this.#need(nowMs));
  }

  /** Whether files stand under names of a swap: a full disk or a lost permission has held it up. */
  get isHeldUp(): boolean {
    return this.#swap !== null;
  }

  /** Brings a swap to its end that was held up. For whoever goes by the names of files. */
  settle(): Promise<void> {
    return this.#swap === null ? Promise.resolve() : this.#guarded(() => this.#finishSwap());
  }

  /** In the partition's turn. Emits `log.compacted`, or `compaction.failed` before it rejects. */
  async run(options: CompactionOptions): Promise<CompactionResult> {
    const { log, writer } = this.#host;
    const beganMs = log.context.clock.monotonic();
    const total = { rounds: 0, recordsAfter: 0, recordsRemoved: 0 };
    let before: Size | null = null;
    let upTo = 0;
    await this.#guarded(async () => {
      await this.#finishSwap();
      while (total.rounds < (options.roundsMax ?? Number.POSITIVE_INFINITY) && writer.failure === null) {
        const need = await this.#need(log.context.clock.now());
        if (need.cleanableBytes === 0) break;
        upTo = Math.max(upTo, need.firstUncleanableOffset);
        before ??= sizeOf(log.segments.all(), upTo);
        const round = await this.#round(need, options);
        total.rounds += 1;
        total.recordsAfter = round.recordsAfter;
        total.recordsRemoved += round.recordsBefore - round.recordsAfter;
      }
    }, options.signal);
    if (total.rounds > 0) this.#isTight = false;
    const after = sizeOf(log.segments.all(), upTo);
    const result: CompactionResult = {
      firstDirtyOffset: this.#firstDirtyOffset ?? log.logStartOffset,
      rounds: total.rounds,
      bytesBefore: (before ?? after).byteLength,
      bytesAfter: after.byteLength,
      recordsBefore: total.recordsAfter + total.recordsRemoved,
      recordsAfter: total.recordsAfter,
      segmentsBefore: (before ?? after).segmentCount,
      segmentsAfter: after.segmentCount,
      durationMs: log.context.clock.monotonic() - beganMs,
    };
    if (total.rounds > 0) this.#emit("log.compacted", { ...result });
    return result;
  }

  async #need(nowMs: number): Promise<CompactionNeed> {
    const { log, writer, watermarks } = this.#host;
    // A segment that was just rolled may be compacted as soon as it is sealed.
    await writer.settling.done();
    const segments: CompactionSegment[] = [];
    for (const segment of log.segments.all()) segments.push(await this.#factsOf(segment));
    const { logStartOffset, logEndOffset, lastStableOffset } = watermarks();
    // Before the segment of the durable end nobody waits for a flush any more, and no crash makes recovery begin there.
    const settledOffset = Math.min(log.recoveryPoint, writer.durableEnd.segment.baseOffset, writer.visible.segment.baseOffset);
    const facts = { segments, firstDirtyOffset: this.#firstDirtyOffset, logStartOffset, logEndOffset, lastStableOffset, settledOffset };
    return compactionNeed(facts, log.spec.config(), nowMs);
  }

  async #round(need: CompactionNeed, options: CompactionOptions): Promise<{ recordsBefore: number; recordsAfter: number }> {
    const { log, aborted, lastEntries } = this.#host;
    const { context, segments } = log;
    const placing = new Placing();
    const throwIfStopped = (): void => {
      placing.throwIfFailed();
      this.#host.closing.throwIfAborted();
      options.signal?.throwIfAborted();
    };
    throwIfStopped();
    // What recovery goes by must not name a segment that is about to go: the state on disk knows the active one from now on.
    await this.#saveState();
    const compactor = this.#newCompactor(need, options);
    const first = log.segments.first.baseOffset;
    const round = new CompactionRound({
      log,
      compactor,
      nowMs: context.clock.now(),
      aborted: await aborted(first, need.firstUncleanableOffset),
      lastEntries,
      turn: turnOf(context.clock),
      throttle: options.throttle ?? (async () => {}),
      throwIfStopped,
    });
    const dirty = segments.from(segments.holding(need.firstDirtyOffset)).filter(isBefore(need.firstUncleanableOffset));
    const endOffset = await round.map(dirty, need.firstDirtyOffset);
    if (endOffset <= need.firstDirtyOffset) {
      const message = `${log.spec.directory}: a round of compaction from offset ${need.firstDirtyOffset} came to ${endOffset}, no further`;
      throw new OdradekError("UNKNOWN_SERVER_ERROR", message);
    }
    const counts = { recordsBefore: 0, recordsAfter: 0 };
    const groups = groupSegments(await this.#groupable(endOffset), log.spec.config());
    try {
      for (const group of groups) {
        throwIfStopped();
        const sources = group.map(({ segment }) => segment);
        const { output, recordsBefore, recordsAfter } = await round.rewrite(sources);
        counts.recordsBefore += recordsBefore;
        counts.recordsAfter += recordsAfter;
        if (output === null) continue;
        await placing.next(
          () => this.#place(output, sources),
          () => output.discard(),
        );
        if (this.#isTight) await placing.done();
      }
    } finally {
      // Whatever ended the round: nothing is put in place behind its back. Its own error is the graver one.
      await placing.done();
    }
    this.#firstDirtyOffset = endOffset;
    return counts;
  }

  /** A flush of it that has failed is not tried again: there is no further pass until the log is opened anew. */
  async #saveState(): Promise<void> {
    try {
      await this.#host.writer.settling.save();
    } catch (error) {
      this.#isStateLost = true;
      throw error;
    }
  }

  #newCompactor(
    { cleanableBytes, firstDirtyOffset, firstUncleanableOffset }: CompactionNeed,
    { dedupeBufferByteLength }: CompactionOptions,
  ): Compactor {
    const { core, random } = this.#host.log.context;
    const byOffsets = (firstUncleanableOffset - firstDirtyOffset) * DEDUPE_BYTES_PER_DIRTY_OFFSET;
    const wanted = Math.max(DEDUPE_BUFFER_BYTE_LENGTH_MIN, Math.min(cleanableBytes * DEDUPE_BYTES_PER_DIRTY_BYTE, byOffsets));
    return core.compactor({
      dedupeBufferByteLength: Math.min(dedupeBufferByteLength, wanted, INT32_MAX),
      hashSecret: random.bytes(HASH_SECRET_BYTE_LENGTH),
    });
  }

  /** Makes a cleaned segment whole and durable, and puts it in the place of what it was made of. */
  async #place(output: CleanedSegment, sources: readonly Segment[]): Promise<void> {
    let cleaned: CleanedFacts;
    try {
      cleaned = await output.finish(endOf(this.#host.log, sources.at(-1) as Segment));
    } catch (error) {
      await output.discard();
      throw error;
    }
    const swap = new SegmentSwap(this.#host.log, cleaned, sources);
    try {
      await swap.begin();
    } catch (error) {
      // From the first new name on the files are for the next opening to judge; until then nothing here is compacted again.
      if (swap.hasRenamed) this.#isHalfSwapped = true;
      else await removeCleaned(this.#host.log.context.storage, this.#host.log.spec.directory, swap.baseOffset);
      throw error;
    }
    this.#swap = swap;
    await this.#finishSwap();
  }

  async #finishSwap(): Promise<void> {
    await this.#swap?.finish();
    this.#swap = null;
  }

  async #factsOf(segment: Segment): Promise<CompactionSegment> {
    const { log, reader } = this.#host;
    const { minCompactionLagMs, maxCompactionLagMs } = log.spec.config();
    const { baseOffset, byteLength } = segment;
    if (segment === log.segments.active) return { baseOffset, byteLength, maxTimestamp: -1, firstTimestamp: -1 };
    let maxTimestamp = minCompactionLagMs > 0 ? await maxTimestampOf(reader, segment, false) : -1;
    let firstTimestamp = -1;
    const wantsFirst = maxCompactionLagMs !== Number.POSITIVE_INFINITY;
    if (wantsFirst || (minCompactionLagMs > 0 && maxTimestamp < 0)) {
      await reader.withSegment(segment, baseOffset, async ({ log: file }) => {
        firstTimestamp = segment.firstTimestamp;
        if (maxTimestamp < 0) maxTimestamp = file.modifiedAt();
      });
    }
    return { baseOffset, byteLength, maxTimestamp, firstTimestamp };
  }

  /** The segments that a round rewrites, and what the grouping must know of them. */
  async #groupable(endOffset: number): Promise<(GroupableSegment & { readonly segment: Segment })[]> {
    const { log } = this.#host;
    const { segments, spec } = log;
    const found: (GroupableSegment & { readonly segment: Segment })[] = [];
    for (const segment of segments.all().filter(isBefore(endOffset))) {
      const { baseOffset, byteLength } = segment;
      const lengthOf = (kind: "index" | "timeindex"): Promise<number> =>
        this.#byteLengthOf(inDirectory(spec.directory, segmentFileName(baseOffset, kind)));
      found.push({
        segment,
        baseOffset,
        endOffset: endOf(log, segment),
        byteLength,
        indexByteLength: await lengthOf("index"),
        timeIndexByteLength: await lengthOf("timeindex"),
      });
    }
    return found;
  }

  async #byteLengthOf(name: string): Promise<number> {
    const file = await openIfPresent(this.#host.log.context.storage, name);
    try {
      return file?.byteLength() ?? 0;
    } finally {
      await file?.close();
    }
  }

  /** An error is told, and remembered where another try could make nothing better. */
  async #guarded<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    if (this.#problem !== null) throw this.#problem;
    try {
      return await work();
    } catch (error) {
      if (this.#host.closing.aborted || signal?.aborted === true) throw error;
      const isPassing =
        PASSING_ERRNOS.has(errnoOf(error) ?? "") && !this.#isHalfSwapped && !this.#isStateLost && this.#swap?.inDoubt !== true;
      const problem = error instanceof OdradekError ? error : unexpected(error, this.#host.log.spec.directory);
      if (isPassing) this.#isTight = true;
      else this.#problem = problem;
      this.#emit("compaction.failed", { error: problem, isUncleanable: !isPassing });
      throw problem;
    }
  }

  #emit(type: string, fields: Readonly<Record<string, unknown>>): void {
    const { context, spec } = this.#host.log;
    context.emit(type, { partition: { topic: spec.topic, partition: spec.partition }, ...fields });
  }
}

interface Size {
  readonly byteLength: number;
  readonly segmentCount: number;
}

function sizeOf(segments: readonly Segment[], upTo: number): Size {
  const sized = segments.filter(isBefore(upTo));
  return { byteLength: sized.reduce((sum, segment) => sum + segment.byteLength, 0), segmentCount: sized.length };
}

function isBefore(offset: number): (segment: Segment) => boolean {
  return ({ baseOffset }) => baseOffset < offset;
}

function unexpected(error: unknown, directory: string): OdradekError {
  const reason = reasonOf(error);
  return new OdradekError("UNKNOWN_SERVER_ERROR", `${directory}: compaction met what it did not expect: ${reason}`, { cause: error });
}
