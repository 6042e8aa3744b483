/**
 * Snappy as Kafka's clients frame it: Java's a stream of blocks ("xerial"), others one bare block. Blocks are the core's work.
 *
 *    ├ 82 "SNAPPY" 00 ┼ version 1 ┼ readable from version 1 on ┼ ( block's byte length ┼ block ) ... ┤       numbers are big-endian
 */
import { CodecInput, CodecOutput, type CodecWindows } from "./codec-windows.ts";
import { TOO_LONG } from "./core-status.ts";
import { CorruptBatchError } from "./corrupt-batch-error.ts";

const HEADER = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00, 0, 0, 0, 1, 0, 0, 0, 1);
const MAGIC_BYTE_LENGTH = 8;
const BLOCK_BYTE_LENGTH = 32768;
/** What a block that does not shrink may need, its length, and some more. */
const BLOCK_ROOM = BLOCK_BYTE_LENGTH + BLOCK_BYTE_LENGTH / 6 + 128;
/** The most that comes out of a byte: a copy of 64 takes 3. A block that claims more is a lie, and nothing is allocated for it. */
export const SNAPPY_GROWTH_MAX: number = 22;

export function compressSnappy(windows: CodecWindows, bytes: Uint8Array, roomBefore: number): Uint8Array<ArrayBuffer> {
  const { memory } = windows;
  const input = new CodecInput(windows, bytes);
  const output = new CodecOutput(windows);
  output.put(HEADER);
  for (let start = 0; start < bytes.length; start += BLOCK_BYTE_LENGTH) {
    const byteLength = Math.min(BLOCK_BYTE_LENGTH, bytes.length - start);
    const place = input.place(start, byteLength);
    output.room(BLOCK_ROOM);
    const into = output.at + 4;
    const blockByteLength = memory.exports.snappyCompressBlock(place, byteLength, into);
    memory.view.setInt32(output.at, blockByteLength);
    output.at = into + blockByteLength;
  }
  return output.finish(roomBefore);
}

/** null: a block is larger than these windows hold. */
export function decompressSnappy(
  windows: CodecWindows,
  bytes: Uint8Array,
  byteLengthMax: number,
  roomBefore: number,
): Uint8Array<ArrayBuffer> | null {
  const input = new CodecInput(windows, bytes);
  const output = new CodecOutput(windows);
  if (!isStream(bytes)) return readBlock(windows, input, output, 0, bytes.length, byteLengthMax) ? output.finish(roomBefore) : null;
  if (bytes.length < HEADER.length) throw corrupt("it ends within its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = HEADER.length; at < bytes.length; ) {
    if (bytes.length - at < 4) throw corrupt("it ends where a block's length should stand");
    const byteLength = view.getInt32(at);
    at += 4;
    if (byteLength < 0 || byteLength > bytes.length - at) {
      throw corrupt(`a block says it is ${byteLength} bytes long; there are ${bytes.length - at}`);
    }
    if (!readBlock(windows, input, output, at, byteLength, byteLengthMax)) return null;
    at += byteLength;
  }
  return output.finish(roomBefore);
}

function isStream(bytes: Uint8Array): boolean {
  for (let i = 0; i < MAGIC_BYTE_LENGTH; i++) if (bytes[i] !== HEADER[i]) return false;
  return true;
}

/** False: these windows do not hold it. */
function readBlock(
  windows: CodecWindows,
  input: CodecInput,
  output: CodecOutput,
  start: number,
  byteLength: number,
  byteLengthMax: number,
): boolean {
  const { length, end } = readLength(input.bytes, start, start + byteLength);
  const elements = start + byteLength - end;
  if (length > byteLengthMax - output.byteLength) throw corrupt(`more than ${byteLengthMax} bytes come out`);
  if (length > elements * SNAPPY_GROWTH_MAX) throw corrupt(`a block of ${byteLength} bytes claims to hold ${length}, which none can`);
  if (elements > windows.inputByteLength || length > windows.outputByteLength) return false;
  output.room(length);
  const answer = windows.memory.exports.snappyDecompressBlock(input.place(end, elements), elements, output.at, length);
  if (answer < 0) {
    const why = answer === TOO_LONG ? `holds more than the ${length} bytes that it claims` : "does not add up";
    throw corrupt(`the block at byte ${start} ${why}`);
  }
  output.at += length;
  return true;
}

/** A varint without sign, of at most 32 bits. */
function readLength(bytes: Uint8Array, start: number, end: number): { readonly length: number; readonly end: number } {
  let length = 0;
  for (let at = start, unit = 1; at < end && at < start + 5; at++, unit *= 128) {
    const byte = bytes[at] as number;
    length += (byte & 0x7f) * unit;
    if (byte < 0x80) {
      if (length >= 2 ** 32) break;
      return { length, end: at + 1 };
    }
  }
  throw corrupt(`no length stands at the beginning of the block at byte ${start}`);
}

function corrupt(sentence: string): CorruptBatchError {
  return new CorruptBatchError(`snappy: ${sentence}`);
}
