/**
 * A look at zstd frames before anything is decompressed: where each begins and ends, and whether what it claims can be true.
 * Source: RFC 8878.
 *
 *    ├ magic ┼ descriptor ┼ (window) ┼ (dictionary) ┼ (content size) ┼ block ... ┼ (checksum) ┤        numbers are little-endian
 *    block: ├ last (1 bit), type (2 bits), byte length (21 bits) ┼ bytes ┤
 */
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import { DECOMPRESSED_BYTE_LENGTH_MAX } from "./compression.ts";

export interface ZstdFrame {
  readonly start: number;
  readonly end: number;
  /** No more than this can come out of it, whatever it holds. */
  readonly byteLengthMax: number;
}

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
/** No block holds more when it is in the open, nor more than its window. */
export const ZSTD_BLOCK_BYTE_LENGTH_MAX: number = 128 * 1024;
/** Whoever compresses without knowing how much will come asks for some megabytes; nobody needs to look back further than a batch is long. */
const WINDOW_BYTE_LENGTH_MAX = DECOMPRESSED_BYTE_LENGTH_MAX;
/** Each takes some time, however short it is. */
const FRAME_COUNT_MAX = 4096;
const SINGLE_SEGMENT = 0x20;
const RESERVED = 0x08;
const CHECKSUM = 0x04;
const DICTIONARY = 0x03;
const RAW = 0;
const REPEATED = 1;
const RESERVED_BLOCK = 3;

/** Throws a `CorruptBatchError` for frames that do not follow one another, and for claims that are too large or cannot be true. */
export function zstdFrames(bytes: Uint8Array, byteLengthMax: number): ZstdFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: ZstdFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const magic = uint32(view, at);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + uint32(view, at + 4);
      if (at > bytes.length) throw corrupt("it ends within a skippable frame");
      continue;
    }
    if (magic !== MAGIC) throw corrupt(`no frame begins at byte ${at}`);
    const frame = readFrame(view, at, byteLengthMax);
    if (frames.push(frame) > FRAME_COUNT_MAX) throw corrupt(`it has more than ${FRAME_COUNT_MAX} frames; Kafka's clients write one`);
    at = frame.end;
  }
  if (frames.length === 0) throw corrupt("it holds no frame");
  return frames;
}

function readFrame(view: DataView, start: number, byteLengthMax: number): ZstdFrame {
  const descriptor = uint8(view, start + 4);
  if ((descriptor & RESERVED) !== 0) throw corrupt("a reserved bit of its header is set");
  if ((descriptor & DICTIONARY) !== 0) throw corrupt("it needs a dictionary, and a batch comes with none");
  const isSingleSegment = (descriptor & SINGLE_SEGMENT) !== 0;
  let at = start + 5;
  let windowByteLength = isSingleSegment ? 0 : windowOf(uint8(view, at++));
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const contentByteLength = sizeBytes === 0 ? null : contentSize(view, at, sizeBytes);
  at += sizeBytes;
  // Such a frame always says how long its content is.
  if (isSingleSegment) windowByteLength = contentByteLength as number;
  if ((contentByteLength ?? 0) > byteLengthMax) {
    throw corrupt(`more than ${byteLengthMax} bytes come out: it claims ${contentByteLength}`);
  }
  if (windowByteLength > WINDOW_BYTE_LENGTH_MAX) {
    throw corrupt(`it asks for a window of ${windowByteLength} bytes; none may be larger than ${WINDOW_BYTE_LENGTH_MAX}`);
  }

  const blockByteLengthMax = Math.min(ZSTD_BLOCK_BYTE_LENGTH_MAX, windowByteLength);
  let mostByteLength = 0;
  for (let isLast = false; !isLast; ) {
    const header = uint8(view, at) | (uint8(view, at + 1) << 8) | (uint8(view, at + 2) << 16);
    isLast = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    const byteLength = header >> 3;
    if (type === RESERVED_BLOCK) throw corrupt(`the block at byte ${at} is of no known type`);
    if (byteLength > blockByteLengthMax) {
      throw corrupt(`the block at byte ${at} says it is ${byteLength} bytes long; its frame allows ${blockByteLengthMax}`);
    }
    at += 3 + (type === REPEATED ? 1 : byteLength);
    mostByteLength += type === RAW || type === REPEATED ? byteLength : blockByteLengthMax;
  }
  if ((descriptor & CHECKSUM) !== 0) at += 4;
  if (at > view.byteLength) throw corrupt("it ends within a frame");
  if (contentByteLength !== null && contentByteLength > mostByteLength) {
    throw corrupt(`it claims to hold ${contentByteLength} bytes; its blocks can hold ${mostByteLength}`);
  }
  return { start, end: at, byteLengthMax: Math.min(mostByteLength, contentByteLength ?? mostByteLength) };
}

/** From 1 KiB to 3.75 TiB. */
function windowOf(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}

function contentSize(view: DataView, at: number, sizeBytes: number): number {
  if (sizeBytes === 1) return uint8(view, at);
  if (sizeBytes === 2) return uint8(view, at) + uint8(view, at + 1) * 256 + 256;
  const low = uint32(view, at);
  return sizeBytes === 4 ? low : low + uint32(view, at + 4) * 2 ** 32;
}

function uint8(view: DataView, at: number): number {
  if (at >= view.byteLength) throw corrupt("it ends within a frame");
  return view.getUint8(at);
}

function uint32(view: DataView, at: number): number {
  if (at + 4 > view.byteLength) throw corrupt("it ends within a frame");
  return view.getUint32(at, true);
}

function corrupt(sentence: string): CorruptBatchError {
  return new CorruptBatchError(`zstd: ${sentence}`);
}
