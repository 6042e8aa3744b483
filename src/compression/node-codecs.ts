/** gzip and zstd by node:zlib, for Node, Bun and Deno. zstd is there from Node 22.15 on; on an older one it is read all the same, by the portable reader. */
import * as zlib from "node:zlib";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import type { Codec, NativeCodecs } from "./compression.ts";
import { GZIP_SYSTEM_AT } from "./gzip-member.ts";
import { joined } from "./joined.ts";
import { zstdFrames } from "./zstd-frames.ts";
import { readZstd } from "./zstd-reader.ts";

/** What newer runtimes have of it. */
export interface NativeZstd {
  readonly zstdCompressSync?: (bytes: Uint8Array) => Uint8Array;
  readonly zstdDecompressSync?: (
    bytes: Uint8Array,
    options: { readonly maxOutputLength: number; readonly params: Readonly<Record<number, number>> },
  ) => Uint8Array;
}

/** zlib's ZSTD_d_windowLogMax: a frame that wants a larger window is refused. Ours is refused before: zstd-frames.ts. */
const WINDOW_LOG_MAX_PARAMETER = 100;
const WINDOW_LOG_MAX = 26;

export function nodeCodecs(): NativeCodecs {
  return { gzip, zstd: zstdOf(zlib as NativeZstd) };
}

const gzip: Codec = {
  compress: (bytes, roomBefore = 0) => {
    const answer = joined([zlib.gzipSync(bytes)], roomBefore);
    // As Java writes it: made on no system.
    answer[roomBefore + GZIP_SYSTEM_AT] = 0;
    return answer;
  },
  decompress: (bytes, byteLengthMax, roomBefore = 0) =>
    joined([read("gzip", byteLengthMax, (maxOutputLength) => zlib.gunzipSync(bytes, { maxOutputLength }))], roomBefore),
};

/** Its native functions, where there are any; for tests, those of another runtime. */
export function zstdOf({ zstdCompressSync, zstdDecompressSync }: NativeZstd): Codec {
  return {
    compress: zstdCompressSync === undefined ? null : (bytes, roomBefore = 0) => joined([zstdCompressSync(bytes)], roomBefore),
    decompress:
      zstdDecompressSync === undefined
        ? readZstd
        : (bytes, byteLengthMax, roomBefore = 0) => {
            const pieces: Uint8Array[] = [];
            let left = byteLengthMax;
            // One by one: not every runtime goes on behind the first frame.
            for (const { start, end } of zstdFrames(bytes, byteLengthMax)) {
              const params = { [WINDOW_LOG_MAX_PARAMETER]: WINDOW_LOG_MAX };
              const frame = bytes.subarray(start, end);
              const piece = read("zstd", left, (maxOutputLength) => zstdDecompressSync(frame, { maxOutputLength, params }));
              left -= piece.length;
              pieces.push(piece);
            }
            return joined(pieces, roomBefore);
          },
  };
}

function read(codec: string, byteLengthMax: number, call: (maxOutputLength: number) => Uint8Array): Uint8Array {
  let bytes: Uint8Array | null = null;
  try {
    // zlib takes no 0.
    bytes = call(Math.max(1, byteLengthMax));
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message?: string };
    if (code !== "ERR_BUFFER_TOO_LARGE") throw new CorruptBatchError(`${codec}: the compressed bytes do not add up: ${message}`);
  }
  if (bytes === null || bytes.length > byteLengthMax) throw new CorruptBatchError(`${codec}: more than ${byteLengthMax} bytes come out`);
  return bytes;
}
