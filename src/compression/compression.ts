/**
 * Compressed batches: a batch with its records in the open becomes one whose records are one compressed block, and the other way.
 * Header, offsets and times stay; length, codec bits and checksum change. Framings: shared with Kafka, see docs/FORMAT.md.
 */
import type { Bytes, CompressionType } from "../api/bytes.ts";

export type CodecName = Exclude<CompressionType, "none">;

/** What no batch may exceed when its records are in the open, whatever it claims: a bomb is stopped here and never by the heap. */
export const DECOMPRESSED_BYTE_LENGTH_MAX: number = 64 * 1024 * 1024;

/**
 * One codec over bare bytes. Synchronous: a batch is closed, and read, in one turn. The answers are in memory of their own, behind
 * `roomBefore` bytes (0 unless said) that are the caller's: a batch's header goes there, and nothing is copied a second time.
 */
export interface Codec {
  /** null where this runtime has nothing that can. */
  readonly compress: ((bytes: Uint8Array, roomBefore?: number) => Bytes) | null;
  /** At most `byteLengthMax` bytes come out; more, or bytes that do not add up, is a `CorruptBatchError`. */
  readonly decompress: (bytes: Uint8Array, byteLengthMax: number, roomBefore?: number) => Bytes;
}

/** What the runtime brings: `node-codecs.ts` or `portable-codecs.ts`. The other two codecs are the core's. */
export interface NativeCodecs {
  readonly gzip: Codec;
  readonly zstd: Codec;
}

export interface Compression {
  canCompress(codec: CodecName): boolean;
  /**
   * The batch, whose records stand in the open, with them compressed, in memory of its own; the checksum is right. Throws a
   * `UsageError` with `UNSUPPORTED_COMPRESSION_TYPE` where this runtime cannot, naming what can.
   */
  compressBatch(batch: Uint8Array, codec: CodecName): Bytes;
  /**
   * The batch with its records in the open, in memory of its own: its checksum is made right for them. One that is not compressed is
   * given back as it is. Throws a `CorruptBatchError` for bytes that do not add up and for more than `DECOMPRESSED_BYTE_LENGTH_MAX`,
   * a `UsageError` with `UNSUPPORTED_COMPRESSION_TYPE` for an unknown codec.
   */
  decompressBatch(batch: Uint8Array): Bytes;
}
