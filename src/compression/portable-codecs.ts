/** gzip and zstd where nothing native is at hand: libraries in plain JavaScript, bundled with the package. zstd is read, not written. */
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import { deflateSync } from "../vendor/fflate.js";
import type { Codec, NativeCodecs } from "./compression.ts";
import { crc32, GZIP_HEADER, GZIP_TRAILER_BYTE_LENGTH } from "./gzip-member.ts";
import { readGzip } from "./portable-gzip.ts";
import { readZstd } from "./zstd-reader.ts";

export function portableCodecs(): NativeCodecs {
  return { gzip, zstd };
}

const gzip: Codec = {
  compress: (bytes, roomBefore = 0) => {
    const deflated = deflateSync(bytes, { level: 6 });
    const deflatedAt = roomBefore + GZIP_HEADER.length;
    const answer = new Uint8Array(deflatedAt + deflated.length + GZIP_TRAILER_BYTE_LENGTH);
    answer.set(GZIP_HEADER, roomBefore);
    answer.set(deflated, deflatedAt);
    const view = new DataView(answer.buffer);
    view.setUint32(deflatedAt + deflated.length, crc32(bytes), true);
    view.setUint32(deflatedAt + deflated.length + 4, bytes.length, true);
    return answer;
  },
  decompress: (bytes, byteLengthMax, roomBefore = 0) => {
    try {
      return readGzip(bytes, byteLengthMax, roomBefore);
    } catch (error) {
      if (error instanceof CorruptBatchError) throw error;
      // Whatever the library stumbles over are bytes that do not add up.
      throw new CorruptBatchError(`gzip: the compressed bytes do not add up: ${(error as Error).message}`);
    }
  },
};

const zstd: Codec = { compress: null, decompress: readZstd };
