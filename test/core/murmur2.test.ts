import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BUILDS, coreOf, exportsOf } from "./builds.ts";
import { slowMurmur2 } from "./twin/murmur2.ts";
import { fromHex, vectors } from "./vectors.ts";

describe.each(BUILDS)("murmur2 (%s)", (build) => {
  it("gives Kafka's values, in whichever array the key lies", async () => {
    const core = await coreOf(build);
    expect(vectors.murmur2.length).toBeGreaterThan(10);
    for (const { inputHex, hash } of vectors.murmur2) {
      expect(core.murmur2(fromHex(inputHex)), inputHex).toBe(hash);
      expect(core.murmur2(fromHex(`ff${inputHex}ff`).subarray(1, 1 + inputHex.length / 2)), inputHex).toBe(hash);
      expect(slowMurmur2(fromHex(inputHex)), `the twin, ${inputHex}`).toBe(hash);
    }
  });

  it("is what the definition gives of any key, one after the other", async () => {
    const core = await coreOf(build);
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 70 }), fc.uint8Array({ maxLength: 600 })), { maxLength: 4 }), (keys) => {
        for (const key of keys) expect(core.murmur2(key)).toBe(slowMurmur2(key));
      }),
      { numRuns: 500 },
    );
  });

  it("takes keys longer than its staging window, in the core's own memory too", async () => {
    const core = await coreOf(build);
    const noise = new Uint8Array(140_000).map((_, at) => Math.imul(at, 2_654_435_761) >>> 24);
    core.readWindow().set(noise);
    for (const byteLength of [39, 40, 41, 65_535, 65_536, 65_537, 65_540, 131_072, 131_075]) {
      const expected = slowMurmur2(noise.subarray(1, 1 + byteLength));
      expect(core.murmur2(noise.subarray(1, 1 + byteLength)), `${byteLength} bytes`).toBe(expected);
      expect(core.murmur2(core.readWindow().subarray(1, 1 + byteLength)), `${byteLength} bytes of the core`).toBe(expected);
    }
  });

  it("reads nothing behind the key, and nothing behind the end of memory", async () => {
    const raw = await exportsOf(build);
    const end = raw.memory.buffer.byteLength;
    for (let byteLength = 0; byteLength < 9; byteLength++) expect(raw.murmur2(end - byteLength, 0, byteLength, byteLength)).toBe(0);
    expect(() => raw.murmur2(end - 3, 0, 4, 4)).toThrowError(/unreachable/);
  });

  it("takes no chunk out of turn", async () => {
    for (const chunks of [
      [[4, 4, 12]],
      [[0, 3, 12]],
      [[0, 16, 12]],
      [
        [0, 4, 12],
        [8, 4, 12],
      ],
    ] as const) {
      const raw = await exportsOf(build);
      expect(() => {
        for (const [start, byteLength, whole] of chunks) raw.murmur2(65_536, start, byteLength, whole);
      }).toThrowError(/unreachable/);
    }
  });
});
