/** What compaction does with a whole window at once: the same as with its batches, or its blocks, one by one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Compactor, FilterOptions } from "../../src/core/core.ts";
import { anyStoredBatch } from "./arbitraries.ts";
import { BUILDS, coreOf, exportsOf } from "./builds.ts";
import { type SlowBatch, slowBatchBytes, slowRecordBytes } from "./twin/batch.ts";
import { slowCrc32c } from "./twin/crc32c.ts";
import { toHex } from "./vectors.ts";

const SECRET = new Uint8Array(16).map((_, i) => i);
const CONTROL = 0x20;

/** Whether anything of it is to be mapped. */
const counts = (batch: SlowBatch, startOffset: number): boolean =>
  (batch.attributes & CONTROL) === 0 && Number(batch.baseOffset) + batch.lastOffsetDelta >= startOffset;

const RETENTION_MS = 3_600_000;

interface Stood {
  readonly baseOffset: number;
  readonly lastOffsetDelta: number;
  /** Its codec, and whether it is transactional or a control batch. */
  readonly flags: number;
  readonly recordCount: number;
  readonly valueByteLength: number;
  readonly isDamaged: boolean;
}

/** Without a key: a map has always room for them. */
const unkeyed = (offsetDelta: number, value: Uint8Array | null): Uint8Array =>
  slowRecordBytes({ offsetDelta, timestampDelta: 0n, key: null, value, headers: [] });
const UNKEYED = Array.from({ length: 300 }, (_, i) => unkeyed(i, null));

function stoodBytes({ baseOffset, lastOffsetDelta, flags, recordCount, valueByteLength, isDamaged }: Stood): Uint8Array<ArrayBuffer> {
  const first = recordCount === 0 ? [] : [unkeyed(0, new Uint8Array(valueByteLength))];
  const records = Buffer.concat([...first, ...UNKEYED.slice(1, recordCount)]);
  const bytes = new Uint8Array(61 + records.length);
  bytes.set(records, 61);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(baseOffset));
  view.setInt32(8, bytes.length - 12);
  view.setUint8(16, isDamaged ? 1 : 2);
  view.setInt16(21, flags);
  view.setInt32(23, lastOffsetDelta);
  view.setInt32(57, recordCount);
  return bytes;
}

/** How many of them are mapped or passed over in one call, and up to where. */
function slowMapWindow(batches: readonly Stood[], startOffset: number, recordCountMax: number): [count: number, covered: number] {
  let [count, covered, recordCount] = [0, -1, 0];
  for (const batch of batches) {
    if (recordCount >= recordCountMax || batch.flags !== 0) break;
    const lastOffset = batch.baseOffset + batch.lastOffsetDelta;
    if (lastOffset >= startOffset) {
      if (batch.isDamaged) break;
      covered = lastOffset;
      recordCount += batch.recordCount;
    }
    count++;
  }
  return [count, covered];
}

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

  // A caller goes on batch by batch where a call has stopped: one that stops too early costs time, and no other test saw it.
  it("is mapped up to where it must not be, or enough are mapped, and says up to which offset", async () => {
    const raw = await exportsOf(build);
    const mailbox = new DataView(raw.memory.buffer, raw.initialize());
    const memory = new Uint8Array(raw.memory.buffer);
    // The map stands where codecs read: none is asked for here.
    const [tableAt, windowAt, mapAt] = [mailbox.getInt32(16, true), mailbox.getInt32(32, true), mailbox.getInt32(56, true)];
    const table = new DataView(raw.memory.buffer, tableAt);
    raw.openOffsetMap(mapAt, 2400, mapAt + 4096, mapAt + 8192, 300);
    const anyDelta = fc.oneof(fc.integer({ min: 300, max: 1000 }), fc.integer({ min: 300, max: 2 ** 31 - 1 }));
    const anyStood = fc.record({
      gap: fc.oneof(fc.nat(100), fc.nat(2 ** 40), fc.nat(2 ** 50)),
      lastOffsetDelta: anyDelta,
      flags: fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.constantFrom(1, 2, 4, 0x10, 0x20, 0x30) }),
      recordCount: fc.oneof(fc.nat(8), fc.nat(300)),
      valueByteLength: fc.oneof(fc.nat(300), fc.nat(70_000)),
      isDamaged: fc.oneof({ weight: 20, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    });
    // Of batches that are given, a start at the last offset of one of them, or beside it; and as many records as some of them have.
    const anyAim = fc.record({ index: fc.nat(), by: fc.integer({ min: -1, max: 1 }), isAimed: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(anyStood, { minLength: 1, maxLength: 6 }),
        anyAim,
        anyAim,
        fc.nat(2),
        fc.nat(1),
        (drafts, start, most, index, less) => {
          let nextOffset = 0;
          const batches = drafts.map(({ gap, ...draft }): Stood => {
            const baseOffset = nextOffset + gap;
            nextOffset = baseOffset + draft.lastOffsetDelta + 1;
            return { baseOffset, ...draft };
          });
          let place = 5;
          batches.forEach((batch, i) => {
            const bytes = stoodBytes(batch);
            memory.set(bytes, windowAt + place);
            table.setInt32(i * 4, place, true);
            place += bytes.length + 3;
          });
          const begin = Math.min(index, batches.length);
          const end = Math.max(begin, batches.length - less);
          const aimed = batches[start.index % batches.length] as Stood;
          const startOffset = start.isAimed ? Math.max(0, aimed.baseOffset + aimed.lastOffsetDelta + start.by) : 0;
          const given = batches.slice(begin, end);
          const aimedCount = given.slice(0, most.index % 4).reduce((sum, { recordCount }) => sum + recordCount, 0);
          const recordCountMax = most.isAimed ? aimedCount + most.by : 2 ** 31 - 1;
          const [count, covered] = slowMapWindow(given, startOffset, recordCountMax);
          expect(raw.mapWindow(begin, end, startOffset, recordCountMax)).toBe(count);
          expect(mailbox.getFloat64(32, true)).toBe(covered);
        },
      ),
      { numRuns: build === "release" ? 200 : 50 },
    );
  });

  it("is that of a scan, from a first of its batches to a last", async () => {
    const raw = await exportsOf(build);
    const mapAt = new DataView(raw.memory.buffer, raw.initialize()).getInt32(56, true);
    raw.openOffsetMap(mapAt, 2400, mapAt + 4096, mapAt + 8192, 300);
    const passes = [
      (index: number, end: number) => raw.mapWindow(index, end, 0, 0),
      (index: number, end: number) => raw.filterWindow(index, end, mapAt + 16384, 100, -1, 0, 0, 0),
    ];
    const mostBatches = 73_728 / 4;
    for (const pass of passes) {
      for (const [index, end] of [
        [0, 0],
        [0, mostBatches],
        [mostBatches, mostBatches],
      ] as const)
        expect(pass(index, end), `${index} to ${end}`).toBe(0);
      for (const [index, end] of [
        [-1, 0],
        [1, 0],
        [0, mostBatches + 1],
        [mostBatches + 1, mostBatches + 1],
        [-2, -1],
      ] as const)
        expect(() => pass(index, end), `${index} to ${end}`).toThrowError(/unreachable/);
    }
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
