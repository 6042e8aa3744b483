/** Compression for tests that wire their own parts: the codecs of Node over a core. */
import { writeInt32 } from "../../src/base/big-endian.ts";
import { ATTRIBUTES_AT, HEADER_BYTE_LENGTH, LENGTH_AT, LENGTH_OVERHEAD, stampChecksum } from "../../src/base/record-batch.ts";
import type { CodecName, Compression } from "../../src/compression/compression.ts";
import { createCompression } from "../../src/compression/create-compression.ts";
import { nodeCodecs } from "../../src/compression/node-codecs.ts";
import type { Core } from "../../src/core/core.ts";

export function compressionOf(core: Core): Compression {
  return createCompression(core, nodeCodecs());
}

export const CODEC_NUMBER: Readonly<Record<CodecName, number>> = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 };

/** A batch of so many records whose payload is these bytes, whatever they are, with the right checksum over them. */
export function batchAround(core: Core, payload: Uint8Array, codec: CodecName | number, recordCount: number): Uint8Array<ArrayBuffer> {
  core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
  for (let i = 0; i < recordCount; i++) core.writer.append(null, null, null, 1_700_000_000_000);
  const batch = new Uint8Array(HEADER_BYTE_LENGTH + payload.length);
  batch.set(core.writer.finish().subarray(0, HEADER_BYTE_LENGTH));
  batch.set(payload, HEADER_BYTE_LENGTH);
  writeInt32(batch, LENGTH_AT, batch.length - LENGTH_OVERHEAD);
  batch[ATTRIBUTES_AT + 1] = typeof codec === "number" ? codec : CODEC_NUMBER[codec];
  stampChecksum(batch, core);
  return batch;
}
