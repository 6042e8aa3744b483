import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BUILDS, coreOf, exportsOf } from "./builds.ts";
import { slowCrc32c } from "./twin/crc32c.ts";
import { fromHex, vectors } from "./vectors.ts";

const noise = new Uint8Array(80_000);
for (let at = 0, state = 1; at < noise.length; at++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  noise[at] = state >>> 24;
}
/** Mostly short, sometimes longer than every stage of folding and than the staging window. */
const anyRange = fc.tuple(
  fc.nat(100),
  fc.oneof({ weight: 4, arbitrary: fc.nat(700) }, { weight: 2, arbitrary: fc.nat(9_000) }, { weight: 1, arbitrary: fc.nat(79_000) }),
  fc.integer(),
);

describe.each(BUILDS)("crc32c (%s)", (build) => {
  it("gives the published sums", async () => {
    const core = await coreOf(build);
    for (const { inputHex, crc } of vectors.crc32c) expect(core.crc32c(fromHex(inputHex)), inputHex).toBe(Number.parseInt(crc, 16));
  });

  it("is what a bit at a time gives, at any length, alignment and seed, in this memory or its own", async () => {
    const core = await coreOf(build);
    const window = core.readWindow();
    window.set(noise);
    fc.assert(
      fc.property(anyRange, ([start, byteLength, seed]) => {
        const bytes = noise.subarray(start, start + byteLength);
        const expected = slowCrc32c(bytes, seed);
        expect(core.crc32c(bytes, seed)).toBe(expected);
        expect(core.crc32c(core.readWindow().subarray(start, start + byteLength), seed)).toBe(expected);
      }),
      { numRuns: build === "release" ? 3000 : 300 },
    );
  });

  it("agrees with itself at every length around its crossovers", async () => {
    const core = await coreOf(build);
    for (const around of [16, 281, 448, 8192 + 266, 16384, 5275 + 16384, 2 * 16384 + 5275, 65536]) {
      for (let byteLength = around - 17; byteLength <= around + 17; byteLength++) {
        if (byteLength < 0) continue;
        const bytes = noise.subarray(3, 3 + byteLength);
        expect(core.crc32c(bytes), `${byteLength} bytes`).toBe(slowCrc32c(bytes));
      }
    }
  });

  it("goes on where another sum ended", async () => {
    const core = await coreOf(build);
    fc.assert(
      fc.property(fc.nat(40_000), fc.nat(30_000), (first, second) => {
        const whole = noise.subarray(0, first + second);
        expect(core.crc32c(whole.subarray(first), core.crc32c(whole.subarray(0, first)))).toBe(core.crc32c(whole));
      }),
    );
  });

  it("is told of each block that ends, and of the one that is open", async () => {
    const raw = await exportsOf(build);
    const mailbox = new DataView(raw.memory.buffer, raw.initialize());
    const at = 1 << 20;
    new Uint8Array(raw.memory.buffer).set(noise.subarray(0, 30_000), at);
    const anyCut = fc.tuple(fc.integer({ min: 1, max: 1200 }), fc.nat(), fc.nat(23), fc.nat(), fc.nat(99));
    fc.assert(
      fc.property(anyCut, ([block, begunDraft, blockCount, restDraft, start]) => {
        const begun = begunDraft % block;
        const byteLength = Math.max(0, blockCount * block + (restDraft % block) - begun);
        const before = noise.subarray(start, start + begun);
        const given = new Uint8Array(raw.memory.buffer, at + start, byteLength);
        const whole = Uint8Array.of(...before, ...given);
        const sums = Array.from({ length: Math.floor(whole.length / block) + 1 }, (_, i) =>
          slowCrc32c(whole.subarray(i * block, (i + 1) * block)),
        );
        const ended = raw.crc32cOfBlocks(at + start, byteLength, slowCrc32c(before), begun, block);
        expect(ended).toBe(sums.length - 1);
        expect([...sums.keys()].map((slot) => mailbox.getUint32(slot * 8, true))).toEqual([sums.at(-1), ...sums.slice(0, -1)]);
      }),
      { numRuns: 60 },
    );
  });

  it("is asked for no more blocks than it can tell of, and for none that cannot be", async () => {
    const raw = await exportsOf(build);
    const at = 1 << 20;
    expect(raw.crc32cOfBlocks(at, 23 * 10, 0, 9, 10)).toBe(23);
    expect(raw.crc32cOfBlocks(at, 0, 0, 0, 1)).toBe(0);
    for (const [byteLength, begun, block] of [
      [23 * 10 + 1, 9, 10],
      [2 ** 20, 0, 10],
      [5, -1, 10],
      [5, 10, 10],
      [5, 0, 0],
      [5, 0, -1],
    ] as const) {
      expect(() => raw.crc32cOfBlocks(at, byteLength, 0, begun, block), `${byteLength}, ${begun}, ${block}`).toThrowError(/unreachable/);
    }
  });

  it("reads nothing behind the end of memory", async () => {
    const raw = await exportsOf(build);
    const end = raw.memory.buffer.byteLength;
    for (const byteLength of [1, 15, 16, 100, 500, 20_000, 70_001]) expect(raw.crc32c(end - byteLength, byteLength, 0)).toBe(0);
  });
});
