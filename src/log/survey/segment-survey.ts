/** Walks a whole `.log`, over damage too: which byte ranges are no good, which offsets they held, and what of them can be told. */
import type { StorageFile } from "../../api/storage-driver.ts";
import type { Core } from "../../core/core.ts";
import { endOfBytes, hasBytesBeyond, type ScanEnd, type ScannedBatch, type ScanStopReason, scanBatches } from "../batch/batch-scan.ts";
import { baseOffsetBetween, findNextBatch, wholeBatchAt } from "./found-batch.ts";

export interface SegmentExpectation {
  readonly baseOffset: number;
  /** Where the next segment begins: no offset reaches it. null: this is the last one. */
  readonly endOffset: number | null;
  /** The log is known to have reached here; null: nothing tells. */
  readonly durableOffset: number | null;
  readonly order: "exact" | "rising";
  readonly epochFor: (offset: number) => number | null;
}

export interface DamagedRange {
  readonly position: number;
  /** The next readable batch, or the file's end. */
  readonly end: number;
  readonly firstOffset: number;
  /** One more than the last offset lost, where something behind the damage tells. */
  readonly nextOffset: number | null;
  readonly reason: ScanStopReason | "short";
  readonly detail: string;
  /** The checksum says that the records are whole: only the place that the header claims is wrong, and this is the right one. */
  readonly place: { readonly baseOffset: number; readonly leaderEpoch: number } | null;
  /** Nothing readable follows in this file. */
  readonly isTail: boolean;
}

export interface SegmentSurvey {
  readonly ranges: readonly DamagedRange[];
  readonly batchCount: number;
  /** The offset after the last readable batch. */
  readonly nextOffset: number;
  /** The end of the last readable batch. */
  readonly end: number;
  readonly maxTimestamp: number;
  /** Zeros up to the end of the file: space that was never written. */
  readonly zerosFrom: number | null;
  /** Behind the last byte of the file that is not zero, where damage goes on up to the file's end: how far anything was written. */
  readonly writtenEnd: number | null;
}

/** `onBatch` gets one object that is reused, for every readable batch. */
export async function surveySegment(
  core: Core,
  file: StorageFile,
  expected: SegmentExpectation,
  onBatch: (batch: ScannedBatch) => void,
): Promise<SegmentSurvey> {
  const walk = new SegmentWalk(core, file, expected, onBatch);
  while (await walk.goOn());
  return walk.survey();
}

/** The batch accepted last, and what was known before it. */
interface AcceptedBatch {
  readonly position: number;
  readonly baseOffset: number;
  readonly expectedOffset: number;
  readonly batchCount: number;
  readonly maxTimestamp: number;
  readonly lastEpoch: number;
}

class SegmentWalk {
  readonly #core: Core;
  readonly #file: StorageFile;
  readonly #expected: SegmentExpectation;
  readonly #onBatch: (batch: ScannedBatch) => void;
  /** A segment ends before its offsets outgrow the 32 bits that its index has for them. */
  readonly #offsetEnd: number;
  readonly #ranges: DamagedRange[] = [];
  #fileEnd: number;
  #position = 0;
  #nextOffset: number;
  #batchCount = 0;
  #maxTimestamp = -1;
  #lastEpoch = -1;
  /** The readable batch that was found behind damage tells where offsets go on. */
  #isBehindDamage = false;
  #before: AcceptedBatch | null = null;
  #lookedAgainAt = -1;
  #zerosFrom: number | null = null;
  #writtenEnd: number | null = null;

  constructor(core: Core, file: StorageFile, expected: SegmentExpectation, onBatch: (batch: ScannedBatch) => void) {
    this.#core = core;
    this.#file = file;
    this.#expected = expected;
    this.#onBatch = onBatch;
    this.#offsetEnd = Math.min(expected.endOffset ?? Number.MAX_SAFE_INTEGER, expected.baseOffset + 2 ** 31);
    this.#fileEnd = file.byteLength();
    this.#nextOffset = expected.baseOffset;
  }

  /** Up to the next damage, and past it. False: nothing follows. */
  async goOn(): Promise<boolean> {
    const from = this.#position;
    const stopped = await this.#readBatches();
    if (this.#position >= this.#fileEnd) return false;
    if (this.#isBehindDamage && this.#position > from) {
      this.#isBehindDamage = false;
      return true;
    }
    if (this.#blamesBatchBefore(stopped)) return true;
    if (stopped.reason === "older") {
      this.#note(this.#position, this.#fileEnd, stopped, { nextOffset: null, place: null, isTail: true });
      return false;
    }
    if (!(await hasBytesBeyond(this.#file, this.#position))) {
      this.#zerosFrom = this.#position;
      return false;
    }
    // A process that writes may have filled the space between the two looks.
    if (stopped.reason === "zero" && this.#lookedAgainAt !== this.#position) {
      this.#lookedAgainAt = this.#position;
      this.#fileEnd = this.#file.byteLength();
      return true;
    }
    return await this.#passOver(stopped);
  }

  survey(): SegmentSurvey {
    const { order, endOffset } = this.#expected;
    const tail = this.#ranges.at(-1)?.isTail === true ? (this.#ranges.at(-1) as DamagedRange) : null;
    const end = tail?.position ?? this.#zerosFrom ?? this.#position;
    // Whole as far as it goes, but it does not go as far as it must.
    const known = order === "exact" || endOffset === null ? knownEnd(this.#expected, this.#nextOffset) : null;
    if (tail === null && known !== null) {
      const detail = `expected offsets up to ${known - 1}, found none from ${this.#nextOffset} on`;
      this.#note(end, this.#fileEnd, { reason: "short", detail }, { nextOffset: known, place: null, isTail: true });
    }
    return {
      ranges: this.#ranges,
      batchCount: this.#batchCount,
      nextOffset: this.#nextOffset,
      end,
      maxTimestamp: this.#maxTimestamp,
      zerosFrom: this.#zerosFrom,
      writtenEnd: this.#writtenEnd,
    };
  }

  /** Whole batches in order, as far as they go; behind damage one alone. The walk then stands where they end. */
  async #readBatches(): Promise<ScanEnd> {
    const order = this.#isBehindDamage ? "rising" : this.#expected.order;
    const expectation = { nextOffset: this.#nextOffset, order, epochFor: this.#expected.epochFor } as const;
    let outOfLine: Pick<ScanEnd, "position" | "nextOffset" | "detail"> | null = null;
    let nextOffset = this.#nextOffset;
    const scanned = await scanBatches(this.#core, this.#file, [this.#position, this.#fileEnd], expectation, (batch) => {
      if (batch.lastOffset >= this.#offsetEnd) {
        const detail = `expected an offset below ${this.#offsetEnd}, found ${batch.lastOffset}`;
        outOfLine = { position: batch.position, nextOffset, detail };
        return "stop";
      }
      this.#accept(batch, nextOffset);
      nextOffset = batch.lastOffset + 1;
      return this.#isBehindDamage ? "stop" : undefined;
    });
    const stopped: ScanEnd = outOfLine === null ? scanned : { ...scanned, reason: "order", ...(outOfLine as object) };
    this.#position = stopped.position;
    this.#nextOffset = stopped.nextOffset;
    return stopped;
  }

  #accept(batch: ScannedBatch, expectedOffset: number): void {
    this.#before = {
      position: batch.position,
      baseOffset: batch.baseOffset,
      expectedOffset,
      batchCount: this.#batchCount,
      maxTimestamp: this.#maxTimestamp,
      lastEpoch: this.#lastEpoch,
    };
    this.#batchCount += 1;
    this.#maxTimestamp = Math.max(this.#maxTimestamp, batch.maxTimestamp);
    this.#lastEpoch = batch.leaderEpoch;
    this.#onBatch(batch);
  }

  /**
   * Where gaps are legal, a base offset that was made too large shows only at the batch behind it, which then seems to fall back. That one
   * is good if it follows from what stood before the batch in between, and that one is the damage.
   */
  #blamesBatchBefore({ reason }: ScanEnd): boolean {
    const before = this.#before;
    if (before === null || before.baseOffset === before.expectedOffset || (reason !== "order" && reason !== "offset")) return false;
    const bounds = { fileEnd: this.#fileEnd, offsetMin: before.expectedOffset, offsetEnd: this.#offsetEnd };
    const blamed = wholeBatchAt(this.#core, this.#file, this.#position, bounds);
    if (blamed === null) return false;
    this.#batchCount = before.batchCount;
    this.#maxTimestamp = before.maxTimestamp;
    this.#lastEpoch = before.lastEpoch;
    this.#nextOffset = before.expectedOffset;
    const nextOffset = blamed.baseOffset;
    const place = this.#placeOf(before.position, this.#position, nextOffset);
    const detail = `expected an offset below ${nextOffset}, found ${before.baseOffset}`;
    this.#note(before.position, this.#position, { reason: "order", detail }, { nextOffset, place, isTail: false });
    this.#nextOffset = nextOffset;
    this.#isBehindDamage = true;
    this.#before = null;
    return true;
  }

  /** False: nothing readable follows. */
  async #passOver(stopped: ScanEnd): Promise<boolean> {
    const from = this.#position;
    const bounds = { fileEnd: this.#fileEnd, offsetMin: this.#nextOffset, offsetEnd: this.#offsetEnd };
    const next = await findNextBatch(this.#core, this.#file, from, bounds);
    const end = next?.position ?? this.#fileEnd;
    const nextOffset = next?.baseOffset ?? knownEnd(this.#expected, this.#nextOffset);
    this.#note(from, end, stopped, { nextOffset, place: this.#placeOf(from, end, nextOffset), isTail: next === null });
    this.#position = end;
    if (next === null) {
      this.#writtenEnd = await endOfBytes(this.#file, from);
      return false;
    }
    this.#nextOffset = next.baseOffset;
    this.#isBehindDamage = true;
    return true;
  }

  #note(
    position: number,
    end: number,
    { reason, detail }: Pick<DamagedRange, "reason" | "detail">,
    rest: Pick<DamagedRange, "nextOffset" | "place" | "isTail">,
  ): void {
    this.#ranges.push({ position, end, firstOffset: this.#nextOffset, reason, detail, ...rest });
  }

  #placeOf(position: number, end: number, behind: number | null): DamagedRange["place"] {
    const { order, epochFor } = this.#expected;
    const around = { order, nextOffset: this.#nextOffset, behind };
    const baseOffset = baseOffsetBetween(this.#core, this.#file, position, end, around);
    return baseOffset === null ? null : { baseOffset, leaderEpoch: epochFor(baseOffset) ?? Math.max(this.#lastEpoch, 0) };
  }
}

/** Up to where offsets were, from `offset` on; null where that cannot be told, or there were none. */
function knownEnd({ endOffset, durableOffset }: SegmentExpectation, offset: number): number | null {
  const known = endOffset ?? durableOffset;
  return known !== null && known > offset ? known : null;
}
