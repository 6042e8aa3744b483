/** The reading side of a partition: finds the segment, warms cold bytes without blocking, and names damage by its place. */
import type { MemoryFor } from "../../api/broker.ts";
import type { Bytes, Watermarks } from "../../api/bytes.ts";
import { CorruptionError, OffsetError } from "../../base/errors.ts";
import { HEADER_BYTE_LENGTH, MAX_TIMESTAMP_AT, readInt64, viewOf } from "../batch/batch-header.ts";
import { type ScannedBatch, scanBatches } from "../batch/batch-scan.ts";
import { Damage } from "../batch/damage.ts";
import { batchBehind } from "../batch/resync.ts";
import { findBadBlock, SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";
import { checksumsOf } from "../files/file-checksums.ts";
import type { LogPosition, OpenedLog } from "../opening/opened-log.ts";
import { type ReadSeal, readSeal } from "../seal/sealing.ts";
import { rebuildIndexes } from "../segment/index-rebuild.ts";
import { indexesGoOn } from "../segment/left-indexes.ts";
import type { Segment, SegmentFiles } from "../segment/segment.ts";
import {
  type CheckedBatch,
  forgetScratch,
  indexedBefore,
  locate,
  type ReadChecks,
  type ReadLimit,
  readFrom,
  readPart,
} from "../segment/segment-reader.ts";

const NOTHING: Bytes = new Uint8Array(0);

/** So much may stand in memory for each partition of which a reader has come to the end. */
const KEPT_BYTE_LENGTH_MAX = 16 * 1024;

/** A batch as it was written, for the reader that waits for it. */
interface KeptBatch {
  readonly baseOffset: number;
  readonly bytes: Bytes;
}

export class LogReader {
  readonly #log: OpenedLog;
  readonly #visible: () => LogPosition;
  readonly #checks: ReadChecks;
  /** Where a reader found that it had come to the end, last of all. */
  #awaitedOffset = -1;
  #kept: KeptBatch | null = null;

  constructor(log: OpenedLog, visible: () => LogPosition) {
    this.#log = log;
    this.#visible = visible;
    const { context, epochs } = log;
    this.#checks = { core: context.core, epochFor: (offset) => epochs.epochFor(offset) };
  }

  get checks(): ReadChecks {
    return this.#checks;
  }

  /** Throws `OffsetError` when the offset is outside what the partition holds. */
  assertInRange(offset: number, marks: Watermarks, end: number = marks.logEndOffset): void {
    if (offset >= marks.logStartOffset && offset <= end) return;
    const message = `${this.#log.spec.directory}: expected an offset from ${marks.logStartOffset} to ${end}, found ${offset}`;
    throw new OffsetError("OFFSET_OUT_OF_RANGE", message, { range: marks });
  }

  /** null: not at once; something is cold, closed or doubtful, and `read` looks at it in peace. */
  readSync(offset: number, maxBytes: number, memory?: MemoryFor): Bytes | null {
    const { segments, unreadableFrom } = this.#log;
    if (unreadableFrom !== null && offset >= unreadableFrom) return null;
    if (offset >= this.#visible().offset) {
      this.#awaitedOffset = offset;
      return NOTHING;
    }
    const kept = this.#kept;
    // Of all that was written it is the last: nothing more could be read with it.
    if (kept?.baseOffset === offset && kept.bytes.length <= maxBytes) {
      this.#kept = null;
      return kept.bytes;
    }
    const segment = segments.holding(offset);
    const { files } = segment;
    if (files === null || segment.checksums === "unread") return null;
    const limit = this.limitOf(segment);
    try {
      const position = locate(segment, files, offset, limit);
      if (position < 0 || (position < segment.warmFrom && !segment.verified.covers(position, position + 1))) return null;
      const bytes = readFrom(segment, files, position, offset, maxBytes, limit, this.#checks, memory);
      return bytes === "unanchored" ? null : bytes;
    } catch (error) {
      if (error instanceof Damage) return null;
      throw error;
    }
  }

  /**
   * A batch was written, whole and as it was checked, and lent. Where a reader waits for it, a copy is kept until it may be read: behind a
   * flush, with cold caches, to find it in the file, read and check it is a third of what stands between the flush and its delivery.
   */
  written({ segment, position, offset }: LogPosition, batch: Uint8Array, baseOffset: number): void {
    this.#kept = null;
    if (baseOffset !== this.#awaitedOffset || batch.length > KEPT_BYTE_LENGTH_MAX) return;
    this.#kept = { baseOffset, bytes: new Uint8Array(batch) };
    // Whoever was given it goes on behind it.
    segment.hints.add(offset, position);
  }

  /** As `readPart`; false, too, where it cannot be told without waiting. */
  readPartSync(batch: CheckedBatch, into: Uint8Array): boolean {
    const { segments, unreadableFrom, context } = this.#log;
    const { baseOffset } = batch;
    if ((unreadableFrom !== null && baseOffset >= unreadableFrom) || baseOffset >= this.#visible().offset) return false;
    const segment = segments.holding(baseOffset);
    if (segment.files === null || segment.checksums === "unread") return false;
    // What another process writes it may also cut.
    if (context.isFollowing) batch.place = null;
    try {
      return readPart(segment, segment.files, batch, this.limitOf(segment), into);
    } catch (error) {
      if (error instanceof Damage) return false;
      throw error;
    }
  }

  async read(offset: number, maxBytes: number): Promise<Bytes> {
    const { segments, unreadableFrom } = this.#log;
    if (unreadableFrom !== null && offset >= unreadableFrom && this.#log.endProblem !== null) throw this.#log.endProblem;
    const atOnce = this.readSync(offset, maxBytes);
    if (atOnce !== null) return atOnce;
    for (let segment: Segment | null = segments.holding(offset); segment !== null; segment = segments.after(segment)) {
      const bytes = await this.#readCold(segment, offset, maxBytes);
      if (bytes !== null) return bytes;
      this.#assertNoneMissing(segment, offset);
    }
    const { segment: last, offset: end } = this.#visible();
    // What was deleted meanwhile is for the next call to say. Anything else would be asked for again and again.
    if (offset < this.#log.logStartOffset || offset >= end) return NOTHING;
    const message = `${last.logName}: expected the log to go up to offset ${end - 1}, found no batch from ${offset} on`;
    throw new CorruptionError(message, {
      file: last.logName,
      byteRange: [last.byteLength, last.byteLength],
      offsetRange: [offset, end - 1],
      nextReadableOffset: null,
    });
  }

  /** No batch of the segment reaches the offset. That its end or the segment behind it is gone must not pass for a gap. */
  #assertNoneMissing(segment: Segment, offset: number): void {
    const next = this.#log.segments.after(segment);
    if (next === null || segment.sealedEnd === null) return;
    const { nextOffset, isWhole, isOfThisFile, isCut } = segment.sealedEnd;
    const { leftByUs } = this.#log.spec;
    // A broker's cleaner keeps the last batch of all that it cleans, not of each segment: what lies before the next one is then no loss.
    if (!isWhole && !isOfThisFile && leftByUs !== true && !isCut) return;
    const hasLostItsEnd = (isWhole || !isOfThisFile) && offset < nextOffset;
    if (!hasLostItsEnd && (offset < nextOffset || offset >= next.baseOffset)) return;
    const last = hasLostItsEnd ? nextOffset - 1 : next.baseOffset - 1;
    const what = hasLostItsEnd
      ? `went up to ${nextOffset - 1} when it was sealed`
      : `ends at ${nextOffset - 1}, and the next segment begins at`;
    const rest = hasLostItsEnd ? "" : ` ${next.baseOffset}`;
    throw new CorruptionError(
      `${segment.logName}: expected offsets up to ${last}, found none from ${offset} on: it ${what}${rest}; the next readable offset is ${next.baseOffset}`,
      {
        file: segment.logName,
        byteRange: [segment.byteLength, segment.byteLength],
        offsetRange: [offset, last],
        nextReadableOffset: next.baseOffset,
      },
    );
  }

  /** Up to where this segment may be read now. */
  limitOf(segment: Segment): ReadLimit {
    const visible = this.#visible();
    if (segment === visible.segment) return visible;
    if (segment.baseOffset < visible.segment.baseOffset) return { position: segment.byteLength, offset: segment.nextOffset };
    return { position: 0, offset: segment.baseOffset };
  }

  /** Runs `body` with the segment's files open and its seal looked at; damage comes out as a `CorruptionError`. */
  async withSegment<Result>(segment: Segment, offset: number, body: (files: SegmentFiles) => Promise<Result>): Promise<Result> {
    const isUnread = segment.checksums === "unread";
    const [files, seal] = await Promise.all([segment.acquire(), isUnread ? readSeal(this.#log.context, segment) : null]);
    try {
      if (seal !== null) await this.#loadSeal(segment, files, seal);
      return await body(files);
    } catch (error) {
      throw error instanceof Damage ? this.#corruption(segment, files, offset, error) : error;
    } finally {
      segment.release();
      await this.#log.segments.touched(segment);
    }
  }

  async #readCold(segment: Segment, offset: number, maxBytes: number): Promise<Bytes | null> {
    return await this.withSegment(segment, offset, async (files) => {
      const limit = this.limitOf(segment);
      const position = await this.find(segment, files, offset, limit);
      if (position < 0) return null;
      const from = position - (position % SEAL_BLOCK_BYTE_LENGTH);
      await files.log.readAhead(from, Math.min(maxBytes, limit.position - position) + 2 * SEAL_BLOCK_BYTE_LENGTH);
      forgetScratch();
      try {
        const bytes = readFrom(segment, files, position, offset, maxBytes, limit, this.#checks);
        if (bytes !== "unanchored") return bytes;
      } catch (error) {
        if (!(error instanceof Damage)) throw error;
      }
      const anchored = await this.#anchor(segment, files, offset, limit);
      if (anchored < 0) return null;
      const bytes = readFrom(segment, files, anchored, Number.NaN, maxBytes, limit, this.#checks);
      if (bytes === "unanchored") throw new Damage(anchored, limit.position, `order: offset ${offset} is not there`);
      return bytes;
    });
  }

  /** Where the first batch that reaches `offset` begins; -1: beyond the limit. An index that leads astray is not followed. */
  async find(segment: Segment, files: SegmentFiles, offset: number, limit: ReadLimit): Promise<number> {
    if (segment.byteLength === 0 || limit.position === 0) return -1;
    let position = -1;
    try {
      position = locate(segment, files, offset, limit);
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      return await this.#anchor(segment, files, offset, limit);
    }
    // Looked for by headers alone, one of which may be wrong: what passes for a gap at the end is walked.
    if (position < 0 && offset < limit.offset) return await this.#anchor(segment, files, offset, limit);
    return position;
  }

  /** The largest timestamp of the batch that holds `offset`; -1 when it is not there. */
  async maxTimestampAt(segment: Segment, files: SegmentFiles, offset: number): Promise<number> {
    const position = await this.find(segment, files, offset, { position: segment.byteLength, offset: segment.nextOffset });
    if (position < 0) return -1;
    const header = new Uint8Array(HEADER_BYTE_LENGTH);
    if (files.log.readAt(header, position) < HEADER_BYTE_LENGTH) return -1;
    return readInt64(viewOf(header), MAX_TIMESTAMP_AT);
  }

  /** The slow, sure way: checks each batch it walks over, steps over what is damaged, and hints the place it found. */
  async #anchor(segment: Segment, files: SegmentFiles, offset: number, limit: ReadLimit): Promise<number> {
    // Where offsets may lack, a whole batch that does not begin behind the offset is as good a start as the first one, and much nearer.
    const indexed = segment.contiguous ? 0 : indexedBefore(segment, files, offset, limit);
    const position = indexed === 0 ? null : await this.#anchorFrom(indexed, segment, files, offset, limit);
    return position ?? ((await this.#anchorFrom(0, segment, files, offset, limit)) as number);
  }

  /** null: no whole batch begins at `start`, which is for the index to answer for. At 0 that is damage. */
  async #anchorFrom(start: number, segment: Segment, files: SegmentFiles, offset: number, limit: ReadLimit): Promise<number | null> {
    const { core } = this.#checks;
    // What was sealed is judged by its sums, as a read of it is: `leader-epoch-checkpoint` has none, and a flip in it is no damage here.
    const epochFor = segment.checksums === null || segment.checksums === "unread" ? this.#checks.epochFor : anyEpoch;
    let found: ScannedBatch | null = null;
    let damage: Damage | null = null;
    let from = start;
    let nextOffset = segment.baseOffset;
    // Gaps are legal in a segment that is, to the last bit, what was sealed.
    const isExact = segment.contiguous && !(await this.#isAsSealed(segment, files));
    while (from < limit.position && found === null) {
      const order = isExact && damage === null ? "exact" : "rising";
      const expectation = { nextOffset, order, epochFor } as const;
      const end = await scanBatches(core, files.log, [from, limit.position], expectation, (batch) => {
        if (batch.lastOffset < offset) {
          // What is whole behind the damage begins before the offset: the damage does not hold it.
          damage = null;
          return undefined;
        }
        found = { ...batch };
        return "stop";
      });
      if (found !== null || end.position >= limit.position) break;
      if (start > 0 && end.position === start) return null;
      const why = `${end.reason}: ${end.detail}`;
      const rules = { order: segment.contiguous ? "exact" : "rising", epochFor } as const;
      const behind = await batchBehind(core, files.log, end, limit, rules);
      damage = new Damage(end.position, behind?.position ?? limit.position, why, end.reason === "older");
      if (behind === null) throw damage;
      from = behind.position;
      nextOffset = end.nextOffset;
    }
    const batch = found as ScannedBatch | null;
    if (damage === null && (batch === null || batch.baseOffset > offset))
      this.#assertAsSealed(segment, files, start, batch?.position ?? limit.position);
    if (batch === null || (batch.baseOffset > offset && damage !== null)) {
      if (damage !== null) throw damage;
      return -1;
    }
    segment.hints.add(batch.baseOffset, batch.position);
    return batch.position;
  }

  /** A base offset that is another than it was looks like a gap behind its batch: where offsets may lack only the seal tells the two apart. */
  #assertAsSealed({ checksums }: Segment, { log }: SegmentFiles, from: number, to: number): void {
    if (checksums === null || checksums === "unread" || from >= Math.min(to, checksums.byteLength)) return;
    const block = findBadBlock(this.#checks.core, log, checksums, from, Math.min(to, checksums.byteLength));
    if (block < 0) return;
    const [begin, end] = [block * SEAL_BLOCK_BYTE_LENGTH, (block + 1) * SEAL_BLOCK_BYTE_LENGTH];
    const what = `checksum: block ${block} of ${SEAL_BLOCK_BYTE_LENGTH} bytes is not what was sealed`;
    throw new Damage(Math.max(from, begin), Math.min(checksums.byteLength, end), what);
  }

  async #isAsSealed({ checksums, byteLength }: Segment, { log }: SegmentFiles): Promise<boolean> {
    if (checksums === null || checksums === "unread" || checksums.byteLength < byteLength) return false;
    const found = await checksumsOf(this.#checks.core, log, checksums.byteLength);
    return found.length === checksums.checksums.length && found.every((checksum, index) => checksum === checksums.checksums[index]);
  }

  /** A seal that cannot be believed or is not of this file is passed over: batches are then checked one by one. */
  async #loadSeal(segment: Segment, files: SegmentFiles, seal: ReadSeal): Promise<void> {
    const { context, spec } = this.#log;
    if (segment.checksums !== "unread") return;
    segment.checksums = null;
    const { contiguous } = segment;
    // What we did not seal another writer left, perhaps with gaps.
    segment.contiguous = false;
    if (seal === "absent") return;
    const { topic, partition } = spec;
    const report = (problem: string): void =>
      context.emit("seal.ignored", { partition: { topic, partition }, file: segment.logName, problem });
    if ("problem" in seal) return report(seal.problem);
    const isOurs = seal.baseOffset === segment.baseOffset && seal.partition === spec.partition && seal.topicId === spec.topicId;
    if (!isOurs) return report(`the seal is of partition ${seal.partition}, base offset ${seal.baseOffset}, topic id ${seal.topicId}`);
    const isOfThisFile = files.log.byteLength() === seal.logByteLength;
    const isCut = !isOfThisFile && (await indexesGoOn(context.core, segment, files));
    segment.sealedEnd = { nextOffset: seal.nextOffset, isWhole: contiguous && !seal.hasGaps, isOfThisFile, isCut };
    if (!isOfThisFile) return report(`sealed with ${seal.logByteLength} bytes, found ${files.log.byteLength()}`);
    segment.contiguous = contiguous && !seal.hasGaps;
    segment.checksums = { byteLength: seal.logByteLength, checksums: seal.logChecksums };
    segment.maxTimestamp = seal.maxTimestamp;
    segment.nextOffset = seal.nextOffset;
    const { offsetIndex, timeIndex } = files;
    const isAsSealed =
      offsetIndex?.byteLength === seal.indexByteLength &&
      timeIndex?.byteLength === seal.timeIndexByteLength &&
      offsetIndex.checksum() === seal.indexChecksum &&
      timeIndex.checksum() === seal.timeIndexChecksum;
    if (isAsSealed) return;
    // Made again where that may be; else a search goes without: an index never changes an answer.
    if (context.readOnly || spec.frozen) segment.indexIsBelieved = false;
    else await rebuildIndexes(context, spec, segment, files, "it is not what was sealed");
  }

  #corruption(segment: Segment, files: SegmentFiles, offset: number, damage: Damage): CorruptionError {
    const nextReadableOffset = this.#nextReadable(segment, files, damage);
    const byteRange = [damage.position, damage.end] as const;
    const lastOffset = Math.max(offset, (nextReadableOffset ?? this.limitOf(segment).offset) - 1);
    const next = nextReadableOffset === null ? "nothing behind it can be read" : `the next readable offset is ${nextReadableOffset}`;
    return new CorruptionError(`batch at ${segment.logName}:${damage.position}: ${damage.message}; ${next}`, {
      file: segment.logName,
      byteRange,
      offsetRange: [offset, lastOffset],
      nextReadableOffset,
      code: damage.older ? "UNSUPPORTED_MAGIC" : "CORRUPT_MESSAGE",
    });
  }

  /** The first batch behind the damage that can be given out: by the damaged one's own length, by the index, or in the next segment. */
  #nextReadable(segment: Segment, files: SegmentFiles, damage: Damage): number | null {
    const limit = this.limitOf(segment);
    const candidates: number[] = [damage.end];
    for (let span = 1; span <= limit.offset - segment.baseOffset; span *= 2) {
      const indexed = files.offsetIndex?.lookup(segment.baseOffset + span) ?? 0;
      if (indexed > damage.position) candidates.push(indexed);
    }
    for (const position of candidates) {
      if (position <= damage.position || position + HEADER_BYTE_LENGTH > limit.position) continue;
      try {
        const bytes = readFrom(segment, files, position, Number.NaN, HEADER_BYTE_LENGTH, limit, this.#checks);
        if (bytes !== "unanchored") return readInt64(viewOf(bytes), 0);
      } catch (error) {
        if (!(error instanceof Damage)) throw error;
      }
    }
    const next = this.#log.segments.after(segment);
    return next !== null && next.baseOffset < this.#visible().offset ? next.baseOffset : null;
  }
}

function anyEpoch(): null {
  return null;
}
