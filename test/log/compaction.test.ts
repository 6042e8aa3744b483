/** One partition compacted: what stays, what goes, and what the files look like afterwards. */
import { describe, expect, it } from "vitest";
import { codecOf } from "../../src/base/record-batch.ts";
import type { CodecName } from "../../src/compression/compression.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { compactAll, KEYED, type KeyedPut, keyedBatch, put, readKeyed, rollOver, storedBatches } from "./compaction-rig.ts";
import { created, NOW_MS, opened, rig } from "./log-rig.ts";
import { sendAs } from "./producer-rig.ts";

const HOUR_MS = 3_600_000;
const LOG = "orders-0/00000000000000000000.log";
const isRoll = ({ key }: { readonly key: string | null }): boolean => key === "roll";

/** Rounds of the same two keys, and a segment behind them. */
async function twoKeys(log: PartitionLog, rounds = 10): Promise<void> {
  for (let round = 0; round < rounds; round += 1)
    await put(log, [
      ["a", `a${round}`],
      ["b", `b${round}`],
    ]);
  await rollOver(log);
}

async function bytesOf(storage: ReturnType<typeof memory>, name: string): Promise<Uint8Array> {
  const file = await storage.open(name, { create: "no", readOnly: true });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  return bytes;
}

async function flip(storage: ReturnType<typeof memory>, name: string, position: number): Promise<void> {
  const file = await storage.open(name, { create: "no" });
  const byte = new Uint8Array(1);
  file.readAt(byte, position);
  file.writeAt(
    byte.map((each) => each ^ 4),
    position,
  );
  await file.close();
}

describe("compaction of a partition", () => {
  it("keeps the newest value of each key, at its offset, and a reopened log knows it", async () => {
    const storage = memory();
    const { log, events } = await created(storage, KEYED);
    await twoKeys(log);
    const result = await compactAll(log);
    const records = await readKeyed(log);
    expect(records.filter((record) => !isRoll(record))).toEqual([
      { offset: 18, key: "a", value: "a9" },
      { offset: 19, key: "b", value: "b9" },
    ]);
    expect(result).toMatchObject({ rounds: 1, recordsBefore: 20, recordsAfter: 2, firstDirtyOffset: 20 });
    expect(result.bytesAfter).toBeLessThan(result.bytesBefore);
    expect(events.filter(({ type }) => type === "log.compacted").map(({ fields }) => fields)).toEqual([
      { partition: { topic: "orders", partition: 0 }, ...result },
    ]);
    for (const clean of [true, false]) {
      await (clean ? log.close(true) : null);
      const again = await opened(storage, { ...KEYED, cleanShutdown: clean });
      expect(await readKeyed(again.log)).toEqual(records);
      expect(again.events.filter(({ type }) => !type.startsWith("recovery"))).toEqual([]);
      await again.log.close(false);
    }
  });

  it("drops records without a key, which a topic may hold that was not compacted from the start", async () => {
    const { log } = await created(memory(), KEYED);
    await put(log, [
      [null, "nobody's"],
      ["a", "a0"],
    ]);
    await rollOver(log);
    await compactAll(log);
    expect((await readKeyed(log)).filter((record) => !isRoll(record))).toEqual([{ offset: 1, key: "a", value: "a0" }]);
    await log.close(true);
  });

  it("keeps a tombstone until deleteRetentionMs after the first pass, and then lets it go", async () => {
    const clock = new ManualClock(NOW_MS);
    const { log, config } = await created(memory(), { ...KEYED, clock });
    config.deleteRetentionMs = HOUR_MS;
    await put(log, [
      ["a", "a0"],
      ["b", "b0"],
    ]);
    await put(log, [["a", null]]);
    await rollOver(log);
    // Days later: it counts from the pass, not from the record.
    await clock.advance(48 * HOUR_MS);
    const keys = async (): Promise<(string | null)[]> => (await readKeyed(log)).filter((record) => !isRoll(record)).map(({ key }) => key);
    await compactAll(log);
    expect(await keys()).toEqual(["b", "a"]);
    await clock.advance(HOUR_MS - 1);
    await rollOver(log);
    await compactAll(log);
    expect(await keys()).toEqual(["b", "a"]);
    await clock.advance(1);
    await rollOver(log);
    await compactAll(log);
    expect(await keys()).toEqual(["b"]);
    await log.close(true);
  });

  it("writes nothing where nothing changes", async () => {
    const storage = memory();
    const { log } = await created(storage, { ...KEYED, config: { ...KEYED.config, segmentBytes: 1000 } });
    await put(log, [
      ["a", "a0"],
      ["b", "b0"],
    ]);
    await rollOver(log);
    await compactAll(log);
    const before = await bytesOf(storage, LOG);
    const { firstDirtyOffset } = log;
    await log.close(true);
    const again = await opened(storage, { ...KEYED, config: { ...KEYED.config, segmentBytes: 1000 } });
    // Without its checkpoint all is dirty again: looked at, and left.
    const result = await compactAll(again.log);
    expect(result).toMatchObject({ rounds: 1, firstDirtyOffset, recordsBefore: 2, recordsAfter: 2 });
    expect(await bytesOf(storage, LOG)).toEqual(before);
    await again.log.close(true);
  });

  it("lets every new segment end where the old ones did, though no record of its last batch stays", async () => {
    const storage = memory();
    const { log } = await created(storage, KEYED);
    await put(log, [["a", "a0"]]);
    await put(log, [
      ["a", "a1"],
      ["a", "a2"],
    ]);
    await rollOver(log);
    await put(log, [["a", "newest"]]);
    await rollOver(log);
    await compactAll(log);
    const [first] = storedBatches(await bytesOf(storage, LOG));
    expect(first).toMatchObject({ baseOffset: 1, lastOffset: 2, recordCount: 0, byteLength: 61 });
    await log.close(true);
  });

  /**
   * What was lost: the log's end. A roll had made an empty active segment, the cleaner dropped the last batch before it, and
   * when the power took the empty file along the log ended where its last surviving record did: offsets were handed out twice.
   */
  it.each(["compact", "delete"] as const)(
    "never lets the log's end go back, even when the active segment is lost with the power (%s)",
    async (policy) => {
      const storage = memory();
      const { log } = await created(storage, KEYED);
      await put(log, [
        ["a", "a0"],
        ["b", "b0"],
        ["c", "c0"],
      ]);
      await rollOver(log);
      // Expired alone, so that all but an empty active segment stays.
      await put(log, [
        ["a", "a1"],
        ["roll", "again"],
      ]);
      await rollOver(log);
      // Of the segment that then is the last one, its first batch goes.
      await put(log, [["b", "b1"]]);
      await put(log, [["b", "b2"]]);
      await rollOver(log);
      await compactAll(log);
      const { logEndOffset } = log.watermarks;
      await log.close(false);
      const names = (await storage.list("orders-0")).map(({ name }) => name);
      const active = names
        .filter((name) => name.endsWith(".log"))
        .sort()
        .at(-1) as string;
      const state = rig(storage, KEYED);
      // The state as a roll leaves it: durable up to the new segment, which holds nothing yet.
      const { PartitionState } = await import("../../src/log/state/partition-state.ts");
      const book = await PartitionState.load(state.context, "orders-0", { topic: "orders", partition: 0, topicId: state.spec.topicId });
      const base = Number(active.slice(0, 20));
      const facts = book.facts();
      if (facts === null) throw new Error("no state was left");
      await book.writeDurably({
        ...facts,
        recoveryPoint: base,
        highWatermark: base,
        durableSegmentBase: base,
        durableEndPosition: 0,
        durableEndOffset: base,
      });
      await book.close();
      for (const name of names.filter((each) => each.startsWith(active.slice(0, 20)))) await storage.remove(`orders-0/${name}`);
      // Of a topic whose policy is another by now, too: the gaps are no damage.
      const again = await opened(storage, { config: { ...KEYED.config, cleanupPolicy: policy } });
      expect(again.log.failure).toBeNull();
      expect(again.log.watermarks.logEndOffset).toBe(logEndOffset - 1);
      expect(again.log.watermarks.logEndOffset).toBe(base);
      await again.log.close(true);
    },
  );

  it("goes over the log as often as the map is full", async () => {
    const { log } = await created(memory(), KEYED);
    const puts = Array.from({ length: 40 }, (_, index): KeyedPut => [`k${index}`, "old"]);
    for (const one of puts) await put(log, [one]);
    for (const [key] of puts) await put(log, [[key, "new"]]);
    await rollOver(log);
    const result = await compactAll(log, { dedupeBufferByteLength: 240 });
    expect(result.rounds).toBeGreaterThan(4);
    expect((await readKeyed(log)).filter((record) => !isRoll(record)).map(({ value }) => value)).toEqual(puts.map(() => "new"));
    await log.close(true);
  });
});

describe("compaction of compressed batches", () => {
  it.each(["gzip", "snappy", "lz4", "zstd"] as const)(
    "%s: what stays is written in the codec it came in, where this runtime can",
    async (codec) => {
      const storage = memory();
      const made = rig(storage, { ...KEYED, config: { ...KEYED.config, segmentBytes: 4000 } });
      // A runtime that reads the codec and cannot write it: then in another, so that nothing deleted is kept in a batch nobody can rewrite.
      for (const canWrite of [made.context.compression.canCompress(codec), false]) {
        const compression = {
          canCompress: (wanted: CodecName) => (wanted === codec ? canWrite : made.context.compression.canCompress(wanted)),
          compressBatch: made.context.compression.compressBatch.bind(made.context.compression),
          decompressBatch: made.context.compression.decompressBatch.bind(made.context.compression),
        };
        const place = memory();
        const { context, spec } = rig(place, { ...KEYED, config: { ...KEYED.config, segmentBytes: 4000 } });
        const log = await PartitionLog.create({ ...context, compression }, spec);
        const puts: KeyedPut[] = Array.from({ length: 30 }, (_, index) => [`k${index % 10}`, `value ${index}`.padEnd(40, ".")]);
        if (!made.context.compression.canCompress(codec)) continue;
        const batch = made.context.compression.compressBatch(keyedBatch(puts), codec);
        await log.append(batch, { recordCount: puts.length, maxTimestamp: NOW_MS });
        await log.flush();
        await rollOver(log);
        const result = await compactAll(log);
        expect(result).toMatchObject({ recordsBefore: 30, recordsAfter: 10 });
        const [first] = storedBatches(await bytesOf(place, LOG));
        expect(codecOf(first?.attributes ?? 0)).toBe(canWrite ? codec : codec === "lz4" ? "snappy" : "lz4");
        const open = compression.decompressBatch((await bytesOf(place, LOG)).subarray(0, first?.byteLength));
        expect(storedBatches(open)[0]).toMatchObject({ baseOffset: 0, lastOffset: 29, recordCount: 10 });
        await log.close(true);
      }
    },
  );
});

describe("compaction of transactions", () => {
  const data = (producerId: bigint, baseSequence: number, transactional = true) => ({
    producerId,
    producerEpoch: 0,
    baseSequence,
    recordCount: 1,
    transactional,
  });
  const marker = (producerId: bigint, commit: boolean) => ({ producerId, producerEpoch: 0, coordinatorEpoch: 0, commit });

  it("drops aborted data at once, its marker a horizon after the pass that finds none, and the index entry with the data", async () => {
    const clock = new ManualClock(NOW_MS);
    const { log, config } = await created(memory(), { ...KEYED, clock });
    config.deleteRetentionMs = HOUR_MS;
    const keyed = async (producerId: bigint, sequence: number, key: string, value: string): Promise<void> => {
      const { writer } = (await import("./log-rig.ts")).core;
      writer.begin({ producerId, producerEpoch: 0, baseSequence: sequence, transactional: true });
      writer.append(new TextEncoder().encode(key), new TextEncoder().encode(value), null, clock.now());
      await log.append(writer.finish().slice(), { recordCount: 1, maxTimestamp: clock.now() });
    };
    await put(log, [["a", "before"]]);
    await keyed(7n, 0, "a", "aborted");
    await log.appendMarker(marker(7n, false));
    await keyed(8n, 0, "b", "committed");
    await log.appendMarker(marker(8n, true));
    await keyed(7n, 1, "c", "last of 7");
    await log.appendMarker(marker(7n, true));
    await log.flush();
    await rollOver(log);
    const kinds = async (): Promise<string[]> => {
      const found: string[] = [];
      for (let offset = 0; offset < log.watermarks.logEndOffset - 1; ) {
        const bytes = await log.read(offset, 1);
        const batch = storedBatches(bytes)[0];
        if (batch === undefined) break;
        if (batch.baseOffset < 7) found.push(`${batch.baseOffset}${batch.recordCount === 0 ? " emptied" : ""}`);
        offset = batch.lastOffset + 1;
      }
      return found;
    };
    expect(await log.abortedTransactions(0, 100)).toHaveLength(1);
    await compactAll(log);
    // The abort did not count: "a" is what it was before. Its marker stays, for data of it was met.
    expect(await kinds()).toEqual(["0", "2", "3", "4", "5", "6"]);
    expect(await log.abortedTransactions(0, 100)).toEqual([{ producerId: 7n, firstOffset: 1, lastOffset: 2, lastStableOffset: 3 }]);
    await rollOver(log);
    await compactAll(log);
    expect(await kinds()).toEqual(["0", "2", "3", "4", "5", "6"]);
    expect(await log.abortedTransactions(0, 100)).toEqual([]);
    await clock.advance(HOUR_MS);
    await rollOver(log);
    await compactAll(log);
    expect(await kinds()).toEqual(["0", "3", "4", "5", "6"]);
    await log.close(true);
  });

  it("goes no further than the last stable offset", async () => {
    const { log } = await created(memory(), KEYED);
    await put(log, [
      ["a", "a0"],
      ["a", "a1"],
    ]);
    await sendAs(log, data(7n, 0));
    await put(log, [["a", "a2"]]);
    await rollOver(log);
    expect((await log.compactionNeed(NOW_MS)).cleanableBytes).toBe(0);
    await log.appendMarker(marker(7n, true));
    await log.flush();
    await rollOver(log);
    expect((await log.compactionNeed(NOW_MS)).cleanableBytes).toBeGreaterThan(0);
    await log.close(true);
  });

  it("keeps the last batch of every producer, emptied: after a reopening its sequence goes on", async () => {
    const storage = memory();
    const { log } = await created(storage, KEYED);
    await sendAs(log, data(7n, 0, false));
    await sendAs(log, data(7n, 1, false));
    await log.flush();
    await put(log, [["a", "a0"]]);
    await rollOver(log);
    // Its records have no key, and go.
    await compactAll(log);
    const first = storedBatches(await bytesOf(storage, LOG))[0];
    expect(first).toMatchObject({ baseOffset: 1, recordCount: 0, producerId: 7n, baseSequence: 1 });
    await log.close(false);
    for (const { name } of await storage.list("orders-0")) if (name.endsWith(".snapshot")) await storage.remove(`orders-0/${name}`);
    const again = await opened(storage, KEYED);
    await expect(sendAs(again.log, data(7n, 5, false))).rejects.toMatchObject({ code: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
    expect(await sendAs(again.log, data(7n, 1, false))).toMatchObject({ baseOffset: 1, isDuplicate: true });
    expect((await sendAs(again.log, data(7n, 2, false))).isDuplicate).toBe(false);
    await again.log.close(true);
  });
});

describe("a segment that is not what was written", () => {
  // Records, which the batch's checksum covers; the leader epoch and the base offset, which only the seal does.
  it.each([
    ["a record", 70],
    ["a leader epoch", 15],
    ["a base offset", 6],
  ])("is not compacted when %s has changed: it is told, nothing is rewritten, and a reopening tries again", async (_, position) => {
    const storage = memory();
    const { log, events } = await created(storage, KEYED);
    await twoKeys(log);
    const before = await readKeyed(log);
    await flip(storage, LOG, position);
    const error = await compactAll(log).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: "CorruptionError", file: LOG });
    expect(log.compactionProblem).toBe(error);
    expect(events.filter(({ type }) => type === "compaction.failed").map(({ fields }) => fields)).toEqual([
      { partition: { topic: "orders", partition: 0 }, error, isUncleanable: true },
    ]);
    await expect(log.compactionNeed(NOW_MS)).rejects.toBe(error);
    const names = (await storage.list("orders-0")).map(({ name }) => name);
    expect(names.filter((name) => /cleaned|swap/.test(name))).toEqual([]);
    expect(log.failure).toBeNull();
    await put(log, [["a", "goes on"]]);
    await flip(storage, LOG, position);
    await log.reopen();
    expect(log.compactionProblem).toBeNull();
    expect((await compactAll(log)).recordsAfter).toBeLessThan(before.length);
    await log.close(true);
  });
});

describe("a compacted segment that has changed since", () => {
  it("is not compacted again: in its gaps only the seal can tell an offset that was flipped", async () => {
    const storage = memory();
    const { log } = await created(storage, KEYED);
    await twoKeys(log);
    await compactAll(log);
    await log.close(true);
    // The lowest byte of the first base offset: still rising, still below the next one.
    await flip(storage, LOG, 7);
    const again = await opened(storage, { ...KEYED, cleanShutdown: true });
    await expect(compactAll(again.log)).rejects.toMatchObject({
      name: "CorruptionError",
      message: expect.stringMatching(/not what was sealed/),
    });
    await again.log.close(true);
  });
});

describe("a change of the policy", () => {
  it("to delete leaves the gaps legal, after a crash too", async () => {
    const storage = memory();
    const { log, config } = await created(storage, KEYED);
    await twoKeys(log);
    await compactAll(log);
    const records = await readKeyed(log);
    config.cleanupPolicy = "delete";
    for (const clean of [true, false, false]) {
      const { log: again, events } = await opened(storage, { config: { ...KEYED.config, cleanupPolicy: "delete" }, cleanShutdown: false });
      expect(again.failure).toBeNull();
      expect(await readKeyed(again)).toEqual(records);
      // From the middle of a gap, as a consumer that was there before.
      for (let offset = 0; offset < 20; offset += 1)
        expect(await readKeyed(again, offset)).toEqual(records.filter((record) => record.offset >= offset));
      expect(events.filter(({ type }) => /damage|cut|ignored/.test(type))).toEqual([]);
      await again.close(clean);
    }
    await log.close(false);
  });
});
