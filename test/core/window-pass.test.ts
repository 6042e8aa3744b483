/** What compaction does with a whole window at once: the same as with its batches, or its blocks, one by one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Compactor, FilterOptions } from "../../src/core/core.ts";
import { anyStoredBatch } from "./arbitraries.ts";
import { BUILDS, coreOf } from "./builds.ts";
import { type SlowBatch, slowBatchBytes } from "./twin/batch.ts";
import { slowCrc32c } from "./twin/crc32c.ts";
import { toHex } from "./vectors.ts";

const SECRET = new Uint8Array(16).map((_, i) => i);
const CONTROL = 0x20;

/** Whether anything of it is to be mapped. */
const counts = (batch: SlowBatch, startOffset: number): boolean =>
  (batch.attributes & CONTROL) === 0 && Number(batch.baseOffset) + batch.lastOffsetDelta >= startOffset;

const RETENTION_MS = 3_600_000;

const anyOptions: fc.Arbitrary<FilterOptions> = fc.record({
  nowMs: fc.constantFrom(1_699_999_999_999, 1_700_000_000_000, 1_700_000_100_000),
  deleteRetentionMs: fc.constantFrom(0, RETENTION_MS, Number.POSITIVE_INFINITY),
});

interface Left {
  readonly hex: string;
  readonly recordsBefore: number;
  readonly recordsAfter: number;
}

function mapOneByOne(compactor: Compactor, log: readonly SlowBatch[], startOffset: number): void {
  for (const batch of log) if (counts(batch, startOffset) && !compactor.mapBatch(slowBatchBytes(batch), startOffset)) return;
}

function mapAtOnce(compactor: Compactor, log: readonly SlowBatch[], startOffset: number): void {
  for (let index = 0; index < log.length; ) {
    const count = compactor.mapWindow(index, log.length, startOffset);
    index += count;
    if (count > 0) continue;
    const batch = log[index] as SlowBatch;
    if (counts(batch, startOffset) && !compactor.mapBatch(slowBatchBytes(batch), startOffset)) return;
    index += 1;
  }
}

const retains = (batch: SlowBatch): boolean => batch.producerId >= 0n && batch.producerId % 2n === 0n;

function filterOneByOne(compactor: Compactor, log: readonly SlowBatch[], options: FilterOptions): Left {
  const left = { hex: "", recordsBefore: 0, recordsAfter: 0 };
  for (const batch of log) {
    const { outcome, bytes, recordCount } = compactor.filterBatch(slowBatchBytes(batch), { ...options, retainEmpty: retains(batch) });
    left.recordsBefore += batch.records.length;
    if (outcome === "dropped") continue;
    left.hex += toHex(bytes);
    left.recordsAfter += recordCount;
  }
  return left;
}

function filterAtOnce(compactor: Compactor, log: readonly SlowBatch[], options: FilterOptions, roomByteLength: number): Left {
  const left = { hex: "", recordsBefore: 0, recordsAfter: 0 };
  for (let index = 0; index < log.length; ) {
    const into = compactor.writeWindow().subarray(7, 7 + roomByteLength);
    const { batchCount, byteLength, recordsBefore, recordsAfter, isNextEmpty } = compactor.filterWindow(index, log.length, options, into);
    left.hex += toHex(compactor.writeWindow().subarray(7, 7 + byteLength));
    left.recordsBefore += recordsBefore;
    left.recordsAfter += recordsAfter;
    index += batchCount;
    if (batchCount > 0 && !isNextEmpty) continue;
    const batch = log[index] as SlowBatch;
    if (isNextEmpty && !retains(batch)) {
      left.recordsBefore += batch.records.length;
    } else {
      const one = filterOneByOne(compactor, [batch], options);
      left.hex += one.hex;
      left.recordsBefore += one.recordsBefore;
      left.recordsAfter += one.recordsAfter;
    }
    index += 1;
  }
  return left;
}

describe.each(BUILDS)("a window at once (%s)", (build) => {
  const compactorOf = async (dedupeBufferByteLength: number): Promise<Compactor> =>
    (await coreOf(build)).compactor({ dedupeBufferByteLength, hashSecret: SECRET });

  it("is mapped and filtered as its batches are, whoever has a say in them, however full the map and little the room", async () => {
    const pairs = [
      [await compactorOf(24_000), await compactorOf(24_000)],
      [await compactorOf(240), await compactorOf(240)],
    ] as const;
    const anyLog = fc.tuple(anyStoredBatch(0), anyStoredBatch(100), anyStoredBatch(200), anyStoredBatch(300));
    const anyUse = fc.record({ isSmall: fc.boolean(), isSettled: fc.boolean(), roomByteLength: fc.constantFrom(0, 150, 500, 100_000) });
    let passed = 0;
    fc.assert(
      fc.property(anyLog, fc.nat(250), anyOptions, anyUse, (log, startOffset, options, { isSmall, isSettled, roomByteLength }) => {
        const [slow, fast] = pairs[isSmall ? 1 : 0];
        const window = fast.readWindow();
        let byteLength = 0;
        for (const batch of log) {
          const bytes = slowBatchBytes(batch);
          window.set(bytes, byteLength);
          byteLength += bytes.length;
        }
        expect(fast.scan(byteLength, { verifyChecksums: true })).toMatchObject({ count: log.length, stop: "end" });
        for (const compactor of [slow, fast]) compactor.clear();
        mapOneByOne(slow, log, startOffset);
        mapAtOnce(fast, log, startOffset);
        expect([fast.keyCount, fast.latestOffset]).toEqual([slow.keyCount, slow.latestOffset]);
        while (isSettled && fast.settle());
        expect(filterAtOnce(fast, log, options, roomByteLength)).toEqual(filterOneByOne(slow, log, options));
        passed += fast.filterWindow(0, log.length, options, fast.writeWindow()).batchCount;
      }),
      { numRuns: 500 },
    );
    expect(passed).toBeGreaterThan(100);
  });

  it("has the sums of its blocks, wherever the bytes stand and however they are cut", async () => {
    const compactor = await compactorOf(240);
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 3000 }),
        fc.array(fc.nat(2000), { maxLength: 4 }),
        fc.boolean(),
        (block, cuts, isElsewhere) => {
          const bytes = Uint8Array.from({ length: cuts.reduce((sum, cut) => sum + cut, 0) }, (_, i) => Math.imul(i, 0x9e37) >>> 7);
          const ended: number[] = [];
          let open = 0;
          let at = 0;
          for (const cut of cuts) {
            const part = bytes.subarray(at, at + cut);
            compactor.readWindow().set(part);
            const given = isElsewhere ? part : compactor.readWindow().subarray(0, cut);
            open = compactor.crc32cOfBlocks(given, open, at % block, block, ended);
            at += cut;
          }
          const expected = Array.from({ length: Math.ceil(bytes.length / block) }, (_, i) =>
            slowCrc32c(bytes.subarray(i * block, (i + 1) * block)),
          );
          const isWhole = bytes.length % block === 0;
          expect([...ended, ...(isWhole ? [] : [open])]).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is put nowhere but into the window that is there for it", async () => {
    const compactor = await compactorOf(240);
    const options = { nowMs: 0, deleteRetentionMs: 0 };
    for (const into of [new Uint8Array(100), compactor.readWindow().subarray(0, 100)])
      expect(() => compactor.filterWindow(0, 0, options, into)).toThrow("the write window");
  });
});
