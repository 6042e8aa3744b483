/** Reads a sealed segment for compaction, a window of whole batches at a time: no byte is used that was not checked. */
import type { StorageFile } from "../../api/storage-driver.ts";
import { CorruptionError } from "../../base/errors.ts";
import type { Compactor } from "../../core/core.ts";
import { ATTRIBUTES_AT, batchByteLengthAt, CRC_AT, EPOCH_AT, lastOffsetAt, readInt64, viewOf } from "../batch/batch-header.ts";
import { BlockChecksums, SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";
import { readInto } from "../files/file-bytes.ts";
import type { OpenedLog } from "../opening/opened-log.ts";
import { readSeal } from "../seal/sealing.ts";
import type { ReadPace } from "../segment/read-pace.ts";
import type { SealedBlocks, Segment, SegmentFiles } from "../segment/segment.ts";

/** Below the core's read window, so that one call of the core looks at all of it. */
const WINDOW_BYTE_LENGTH = 1024 * 1024;

/**
 * The sums of a seal are compared when the end is reached: until `fill` has answered false nothing may be made of the batches
 * that could not be taken back. They cover what the batches' own checksums leave open.
 */
export class SegmentSource {
  readonly segment: Segment;
  readonly #compactor: Compactor;
  readonly #pace: ReadPace;
  readonly #log: StorageFile;
  readonly #epochFor: (offset: number) => number | null;
  readonly #sealed: SealedBlocks | null;
  readonly #isExact: boolean;
  readonly #sums: BlockChecksums;
  /** One batch that is longer than the compactor's window; null: the batches stand there. */
  #large: Uint8Array<ArrayBuffer> | null = null;
  #view: DataView | null = null;
  #positions: Int32Array = new Int32Array(256);
  /** Batches in the window. */
  count = 0;
  /** Where in the file the window begins, and where the next one will. */
  #windowFrom = 0;
  #position = 0;
  #nextOffset: number;
  #epochBefore = -1;
  /** What is being read ahead, and up to where. */
  #ahead: Promise<void> | null = null;
  #aheadUntil = 0;

  private constructor(log: OpenedLog, segment: Segment, files: SegmentFiles, sealed: Sealed, compactor: Compactor, pace: ReadPace) {
    const { epochs } = log;
    this.segment = segment;
    this.#compactor = compactor;
    this.#pace = pace;
    this.#log = files.log;
    this.#epochFor = (offset) => epochs.epochFor(offset);
    this.#sealed = sealed.blocks;
    this.#isExact = sealed.isExact;
    this.#sums = new BlockChecksums(compactor);
    this.#nextOffset = segment.baseOffset;
  }

  /** `files`: held by the caller until it is done. `compactor`: nobody else's until then, since its window is read into. */
  static async open(log: OpenedLog, segment: Segment, files: SegmentFiles, compactor: Compactor, pace: ReadPace): Promise<SegmentSource> {
    return new SegmentSource(log, segment, files, await sealedAs(log, segment), compactor, pace);
  }

  /** The window's bytes, seen as numbers. Valid until the next `fill`, or until a batch is filtered. */
  get view(): DataView {
    // Of memory that has grown the old view is empty.
    if (this.#view === null || this.#view.buffer.byteLength === 0) this.#view = viewOf(this.#window);
    return this.#view;
  }

  get #window(): Uint8Array<ArrayBuffer> {
    return this.#large ?? this.#compactor.readWindow();
  }

  /** Whether the batches stand in the compactor's window, as its last scan found them. */
  get isInWindow(): boolean {
    return this.#large === null;
  }

  /** Where in the window a batch begins. */
  at(index: number): number {
    return this.#positions[index] as number;
  }

  batch(index: number): Uint8Array {
    const at = this.at(index);
    return this.#window.subarray(at, at + batchByteLengthAt(this.view, at));
  }

  /** Where in the file a batch begins. */
  positionOf(index: number): number {
    return this.#windowFrom + this.at(index);
  }

  /** Bytes of the batches in the window. */
  get byteLength(): number {
    return this.#position - this.#windowFrom;
  }

  /** Whether the batch is the last one of the segment. */
  isLast(index: number): boolean {
    const at = this.at(index);
    return this.#windowFrom + at + batchByteLengthAt(this.view, at) === this.segment.byteLength;
  }

  /** Reads the next batches; false at the end, when all of the segment was what it must be. Throws a `CorruptionError` where it is not. */
  async fill(): Promise<boolean> {
    const end = this.segment.byteLength;
    this.count = 0;
    if (this.#position >= end) {
      this.#compareSums();
      return false;
    }
    this.#windowFrom = this.#position;
    this.#large = null;
    this.#view = null;
    const wanted = Math.min(WINDOW_BYTE_LENGTH, end - this.#position);
    await this.#read(wanted);
    const scan = this.#compactor.scan(wanted, { verifyChecksums: true });
    if (scan.count === 0 && scan.stop === "partial" && scan.neededByteLength > wanted && this.#position + scan.neededByteLength <= end) {
      await this.#readLarge(scan.neededByteLength);
    } else {
      if (scan.stop !== "end" && (scan.stop !== "partial" || scan.count === 0)) this.#fail(scan.stopPosition, scan.stop);
      if (this.#positions.length < scan.count) this.#positions = new Int32Array(2 * scan.count);
      for (let index = 0; index < scan.count; index += 1) this.#positions[index] = scan.position(index);
      this.count = scan.count;
      for (let index = 0; index < this.count; index += 1) this.#take(index);
    }
    // Brought near while these are worked on.
    if (this.#pace.isCold && this.#position < end) this.#readAhead(this.#position, WINDOW_BYTE_LENGTH);
    return true;
  }

  /** The next bytes into the window, step by step. */
  async #read(byteLength: number): Promise<void> {
    for (let done = 0; done < byteLength; ) {
      const until = Math.min(byteLength, done + this.#pace.stepByteLength(done));
      if (this.#pace.isCold) await this.#broughtNear(this.#position + done, byteLength - done, until - done);
      const into = this.#window.subarray(done, until);
      let count = 0;
      this.#pace.step(into.byteLength, () => {
        count = readInto(this.#log, into, this.#position + done);
      });
      if (count < into.byteLength) this.#fail(done + count, `the file ends ${byteLength - done - count} bytes before its end`);
      done = until;
    }
    // The end of the window before, a batch that was cut off, is read again, and counted once.
    const seen = this.#sums.byteLength - this.#position;
    if (seen < byteLength) this.#sums.add(this.#window.subarray(seen, byteLength));
  }

  /** Resolves when `neededByteLength` bytes were read ahead; begins with all that are wanted. */
  async #broughtNear(position: number, wantedByteLength: number, neededByteLength: number): Promise<void> {
    if (this.#aheadUntil < position + neededByteLength) this.#readAhead(position, wantedByteLength);
    await this.#ahead;
  }

  #readAhead(position: number, byteLength: number): void {
    this.#ahead = this.#log.readAhead(position, byteLength);
    this.#aheadUntil = position + byteLength;
  }

  /** One batch that is longer than a window. */
  async #readLarge(byteLength: number): Promise<void> {
    this.#large = new Uint8Array(byteLength);
    this.#view = null;
    await this.#read(byteLength);
    const computed = this.#compactor.crc32c(this.#large.subarray(ATTRIBUTES_AT)) >>> 0;
    const stored = this.view.getUint32(CRC_AT);
    if (computed !== stored) this.#fail(0, `checksum: computed crc ${hex(computed)}, stored ${hex(stored)}`);
    this.#positions[0] = 0;
    this.count = 1;
    this.#take(0);
  }

  /** A whole batch that does not belong where it stands is damage too. */
  #take(index: number): void {
    const at = this.at(index);
    const baseOffset = readInt64(this.view, at);
    const lastOffset = lastOffsetAt(this.view, at);
    const expected = this.#nextOffset;
    if (this.#isExact ? baseOffset !== expected : baseOffset < expected)
      this.#fail(at, `order: expected offset ${expected}, found ${baseOffset}`);
    if (lastOffset < baseOffset || !Number.isSafeInteger(lastOffset)) this.#fail(at, `offset: ${baseOffset} to ${lastOffset}`);
    const epoch = this.#epochFor(baseOffset);
    const found = this.view.getInt32(at + EPOCH_AT);
    if (epoch === null ? found < this.#epochBefore : found !== epoch)
      this.#fail(at, `epoch: expected leader epoch ${epoch ?? `${this.#epochBefore} or more`}, found ${found}`);
    this.#nextOffset = lastOffset + 1;
    this.#epochBefore = found;
    this.#position = this.#windowFrom + at + batchByteLengthAt(this.view, at);
  }

  #compareSums(): void {
    if (this.#sealed === null) return;
    const found = this.#sums.checksums();
    const bad = this.#sealed.checksums.findIndex((checksum, index) => checksum !== found[index]);
    if (bad < 0) return;
    this.#windowFrom = bad * SEAL_BLOCK_BYTE_LENGTH;
    this.#fail(0, `checksum: block ${bad} of ${SEAL_BLOCK_BYTE_LENGTH} bytes is not what was sealed`);
  }

  #fail(inWindow: number, reason: string): never {
    const position = this.#windowFrom + inWindow;
    throw corruption(this.segment, position, this.#nextOffset, reason);
  }
}

export function corruption(segment: Segment, position: number, offset: number, reason: string, cause?: unknown): CorruptionError {
  return new CorruptionError(`batch at ${segment.logName}:${position}: ${reason}; the partition is not compacted until it is repaired`, {
    file: segment.logName,
    byteRange: [position, segment.byteLength],
    offsetRange: [offset, Math.max(offset, segment.nextOffset - 1)],
    nextReadableOffset: null,
    cause,
  });
}

interface Sealed {
  /** The sums that the bytes must have; null where no seal of this very file tells them. */
  readonly blocks: SealedBlocks | null;
  /** Whether no offset may be missing. */
  readonly isExact: boolean;
}

async function sealedAs({ context, spec }: OpenedLog, segment: Segment): Promise<Sealed> {
  const { checksums, byteLength, contiguous } = segment;
  if (checksums !== "unread") return { blocks: checksums?.byteLength === byteLength ? checksums : null, isExact: contiguous };
  const seal = await readSeal(context, segment);
  const isOurs =
    seal !== "absent" &&
    !("problem" in seal) &&
    seal.baseOffset === segment.baseOffset &&
    seal.partition === spec.partition &&
    seal.topicId === spec.topicId &&
    seal.logByteLength === byteLength;
  // What we did not seal another writer left, perhaps with gaps.
  if (!isOurs) return { blocks: null, isExact: false };
  return { blocks: { byteLength, checksums: seal.logChecksums }, isExact: contiguous && !seal.hasGaps };
}

function hex(checksum: number): string {
  return (checksum >>> 0).toString(16).padStart(8, "0");
}
