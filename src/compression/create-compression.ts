/** Compression over whole batches: which codec, what of the header changes, and what is refused by name. */
import type { Bytes } from "../api/bytes.ts";
import { readInt16, readInt32, writeInt16, writeInt32 } from "../base/big-endian.ts";
import { UsageError } from "../base/errors.ts";
import {
  ATTRIBUTES_AT,
  batchByteLengthAt,
  codecNumber,
  codecOf,
  HEADER_BYTE_LENGTH,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  RECORD_COUNT_AT,
  stampChecksum,
} from "../base/record-batch.ts";
import type { Core } from "../core/core.ts";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import { type Codec, type CodecName, type Compression, DECOMPRESSED_BYTE_LENGTH_MAX, type NativeCodecs } from "./compression.ts";
import { CODEC_NAMES, unwritableCodec } from "./unwritable-codec.ts";

const CODEC_MASK = 0x07;

export function createCompression(core: Core, native: NativeCodecs): Compression {
  return new BatchCompression(core, { gzip: native.gzip, snappy: core.snappy, lz4: core.lz4, zstd: native.zstd });
}

class BatchCompression implements Compression {
  readonly #core: Core;
  readonly #codecs: Readonly<Record<CodecName, Codec>>;

  constructor(core: Core, codecs: Readonly<Record<CodecName, Codec>>) {
    this.#core = core;
    this.#codecs = codecs;
  }

  canCompress(codec: CodecName): boolean {
    return this.#codecs[codec].compress !== null;
  }

  compressBatch(batch: Uint8Array, codec: CodecName): Bytes {
    const coder = this.#codecs[codec];
    if (coder.compress === null) throw unwritableCodec(codec, (each) => this.canCompress(each));
    mustBeWhole(batch);
    const attributes = readInt16(batch, ATTRIBUTES_AT);
    if (codecNumber(attributes) !== 0)
      throw new CorruptBatchError(`expected a batch with its records in the open, found one compressed with ${codecName(attributes)}`);
    // One that compaction has emptied has nothing to compress, and says so: Kafka's bits for it are 0 as well.
    if (batch.length === HEADER_BYTE_LENGTH) return copyOf(batch);
    const compressed = coder.compress(batch.subarray(HEADER_BYTE_LENGTH), HEADER_BYTE_LENGTH);
    return this.#putHeader(compressed, batch, CODEC_NAMES.indexOf(codec) + 1);
  }

  decompressBatch(batch: Uint8Array): Bytes {
    mustBeWhole(batch);
    const number = codecNumber(readInt16(batch, ATTRIBUTES_AT));
    if (number === 0) return batch as Bytes;
    const name = CODEC_NAMES[number - 1];
    if (name === undefined) {
      throw new UsageError(
        "UNSUPPORTED_COMPRESSION_TYPE",
        `a batch is compressed with codec ${number}; Kafka's are ${CODEC_NAMES.map((each, index) => `${index + 1} (${each})`).join(", ")}`,
      );
    }
    // No record, no block: whatever stands behind such a header, its codec bits mean nothing.
    if (batch.length === HEADER_BYTE_LENGTH && readInt32(batch, RECORD_COUNT_AT) === 0) return this.#putHeader(copyOf(batch), batch, 0);
    const opened = this.#codecs[name].decompress(batch.subarray(HEADER_BYTE_LENGTH), DECOMPRESSED_BYTE_LENGTH_MAX, HEADER_BYTE_LENGTH);
    return this.#putHeader(opened, batch, 0);
  }

  /** The header of `from` before the payload of `batch`, made right for it. */
  #putHeader(batch: Bytes, from: Uint8Array, codec: number): Bytes {
    batch.set(from.subarray(0, HEADER_BYTE_LENGTH));
    writeInt32(batch, LENGTH_AT, batch.length - LENGTH_OVERHEAD);
    writeInt16(batch, ATTRIBUTES_AT, (readInt16(batch, ATTRIBUTES_AT) & ~CODEC_MASK) | codec);
    stampChecksum(batch, this.#core);
    return batch;
  }
}

function mustBeWhole(batch: Uint8Array): void {
  if (batch.length < HEADER_BYTE_LENGTH || batchByteLengthAt(batch) !== batch.length) {
    throw new CorruptBatchError(
      `expected one whole batch, found ${batch.length} bytes of which its header claims ${batch.length < HEADER_BYTE_LENGTH ? "more" : batchByteLengthAt(batch)}`,
    );
  }
}

function codecName(attributes: number): string {
  return codecOf(attributes) ?? `codec ${codecNumber(attributes)}`;
}

function copyOf(batch: Uint8Array): Bytes {
  return new Uint8Array(batch);
}
