/**
 * Every export that takes a place in memory, at memory's very end. Mutants of the core's guards lived on: ranges far outside were
 * tried, none that was outside by one byte, and none that ends with memory and must be taken.
 */
import { describe, expect, it } from "vitest";
import type { CoreExports } from "../../src/core/core-exports.ts";
import { slowBatchOf } from "./arbitraries.ts";
import { BUILDS, exportsOf } from "./builds.ts";
import { slowBatchBytes } from "./twin/batch.ts";

const ELSEWHERE = 1 << 20;
const SECRET_AT = 2 << 20;
const VERDICTS_AT = 3 << 20;
/** What codecs may overrun stands behind all that they read and write: assembly/compression/copying.ts. */
const SLACK = 32;
const BATCH = slowBatchBytes(slowBatchOf([{ key: new Uint8Array(3), value: new Uint8Array(40), headers: [], timestamp: 5 }]));

interface Ranged {
  readonly byteLength: number;
  /** What must be there before. */
  readonly prepare?: (raw: CoreExports) => void;
  readonly call: (raw: CoreExports, at: number, byteLength: number) => number;
  /** The length is the callee's, so that none can be given that is below 0. */
  readonly isFixed?: boolean;
}

const openMap = (raw: CoreExports): number => raw.openOffsetMap(ELSEWHERE, 2400, SECRET_AT, VERDICTS_AT, 300);
const put = (raw: CoreExports, bytes: Uint8Array, at: number): void => new Uint8Array(raw.memory.buffer).set(bytes, at);

const RANGES: Readonly<Record<string, Ranged>> = {
  crc32c: { byteLength: 100, call: (raw, at, byteLength) => raw.crc32c(at, byteLength, 0) },
  murmur2: { byteLength: 8, call: (raw, at, byteLength) => raw.murmur2(at, 0, byteLength, byteLength) },
  validateHeader: { byteLength: 61, call: (raw, at, byteLength) => raw.validateHeader(at, byteLength, byteLength) },
  validateRecords: {
    byteLength: BATCH.length - 61,
    prepare: (raw) => {
      put(raw, BATCH, ELSEWHERE);
      raw.validateHeader(ELSEWHERE, BATCH.length, BATCH.length);
    },
    call: (raw, at, byteLength) => raw.validateRecords(at, 61, byteLength),
  },
  findRecord: { byteLength: 80, call: (raw, at, byteLength) => raw.findRecord(at, byteLength, -1, Number.NEGATIVE_INFINITY) },
  findOffsetEntry: { byteLength: 24, call: (raw, at, byteLength) => raw.findOffsetEntry(at, byteLength, 5) },
  findTimeEntry: { byteLength: 24, call: (raw, at, byteLength) => raw.findTimeEntry(at, byteLength, 5) },
  appendOffsetEntry: { byteLength: 16, isFixed: true, call: (raw, at) => raw.appendOffsetEntry(at, 1, 7, 9) },
  appendTimeEntry: { byteLength: 24, isFixed: true, call: (raw, at) => raw.appendTimeEntry(at, 1, 7, 9) },
  // Sixteen bytes more than it is said to be long.
  "openOffsetMap, the map": {
    byteLength: 2416,
    call: (raw, at, byteLength) => raw.openOffsetMap(at, byteLength - 16, SECRET_AT, VERDICTS_AT, 300),
  },
  "openOffsetMap, the verdicts": {
    byteLength: 300,
    call: (raw, at, byteLength) => raw.openOffsetMap(ELSEWHERE, 2400, SECRET_AT, at, byteLength),
  },
  "openOffsetMap, the secret": {
    byteLength: 16,
    isFixed: true,
    call: (raw, at) => raw.openOffsetMap(ELSEWHERE, 2400, at, VERDICTS_AT, 300),
  },
  mapBatch: { byteLength: 80, prepare: openMap, call: (raw, at, byteLength) => raw.mapBatch(at, byteLength, 0) },
  "filterBatch, the batch": {
    byteLength: 80,
    prepare: openMap,
    call: (raw, at, byteLength) => raw.filterBatch(at, byteLength, SECRET_AT, 1000, 0, 0, 0, 0),
  },
  "filterBatch, what is left": {
    // A run of records, of 8 bytes, is remembered behind it.
    byteLength: BATCH.length + 71 + 8,
    prepare: (raw) => {
      put(raw, BATCH, SECRET_AT);
      openMap(raw);
    },
    call: (raw, at, byteLength) => raw.filterBatch(SECRET_AT, BATCH.length, at, byteLength - 8, -1, 0, 0, 0),
  },
  crc32cOfBlocks: { byteLength: 40, call: (raw, at, byteLength) => raw.crc32cOfBlocks(at, byteLength, 0, 3, 16) },
  "filterWindow, what is left": {
    byteLength: 100,
    prepare: openMap,
    call: (raw, at, byteLength) => raw.filterWindow(0, 0, at, byteLength, -1, 0, 0, 1),
  },
  lz4CompressBlock: { byteLength: 30 + SLACK, call: (raw, at, byteLength) => raw.lz4CompressBlock(at, byteLength - SLACK, ELSEWHERE) },
  "lz4DecompressBlock, the block": {
    byteLength: 30 + SLACK,
    call: (raw, at, byteLength) => raw.lz4DecompressBlock(at, byteLength - SLACK, ELSEWHERE, 100, 0),
  },
  "lz4DecompressBlock, what comes out": {
    byteLength: 30 + SLACK,
    call: (raw, at, byteLength) => raw.lz4DecompressBlock(ELSEWHERE, 30, at, byteLength - SLACK, 0),
  },
  snappyCompressBlock: {
    byteLength: 30 + SLACK,
    call: (raw, at, byteLength) => raw.snappyCompressBlock(at, byteLength - SLACK, ELSEWHERE),
  },
  "snappyDecompressBlock, the block": {
    byteLength: 30 + SLACK,
    call: (raw, at, byteLength) => raw.snappyDecompressBlock(at, byteLength - SLACK, ELSEWHERE, 100),
  },
  "snappyDecompressBlock, what comes out": {
    byteLength: 30 + SLACK,
    call: (raw, at, byteLength) => raw.snappyDecompressBlock(ELSEWHERE, 30, at, byteLength - SLACK),
  },
  xxh32Extend: { byteLength: 40, prepare: (raw) => void raw.xxh32Begin(), call: (raw, at, byteLength) => raw.xxh32Extend(at, byteLength) },
  encodeVarint: { byteLength: 5, isFixed: true, call: (raw, at) => raw.encodeVarint(at, -(2 ** 31)) },
  encodeVarlong: { byteLength: 10, isFixed: true, call: (raw, at) => raw.encodeVarlong(at, -(2n ** 63n)) },
  decodeVarint: { byteLength: 3, call: (raw, at, byteLength) => raw.decodeVarint(at, byteLength) },
  decodeVarlong: { byteLength: 3, call: (raw, at, byteLength) => raw.decodeVarlong(at, byteLength) },
  "keyHash, the key": { byteLength: 9, prepare: openMap, call: (raw, at, byteLength) => raw.keyHash(at, byteLength, SECRET_AT) },
  "keyHash, the hash": { byteLength: 16, isFixed: true, prepare: openMap, call: (raw, at) => raw.keyHash(SECRET_AT, 9, at) },
};

describe.each(BUILDS)("ranges of memory (%s)", (build) => {
  it("are taken up to memory's last byte", async () => {
    for (const [name, { byteLength, prepare, call }] of Object.entries(RANGES)) {
      const raw = await exportsOf(build);
      prepare?.(raw);
      expect(call(raw, raw.memory.buffer.byteLength - byteLength, byteLength), name).toBeTypeOf("number");
    }
  });

  it("are refused before a byte is touched when they are one byte further, longer than memory, or of no length that can be", async () => {
    for (const [name, { byteLength, prepare, call, isFixed }] of Object.entries(RANGES)) {
      const end = (await exportsOf(build)).memory.buffer.byteLength;
      const outside: [number, number][] = [
        [end - byteLength + 1, byteLength],
        [2 ** 31, byteLength],
        [-1, byteLength],
      ];
      // Of both, the place is inside and the sum is not, or wraps.
      if (isFixed !== true) outside.push([ELSEWHERE, 2 ** 31 - 1], [ELSEWHERE, -1]);
      for (const [at, given] of outside) {
        const raw = await exportsOf(build);
        prepare?.(raw);
        expect(() => call(raw, at, given), `${name} of ${given} bytes at ${at}`).toThrowError(/unreachable/);
      }
    }
  });
});
