import { readFileSync } from "node:fs";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Codec, type CodecName, DECOMPRESSED_BYTE_LENGTH_MAX, type NativeCodecs } from "../../src/compression/compression.ts";
import { nodeCodecs, zstdOf } from "../../src/compression/node-codecs.ts";
import { portableCodecs } from "../../src/compression/portable-codecs.ts";
import { CorruptBatchError } from "../../src/core/corrupt-batch-error.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { BOMB_BYTE_LENGTH, bombs } from "./bombs.ts";
import { anyContent, logLines, noise } from "./contents.ts";

const core = await loadCore();
const PLATFORMS: readonly { readonly platform: string; readonly native: NativeCodecs }[] = [
  { platform: "Node", native: nodeCodecs() },
  { platform: "portable", native: portableCodecs() },
];
const NAMES: readonly CodecName[] = ["gzip", "snappy", "lz4", "zstd"];

interface ZstdFixture {
  readonly name: string;
  readonly content: "log lines" | "noise";
  readonly byteLength: number;
  readonly base64: string;
}
const ZSTD: readonly ZstdFixture[] = JSON.parse(readFileSync(new URL("../fixtures/zstd/frames.json", import.meta.url), "utf8")).frames;
const frameOf = ({ base64 }: ZstdFixture): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
const contentOf = ({ content, byteLength }: ZstdFixture): Uint8Array =>
  content === "noise" ? noise(byteLength) : logLines(160_000).slice(0, byteLength);
const MAX = DECOMPRESSED_BYTE_LENGTH_MAX;

function same(actual: Uint8Array, expected: Uint8Array): boolean {
  return Buffer.compare(actual, expected) === 0;
}

describe.each(PLATFORMS)("codecs ($platform)", ({ native }) => {
  const codecs: Readonly<Record<CodecName, Codec>> = { ...native, snappy: core.snappy, lz4: core.lz4 };

  it("gives back what was compressed, behind the room asked for, and never more than allowed", () => {
    for (const name of NAMES) {
      const codec = codecs[name];
      if (codec.compress === null) continue;
      const { compress } = codec;
      fc.assert(
        fc.property(anyContent, fc.nat(100), (content, roomBefore) => {
          const compressed = compress.call(codec, content, roomBefore);
          expect(same(compressed.subarray(0, roomBefore), new Uint8Array(roomBefore))).toBe(true);
          const bytes = compressed.subarray(roomBefore);
          const opened = codec.decompress(bytes, content.length, roomBefore);
          expect(opened.length, name).toBe(roomBefore + content.length);
          expect(same(opened.subarray(roomBefore), content), name).toBe(true);
          if (content.length > 0) expect(() => codec.decompress(bytes, content.length - 1), name).toThrow(/more than \d+ bytes come out/);
        }),
        { numRuns: 60 },
      );
    }
  });

  it("finds every harm of gzip, by its checksum at the last", () => {
    const content = logLines(5000);
    const { compress, decompress } = codecs.gzip;
    const good = compress?.(content) ?? new Uint8Array(0);
    expect(Buffer.from(good.subarray(0, 10)).toString("hex")).toBe("1f8b0800000000000000");
    expect(same(zlib.gunzipSync(good), content)).toBe(true);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(good.length - 1), (at, change, cut) => {
        const harmed = good.slice();
        harmed[at] = (harmed[at] as number) ^ change;
        for (const bytes of [harmed, good.slice(0, cut)]) {
          let opened: Uint8Array | null = null;
          try {
            opened = decompress(bytes, MAX);
          } catch (error) {
            expect(error).toBeInstanceOf(CorruptBatchError);
          }
          // Time, flags of speed and system may say what they like.
          if (opened !== null) expect(same(opened, content)).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("reads gzip members with every field that a header may have, and one behind another", () => {
    const content = logLines(40_000);
    const plain = new Uint8Array(zlib.gzipSync(content));
    const fields = Uint8Array.of(0x1f, 0x8b, 8, 0x1c, 1, 2, 3, 4, 0, 3, 2, 0, 9, 9, 0x6e, 0, 0x63, 0);
    expect(same(codecs.gzip.decompress(new Uint8Array([...fields, ...plain.subarray(10)]), MAX), content)).toBe(true);
    const two = codecs.gzip.decompress(new Uint8Array([...plain, ...plain]), MAX);
    expect(two.length).toBe(2 * content.length);
    expect(same(two.subarray(content.length), content)).toBe(true);
    for (const stored of [0, 9]) {
      const level = zlib.gzipSync(content, { level: stored });
      expect(same(codecs.gzip.decompress(new Uint8Array(level), content.length), content)).toBe(true);
    }
  });

  it("reads what libzstd writes, one frame or several, with others in between that are to be skipped", () => {
    const skippable = Uint8Array.of(0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
    for (const fixture of ZSTD) {
      expect(same(codecs.zstd.decompress(frameOf(fixture), fixture.byteLength), contentOf(fixture)), fixture.name).toBe(true);
      expect(() => codecs.zstd.decompress(frameOf(fixture), fixture.byteLength - 1), fixture.name).toThrow(/bytes come out/);
    }
    const all = new Uint8Array(Buffer.concat([skippable, ...ZSTD.flatMap((fixture) => [frameOf(fixture), skippable])]));
    const opened = codecs.zstd.decompress(all, MAX, 61);
    expect(same(opened.subarray(61), new Uint8Array(Buffer.concat(ZSTD.map(contentOf))))).toBe(true);
  });

  it("never gives up on harmed zstd, and stays within bounds of time", () => {
    const good = frameOf(ZSTD[1] as ZstdFixture);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.nat(good.length),
        (changes, cut) => {
          const harmed = good.slice(0, cut % 4 === 0 ? cut : good.length);
          for (const [at, byte] of changes) if (at < harmed.length) harmed[at] = byte;
          try {
            codecs.zstd.decompress(harmed, MAX);
          } catch (error) {
            expect(error).toBeInstanceOf(CorruptBatchError);
          }
        },
      ),
      { numRuns: 600 },
    );
  });

  it("stops a bomb at the cap, not when memory ends", () => {
    for (const { codec, kind, bytes } of bombs(core)) {
      const before = process.resourceUsage().maxRSS;
      expect(() => codecs[codec].decompress(bytes, MAX), `${codec}: ${kind}`).toThrow(CorruptBatchError);
      const grownBytes = (process.resourceUsage().maxRSS - before) * 1024;
      expect(grownBytes, `${codec}: ${kind}`).toBeLessThan(5 * MAX);
      expect(5 * MAX).toBeLessThan(BOMB_BYTE_LENGTH / 4);
    }
  });

  it("refuses emptiness", () => {
    for (const name of NAMES) expect(() => codecs[name].decompress(new Uint8Array(0), MAX), name).toThrow(CorruptBatchError);
  });
});

describe("zstd by node:zlib", () => {
  it("is written where the runtime has it, and read everywhere", () => {
    expect(nodeCodecs().zstd.compress !== null).toBe("zstdCompressSync" in zlib);
    expect(portableCodecs().zstd.compress).toBe(null);
  });

  it("is written by the runtime's own function, behind the room asked for", () => {
    const codec = zstdOf({ zstdCompressSync: (bytes) => Uint8Array.of(bytes.length, 7) });
    expect([...(codec.compress?.(new Uint8Array(9)) ?? [])]).toEqual([9, 7]);
    expect([...(codec.compress?.(new Uint8Array(9), 2) ?? [])]).toEqual([0, 0, 9, 7]);
  });

  it("gives each frame to the runtime by itself, with what is left of the cap: some go on behind the first, some do not", () => {
    const asked: number[] = [];
    const codec = zstdOf({
      zstdDecompressSync: (bytes, { maxOutputLength, params }) => {
        expect(params).toEqual({ 100: 26 });
        asked.push(maxOutputLength);
        return portableCodecs().zstd.decompress(bytes, maxOutputLength);
      },
    });
    const [first, second] = ZSTD as [ZstdFixture, ZstdFixture];
    const both = new Uint8Array(Buffer.concat([frameOf(first), frameOf(second)]));
    expect(codec.decompress(both, 100_000).length).toBe(first.byteLength + second.byteLength);
    expect(asked).toEqual([100_000, 100_000 - first.byteLength]);
  });
});
