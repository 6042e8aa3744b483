/** gzip read by a library in plain JavaScript: member after member, some input at a time, so that a bomb is met before it is large. */
import type { Bytes } from "../api/bytes.ts";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import { Inflate } from "../vendor/fflate.js";
import { crc32, GZIP_TRAILER_BYTE_LENGTH, gzipHeaderEnd } from "./gzip-member.ts";
import { joined } from "./joined.ts";

/** Deflate grows a byte to 1032 at most: 16 MiB come out before they are counted. */
const STEP_BYTE_LENGTH = 16 * 1024;

/** Each takes some memory of its own, however short it is. */
const MEMBER_COUNT_MAX = 1024;

export function readGzip(bytes: Uint8Array, byteLengthMax: number, roomBefore: number): Bytes {
  const pieces: Bytes[] = [];
  let byteLength = 0;
  let at = 0;
  let memberCount = 0;
  do {
    if (++memberCount > MEMBER_COUNT_MAX) throw corrupt(`it has more than ${MEMBER_COUNT_MAX} members; Kafka's clients write one`);
    let checksum = 0;
    let memberByteLength = 0;
    at = inflate(bytes, gzipHeaderEnd(bytes, at), (piece) => {
      byteLength += piece.length;
      if (byteLength > byteLengthMax) throw corrupt(`more than ${byteLengthMax} bytes come out`);
      memberByteLength += piece.length;
      checksum = crc32(piece, checksum);
      pieces.push(piece);
    });
    if (at + GZIP_TRAILER_BYTE_LENGTH > bytes.length) throw corrupt("it ends where its checksum should stand");
    const trailer = new DataView(bytes.buffer, bytes.byteOffset + at, GZIP_TRAILER_BYTE_LENGTH);
    const stored = trailer.getUint32(0, true);
    if (stored !== checksum) throw corrupt(`computed checksum ${checksum.toString(16)}, stored ${stored.toString(16)}`);
    if (trailer.getUint32(4, true) !== memberByteLength)
      throw corrupt(`it says it holds ${trailer.getUint32(4, true)} bytes; it holds ${memberByteLength}`);
    at += GZIP_TRAILER_BYTE_LENGTH;
  } while (at < bytes.length);

  return joined(pieces, roomBefore);
}

/** Answers where the deflated bytes that begin at `start` end. */
function inflate(bytes: Uint8Array, start: number, onPiece: (piece: Bytes) => void): number {
  const inflater = new Inflate((piece) => {
    if (piece.length > 0) onPiece(piece);
  });
  for (let at = start; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + STEP_BYTE_LENGTH);
    inflater.push(bytes.subarray(at, end), false);
    at = end;
    const { f: isLastBlock, l: codes, p: bit = 0 } = inflater.s;
    // What is left over begins at that bit; whole bytes of it are the trailer's.
    if (isLastBlock === 1 && !codes) return at - inflater.p.length + (bit > 0 ? 1 : 0);
  }
  throw corrupt("it ends within its deflated bytes");
}

function corrupt(sentence: string): CorruptBatchError {
  return new CorruptBatchError(`gzip: ${sentence}`);
}
