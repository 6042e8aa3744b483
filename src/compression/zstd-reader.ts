/** zstd read without anything native: for runtimes that have none. */
import type { Bytes } from "../api/bytes.ts";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import { type Frame, type Fzstd, fzstd } from "../vendor/fzstd.js";
import { joined } from "./joined.ts";
import { ZSTD_BLOCK_BYTE_LENGTH_MAX, type ZstdFrame, zstdFrames } from "./zstd-frames.ts";

/** At the first: most batches need no more. */
const ROOM_MIN = 64 * 1024;

/** Made for the first frame: its tables are a millisecond that most processes never need. */
let library: Fzstd | undefined;

export function readZstd(bytes: Uint8Array, byteLengthMax: number, roomBefore = 0): Bytes {
  const pieces: Uint8Array[] = [];
  let left = byteLengthMax;
  for (const frame of zstdFrames(bytes, byteLengthMax)) {
    const piece = readFrame(bytes.subarray(frame.start, frame.end), frame, left);
    left -= piece.length;
    pieces.push(piece);
  }
  return joined(pieces, roomBefore);
}

/** A view of memory that nobody else has. */
function readFrame(bytes: Uint8Array, { byteLengthMax: most }: ZstdFrame, byteLengthMax: number): Uint8Array {
  // What a frame claims is allocated only so far as its blocks could fill it, and as it fills.
  const blockRoom = Math.min(most, ZSTD_BLOCK_BYTE_LENGTH_MAX);
  library ??= fzstd();
  let output = new Uint8Array(Math.min(most, Math.max(ROOM_MIN, 4 * bytes.length), byteLengthMax) + blockRoom);
  try {
    // No number: those of frames to be skipped are not among what was looked at.
    const frame = library.readFrameHeader(bytes, output) as Frame;
    frame.e = 0;
    while (frame.l === 0) {
      if (output.length - frame.y < blockRoom) {
        const larger = new Uint8Array(Math.min(2 * output.length, byteLengthMax + 2 * blockRoom));
        larger.set(output);
        output = larger;
        frame.w = output;
      }
      const before = frame.y;
      const isRead = library.readBlock(bytes, frame, output) !== undefined;
      if (!isRead || frame.y < before || frame.y > before + blockRoom) throw new Error("a block is cut off, or longer than any may be");
      if (frame.y > byteLengthMax) throw new CorruptBatchError(`zstd: more than ${byteLengthMax} bytes come out`);
      frame.e = frame.y;
    }
    return output.subarray(0, frame.y);
  } catch (error) {
    if (error instanceof CorruptBatchError) throw error;
    // Whatever the library stumbles over are bytes that do not add up.
    throw new CorruptBatchError(`zstd: the compressed bytes do not add up: ${(error as Error).message}`);
  }
}
