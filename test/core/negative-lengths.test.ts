/**
 * Lengths below those that may be. A mutant that read every negative length as -1, so as null, lived on: of the random damage that
 * other tests do, hardly any makes a length of -2 where a null stood, with a checksum that covers it.
 */
import { describe, expect, it } from "vitest";
import { slowBatchOf } from "./arbitraries.ts";
import { BUILDS, coreOf } from "./builds.ts";
import { slowBatchBytes, withChecksum } from "./twin/batch.ts";

//  61       62           63        64       65    66      67        68      69     70
//  ├ length ┼ attributes ┼ timestamp ┼ offset ┼ key ┼ value ┼ headers ┼ name ┼ "n" ┼ value ┤     all of one byte: nulls, but for the name
const LENGTH_AT = 61;
const KEY_AT = 65;
const VALUE_AT = 66;
const HEADERS_AT = 67;
const NAME_AT = 68;
const HEADER_VALUE_AT = 70;

const sent = { key: null, value: null, headers: [[new Uint8Array([0x6e]), null]] as const, timestamp: 5 };
const BATCH = slowBatchBytes(slowBatchOf([{ ...sent, headers: [...sent.headers] }]));
const zigzag = (value: number): number => (value < 0 ? -value * 2 - 1 : value * 2);

function withLength(at: number, length: number): Uint8Array {
  const bytes = BATCH.slice();
  bytes[at] = zigzag(length);
  return withChecksum(bytes);
}

describe.each(BUILDS)("lengths below zero (%s)", (build) => {
  it("stand where the picture says", async () => {
    const core = await coreOf(build);
    expect([...BATCH.subarray(LENGTH_AT)]).toEqual([zigzag(9), 0, 0, 0, zigzag(-1), zigzag(-1), zigzag(1), zigzag(1), 0x6e, zigzag(-1)]);
    expect(core.validate(BATCH).problem).toBeNull();
    expect(core.findRecord(BATCH, {})).toMatchObject({ keyLength: -1, valueLength: -1, headersCount: 1 });
  });

  it("are null when they are -1 and may be, and are refused otherwise", async () => {
    const core = await coreOf(build);
    const fields: [at: number, lengths: readonly number[]][] = [
      [LENGTH_AT, [-1, -2, -3, -64]],
      [KEY_AT, [-2, -3, -4, -64]],
      [VALUE_AT, [-2, -3, -4, -64]],
      [HEADERS_AT, [-1, -2, -3, -64]],
      [NAME_AT, [-1, -2, -3, -64]],
      [HEADER_VALUE_AT, [-2, -3, -4, -64]],
    ];
    for (const [at, lengths] of fields) {
      for (const length of lengths) {
        const bytes = withLength(at, length);
        expect(core.validate(bytes).problem, `${length} at ${at}`).toBe("records");
        // Who looks for a record does not go through its headers.
        if (at > HEADERS_AT) continue;
        const corrupt = expect.objectContaining({ name: "CorruptBatchError" });
        const compactor = core.compactor({ dedupeBufferByteLength: 2400, hashSecret: new Uint8Array(16) });
        expect(() => core.findRecord(bytes, {}), `found, ${length} at ${at}`).toThrowError(corrupt);
        if (at === HEADERS_AT) continue;
        expect(() => compactor.mapBatch(bytes, 0), `mapped, ${length} at ${at}`).toThrowError(corrupt);
        expect(() => compactor.filterBatch(bytes, { nowMs: 9, deleteRetentionMs: 9 }), `filtered, ${length} at ${at}`).toThrowError(
          corrupt,
        );
      }
    }
  });
});
