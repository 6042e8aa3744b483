/** Reads a sealed segment for compaction, a window of whole batches at a time: no byte is used that was not checked. */
import type { StorageFile } from "../api/storage-driver.ts";
import { CorruptionError } from "../base/errors.ts";
import type { Core } from "../core/core.ts";
import { ATTRIBUTES_AT, batchByteLengthAt, CRC_AT, EPOCH_AT, lastOffsetAt, readInt64, viewOf } from "./batch-header.ts";
import { BlockChecksums, SEAL_BLOCK_BYTE_LENGTH } from "./block-checksums.ts";
import { readInto } from "./file-bytes.ts";
import type { OpenedLog } from "./opened-log.ts";
import { readSeal } from "./sealing.ts";
import type { SealedBlocks, Segment, SegmentFiles } from "./segment.ts";

/** Below the core's read window, so that one call of the core looks at all of it. */
const WINDOW_BYTE_LENGTH = 1024 * 1024;

/**
 * The sums of a seal are compared when the end is reached: until `fill` has answered false nothing may be made of the batches
 * that could not be taken back. They cover what the batches' own checksums leave open.
 */
export class SegmentSource {
  readonly segment: Segment;
  readonly #core: Core;
  readonly #log: StorageFile;
  readonly #epochFor: (offset: number) => number | null;
  readonly #sealed: SealedBlocks | null;
  readonly #isExact: boolean;
  readonly #sums: BlockChecksums;
  #window: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #positions: Int32Array = new Int32Array(256);
  /** Batches in the window. */
  count = 0;
  /** Where in the file the window begins, and where the next one will. */
  #windowFrom = 0;
  #position = 0;
  #nextOffset: number;
  #epochBefore = -1;
  #ahead: Promise<void> | null = null;

  private constructor(log: OpenedLog, segment: Segment, files: SegmentFiles, sealed: Sealed, window: Uint8Array<ArrayBuffer>) {
    const { context, spec, epochs } = log;
    this.segment = segment;
    this.#core = context.core;
    this.#log = files.log;
    this.#epochFor = spec.leaderEpochOnDisk ? (offset) => epochs.epochFor(offset) : () => null;
    this.#sealed = sealed.blocks;
    this.#isExact = sealed.isExact;
    this.#sums = new BlockChecksums(context.core);
    this.#window = window;
    this.#view = viewOf(window);
    this.#nextOffset = segment.baseOffset;
  }

  /** `files`: held by the caller until it is done. `window`: memory to read into, of `newWindow`. */
  static async open(log: OpenedLog, segment: Segment, files: SegmentFiles, window: Uint8Array<ArrayBuffer>): Promise<SegmentSource> {
    return new SegmentSource(log, segment, files, await sealedAs(log, segment), window);
  }

  static newWindow(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(WINDOW_BYTE_LENGTH);
  }

  /** The window's bytes, seen as numbers. Valid until the next `fill`. */
  get view(): DataView {
    return this.#view;
  }

  /** Where in the window a batch begins. */
  at(index: number): number {
    return this.#positions[index] as number;
  }

  batch(index: number): Uint8Array {
    const at = this.at(index);
    return this.#window.subarray(at, at + batchByteLengthAt(this.#view, at));
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
    return this.#windowFrom + at + batchByteLengthAt(this.#view, at) === this.segment.byteLength;
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
    const wanted = Math.min(WINDOW_BYTE_LENGTH, end - this.#position);
    await (this.#ahead ?? this.#log.readAhead(this.#position, wanted));
    this.#read(wanted);
    const window = this.#core.readWindow();
    window.set(this.#window.subarray(0, wanted));
    const scan = this.#core.scan(wanted, { verifyChecksums: true });
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
    this.#ahead = this.#position < end ? this.#log.readAhead(this.#position, WINDOW_BYTE_LENGTH) : null;
    return true;
  }

  #read(byteLength: number): void {
    const into = this.#window.subarray(0, byteLength);
    const count = readInto(this.#log, into, this.#position);
    if (count < byteLength) this.#fail(count, `the file ends ${byteLength - count} bytes before its end`);
    // The end of the window before, a batch that was cut off, is read again, and counted once.
    const seen = this.#sums.byteLength - this.#position;
    if (seen < byteLength) this.#sums.add(seen === 0 ? into : into.subarray(seen));
  }

  /** One batch that is longer than a window. */
  async #readLarge(byteLength: number): Promise<void> {
    if (this.#window.length < byteLength) {
      this.#window = new Uint8Array(byteLength);
      this.#view = viewOf(this.#window);
    }
    await this.#log.readAhead(this.#position, byteLength);
    this.#read(byteLength);
    const computed = this.#core.crc32c(this.#window.subarray(ATTRIBUTES_AT, byteLength)) >>> 0;
    const stored = this.#view.getUint32(CRC_AT);
    if (computed !== stored) this.#fail(0, `checksum: computed crc ${hex(computed)}, stored ${hex(stored)}`);
    this.#positions[0] = 0;
    this.count = 1;
    this.#take(0);
  }

  /** A whole batch that does not belong where it stands is damage too. */
  #take(index: number): void {
    const at = this.at(index);
    const baseOffset = readInt64(this.#view, at);
    const lastOffset = lastOffsetAt(this.#view, at);
    const expected = this.#nextOffset;
    if (this.#isExact ? baseOffset !== expected : baseOffset < expected)
      this.#fail(at, `order: expected offset ${expected}, found ${baseOffset}`);
    if (lastOffset < baseOffset || !Number.isSafeInteger(lastOffset)) this.#fail(at, `offset: ${baseOffset} to ${lastOffset}`);
    const epoch = this.#epochFor(baseOffset);
    const found = this.#view.getInt32(at + EPOCH_AT);
    if (epoch === null ? found < this.#epochBefore : found !== epoch)
      this.#fail(at, `epoch: expected leader epoch ${epoch ?? `${this.#epochBefore} or more`}, found ${found}`);
    this.#nextOffset = lastOffset + 1;
    this.#epochBefore = found;
    this.#position = this.#windowFrom + at + batchByteLengthAt(this.#view, at);
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
