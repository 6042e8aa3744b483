/** Compressed bytes that ask for more than they are worth, or end too early, are refused before anything is made for them. */
import zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { readGzip } from "../../src/compression/portable-gzip.ts";
import { checkWritable, unwritableCodec } from "../../src/compression/unwritable-codec.ts";
import { zstdFrames } from "../../src/compression/zstd-frames.ts";
import { readZstd } from "../../src/compression/zstd-reader.ts";
import { CorruptBatchError } from "../../src/core/corrupt-batch-error.ts";

const MAX = 1 << 20;
/** A frame of one raw block with one byte, its size in the open. */
const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 0x09, 0, 0, 0x61);
const repeated = (bytes: Uint8Array, count: number): Uint8Array =>
  new Uint8Array(Buffer.concat(Array.from({ length: count }, () => bytes)));

function refused(call: () => unknown, words: string): void {
  expect(call).toThrow(words);
  expect(call).toThrow(CorruptBatchError);
}

describe("zstd", () => {
  it("takes a frame, and as many as anyone writes, but not thousands", () => {
    expect(zstdFrames(frame, MAX)).toMatchObject([{ start: 0, end: frame.length, byteLengthMax: 1 }]);
    expect(zstdFrames(repeated(frame, 4096), MAX)).toHaveLength(4096);
    refused(() => zstdFrames(repeated(frame, 4097), MAX), "more than 4096 frames");
  });

  it("takes no frame of a later format, and none that needs a dictionary", () => {
    const described = (bits: number): Uint8Array => Uint8Array.from(frame, (byte, at) => (at === 4 ? byte | bits : byte));
    refused(() => zstdFrames(described(0x08), MAX), "reserved bit");
    for (const bits of [1, 2, 3]) refused(() => zstdFrames(described(bits), MAX), "needs a dictionary");
  });

  it("reads a size of each length, and believes none that its blocks cannot hold", () => {
    // Descriptor, then a window where there is one: sizes of 4 and of 8 bytes.
    const claims = (descriptor: number, size: readonly number[]): Uint8Array =>
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, descriptor, ...size, 0x09, 0, 0, 0x61);
    expect(zstdFrames(claims(0xa0, [1, 0, 0, 0]), MAX)).toMatchObject([{ byteLengthMax: 1 }]);
    expect(zstdFrames(claims(0xe0, [1, 0, 0, 0, 0, 0, 0, 0]), MAX)).toMatchObject([{ byteLengthMax: 1 }]);
    refused(() => zstdFrames(claims(0xa0, [2, 0, 0, 0]), MAX), "its blocks can hold 1");
    refused(() => zstdFrames(claims(0xe0, [0, 0, 0, 0, 1, 0, 0, 0]), MAX), "bytes come out: it claims 4294967296");
  });

  it("gives out nothing of a block that holds more than a block may, and says so in words", () => {
    // Of a window of 1 MiB; its one block repeats a byte 200,000 times, as literals and without a sequence.
    const literals = (200_000 << 4) | (3 << 2) | 1;
    const block = [literals & 0xff, (literals >> 8) & 0xff, (literals >> 16) & 0xff, 0x61, 0];
    const long = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 80, (block.length << 3) | (2 << 1) | 1, 0, 0, ...block);
    expect(zstdFrames(long, MAX)).toMatchObject([{ byteLengthMax: 128 * 1024 }]);
    refused(() => readZstd(long, MAX), "longer than any may be");
    const most = (131_072 << 4) | (3 << 2) | 1;
    long.set([most & 0xff, (most >> 8) & 0xff, (most >> 16) & 0xff], 9);
    expect(readZstd(long, MAX)).toEqual(new Uint8Array(131_072).fill(0x61));
  });

  it("says where it ends too early: in a magic number, a frame to be skipped, a header, a block", () => {
    refused(() => zstdFrames(frame.subarray(0, 3), MAX), "it ends within a frame");
    for (let cut = 4; cut < frame.length; cut += 1) refused(() => zstdFrames(frame.subarray(0, cut), MAX), "it ends within a frame");
    const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 9, 0, 0, 0, 1);
    refused(() => zstdFrames(skippable, MAX), "it ends within a skippable frame");
    refused(() => zstdFrames(skippable.subarray(0, 6), MAX), "it ends within a frame");
    refused(() => zstdFrames(new Uint8Array(0), MAX), "it holds no frame");
  });
});

describe("gzip", () => {
  it("steps over a checksum of the header, and takes no thousands of members", () => {
    const plain = new Uint8Array(zlib.gzipSync("a"));
    const checked = Uint8Array.of(0x1f, 0x8b, 8, 0x02, 0, 0, 0, 0, 0, 3, 7, 7, ...plain.subarray(10));
    expect(Buffer.from(readGzip(checked, MAX, 0)).toString()).toBe("a");
    expect(readGzip(repeated(plain, 1024), MAX, 0)).toHaveLength(1024);
    refused(() => readGzip(repeated(plain, 1025), MAX, 0), "more than 1024 members");
  });
});

describe("a codec that is not written here", () => {
  it("is refused with those that are, and zstd with who writes it", () => {
    const onlyGzip = (codec: string): boolean => codec === "gzip";
    expect(() => checkWritable("snappy", onlyGzip)).toThrow("snappy is read in this runtime and cannot be written. Written here: gzip");
    expect(() => checkWritable("zstd", onlyGzip)).toThrow("Bun and Deno write it. Written here: gzip");
    for (const fine of ["gzip", "producer", "uncompressed", undefined]) checkWritable(fine, onlyGzip);
    expect(unwritableCodec("lz4", () => false)).toMatchObject({ code: "UNSUPPORTED_COMPRESSION_TYPE" });
  });
});
