import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HEADER_BYTE_LENGTH, readBatchHeader, stampChecksum, stampLogAppendTime } from "../../src/base/record-batch.ts";
import { type CodecName, DECOMPRESSED_BYTE_LENGTH_MAX } from "../../src/compression/compression.ts";
import { createCompression } from "../../src/compression/create-compression.ts";
import { nodeCodecs } from "../../src/compression/node-codecs.ts";
import { portableCodecs } from "../../src/compression/portable-codecs.ts";
import { CorruptBatchError } from "../../src/core/corrupt-batch-error.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { fromHex, isCompressed, toHex, vectors } from "../core/vectors.ts";
import { bombs } from "./bombs.ts";
import { batchAround, CODEC_NUMBER } from "./support.ts";

const core = await loadCore();
const text = new TextEncoder();
const CODECS: readonly CodecName[] = ["gzip", "snappy", "lz4", "zstd"];
const PLATFORMS = [
  { platform: "Node", compression: createCompression(core, nodeCodecs()) },
  { platform: "portable", compression: createCompression(core, portableCodecs()) },
];

function written(values: readonly (string | null)[], producerId = -1n): Uint8Array<ArrayBuffer> {
  const numbered = producerId >= 0n;
  core.writer.begin({ producerId, producerEpoch: numbered ? 3 : -1, baseSequence: numbered ? 17 : -1, transactional: numbered });
  values.forEach((value, i) => {
    core.writer.append(text.encode(`key ${i}`), value === null ? null : text.encode(value), null, 1_700_000_000_000 + i);
  });
  return core.writer.finish().slice();
}

describe.each(PLATFORMS)("compressed batches ($platform)", ({ compression }) => {
  it("opens what Kafka's own classes and other clients wrote, byte for byte, and closes it again", () => {
    const compressed = vectors.batches.filter(isCompressed);
    expect(new Set(compressed.map(({ expect: { attributes } }) => attributes & 7))).toEqual(new Set([1, 2, 3, 4]));
    for (const { name, hex, expect: expected, uncompressedRecordsHex } of compressed) {
      const batch = fromHex(hex);
      const opened = compression.decompressBatch(batch);
      expect(toHex(opened.subarray(HEADER_BYTE_LENGTH)), name).toBe(uncompressedRecordsHex);
      const { checksum: _stored, attributes, byteLength: _was, ...rest } = readBatchHeader(batch);
      expect(readBatchHeader(opened), name).toMatchObject({ ...rest, attributes: attributes & ~7, byteLength: opened.length });
      expect(core.validate(opened).problem, name).toBe(null);
      expect(toHex(batch), "the batch given").toBe(hex);
      const codec = CODECS[(expected.attributes & 7) - 1] as CodecName;
      if (compression.canCompress(codec)) expect(compression.decompressBatch(compression.compressBatch(opened, codec))).toEqual(opened);
    }
  });

  it("keeps every field of the header but length, codec and checksum, whatever the records and the attributes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.string({ maxLength: 300 })), { minLength: 1, maxLength: 40 }),
        fc.constantFrom(...CODECS),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        (values, codec, numbered, logAppendTime, deleteHorizon) => {
          if (!compression.canCompress(codec)) return;
          const batch = written(values, numbered ? 4000n : -1n);
          if (logAppendTime) stampLogAppendTime(batch, 1_800_000_000_000);
          if (deleteHorizon) batch[22] = (batch[22] as number) | 0x40;
          stampChecksum(batch, core);
          const before = batch.slice();
          const closed = compression.compressBatch(batch, codec);
          const header = readBatchHeader(batch);
          expect(readBatchHeader(closed)).toEqual({
            ...header,
            byteLength: closed.length,
            attributes: header.attributes | CODEC_NUMBER[codec],
            checksum: core.crc32c(closed.subarray(21)),
          });
          expect(compression.decompressBatch(closed)).toEqual(before);
          expect(batch).toEqual(before);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("gives back as it is what is not compressed, and compresses nothing twice", () => {
    const batch = written(["a"]);
    expect(compression.decompressBatch(batch)).toBe(batch);
    expect(() => compression.compressBatch(compression.compressBatch(batch, "lz4"), "gzip")).toThrow(/compressed with lz4/);
    const unknown = Uint8Array.from(batch, (byte, at) => (at === 22 ? 5 : byte));
    expect(() => compression.compressBatch(unknown, "gzip")).toThrow(/records in the open, found one compressed with codec 5/);
  });

  it("leaves a batch that compaction has emptied without payload and without codec", () => {
    const emptied = fromHex((vectors.batches.find(({ name }) => name === "19-compacted-empty-batch") as { hex: string }).hex);
    for (const codec of ["gzip", "snappy", "lz4"] as const) {
      expect(toHex(compression.compressBatch(emptied, codec))).toBe(toHex(emptied));
      // Other cleaners may have left the bits.
      const withBits = emptied.slice();
      withBits[22] = (withBits[22] as number) | CODEC_NUMBER[codec];
      stampChecksum(withBits, core);
      expect(toHex(compression.decompressBatch(withBits))).toBe(toHex(emptied));
    }
  });

  it("compresses a batch where the writer left it, of any length", () => {
    const line = "a line that is much like the next one, ".repeat(20);
    for (const count of [1, 100, 5000]) {
      core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
      for (let i = 0; i < count; i++) core.writer.append(null, text.encode(line + i), null, 5);
      const batch = core.writer.finish();
      const before = batch.slice();
      for (const codec of ["lz4", "snappy", "gzip"] as const) {
        expect(Buffer.compare(compression.decompressBatch(compression.compressBatch(batch, codec)), before), codec).toBe(0);
      }
    }
  });

  it("refuses unknown codecs by number, and what it cannot write by name", () => {
    const batch = written(["a"]);
    for (const codec of [5, 6, 7]) {
      const unknown = batch.slice();
      unknown[22] = codec;
      expect(() => compression.decompressBatch(unknown)).toThrow(
        expect.objectContaining({
          name: "UsageError",
          code: "UNSUPPORTED_COMPRESSION_TYPE",
          message: expect.stringContaining(`codec ${codec}`),
        }),
      );
    }
    if (compression.canCompress("zstd"))
      return void expect(compression.decompressBatch(compression.compressBatch(batch, "zstd"))).toEqual(batch);
    expect(() => compression.compressBatch(batch, "zstd")).toThrow(
      expect.objectContaining({
        name: "UsageError",
        code: "UNSUPPORTED_COMPRESSION_TYPE",
        message: expect.stringMatching(/Node 22\.15.*gzip, snappy, lz4/),
      }),
    );
  });

  it("stops bombs, whatever the batch says of itself", () => {
    for (const { codec, kind, bytes } of bombs(core)) {
      const batch = batchAround(core, bytes, codec, 1);
      expect(() => compression.decompressBatch(batch), `${codec}: ${kind}`).toThrow(CorruptBatchError);
    }
    expect(DECOMPRESSED_BYTE_LENGTH_MAX).toBe(64 * 1024 * 1024);
  });

  it("takes one whole batch and nothing else", () => {
    const batch = compression.compressBatch(written(["a"]), "lz4");
    expect(() => compression.decompressBatch(batch.subarray(0, 60))).toThrow(CorruptBatchError);
    expect(() => compression.decompressBatch(batch.subarray(0, batch.length - 1))).toThrow(CorruptBatchError);
    expect(() => compression.decompressBatch(new Uint8Array([...batch, 0]))).toThrow(CorruptBatchError);
  });
});
