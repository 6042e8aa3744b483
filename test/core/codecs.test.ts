import fc from "fast-check";
import lz4js from "lz4js";
import snappyjs from "snappyjs";
import { describe, expect, it } from "vitest";
import { CorruptBatchError } from "../../src/core/corrupt-batch-error.ts";
import { anyContent, logLines, noise } from "../compression/contents.ts";
import { BUILDS, coreOf, exportsOf } from "./builds.ts";
import { bigEndian } from "./twin/batch.ts";
import { twinReadLz4Block, twinReadLz4Frame } from "./twin/lz4.ts";
import { twinReadSnappyBlock, twinReadXerial } from "./twin/snappy.ts";
import { twinXxh32 } from "./twin/xxh32.ts";

const MAX = 64 * 1024 * 1024;
const text = new TextEncoder();

/** What comes out, or "corrupt". Anything else that is thrown fails the test. */
function outcome(call: () => Uint8Array): Uint8Array | "corrupt" {
  try {
    return call();
  } catch (error) {
    if (error instanceof CorruptBatchError) return "corrupt";
    throw error;
  }
}

const twinOutcome = (call: () => Uint8Array): Uint8Array | "corrupt" => {
  try {
    return call();
  } catch {
    return "corrupt";
  }
};

function expectSame(actual: Uint8Array | "corrupt", expected: Uint8Array | "corrupt", what = ""): void {
  if (actual === "corrupt" || expected === "corrupt") expect(actual, what).toBe(expected);
  else expect(Buffer.compare(actual, expected), what).toBe(0);
}

interface Sequence {
  readonly literals: Uint8Array;
  /** Above what is there already by so much, when positive: one that reaches too far back. */
  readonly beyond: number;
  readonly distance: number;
  readonly length: number;
}

/** What a compressor of no scruples may write: distances up to the first byte, and sometimes past it. */
const anySequences: fc.Arbitrary<Sequence[]> = fc.array(
  fc.record({
    literals: fc.uint8Array({ maxLength: 40 }),
    beyond: fc.constantFrom(-1, -1, -1, 0, 0, 1),
    distance: fc.nat(300),
    length: fc.oneof(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 4, max: 700 })),
  }),
  { maxLength: 12 },
);

/** `beyond` -1: the distance as it is, if there is as much. */
const distanceOf = ({ beyond, distance }: Sequence, have: number): number => (beyond >= 0 ? have + beyond : distance % (have + 1));

function lz4Length(rest: number): number[] {
  return rest < 15 ? [] : [...new Array<number>(Math.floor((rest - 15) / 255)).fill(255), (rest - 15) % 255];
}

/** `have`: how many bytes stand before the block that it may reach into. */
function lz4Block(sequences: readonly Sequence[], have = 0): Uint8Array {
  const out: number[] = [];
  let written = have;
  for (const sequence of sequences) {
    const { literals, length } = sequence;
    written += literals.length;
    const distance = distanceOf(sequence, Math.min(written, 65_535));
    out.push((Math.min(15, literals.length) << 4) | Math.min(15, length - 4), ...lz4Length(literals.length), ...literals);
    out.push(distance & 0xff, distance >> 8, ...lz4Length(length - 4));
    written += length;
  }
  return Uint8Array.of(...out, 0x50, 1, 2, 3, 4, 5);
}

function snappyBlock(sequences: readonly Sequence[]): Uint8Array {
  const out: number[] = [];
  let written = 0;
  for (const sequence of sequences) {
    const { literals } = sequence;
    const length = 4 + (sequence.length % 60);
    written += literals.length;
    if (literals.length > 0) out.push((literals.length - 1) << 2, ...literals);
    const distance = distanceOf(sequence, written);
    if (length < 12 && distance < 2048) out.push(((distance >> 8) << 5) | ((length - 4) << 2) | 1, distance & 0xff);
    else if (length % 2 === 0) out.push(((length - 1) << 2) | 2, distance & 0xff, (distance >> 8) & 0xff);
    else out.push(((length - 1) << 2) | 3, distance & 0xff, (distance >> 8) & 0xff, 0, 0);
    written += length;
  }
  const bytes: number[] = [];
  let left = written;
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Uint8Array.of(...bytes, left, ...out);
}

/** Writes frames with every flag, out of blocks of our own making: literals alone, or stored. */
function frameOf(
  content: Uint8Array,
  options: {
    readonly linked?: boolean;
    readonly block?: boolean;
    readonly content?: boolean;
    readonly size?: boolean;
    readonly sizeId?: number;
    readonly stored?: boolean;
  },
  blocks: readonly Uint8Array[],
): Uint8Array {
  const flags = 0x40 | (options.linked ? 0 : 0x20) | (options.block ? 0x10 : 0) | (options.size ? 8 : 0) | (options.content ? 4 : 0);
  const size = Buffer.alloc(options.size ? 8 : 0);
  if (options.size) size.writeBigUInt64LE(BigInt(content.length));
  const described = Buffer.concat([Uint8Array.of(flags, (options.sizeId ?? 4) << 4), size]);
  const word = (value: number): Uint8Array => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    return bytes;
  };
  const parts: Uint8Array[] = [word(0x184d2204), described, Uint8Array.of((twinXxh32(described) >>> 8) & 0xff)];
  for (const block of blocks) {
    parts.push(word(options.stored ? block.length + 0x80000000 : block.length), block);
    if (options.block) parts.push(word(twinXxh32(block)));
  }
  parts.push(word(0));
  if (options.content) parts.push(word(twinXxh32(content)));
  return new Uint8Array(Buffer.concat(parts));
}

describe.each(BUILDS)("xxh32 (%s)", (build) => {
  it("gives the published sums, and what the specification gives, in one piece or several", async () => {
    const raw = await exportsOf(build);
    const at = 1 << 20;
    const bytes = new Uint8Array(raw.memory.buffer);
    const hash = (...pieces: Uint8Array[]): number => {
      raw.xxh32Begin();
      for (const piece of pieces) {
        bytes.set(piece, at);
        expect(raw.xxh32Extend(at, piece.length)).toBe(0);
      }
      expect(raw.xxh32Finish()).toBe(0);
      return new Uint32Array(raw.memory.buffer, 64, 1)[0] as number;
    };
    expect(hash(new Uint8Array(0))).toBe(0x02cc5d05);
    expect(hash(text.encode("abc"))).toBe(0x32d153ff);
    expect(hash(text.encode("Nobody inspects the spammish repetition"))).toBe(0xe2293b2f);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 90 }), { maxLength: 6 }), (pieces) => {
        expect(hash(...pieces)).toBe(twinXxh32(new Uint8Array(Buffer.concat(pieces))));
      }),
    );
  });
});

describe.each(BUILDS)("lz4 (%s)", (build) => {
  it("writes frames as Java's client does, that its twin and lz4js read", async () => {
    const { lz4 } = await coreOf(build);
    fc.assert(
      fc.property(anyContent, fc.nat(80), (content, roomBefore) => {
        const frame = lz4.compress(content, roomBefore).subarray(roomBefore);
        expect(Buffer.from(frame.subarray(0, 7)).toString("hex")).toBe("04224d18604082");
        expectSame(twinReadLz4Frame(frame), content);
        if (content.length > 0) expectSame(new Uint8Array(lz4js.decompress(frame)), content, "lz4js");
        expectSame(lz4.decompress(frame, MAX, roomBefore).subarray(roomBefore), content);
      }),
      { numRuns: build === "release" ? 300 : 40 },
    );
  });

  it("reads what lz4js writes, and refuses a byte too many", async () => {
    const { lz4 } = await coreOf(build);
    fc.assert(
      fc.property(anyContent, (content) => {
        const frame = new Uint8Array(lz4js.compress(content));
        expectSame(lz4.decompress(frame, content.length), content);
        if (content.length > 0) expect(() => lz4.decompress(frame, content.length - 1)).toThrow(/more than \d+ bytes come out/);
      }),
      { numRuns: build === "release" ? 100 : 20 },
    );
  });

  it("grows what cannot shrink by no more than its framing", async () => {
    const { lz4 } = await coreOf(build);
    const content = noise(200_000);
    expect(lz4.compress(content).length).toBe(content.length + 7 + 4 * 4 + 4);
  });

  it("works through any length in windows of fixed size, and leaves a batch alone that is half written", async () => {
    const core = await coreOf(build);
    const content = logLines(3_700_001);
    core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
    core.writer.append(text.encode("key"), text.encode("value"), null, 5);
    const frame = core.lz4.compress(content);
    expectSame(core.lz4.decompress(frame, MAX), content);
    expectSame(core.snappy.decompress(core.snappy.compress(content), MAX), content);
    const batch = core.writer.finish();
    expect(core.validate(batch).problem).toBe(null);
  });

  it("compresses what stands in the core's own windows where it stands", async () => {
    const core = await coreOf(build);
    const content = logLines(300_000);
    core.readWindow().set(content);
    const own = core.readWindow().subarray(0, content.length);
    expectSame(core.lz4.decompress(core.lz4.compress(own), MAX), content);
    expectSame(core.snappy.decompress(core.snappy.compress(own), MAX), content);
    expectSame(own, content, "the window");
  });

  it("reads every kind of frame: linked blocks, all checksums, a content size, stored blocks, all block sizes", async () => {
    const { lz4 } = await coreOf(build);
    // Two blocks: "abcdefgh" as literals, then a match that reaches into the first.
    const linked = [Uint8Array.of(0x80, ...text.encode("abcdefgh")), Uint8Array.of(0x04, 8, 0, 0x50, ...text.encode("12345"))];
    const content = text.encode("abcdefghabcdefgh12345");
    for (const block of [false, true]) {
      for (const withContent of [false, true]) {
        for (const size of [false, true]) {
          for (const sizeId of [4, 5, 6, 7]) {
            const options = { linked: true, block, content: withContent, size, sizeId };
            const frame = frameOf(content, options, linked);
            expectSame(lz4.decompress(frame, MAX), content, JSON.stringify(options));
            expect(outcome(() => lz4.decompress(frameOf(content, { ...options, linked: false }, linked), MAX))).toBe("corrupt");
            const stored = frameOf(content, { ...options, stored: true }, [content.subarray(0, 9), content.subarray(9)]);
            expectSame(lz4.decompress(stored, MAX), content);
            for (let at = 4; at < frame.length; at++) {
              const harmed = frame.slice();
              harmed[at] = (harmed[at] as number) ^ 0x10;
              const result = outcome(() => lz4.decompress(harmed, MAX));
              // With a checksum over the content nothing wrong comes out.
              if (withContent && result !== "corrupt") expectSame(result, content);
            }
          }
        }
      }
    }
  });

  it("reads blocks that are larger than its windows, linked ones too", async () => {
    const { lz4 } = await coreOf(build);
    const half = 4 << 20;
    const content = new Uint8Array(2 * half + 5).fill(0x61);
    // One literal, then a match of distance 1 for the rest of 4 MiB less five literals; the second block begins with a match.
    const run = (literals: number, total: number): Uint8Array => {
      const match = total - literals - 5 - 4 - 15;
      const more = [...new Array<number>(Math.floor(match / 255)).fill(255), match % 255];
      const tail = Uint8Array.of(0x50, 0x61, 0x61, 0x61, 0x61, 0x61);
      return new Uint8Array(
        Buffer.concat([Uint8Array.of((literals << 4) | 15, ...new Array<number>(literals).fill(0x61), 1, 0), Uint8Array.from(more), tail]),
      );
    };
    const frame = frameOf(content, { linked: true, content: true, sizeId: 7 }, [
      run(1, half),
      run(0, half),
      Uint8Array.of(0x50, 0x61, 0x61, 0x61, 0x61, 0x61),
    ]);
    expectSame(lz4.decompress(frame, MAX), content);
    expect(() => lz4.decompress(frame, half)).toThrow(/more than 4194304 bytes/);
    const small = frameOf(content, { linked: true, sizeId: 4 }, [run(1, half)]);
    expect(() => lz4.decompress(small, MAX)).toThrow(/longer than the 65536 bytes/);
  });

  it("says of any bytes what its twin says, and never gives up", async () => {
    const { lz4 } = await coreOf(build);
    const content = logLines(3000);
    const good = lz4.compress(content);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.nat(good.length),
        (changes, cut) => {
          const harmed = good.slice(0, cut % 5 === 0 ? cut : good.length);
          for (const [at, byte] of changes) if (at < harmed.length) harmed[at] = byte;
          // Reserved bits, dictionaries and the order of refusals are the frame's own; its twin reads the block alone.
          if (Buffer.compare(harmed.subarray(0, 7), good.subarray(0, 7)) !== 0) return void outcome(() => lz4.decompress(harmed, MAX));
          expectSame(
            outcome(() => lz4.decompress(harmed, MAX)),
            twinOutcome(() => twinReadLz4Frame(harmed)),
          );
        },
      ),
      { numRuns: build === "release" ? 1500 : 200 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (block) => {
        const out: number[] = [];
        const expected = twinOutcome(() => {
          twinReadLz4Block(block, out, 0, 65536);
          return Uint8Array.from(out);
        });
        expectSame(
          outcome(() => lz4.decompress(frameOf(new Uint8Array(0), {}, [block]), MAX)),
          expected,
        );
      }),
      { numRuns: build === "release" ? 3000 : 300 },
    );
  });

  it("reaches back to the first byte and no further", async () => {
    const { lz4 } = await coreOf(build);
    fc.assert(
      fc.property(anySequences, (sequences) => {
        const block = lz4Block(sequences);
        const out: number[] = [];
        const expected = twinOutcome(() => {
          twinReadLz4Block(block, out, 0, 65536);
          return Uint8Array.from(out);
        });
        const frame = frameOf(new Uint8Array(0), {}, [block]);
        expectSame(
          outcome(() => lz4.decompress(frame, MAX)),
          expected,
        );
      }),
      { numRuns: build === "release" ? 1500 : 200 },
    );
  });

  it("keeps what linked blocks reach back to, however many windows they fill", async () => {
    const { lz4 } = await coreOf(build);
    const blocks: Uint8Array[] = [];
    let have = 0;
    for (let i = 0; i < 40; i++) {
      const sequences = Array.from({ length: 10 }, (_, k) => ({ literals: noise(20, i * 16 + k), beyond: 0, distance: 0, length: 6_000 }));
      blocks.push(lz4Block(sequences, have));
      have += 10 * 6_020 + 5;
    }
    const frame = frameOf(new Uint8Array(0), { linked: true }, blocks);
    const expected = twinReadLz4Frame(frame);
    expect(expected.length).toBe(have);
    expectSame(lz4.decompress(frame, MAX), expected);
  });

  it("refuses what stands behind its end, a dictionary, and flags that stand for nothing", async () => {
    const { lz4 } = await coreOf(build);
    const frame = lz4.compress(text.encode("hello hello hello"));
    expect(() => lz4.decompress(new Uint8Array([...frame, 0]), MAX)).toThrow(/1 bytes behind its end/);
    expect(() => lz4.decompress(new Uint8Array([...frame, ...frame]), MAX)).toThrow(/bytes behind its end/);
    const withFlags = (flags: number, size: number): Uint8Array => {
      const described = Uint8Array.of(flags, size);
      return Uint8Array.of(4, 0x22, 0x4d, 0x18, ...described, (twinXxh32(described) >>> 8) & 0xff, 0, 0, 0, 0);
    };
    expect(lz4.decompress(withFlags(0x60, 0x40), MAX).length).toBe(0);
    expect(() => lz4.decompress(withFlags(0x61, 0x40), MAX)).toThrow(/dictionary/);
    for (const [flags, size] of [
      [0x62, 0x40],
      [0x60, 0x30],
      [0x60, 0x41],
      [0x60, 0xc0],
    ] as const) {
      expect(() => lz4.decompress(withFlags(flags, size), MAX)).toThrow(/stand for nothing/);
    }
    expect(() => lz4.decompress(withFlags(0x20, 0x40), MAX)).toThrow(/version/);
  });
});

describe.each(BUILDS)("snappy (%s)", (build) => {
  it("writes streams as Java's client does, that its twin and snappyjs read", async () => {
    const { snappy } = await coreOf(build);
    fc.assert(
      fc.property(anyContent, fc.nat(80), (content, roomBefore) => {
        const stream = snappy.compress(content, roomBefore).subarray(roomBefore);
        expectSame(twinReadXerial(stream), content);
        expectSame(snappy.decompress(stream, MAX, roomBefore).subarray(roomBefore), content);
        if (content.length > 0 && content.length <= 32768) expectSame(snappyjs.uncompress(stream.subarray(20)), content, "snappyjs");
        if (content.length > 0) expect(() => snappy.decompress(stream, content.length - 1)).toThrow(/more than \d+ bytes come out/);
      }),
      { numRuns: build === "release" ? 300 : 40 },
    );
  });

  it("reads a bare block, of any length", async () => {
    const { snappy } = await coreOf(build);
    fc.assert(
      fc.property(anyContent, (content) => {
        expectSame(snappy.decompress(snappyjs.compress(content), content.length), content);
      }),
      { numRuns: build === "release" ? 150 : 20 },
    );
    const long = logLines(2_500_000);
    expectSame(snappy.decompress(snappyjs.compress(long), MAX), long);
  });

  it("says of any bytes what its twin says, and never gives up", async () => {
    const { snappy } = await coreOf(build);
    const block = snappyjs.compress(logLines(3000));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(block.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.nat(block.length),
        (changes, cut) => {
          const harmed = block.slice(0, cut % 5 === 0 ? cut : block.length);
          for (const [at, byte] of changes) if (at < harmed.length) harmed[at] = byte;
          expectSame(
            outcome(() => snappy.decompress(harmed, MAX)),
            twinOutcome(() => twinReadSnappyBlock(harmed)),
          );
        },
      ),
      { numRuns: build === "release" ? 1500 : 200 },
    );
    fc.assert(
      fc.property(fc.nat(40), fc.uint8Array({ maxLength: 40 }), (length, elements) => {
        const bytes = Uint8Array.of(length, ...elements);
        expectSame(
          outcome(() => snappy.decompress(bytes, MAX)),
          twinOutcome(() => twinReadSnappyBlock(bytes)),
        );
      }),
      { numRuns: build === "release" ? 3000 : 300 },
    );
  });

  it("reaches back to the first byte and no further", async () => {
    const { snappy } = await coreOf(build);
    fc.assert(
      fc.property(anySequences, (sequences) => {
        const block = snappyBlock(sequences);
        expectSame(
          outcome(() => snappy.decompress(block, MAX)),
          twinOutcome(() => twinReadSnappyBlock(block)),
        );
      }),
      { numRuns: build === "release" ? 1500 : 200 },
    );
  });

  it("reads a stream of blocks larger than Java's client writes them, and than its windows hold", async () => {
    const { snappy } = await coreOf(build);
    const begin = snappy.compress(new Uint8Array(0));
    const contents = [logLines(1000), logLines(2_500_000), noise(700_000)];
    const blocks = contents.map((content) => snappyjs.compress(content));
    const stream = Buffer.concat([begin, ...blocks.flatMap((block) => [Uint8Array.of(...bigEndian(block.length, 4)), block])]);
    expectSame(snappy.decompress(new Uint8Array(stream), MAX), new Uint8Array(Buffer.concat(contents)));
  });

  it("says where a stream ends too early, and which length stands where none can", async () => {
    const { lz4, snappy } = await coreOf(build);
    const begin = [...snappy.compress(new Uint8Array(0))];
    const stream = (...rest: readonly number[]): Uint8Array => Uint8Array.from([...begin, ...rest]);
    expect(() => snappy.decompress(Uint8Array.from(begin.slice(0, 9)), MAX)).toThrow("it ends within its header");
    expect(() => snappy.decompress(stream(0, 0, 0), MAX)).toThrow("it ends where a block's length should stand");
    expect(() => snappy.decompress(stream(0, 0, 0, 9, 1), MAX)).toThrow("a block says it is 9 bytes long; there are 1");
    expect(() => snappy.decompress(stream(0xff, 0xff, 0xff, 0xff, 1), MAX)).toThrow("a block says it is -1 bytes long");
    expect(() => snappy.decompress(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f, 0), MAX)).toThrow("no length stands at the beginning");
    // A content's size is announced, and is not there.
    const frame = lz4.compress(Uint8Array.of(1, 2, 3)).slice(0, 10);
    frame[4] = (frame[4] as number) | 0x08;
    expect(() => lz4.decompress(frame, MAX)).toThrow("it ends within its header");
  });

  it("allocates nothing for a length that no block of its size can have", async () => {
    const { snappy } = await coreOf(build);
    const claim = Uint8Array.of(0x80, 0x80, 0x80, 0x1f, 0x00, 0x61);
    expect(() => snappy.decompress(claim, MAX)).toThrow(/which none can/);
    expect(() => snappy.decompress(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61), MAX)).toThrow(/more than 67108864 bytes/);
  });
});

describe.each(BUILDS)("codecs at the end of memory (%s)", (build) => {
  it("trap in place of reading or writing outside", async () => {
    const raw = await exportsOf(build);
    const end = raw.memory.buffer.byteLength;
    expect(() => raw.lz4CompressBlock(end - 10, 10, 1 << 20)).toThrow(/unreachable/);
    expect(() => raw.lz4DecompressBlock(1 << 20, 10, end - 10, 10, 0)).toThrow(/unreachable/);
    expect(() => raw.snappyCompressBlock(1 << 20, 40_000, 2 << 20)).toThrow(/unreachable/);
    expect(() => raw.snappyDecompressBlock(1 << 20, -1, 2 << 20, 10)).toThrow(/unreachable/);
  });
});
