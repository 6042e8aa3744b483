import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readBatchHeader } from "../../src/base/record-batch.ts";
import type { Core } from "../../src/core/core.ts";
import { anyStoredBatch } from "./arbitraries.ts";
import { BUILDS, coreOf } from "./builds.ts";
import { slowBatchBytes, withChecksum } from "./twin/batch.ts";
import { slowScan } from "./twin/scan.ts";
import { fromHex, vectors } from "./vectors.ts";

function scanned(core: Core, bytes: Uint8Array, verifyChecksums = true) {
  const window = core.readWindow();
  // What stands behind must not matter.
  window.fill(0xa5, 0, Math.min(window.length, bytes.length + 100));
  window.set(bytes);
  return core.scan(bytes.length, { verifyChecksums });
}

function agree(core: Core, bytes: Uint8Array, verifyChecksums: boolean): string {
  const scan = scanned(core, bytes, verifyChecksums);
  const { stop, stopPosition, neededByteLength } = scan;
  const positions = Array.from({ length: scan.count }, (_, i) => scan.position(i));
  expect({ positions, stop, stopPosition, neededByteLength }).toEqual(slowScan(bytes, verifyChecksums));
  for (const [i, position] of positions.entries()) {
    const header = readBatchHeader(bytes, position);
    expect({
      baseOffset: scan.baseOffset(i),
      lastOffset: scan.lastOffset(i),
      byteLength: scan.byteLength(i),
      leaderEpoch: scan.leaderEpoch(i),
      attributes: scan.attributes(i),
      maxTimestamp: scan.maxTimestamp(i),
      recordCount: scan.recordCount(i),
    }).toEqual({
      baseOffset: header.baseOffset,
      lastOffset: header.lastOffset,
      byteLength: header.byteLength,
      leaderEpoch: header.leaderEpoch,
      attributes: header.attributes,
      maxTimestamp: header.maxTimestamp,
      recordCount: header.recordCount,
    });
  }
  if (stop === "checksum") {
    expect(scan.storedChecksum).toBe(readBatchHeader(bytes, stopPosition).checksum);
    expect(scan.computedChecksum).not.toBe(scan.storedChecksum);
  }
  return stop;
}

/** Batches with rising offsets, holes between them. */
const anyRun = fc
  .array(fc.nat(20), { minLength: 1, maxLength: 5 })
  .chain((gaps) => fc.tuple(...gaps.map((gap, i) => anyStoredBatch(i * 100 + gap))))
  .map((batches) => batches.map(slowBatchBytes));

describe.each(BUILDS)("a scan (%s)", (build) => {
  it("accepts every batch of the vectors but one, whose offset no number holds", async () => {
    const core = await coreOf(build);
    for (const { name, hex } of vectors.batches) {
      expect(scanned(core, fromHex(hex)).stop, name).toBe(name === "15-large-varints" ? "offset" : "end");
    }
  });

  it("tells nothing of a batch that it did not find", async () => {
    const core = await coreOf(build);
    const scan = scanned(core, fromHex(vectors.batches[0]?.hex as string));
    expect([scan.count, scan.position(0)]).toEqual([1, 0]);
    for (const index of [-1, 1, Number.NaN]) expect(() => scan.baseOffset(index)).toThrow(RangeError);
  });

  it("finds what the rules find, in runs of batches cut, flipped, overwritten and checksummed anew", async () => {
    const core = await coreOf(build);
    const stops = new Map<string, number>();
    const anyBreak = fc.record({
      place: fc.nat(100_000),
      inHeader: fc.boolean(),
      bytes: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 3 }), fc.constantFrom(new Uint8Array(12), new Uint8Array(4).fill(255))),
      mends: fc.boolean(),
      cutTo: fc.option(fc.nat(100_000), { freq: 2 }),
      verify: fc.boolean(),
    });
    fc.assert(
      fc.property(anyRun, fc.option(anyBreak), (run, damage) => {
        if (damage !== null) {
          const victim = run[damage.place % run.length]!;
          const at = damage.place % (damage.inHeader ? 61 : victim.length);
          victim.set(damage.bytes.subarray(0, victim.length - at), at);
          if (damage.mends) withChecksum(victim);
        }
        const whole = new Uint8Array(Buffer.concat(run));
        const bytes = damage?.cutTo == null ? whole : whole.subarray(0, damage.cutTo % (whole.length + 1));
        const stop = agree(core, bytes, damage?.verify ?? true);
        stops.set(stop, (stops.get(stop) ?? 0) + 1);
      }),
      { numRuns: 3000 },
    );
    for (const stop of ["end", "zero", "partial", "length", "magic", "checksum", "offset"])
      expect(stops.get(stop) ?? 0, stop).toBeGreaterThan(3);
  });

  it("stops at unwritten space, at a torn tail and at older formats, and says which", async () => {
    const core = await coreOf(build);
    const batch = fromHex(vectors.batches[0]!.hex);
    const zeros = new Uint8Array(Buffer.concat([batch, new Uint8Array(200)]));
    expect(scanned(core, zeros)).toMatchObject({ count: 1, stop: "zero", stopPosition: batch.length });
    expect(scanned(core, batch.subarray(0, 40))).toMatchObject({ count: 0, stop: "partial", neededByteLength: batch.length });
    expect(scanned(core, batch.subarray(0, 11))).toMatchObject({ count: 0, stop: "partial", neededByteLength: 0 });
    for (const magic of [0, 1]) {
      const old = batch.slice();
      old[16] = magic;
      expect(scanned(core, old)).toMatchObject({ count: 0, stop: "magic", stopPosition: 0 });
    }
    expect(scanned(core, new Uint8Array(0))).toMatchObject({ count: 0, stop: "end", stopPosition: 0 });
  });

  it("stops where offsets go back", async () => {
    const core = await coreOf(build);
    const batch = fromHex(vectors.batches[0]!.hex);
    const twice = new Uint8Array(Buffer.concat([batch, batch]));
    expect(scanned(core, twice)).toMatchObject({ count: 1, stop: "offset", stopPosition: batch.length });
  });

  it("takes as many of the smallest batches as its window holds", async () => {
    const core = await coreOf(build);
    const empty = fromHex(vectors.batches.find(({ name }) => name === "19-compacted-empty-batch")!.hex);
    const count = Math.floor(core.readWindowByteLength / empty.length);
    const window = core.readWindow();
    for (let i = 0; i < count; i++) {
      new DataView(empty.buffer).setBigInt64(0, BigInt(i * 5));
      window.set(empty, i * empty.length);
    }
    const scan = core.scan(count * empty.length, { verifyChecksums: true });
    expect([scan.count, scan.stop]).toEqual([count, "end"]);
    expect(scan.lastOffset(count - 1)).toBe((count - 1) * 5 + 4);
  });

  it("accepts any batch of the default message.max.bytes in its window", async () => {
    const core = await coreOf(build);
    expect(core.readWindowByteLength).toBeGreaterThanOrEqual(1024 * 1024 + 12);
  });

  it("reads only what it was told to", async () => {
    const core = await coreOf(build);
    expect(() => core.scan(core.readWindowByteLength + 1, { verifyChecksums: true })).toThrowError(/outside its memory/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, verify) => {
        agree(core, bytes, verify);
      }),
      { numRuns: 500 },
    );
  });
});
