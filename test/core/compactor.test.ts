import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Compactor, FilterOptions } from "../../src/core/core.ts";
import { anyStoredBatch } from "./arbitraries.ts";
import { BUILDS, coreOf, exportsOf } from "./builds.ts";
import { type SlowBatch, slowBatchBytes, withChecksum } from "./twin/batch.ts";
import { SlowMap, slowFilter } from "./twin/compaction.ts";
import { fromHex, toHex, vectors } from "./vectors.ts";

const SECRET = new Uint8Array(16).map((_, i) => i);
const HOUR_MS = 3_600_000;
const NOW_MS = 1_700_000_100_000;
const LATER: FilterOptions = { nowMs: NOW_MS, deleteRetentionMs: HOUR_MS };

const anyFilterOptions: fc.Arbitrary<FilterOptions> = fc.record({
  nowMs: fc.constantFrom(1_699_999_999_999, 1_700_000_000_000, NOW_MS),
  deleteRetentionMs: fc.constantFrom(0, HOUR_MS, Number.POSITIVE_INFINITY),
  discardRecords: fc.boolean(),
  isEmptyMarker: fc.boolean(),
  retainEmpty: fc.boolean(),
});

const record = (
  offsetDelta: number,
  key: string | null,
  value: string | null,
  timestampDelta = offsetDelta,
): SlowBatch["records"][number] => ({
  offsetDelta,
  timestampDelta: BigInt(timestampDelta),
  key: key === null ? null : new TextEncoder().encode(key),
  value: value === null ? null : new TextEncoder().encode(value),
  headers: [],
});
/** The batch in memory of its own, or where segments are read to. */
function placed(compactor: Compactor, batch: Uint8Array, isInWindow: boolean): Uint8Array {
  if (!isInWindow) return batch;
  const at = 1000;
  compactor.readWindow().set(batch, at);
  return compactor.readWindow().subarray(at, at + batch.length);
}

function plainBatch(baseOffset: number, records: SlowBatch["records"], more: Partial<SlowBatch> = {}): SlowBatch {
  return {
    baseOffset: BigInt(baseOffset),
    leaderEpoch: 1,
    attributes: 0,
    lastOffsetDelta: records.at(-1)?.offsetDelta ?? 0,
    baseTimestamp: 1_700_000_000_000n,
    maxTimestamp: 1_700_000_000_000n + BigInt(records.at(-1)?.offsetDelta ?? 0),
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    records,
    ...more,
  };
}

describe.each(BUILDS)("compaction (%s)", (build) => {
  const compactorOf = async (dedupeBufferByteLength = 24 * 1000): Promise<Compactor> =>
    (await coreOf(build)).compactor({ dedupeBufferByteLength, hashSecret: SECRET });

  it("keeps and writes what the rules keep and write, batch by batch", async () => {
    // Of the small one's offsets not all can be told of without a look at the map.
    const compactors = [await compactorOf(), await compactorOf(240)] as const;
    const outcomes = new Set<string>();
    const anyUse = fc.record({ isSmall: fc.boolean(), isSettled: fc.boolean(), isInWindow: fc.boolean() });
    const anyLog = fc.tuple(anyStoredBatch(0), anyStoredBatch(100), anyStoredBatch(200), anyStoredBatch(300));
    fc.assert(
      fc.property(anyLog, fc.nat(150), fc.nat(4), anyFilterOptions, anyUse, (log, startOffset, mappedCount, options, use) => {
        const compactor = compactors[use.isSmall ? 1 : 0];
        compactor.clear();
        const map = new SlowMap();
        for (const batch of log.slice(0, mappedCount)) {
          if ((batch.attributes & 0x20) !== 0) continue;
          expect(compactor.mapBatch(placed(compactor, slowBatchBytes(batch), use.isInWindow), startOffset)).toBe(true);
          map.put(batch, BigInt(startOffset));
        }
        expect([compactor.keyCount, compactor.latestOffset]).toEqual([map.offsets.size, Number(map.latestOffset)]);
        while (use.isSettled && compactor.settle());
        for (const batch of log) {
          const original = slowBatchBytes(batch);
          const before = toHex(original);
          const given = placed(compactor, original, use.isInWindow);
          const { outcome, bytes, recordCount, maxTimestamp } = compactor.filterBatch(given, options);
          const expected = slowFilter(batch, map, options);
          outcomes.add(outcome);
          expect([outcome, toHex(bytes)]).toEqual([expected.outcome, toHex(expected.bytes)]);
          expect(toHex(given), "what was given is not touched").toBe(before);
          if (outcome === "dropped") continue;
          const view = new DataView(bytes.buffer, bytes.byteOffset);
          expect([recordCount, maxTimestamp]).toEqual([view.getInt32(57), Number(view.getBigInt64(35))]);
        }
      }),
      { numRuns: 1500 },
    );
    expect([...outcomes].sort()).toEqual(["dropped", "emptied", "rewritten", "unchanged"]);
  });

  it("makes Kafka's own compacted batches out of what they were", async () => {
    const compactor = await compactorOf();
    const gaps = vectors.batches.find(({ name }) => name === "18-compacted-gaps")!;
    // 200 to 209, of which a later batch overwrites all keys but those of 203 and 207.
    const whole = plainBatch(
      200,
      Array.from({ length: 10 }, (_, i) => record(i, `k${i}`, `v${i}`)),
    );
    compactor.mapBatch(slowBatchBytes(whole), 0);
    const others = [0, 1, 2, 4, 5, 6, 8, 9].map((i, place) => record(place, `k${i}`, "later"));
    compactor.mapBatch(slowBatchBytes(plainBatch(500, others)), 0);
    expect(toHex(compactor.filterBatch(slowBatchBytes(whole), LATER).bytes)).toBe(gaps.hex);

    const emptied = vectors.batches.find(({ name }) => name === "19-compacted-empty-batch")!;
    const producers = plainBatch(
      300,
      [0, 1, 2, 3, 4].map((i) => record(i, `k${i}`, "v")),
      { producerId: 4000n, producerEpoch: 3, baseSequence: 20 },
    );
    compactor.mapBatch(
      slowBatchBytes(
        plainBatch(
          600,
          [0, 1, 2, 3, 4].map((i) => record(i, `k${i}`, "v")),
        ),
      ),
      0,
    );
    expect(toHex(compactor.filterBatch(slowBatchBytes(producers), { ...LATER, retainEmpty: true }).bytes)).toBe(emptied.hex);
    expect(compactor.filterBatch(slowBatchBytes(producers), LATER).outcome).toBe("dropped");
  });

  it("gives a tombstone a horizon first, keeps it until then, and drops it after", async () => {
    const compactor = await compactorOf();
    const batch = slowBatchBytes(plainBatch(10, [record(0, "k", null)]));
    compactor.mapBatch(batch, 0);
    const first = compactor.filterBatch(batch, LATER);
    expect(first.outcome).toBe("rewritten");
    const marked = new Uint8Array(first.bytes);
    expect(compactor.filterBatch(marked, { ...LATER, nowMs: NOW_MS + HOUR_MS - 1 }).outcome).toBe("unchanged");
    expect(compactor.filterBatch(marked, { ...LATER, nowMs: NOW_MS + HOUR_MS }).outcome).toBe("dropped");
  });

  it("says when its map is full, and then covers records up to the last one put", async () => {
    const compactor = await compactorOf(240);
    expect(compactor.keyCountMax).toBe(9);
    const batch = slowBatchBytes(
      plainBatch(
        1000,
        Array.from({ length: 20 }, (_, i) => record(i, `k${i}`, "v")),
      ),
    );
    expect(compactor.mapBatch(batch, 0)).toBe(false);
    expect([compactor.keyCount, compactor.latestOffset]).toEqual([9, 1008]);
    // A key that is there already needs no room.
    expect(compactor.mapBatch(slowBatchBytes(plainBatch(1005, [record(0, "k3", "v")])), 0)).toBe(true);
    // The older k3 goes; what the map does not reach stays.
    expect(compactor.filterBatch(batch, LATER)).toMatchObject({ outcome: "rewritten", recordCount: 19 });
    while (compactor.settle());
    expect(compactor.filterBatch(batch, LATER)).toMatchObject({ outcome: "rewritten", recordCount: 19 });
    compactor.clear();
    expect([compactor.keyCount, compactor.latestOffset]).toEqual([0, -1]);
    expect(compactor.filterBatch(batch, LATER).outcome).toBe("unchanged");
  });

  it("keeps the latest of many keys at the load it allows", async () => {
    const compactor = await compactorOf(24 * 5000);
    const keys = Array.from({ length: compactor.keyCountMax }, (_, i) => `key-${i}`);
    const batches = [0, 1].map((round) =>
      slowBatchBytes(
        plainBatch(
          round * keys.length,
          keys.map((key, i) => record(i, key, "v")),
        ),
      ),
    );
    for (const batch of batches) expect(compactor.mapBatch(batch, 0)).toBe(true);
    expect(compactor.keyCount).toBe(keys.length);
    for (const isSettled of [false, true]) {
      while (isSettled && compactor.settle());
      expect(compactor.filterBatch(batches[0]!, LATER).outcome).toBe("dropped");
      expect(compactor.filterBatch(batches[1]!, LATER).outcome).toBe("unchanged");
    }
    // What is mapped after that is told of too.
    expect(compactor.mapBatch(slowBatchBytes(plainBatch(20_000, [record(0, "key-3", "v")])), 0)).toBe(true);
    expect(compactor.filterBatch(batches[1]!, LATER).recordCount).toBe(keys.length - 1);
    while (compactor.settle());
    expect(compactor.filterBatch(batches[1]!, LATER).recordCount).toBe(keys.length - 1);
  });

  it("finds batches in its window again when it had to have more memory", async () => {
    const compactor = await compactorOf();
    const count = 100_000;
    const records = Array.from({ length: count }, (_, i) => record(i, "", ""));
    const bytes = slowBatchBytes(plainBatch(0, records));
    const window = compactor.readWindow();
    expect(bytes.length).toBeLessThan(window.length);
    const given = placed(compactor, bytes, true);
    const { outcome, bytes: unchanged } = compactor.filterBatch(given, LATER);
    expect([outcome, window.length, unchanged.length]).toEqual(["unchanged", 0, bytes.length]);
    expect(toHex(unchanged)).toBe(toHex(bytes));
    compactor.mapBatch(unchanged, 0);
    expect(compactor.filterBatch(placed(compactor, bytes, true), LATER)).toMatchObject({ outcome: "rewritten", recordCount: 1 });
  });

  it("takes a batch wherever it stands in its memory, and scans without a look at checksums where none is asked for", async () => {
    const compactor = await compactorOf();
    const bytes = slowBatchBytes(plainBatch(7, [record(0, "a", "1"), record(1, "b", null)]));
    const window = compactor.writeWindow();
    window.set(bytes, window.length - bytes.length);
    expect(compactor.mapBatch(window.subarray(window.length - bytes.length), 0)).toBe(true);
    expect([compactor.keyCount, compactor.latestOffset]).toEqual([2, 8]);
    const again = compactor.writeWindow();
    const { outcome, bytes: left } = compactor.filterBatch(again.subarray(again.length - bytes.length), { ...LATER, retainEmpty: true });
    expect([outcome, toHex(left.subarray(0, 8))]).toEqual(["rewritten", "0000000000000007"]);
    compactor.readWindow().set(bytes);
    compactor.readWindow()[17] = (bytes[17] as number) ^ 1;
    expect(compactor.scan(bytes.length, { verifyChecksums: true })).toMatchObject({ count: 0, stop: "checksum" });
    expect(compactor.scan(bytes.length, { verifyChecksums: false })).toMatchObject({ count: 1, stop: "end" });
  });

  it("takes batches larger than any window, growing ones too", async () => {
    const compactor = await compactorOf();
    const value = "x".repeat(700_000);
    const batch = slowBatchBytes(
      plainBatch(0, [record(0, "a", value), record(1, "b", value), record(2, "c", value), record(3, "d", null)]),
    );
    compactor.mapBatch(batch, 0);
    compactor.coverTo(50);
    compactor.mapBatch(slowBatchBytes(plainBatch(100, [record(0, "b", "new")])), 0);
    const { outcome, bytes, recordCount } = compactor.filterBatch(batch, LATER);
    expect([outcome, recordCount, bytes.length > 1_400_000]).toEqual(["rewritten", 3, true]);
    const core = await coreOf(build);
    expect(core.crc32c(bytes.subarray(21))).toBe(new DataView(bytes.buffer, bytes.byteOffset).getUint32(17));
  });

  it("refuses compressed batches by their codec and damaged ones, reading nothing outside", async () => {
    const compactor = await compactorOf();
    const gzip = fromHex(vectors.batches.find(({ name }) => name === "05-gzip")!.hex);
    expect(() => compactor.mapBatch(gzip, 0)).toThrowError(/gzip/);
    expect(() => compactor.filterBatch(gzip, LATER)).toThrowError(expect.objectContaining({ code: "UNSUPPORTED_COMPRESSION_TYPE" }));
    let refused = 0;
    fc.assert(
      fc.property(anyStoredBatch(7), fc.nat(5000), fc.nat(255), fc.boolean(), (batch, place, byte, cuts) => {
        const bytes = slowBatchBytes(batch);
        bytes[place % bytes.length] = byte;
        const given = withChecksum(cuts ? bytes.slice(0, place % bytes.length) : bytes);
        for (const call of [() => compactor.mapBatch(given, 0), () => compactor.filterBatch(given, LATER)]) {
          try {
            compactor.clear();
            call();
          } catch (error) {
            refused++;
            if ((error as { code?: string }).code !== "UNSUPPORTED_COMPRESSION_TYPE")
              expect((error as Error).name).toBe("CorruptBatchError");
          }
        }
      }),
      { numRuns: 1500 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  it("refuses a map or a secret that cannot be", async () => {
    const core = await coreOf(build);
    expect(() => core.compactor({ dedupeBufferByteLength: 100, hashSecret: SECRET })).toThrowError(/logCleanerDedupeBufferSize/);
    expect(() => core.compactor({ dedupeBufferByteLength: 1000, hashSecret: new Uint8Array(3) })).toThrowError(/16 bytes/);
  });

  it("hashes keys as SipHash-2-4-128 is published", async () => {
    const raw = await exportsOf(build);
    const memory = new Uint8Array(raw.memory.buffer);
    const [secretAt, keyAt, hashAt, mapAt] = [200_000, 201_000, 202_000, 203_000];
    memory.set(SECRET, secretAt);
    raw.openOffsetMap(mapAt, 240, secretAt, mapAt + 300, 30);
    const published: [number, string][] = [
      [0, "a3817f04ba25a8e66df67214c7550293"],
      [1, "da87c1d86b99af44347659119b22fc45"],
      [7, "a1f1ebbed8dbc153c0b84aa61ff08239"],
      [8, "3b62a9ba6258f5610f83e264f31497b4"],
      [15, "5493e99933b0a8117e08ec0f97cfc3d9"],
    ];
    for (const [byteLength, hash] of published) {
      memory.set(
        Array.from({ length: byteLength }, (_, i) => i),
        keyAt,
      );
      raw.keyHash(keyAt, byteLength, hashAt);
      expect(toHex(memory.subarray(hashAt, hashAt + 16)), `${byteLength} bytes`).toBe(hash);
    }
  });
});
