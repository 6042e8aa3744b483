/** The refusal of a codec that this runtime reads and cannot write: it names those that it can, and who writes the one asked for. */
import { UsageError } from "../base/errors.ts";
import type { CodecName } from "./compression.ts";

/** In the order of their numbers in a batch's attributes, from 1 on. */
export const CODEC_NAMES: readonly CodecName[] = ["gzip", "snappy", "lz4", "zstd"];

export function unwritableCodec(codec: CodecName, canCompress: (codec: CodecName) => boolean): UsageError {
  const written = CODEC_NAMES.filter(canCompress);
  const elsewhere = codec === "zstd" ? "; Node 22.15 and later, Bun and Deno write it" : "";
  return new UsageError(
    "UNSUPPORTED_COMPRESSION_TYPE",
    `${codec} is read in this runtime and cannot be written${elsewhere}. Written here: ${written.join(", ")}`,
  );
}

/** Throws for a topic's `compressionType` that cannot be carried out here. */
export function checkWritable(compressionType: string | undefined, canCompress: (codec: CodecName) => boolean): void {
  const codec = CODEC_NAMES.find((each) => each === compressionType);
  if (codec !== undefined && !canCompress(codec)) throw unwritableCodec(codec, canCompress);
}
