/** gzip and zstd by node:zlib, for Node, Bun and Deno: zstd is there from Node 22.15 on, and elsewhere read by the portable codec. */
import * as zlib from "node:zlib";
import type { Bytes } from "../api/bytes.ts";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import type { Codec, NativeCodecs } from "./compression.ts";

interface Zstd {
  readonly zstdCompressSync?: (bytes: Uint8Array) => Uint8Array;
  readonly zstdDecompressSync?: (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;
}

export function nodeCodecs(): NativeCodecs {
  return { gzip, zstd: zstdOf(zlib as Zstd) };
}

const gzip: Codec = {
  compress: (bytes, roomBefore = 0) => behind(zlib.gzipSync(bytes), roomBefore),
  decompress: (bytes, byteLengthMax, roomBefore = 0) =>
    behind(
      read("gzip", byteLengthMax, () => zlib.gunzipSync(bytes, { maxOutputLength: byteLengthMax })),
      roomBefore,
    ),
};

function zstdOf({ zstdCompressSync, zstdDecompressSync }: Zstd): Codec {
  return {
    compress: zstdCompressSync === undefined ? null : (bytes, roomBefore = 0) => behind(zstdCompressSync(bytes), roomBefore),
    decompress: (bytes, byteLengthMax, roomBefore = 0) => {
      if (zstdDecompressSync === undefined) throw new CorruptBatchError("zstd is not read here yet");
      return behind(
        read("zstd", byteLengthMax, () => zstdDecompressSync(bytes, { maxOutputLength: byteLengthMax })),
        roomBefore,
      );
    },
  };
}

function read(codec: string, byteLengthMax: number, call: () => Uint8Array): Uint8Array {
  try {
    return call();
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message?: string };
    throw new CorruptBatchError(
      code === "ERR_BUFFER_TOO_LARGE"
        ? `${codec}: more than ${byteLengthMax} bytes come out`
        : `${codec}: the compressed bytes do not add up: ${message}`,
    );
  }
}

function behind(bytes: Uint8Array, roomBefore: number): Bytes {
  const answer = new Uint8Array(roomBefore + bytes.length);
  answer.set(bytes, roomBefore);
  return answer;
}
