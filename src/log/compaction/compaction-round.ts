/** One round of compaction: the newest offsets of the dirty part's keys, as many as the map takes, then every segment up to there rewritten by them. */
import { hasDeleteHorizon, isControl, isTransactional, PRODUCER_EPOCH_AT, PRODUCER_ID_AT } from "../../base/record-batch.ts";
import { RecordFramingError } from "../../base/record-decoder.ts";
import type { Turn } from "../../base/turn.ts";
import type { Compactor, FilterOptions } from "../../core/core.ts";
import { CorruptBatchError } from "../../core/corrupt-batch-error.ts";
import { ATTRIBUTES_AT, BASE_TIMESTAMP_AT, lastOffsetAt, MAX_TIMESTAMP_AT, RECORD_COUNT_AT, readInt64 } from "../batch/batch-header.ts";
import type { OpenedLog } from "../opening/opened-log.ts";
import type { LastEntry } from "../producers/producer-states.ts";
import type { AbortedTransaction } from "../producers/transaction-index.ts";
import { ReadPace } from "../segment/read-pace.ts";
import type { Segment } from "../segment/segment.ts";
import { BatchCleaning, type CleanedBatch } from "./batch-cleaning.ts";
import { CleanedSegment } from "./cleaned-segment.ts";
import { CleanedTransactions } from "./cleaned-transactions.ts";
import { corruption, SegmentSource } from "./segment-source.ts";

export interface RoundSetup {
  readonly log: OpenedLog;
  readonly compactor: Compactor;
  readonly nowMs: number;
  /** Of every transaction with a marker or data in what is compacted. */
  readonly aborted: readonly AbortedTransaction[];
  readonly lastEntries: () => Iterable<LastEntry>;
  readonly turn: Turn;
  /** Resolves when so many bytes more may be read or written. */
  readonly throttle: (byteLength: number) => Promise<void>;
  /** Throws when the pass is to end. */
  readonly throwIfStopped: () => void;
}

/** What became of a group of segments. */
export interface RewrittenGroup {
  /** Written, to be finished; null: nothing of the group changes, and it stays. */
  readonly output: CleanedSegment | null;
  readonly recordsBefore: number;
  readonly recordsAfter: number;
}

type Visit = (source: SegmentSource, index: number) => "stop" | undefined;
/** Batches that nobody has a say in, many at once, from `index` on. Answers how many, 0 when that one must be visited. */
type Pass = (source: SegmentSource, index: number) => number;

export class CompactionRound {
  readonly #setup: RoundSetup;
  readonly #cleaning: BatchCleaning;
  readonly #pace: ReadPace;
  readonly #transactions: CleanedTransactions;
  readonly #plain: FilterOptions;
  readonly #plainRetained: FilterOptions;
  #lastEntries: ReadonlyMap<bigint, LastEntry> = new Map();

  constructor(setup: RoundSetup) {
    const { log, compactor, aborted, nowMs } = setup;
    this.#setup = setup;
    this.#pace = new ReadPace(log.context.clock);
    this.#cleaning = new BatchCleaning(compactor, log.context.compression);
    this.#transactions = new CleanedTransactions(aborted);
    this.#plain = { nowMs, deleteRetentionMs: log.spec.config().deleteRetentionMs };
    this.#plainRetained = { ...this.#plain, retainEmpty: true };
  }

  get recodedCount(): number {
    return this.#cleaning.recodedCount;
  }

  /** Reads `segments` into the map, records from `startOffset` on. Answers the offset before which every key's newest offset is known. */
  async map(segments: readonly Segment[], startOffset: number): Promise<number> {
    const { compactor, log, turn, throwIfStopped } = this.#setup;
    const transactions = new CleanedTransactions(this.#setup.aborted);
    for (const segment of segments) {
      let isFull = false;
      const pass: Pass = (source, index) => (isFull ? 0 : compactor.mapWindow(index, source.count, startOffset));
      await this.#walk(segment, pass, (source, index) => {
        // Once it is full the rest is read for its checksums alone: what was mapped must have been what was written.
        if (isFull) return undefined;
        const { view } = source;
        const at = source.at(index);
        const batch = source.batch(index);
        const isSkipped = isSpecial(view, at) && (transactions.judge(batch).isDiscardable || isControl(view.getInt16(at + ATTRIBUTES_AT)));
        const lastOffset = lastOffsetAt(view, at);
        if (lastOffset < startOffset) return undefined;
        if (isSkipped) compactor.coverTo(lastOffset);
        else isFull = !this.#cleaning.map(batch, startOffset);
        return undefined;
      });
      if (isFull) break;
      // Offsets that are nowhere are covered too.
      compactor.coverTo(endOf(log, segment) - 1);
    }
    while (compactor.settle()) {
      if (turn.isSpent()) await turn.next();
      throwIfStopped();
    }
    return compactor.latestOffset + 1;
  }

  /** Writes what is left of a group. Groups come in the order of their offsets, each once; the one before need not stand in its place yet. */
  async rewrite(group: readonly Segment[]): Promise<RewrittenGroup> {
    const { log, compactor } = this.#setup;
    this.#lastEntries = new Map([...this.#setup.lastEntries()].map((entry) => [entry.producerId, entry]));
    const last = group.findLast((segment) => segment.byteLength > 0);
    if (last === undefined) return { output: null, recordsBefore: 0, recordsAfter: 0 };
    const kept: AbortedTransaction[] = [];
    const probe = group.length === 1 ? await this.#probe(last, kept) : { first: NO_CHANGE, recordCount: 0 };
    if (probe.first === null) return { output: null, recordsBefore: probe.recordCount, recordsAfter: probe.recordCount };
    const output = await CleanedSegment.create(log.context, log.spec, (group[0] as Segment).baseOffset, compactor);
    try {
      for (const entry of kept) output.addAborted(entry);
      const counts = await this.#writeTo(output, group, last, probe.first);
      output.drain();
      return { output, ...counts };
    } catch (error) {
      await output.discard();
      throw error;
    }
  }

  async #writeTo(
    output: CleanedSegment,
    group: readonly Segment[],
    last: Segment,
    first: FirstChange,
  ): Promise<{ recordsBefore: number; recordsAfter: number }> {
    const { compactor } = this.#setup;
    let recordsBefore = 0;
    let recordsAfter = 0;
    for (const segment of group) {
      const pass: Pass = (source, index) => {
        if (source.positionOf(index) <= first.position) return 0;
        // The last one of all has a say of its own.
        const end = segment === last && source.isLast(source.count - 1) ? source.count - 1 : source.count;
        const filtered = compactor.filterWindow(index, end, this.#plain, output.room);
        output.take(filtered.byteLength);
        recordsBefore += filtered.recordsBefore;
        recordsAfter += filtered.recordsAfter;
        const { batchCount } = filtered;
        if (!filtered.isNextEmpty) return batchCount;
        const nextAt = source.at(index + batchCount);
        if (this.#isProducersLast(source.view, nextAt)) return batchCount;
        recordsBefore += source.view.getInt32(nextAt + RECORD_COUNT_AT);
        return batchCount + 1;
      };
      await this.#walk(
        segment,
        pass,
        (source, index) => {
          const at = source.at(index);
          const position = source.positionOf(index);
          // Up to the first change all was looked at before, and the transactions were told of it.
          const isSeen = position < first.position;
          const options = isSeen
            ? null
            : position === first.position
              ? first.options
              : this.#optionsFor(source, index, segment === last, output);
          recordsBefore += source.view.getInt32(at + RECORD_COUNT_AT);
          const cleaned = options === null ? unchanged(source, index) : this.#cleaning.clean(source, index, options, output.room);
          recordsAfter += cleaned.recordCount;
          if (cleaned.bytes !== null) output.append(cleaned.bytes, lastOffsetAt(source.view, at), cleaned.maxTimestamp);
          return undefined;
        },
        output,
      );
    }
    return { recordsBefore, recordsAfter };
  }

  /** A segment that stands alone is looked at before anything is written: where the first change is, null for none. */
  async #probe(segment: Segment, kept: AbortedTransaction[]): Promise<{ first: FirstChange | null; recordCount: number }> {
    let first: FirstChange | null = null;
    let recordCount = 0;
    await this.#walk(segment, null, (source, index) => {
      const options = this.#optionsFor(source, index, true, { addAborted: (entry) => void kept.push(entry) });
      const cleaned = this.#cleaning.clean(source, index, options);
      recordCount += cleaned.recordCount;
      if (!cleaned.isChanged) return undefined;
      first = { position: source.positionOf(index), options };
      return "stop";
    });
    return { first, recordCount };
  }

  #optionsFor(
    source: SegmentSource,
    index: number,
    isLastSegment: boolean,
    output: { addAborted(entry: AbortedTransaction): void },
  ): FilterOptions {
    const { view } = source;
    const at = source.at(index);
    // So the new segment ends where the old ones did: the log's end never goes back, and what a swap replaces can be told from it.
    const isLast = isLastSegment && source.isLast(index);
    const hasProducer = view.getInt8(at + PRODUCER_ID_AT) >= 0;
    const retainEmpty = isLast || (hasProducer && this.#isProducersLast(view, at));
    if (!isSpecial(view, at)) return retainEmpty ? this.#plainRetained : this.#plain;
    const attributes = view.getInt16(at + ATTRIBUTES_AT);
    const { isDiscardable, keptEntry } = this.#transactions.judge(source.batch(index));
    if (keptEntry !== null) output.addAborted(keptEntry);
    if (!isControl(attributes)) return { ...this.#plain, discardRecords: isDiscardable, retainEmpty };
    const horizonHasPassed = hasDeleteHorizon(attributes) && readInt64(view, at + BASE_TIMESTAMP_AT) <= this.#setup.nowMs;
    return { ...this.#plain, discardRecords: isDiscardable && horizonHasPassed, isEmptyMarker: isDiscardable, retainEmpty };
  }

  /** Whether a producer's sequence can be told from this batch alone: its last one with data, or, of one that has none, its marker. */
  #isProducersLast(view: DataView, at: number): boolean {
    const entry = this.#lastEntries.get(view.getBigInt64(at + PRODUCER_ID_AT));
    if (entry === undefined) return false;
    if (entry.lastDataOffset >= 0) return entry.lastDataOffset === lastOffsetAt(view, at);
    return isControl(view.getInt16(at + ATTRIBUTES_AT)) && view.getInt16(at + PRODUCER_EPOCH_AT) === entry.producerEpoch;
  }

  /** Every batch of a segment, in order, in slices that let others run. */
  async #walk(segment: Segment, pass: Pass | null, visit: Visit, output: CleanedSegment | null = null): Promise<void> {
    const { log, compactor, turn, throttle, throwIfStopped } = this.#setup;
    const files = await segment.acquire();
    try {
      const source = await SegmentSource.open(log, segment, files, compactor, this.#pace);
      while (await source.fill()) {
        const written = output?.byteLength ?? 0;
        for (let index = 0; index < source.count; ) {
          if (turn.isSpent()) {
            await turn.next();
            throwIfStopped();
          }
          const passed = pass !== null && source.isInWindow ? pass(source, index) : 0;
          index += passed;
          if (passed > 0) continue;
          if (this.#visit(source, index, visit) === "stop") return;
          index += 1;
        }
        throwIfStopped();
        await output?.flushNowAndThen();
        await throttle(source.byteLength + (output?.byteLength ?? 0) - written);
      }
    } finally {
      segment.release();
      await log.segments.touched(segment);
    }
  }

  #visit(source: SegmentSource, index: number, visit: Visit): "stop" | undefined {
    try {
      return visit(source, index);
    } catch (error) {
      if (!(error instanceof CorruptBatchError || error instanceof RecordFramingError)) throw error;
      const offset = readInt64(source.view, source.at(index));
      throw corruption(source.segment, source.positionOf(index), offset, `records: ${error.message}`, error);
    }
  }
}

/** Where the segment behind this one begins: the active one is never compacted, so there is one. */
export function endOf({ segments }: OpenedLog, segment: Segment): number {
  return (segments.after(segment) as Segment).baseOffset;
}

interface FirstChange {
  readonly position: number;
  /** Of the batch that stands there. */
  readonly options: FilterOptions | null;
}

/** Nothing was looked at before. */
const NO_CHANGE: FirstChange = { position: -1, options: null };

function unchanged(source: SegmentSource, index: number): CleanedBatch {
  const { view } = source;
  const at = source.at(index);
  return {
    bytes: source.batch(index),
    isChanged: false,
    recordCount: view.getInt32(at + RECORD_COUNT_AT),
    maxTimestamp: readInt64(view, at + MAX_TIMESTAMP_AT),
  };
}

/** Transactions have a say in it. */
function isSpecial(view: DataView, at: number): boolean {
  const attributes = view.getInt16(at + ATTRIBUTES_AT);
  return isTransactional(attributes) || isControl(attributes);
}
