/**
 * LZ4 frames: the blocks are the core's work, what stands around them is read and written here. Source: lz4_Frame_format.md.
 *
 *    ├ magic ┼ flags ┼ block size ┼ (content size) ┼ header checksum ┼ block ... ┼ 0 ┼ (content checksum) ┤      numbers are little-endian
 *    block: ├ byte length, top bit: not compressed ┼ bytes ┼ (block checksum) ┤
 */
import { CodecInput, CodecOutput, type CodecWindows } from "./codec-windows.ts";
import type { CoreMemory } from "./core-host.ts";
import { TOO_LONG } from "./core-status.ts";
import { CorruptBatchError } from "./corrupt-batch-error.ts";

/** As Java's client writes it: version 1, independent blocks of 64 KiB, no checksum but the header's own. */
const HEADER = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82);
const END_MARK = new Uint8Array(4);
const BLOCK_BYTE_LENGTH = 65536;
/** What a block that does not shrink may need, and its length. */
const BLOCK_ROOM = BLOCK_BYTE_LENGTH + 512;

const MAGIC_BYTE_LENGTH = 4;
const VERSION_MASK = 0xc0;
const VERSION_1 = 0x40;
const INDEPENDENT_BLOCKS = 0x20;
const BLOCK_CHECKSUMS = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const RESERVED = 0x02;
const DICTIONARY = 0x01;
/** Bits 4 to 6 of the second byte of flags: 4 is 64 KiB, 7 is 4 MiB. */
const BLOCK_SIZE_MIN = 4;
const BLOCK_SIZE_RESERVED = 0x8f;
const STORED = 0x80000000;

/** How far back a block may reach into the one before it, where they are linked. */
const HISTORY_BYTE_LENGTH = 65536;
/** What windows must hold for every frame to be read: its largest block, and what it may reach back to. */
export const LZ4_WINDOW_BYTE_LENGTH_MAX: number = (4 << 20) + HISTORY_BYTE_LENGTH;

export function compressLz4(windows: CodecWindows, bytes: Uint8Array, roomBefore: number): Uint8Array<ArrayBuffer> {
  const { memory } = windows;
  const input = new CodecInput(windows, bytes);
  const output = new CodecOutput(windows);
  output.put(HEADER);
  for (let start = 0; start < bytes.length; start += BLOCK_BYTE_LENGTH) {
    const byteLength = Math.min(BLOCK_BYTE_LENGTH, bytes.length - start);
    const place = input.place(start, byteLength);
    output.room(BLOCK_ROOM);
    const into = output.at + 4;
    let blockByteLength = memory.exports.lz4CompressBlock(place, byteLength, into);
    const isStored = blockByteLength >= byteLength;
    if (isStored) {
      memory.bytes.copyWithin(into, place, place + byteLength);
      blockByteLength = byteLength;
    }
    memory.view.setUint32(output.at, isStored ? blockByteLength + STORED : blockByteLength, true);
    output.at = into + blockByteLength;
  }
  output.put(END_MARK);
  return output.finish(roomBefore);
}

/** null: a block is larger than these windows hold. */
export function decompressLz4(
  windows: CodecWindows,
  bytes: Uint8Array,
  byteLengthMax: number,
  roomBefore: number,
): Uint8Array<ArrayBuffer> | null {
  const { memory } = windows;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const input = new CodecInput(windows, bytes);
  const { flags, blockByteLengthMax, end: headerEnd } = readHeader(memory, input, view);
  const historyByteLengthMax = (flags & INDEPENDENT_BLOCKS) === 0 ? HISTORY_BYTE_LENGTH : 0;
  const output = new CodecOutput(windows, historyByteLengthMax);
  const roomMax = Math.min(blockByteLengthMax, windows.outputByteLength - historyByteLengthMax);
  const hasContentChecksum = (flags & CONTENT_CHECKSUM) !== 0;
  // Begun after the header's own checksum, and only then: there is one at a time.
  if (hasContentChecksum && (flags & BLOCK_CHECKSUMS) !== 0) checkBlocks(memory, input, view, headerEnd, blockByteLengthMax);
  if (hasContentChecksum) memory.exports.xxh32Begin();

  let at = headerEnd;
  for (;;) {
    const word = uint32(view, at, "a block's length");
    at += 4;
    if (word === 0) break;
    const byteLength = word % STORED;
    const isStored = word >= STORED;
    checkBlockLength(byteLength, blockByteLengthMax, bytes.length - at);
    if (byteLength > windows.inputByteLength) return null;
    const limit = Math.min(output.room(roomMax), blockByteLengthMax, byteLengthMax - output.byteLength);
    const place = input.place(at, byteLength);
    let length: number;
    if (isStored) {
      length = byteLength <= limit ? byteLength : TOO_LONG;
      if (length > 0) memory.bytes.copyWithin(output.at, place, place + byteLength);
    } else {
      length = memory.exports.lz4DecompressBlock(place, byteLength, output.at, limit, output.historyByteLength);
    }
    if (length < 0) {
      if (length !== TOO_LONG) throw corrupt(`the block at byte ${at} does not add up`);
      if (byteLengthMax - output.byteLength <= limit) throw corrupt(`more than ${byteLengthMax} bytes come out`);
      if (limit < blockByteLengthMax) return null;
      throw corrupt(`the block at byte ${at} is longer than the ${blockByteLengthMax} bytes that its frame allows`);
    }
    if (hasContentChecksum) memory.exports.xxh32Extend(output.at, length);
    output.at += length;
    at += byteLength;
    if ((flags & BLOCK_CHECKSUMS) !== 0) {
      if (!hasContentChecksum) checkBlock(memory, place, byteLength, view, at);
      at += 4;
    }
  }
  if (hasContentChecksum) {
    memory.exports.xxh32Finish();
    mustMatch(memory.answer(0) >>> 0, uint32(view, at, "a checksum"), "the content");
    at += 4;
  }
  if (at !== bytes.length) throw corrupt(`${bytes.length - at} bytes behind its end`);
  return output.finish(roomBefore);
}

function readHeader(
  memory: CoreMemory,
  input: CodecInput,
  view: DataView,
): { readonly flags: number; readonly blockByteLengthMax: number; readonly end: number } {
  const { bytes } = input;
  if (bytes.length < HEADER.length || view.getUint32(0) !== 0x04224d18) throw corrupt("it does not begin as one does");
  const flags = view.getUint8(MAGIC_BYTE_LENGTH);
  const blockSize = view.getUint8(MAGIC_BYTE_LENGTH + 1);
  if ((flags & VERSION_MASK) !== VERSION_1) throw corrupt(`its version is ${flags >> 6}; only 1 is known`);
  if ((flags & RESERVED) !== 0 || (blockSize & BLOCK_SIZE_RESERVED) !== 0 || blockSize >> 4 < BLOCK_SIZE_MIN) {
    throw corrupt(`its flags are ${flags.toString(16)} ${blockSize.toString(16)}, of which some stand for nothing`);
  }
  if ((flags & DICTIONARY) !== 0) throw corrupt("it needs a dictionary, and a batch comes with none");
  const checksumAt = MAGIC_BYTE_LENGTH + 2 + ((flags & CONTENT_SIZE) === 0 ? 0 : 8);
  if (checksumAt >= bytes.length) throw corrupt("it ends within its header");
  const described = checksumAt - MAGIC_BYTE_LENGTH;
  const computed = (xxh32(memory, input.place(MAGIC_BYTE_LENGTH, described), described) >>> 8) & 0xff;
  mustMatch(computed, view.getUint8(checksumAt), "its header");
  return { flags, blockByteLengthMax: 1 << (8 + 2 * (blockSize >> 4)), end: checksumAt + 1 };
}

/** A look at every block beforehand: the content's checksum is the only one that can be under way while they are opened. */
function checkBlocks(memory: CoreMemory, input: CodecInput, view: DataView, start: number, blockByteLengthMax: number): void {
  for (let at = start; ; ) {
    const byteLength = uint32(view, at, "a block's length") % STORED;
    at += 4;
    if (byteLength === 0) return;
    checkBlockLength(byteLength, blockByteLengthMax, view.byteLength - at);
    checkBlock(memory, input.place(at, byteLength), byteLength, view, at + byteLength);
    at += byteLength + 4;
  }
}

function checkBlock(memory: CoreMemory, place: number, byteLength: number, view: DataView, checksumAt: number): void {
  mustMatch(xxh32(memory, place, byteLength), uint32(view, checksumAt, "a checksum"), `the block before byte ${checksumAt}`);
}

function checkBlockLength(byteLength: number, blockByteLengthMax: number, left: number): void {
  if (byteLength > blockByteLengthMax) {
    throw corrupt(`a block says it is ${byteLength} bytes long; its frame allows ${blockByteLengthMax}`);
  }
  if (byteLength > left) throw corrupt(`a block says it is ${byteLength} bytes long; there are ${left}`);
}

function xxh32(memory: CoreMemory, place: number, byteLength: number): number {
  memory.exports.xxh32Begin();
  memory.exports.xxh32Extend(place, byteLength);
  memory.exports.xxh32Finish();
  return memory.answer(0) >>> 0;
}

function uint32(view: DataView, at: number, what: string): number {
  if (at + 4 > view.byteLength) throw corrupt(`it ends where ${what} should stand`);
  return view.getUint32(at, true);
}

function mustMatch(computed: number, stored: number, what: string): void {
  if (computed !== stored) throw corrupt(`computed checksum ${computed.toString(16)} of ${what}, stored ${stored.toString(16)}`);
}

function corrupt(sentence: string): CorruptBatchError {
  return new CorruptBatchError(`lz4 frame: ${sentence}`);
}
