import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OffsetIndex } from "../../../src/log/index/offset-index.ts";
import { TimeIndex } from "../../../src/log/index/time-index.ts";
import { memory } from "../../../src/storage/memory.ts";
import { faultyStorage } from "../../../src/testing/index.ts";
import { core, flipped, get, golden, put } from "./support.ts";

const OFFSETS = "00000000000000000000.index";
const TIMES = "00000000000000000000.timeindex";

interface Batch {
  readonly lastOffset: number;
  readonly position: number;
  readonly maxTimestamp: number;
}

/** Any log, as an index sees it: base offset 1000, batches that rise in offset and position, times that go either way. */
const logs = (maxLength: number): fc.Arbitrary<Batch[]> =>
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 5000 }), fc.integer({ min: -1, max: 100_000 })), {
      maxLength,
    })
    .map((steps) => {
      let [lastOffset, position] = [1000, 0];
      return steps.map(([records, bytes, maxTimestamp]) => {
        lastOffset += records;
        position += bytes;
        return { lastOffset, position, maxTimestamp };
      });
    });

describe("the offset index", () => {
  it("holds what Kafka wrote, and writes the same bytes", async () => {
    for (const [directory, base, name] of [
      ["data-clean", 0, OFFSETS],
      ["data-clean", 16, "00000000000000000016.index"],
      ["data-torn-recovered", 16, "00000000000000000016.index"],
    ] as const) {
      const bytes = golden(`${directory}/orders-0/${name}`);
      const storage = memory();
      await put(storage, name, bytes);
      const index = await OffsetIndex.open(storage, name, base, { core });
      expect(index.entryCount).toBe(bytes.byteLength / 8);
      expect(index.problem).toBeNull();
      expect(index.checksum()).toBe(core.crc32c(bytes));

      const copy = await OffsetIndex.create(storage, "copy.index", base, { core });
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      for (let at = 0; at < bytes.byteLength; at += 8) copy.append(base + view.getInt32(at), view.getInt32(at + 4));
      copy.finish();
      expect(await get(storage, "copy.index")).toEqual(bytes);
      expect(copy.checksum()).toBe(index.checksum());
    }
    const storage = memory();
    await put(storage, OFFSETS, golden(`data-clean/orders-0/${OFFSETS}`));
    const index = await OffsetIndex.open(storage, OFFSETS, 0, { core });
    // "segment 0 position 306 bytes 102 offsets 6..7": a target in the middle of a batch is found by the entry before it.
    expect([2, 3, 6, 7, 8, 15].map((offset) => index.lookup(offset))).toEqual([0, 102, 204, 306, 306, 790]);
    expect(index.lastEntry()).toEqual({ offset: 14, position: 790 });
  });

  it("ends before the zeros that a crashed broker leaves, and cuts them off when it is finished", async () => {
    const name = "00000000000000000016.index";
    const storage = memory();
    await put(storage, name, golden(`data-crash/orders-0/${name}`));
    const index = await OffsetIndex.open(storage, name, 16, { core });
    expect([index.entryCount, index.problem]).toEqual([2, null]);
    expect(index.lastEntry()).toEqual({ offset: 20, position: 301 });
    expect((await get(storage, name))?.byteLength).toBe(1200);
    index.append(30, 500);
    index.finish();
    expect((await get(storage, name))?.byteLength).toBe(24);
    expect((await get(storage, name))?.subarray(0, 16)).toEqual(golden(`data-clean/orders-0/${name}`));
  });

  it("answers as a list would: found, last, kept by a truncation, reopened", async () => {
    await fc.assert(
      fc.asyncProperty(logs(40), fc.integer({ min: 0, max: 60 }), fc.double({ min: 0, max: 1, noNaN: true }), async (log, repeats, cut) => {
        // Beyond one page of 512 entries: the log is laid end to end.
        const batches: Batch[] = [];
        for (let round = 0; round <= repeats; round++) {
          const [offset, position] = [(batches.at(-1)?.lastOffset ?? 1000) - 1000, batches.at(-1)?.position ?? 0];
          batches.push(...log.map((batch) => ({ ...batch, lastOffset: batch.lastOffset + offset, position: batch.position + position })));
        }
        const storage = memory();
        let index = await OffsetIndex.create(storage, OFFSETS, 1000, { core });
        for (const { lastOffset, position } of batches) index.append(lastOffset, position);
        const matches = (expected: readonly Batch[]): void => {
          expect(index.entryCount).toBe(expected.length);
          expect(index.problem).toBeNull();
          const last = expected.at(-1);
          expect(index.lastEntry()).toEqual(last === undefined ? null : { offset: last.lastOffset, position: last.position });
          const end = last?.lastOffset ?? 1000;
          for (let probe = 0; probe < 60; probe++) {
            const target = 1000 + Math.floor(((end + 5 - 1000) * probe) / 60);
            expect(index.lookup(target)).toBe(expected.findLast((batch) => batch.lastOffset <= target)?.position ?? 0);
          }
        };
        matches(batches);
        index.finish();
        await index.close();
        index = await OffsetIndex.open(storage, OFFSETS, 1000, { core });
        matches(batches);
        const cutOffset = 1000 + Math.floor(cut * ((batches.at(-1)?.lastOffset ?? 1000) - 999));
        index.truncateTo(cutOffset);
        const kept = batches.filter((batch) => batch.lastOffset < cutOffset);
        matches(kept);
        const next = { lastOffset: (kept.at(-1)?.lastOffset ?? 1000) + 3, position: (kept.at(-1)?.position ?? 0) + 9, maxTimestamp: 0 };
        index.append(next.lastOffset, next.position);
        matches([...kept, next]);
        index.finish();
        expect((await get(storage, OFFSETS))?.byteLength).toBe((kept.length + 1) * 8);
        expect(index.checksum()).toBe(core.crc32c((await get(storage, OFFSETS)) as Uint8Array));
      }),
      { numRuns: 40 },
    );
  });

  it("refuses what does not rise or does not fit, and stays as it was", async () => {
    const index = await OffsetIndex.create(memory(), OFFSETS, 1000, { core });
    for (const [offset, position] of [
      [999, 5],
      [1000, 0],
      [1000 + 2 ** 31, 5],
      [1001, -1],
      [1001, 2 ** 31],
      [1001.5, 5],
    ] as const) {
      expect(() => index.append(offset, position), `${offset} ${position}`).toThrow(/00000000000000000000\.index/);
    }
    index.append(1000 + 2 ** 31 - 2, 100);
    for (const [offset, position] of [
      [1000 + 2 ** 31 - 2, 101],
      [1000 + 2 ** 31 - 1, 100],
    ] as const)
      expect(() => index.append(offset, position)).toThrow();
    index.append(1000 + 2 ** 31 - 1, 2 ** 31 - 1);
    expect(index.entryCount).toBe(2);
  });

  it("is full by Kafka's count", async () => {
    const index = await OffsetIndex.create(memory(), OFFSETS, 0, { core });
    expect([index.isFull(7), index.isFull(8), index.isFull(15)]).toEqual([true, false, false]);
    index.append(1, 1);
    expect([index.isFull(8), index.isFull(15), index.isFull(16)]).toEqual([true, true, false]);
  });

  it("adds nothing when the file refuses a full page, and goes on when there is room again", async () => {
    const storage = faultyStorage(memory());
    const index = await OffsetIndex.create(storage, OFFSETS, 0, { core });
    for (let entry = 1; entry <= 512; entry++) index.append(entry, entry);
    storage.fail({ call: "writeAt", errno: "ENOSPC" });
    expect(() => index.append(513, 513)).toThrow(expect.objectContaining({ code: "ENOSPC" }));
    expect([index.entryCount, index.lookup(600)]).toEqual([512, 512]);
    index.append(513, 513);
    expect([index.entryCount, index.lookup(600), index.lookup(300)]).toEqual([513, 513, 300]);
  });

  it("is not half believed after a read that failed", async () => {
    const inner = memory();
    await put(inner, OFFSETS, golden(`data-clean/orders-0/${OFFSETS}`));
    const storage = faultyStorage(inner);
    const index = await OffsetIndex.open(storage, OFFSETS, 0, { core });
    storage.fail({ call: "readAt", errno: "EIO" });
    expect(() => index.lookup(5)).toThrow(expect.objectContaining({ code: "EIO" }));
    expect(index.lookup(5)).toBe(204);
    expect(index.entryCount).toBe(7);
  });
});

describe("the time index", () => {
  it("holds what Kafka wrote, and writes the same bytes", async () => {
    for (const [directory, base, name] of [
      ["data-clean", 0, TIMES],
      ["data-clean", 16, "00000000000000000016.timeindex"],
      ["data-torn-recovered", 16, "00000000000000000016.timeindex"],
    ] as const) {
      const bytes = golden(`${directory}/orders-0/${name}`);
      const storage = memory();
      await put(storage, name, bytes);
      const index = await TimeIndex.open(storage, name, base, { core });
      expect([index.entryCount, index.problem, index.checksum()]).toEqual([bytes.byteLength / 12, null, core.crc32c(bytes)]);
      const copy = await TimeIndex.create(storage, "copy.timeindex", base, { core });
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      for (let at = 0; at < bytes.byteLength; at += 12) copy.maybeAppend(Number(view.getBigInt64(at)), base + view.getInt32(at + 8));
      copy.finish();
      expect(await get(storage, "copy.timeindex")).toEqual(bytes);
    }
    const storage = memory();
    const name = "00000000000000000016.timeindex";
    await put(storage, name, golden(`data-crash/orders-0/${name}`));
    const index = await TimeIndex.open(storage, name, 16, { core });
    expect([index.entryCount, index.problem, index.lastEntry()]).toEqual([2, null, { timestamp: 1_700_000_020_000, offset: 20 }]);
  });

  it("takes no offset below its base, below the last one, or farther away than an entry can say, and names where it must be", async () => {
    const index = await TimeIndex.create(memory(), TIMES, 1000, { core });
    for (const offset of [999, 1000 + 2 ** 31, 1000.5])
      expect(() => index.maybeAppend(5, offset)).toThrow(`expected an offset from 1000 on, base offset 1000; found ${offset}`);
    expect(index.maybeAppend(5, 1010)).toBe(true);
    expect(() => index.maybeAppend(6, 1009)).toThrow("expected an offset from 1010 on, base offset 1000; found 1009");
    expect(index.entryCount).toBe(1);
  });

  it("answers as a list would, skips times that are not larger, and survives reopening and truncation", async () => {
    await fc.assert(
      fc.asyncProperty(logs(60), fc.integer({ min: 0, max: 15 }), fc.double({ min: 0, max: 1, noNaN: true }), async (log, repeats, cut) => {
        const batches: Batch[] = [];
        for (let round = 0; round <= repeats; round++) {
          const offset = (batches.at(-1)?.lastOffset ?? 1000) - 1000;
          batches.push(
            ...log.map((batch, at) => ({
              ...batch,
              lastOffset: batch.lastOffset + offset,
              maxTimestamp: batch.maxTimestamp + round * 90_000 + at * 100,
            })),
          );
        }
        const storage = memory();
        let index = await TimeIndex.create(storage, TIMES, 1000, { core });
        const entries: { timestamp: number; offset: number }[] = [];
        for (const { lastOffset, maxTimestamp } of batches) {
          const due = maxTimestamp >= 0 && maxTimestamp > (entries.at(-1)?.timestamp ?? -1);
          if (due) entries.push({ timestamp: maxTimestamp, offset: lastOffset });
          expect(index.maybeAppend(maxTimestamp, lastOffset)).toBe(due);
        }
        const matches = (expected: typeof entries): void => {
          expect([index.entryCount, index.problem, index.lastEntry()]).toEqual([expected.length, null, expected.at(-1) ?? null]);
          for (let probe = 0; probe < 50; probe++) {
            const target = Math.floor((((expected.at(-1)?.timestamp ?? 0) + 10) * probe) / 50);
            expect(index.lookup(target)).toEqual(expected.findLast((entry) => entry.timestamp <= target) ?? null);
          }
        };
        matches(entries);
        index.finish();
        await index.close();
        index = await TimeIndex.open(storage, TIMES, 1000, { core });
        matches(entries);
        const cutOffset = 1000 + Math.floor(cut * ((batches.at(-1)?.lastOffset ?? 1000) - 999));
        index.truncateTo(cutOffset);
        matches(entries.filter((entry) => entry.offset < cutOffset));
        index.finish();
        expect(index.checksum()).toBe(core.crc32c((await get(storage, TIMES)) as Uint8Array));
      }),
      { numRuns: 40 },
    );
  });

  it("keeps a slot for the final entry, by Kafka's count", async () => {
    const index = await TimeIndex.create(memory(), TIMES, 0, { core });
    expect([index.isFull(23), index.isFull(24)]).toEqual([true, false]);
    index.maybeAppend(5, 1);
    expect([index.isFull(24), index.isFull(36)]).toEqual([true, false]);
    expect(index.maybeAppend(6, 2)).toBe(true);
  });

  it("keeps a record of 1970 apart from unwritten space", async () => {
    const storage = memory();
    const index = await TimeIndex.create(storage, TIMES, 0, { core });
    index.maybeAppend(0, 0);
    index.finish();
    expect((await TimeIndex.open(storage, TIMES, 0, { core })).lastEntry()).toEqual({ timestamp: 0, offset: 0 });
    index.maybeAppend(7, 3);
    index.finish();
    expect((await TimeIndex.open(storage, TIMES, 0, { core })).entryCount).toBe(2);
    await put(storage, TIMES, new Uint8Array(1200));
    expect((await TimeIndex.open(storage, TIMES, 0, { core })).entryCount).toBe(0);
  });

  it("keeps foreign times in nanoseconds as the nearest number, in order", async () => {
    const storage = memory();
    const index = await TimeIndex.create(storage, TIMES, 0, { core });
    const nanoseconds = Number(1_700_000_000_123_456_789n);
    for (const [at, timestamp] of [5, nanoseconds, 2 ** 63].entries()) index.maybeAppend(timestamp, at);
    index.finish();
    const reopened = await TimeIndex.open(storage, TIMES, 0, { core });
    expect(reopened.lookup(nanoseconds)).toEqual({ timestamp: nanoseconds, offset: 1 });
    expect(reopened.lastEntry()?.timestamp).toBeLessThan(2 ** 63);
  });
});

describe("a damaged index", () => {
  // 1100 entries: two full pages and a third one begun.
  async function large(): Promise<{ storage: ReturnType<typeof memory>; bytes: Uint8Array }> {
    const storage = memory();
    const index = await OffsetIndex.create(storage, OFFSETS, 0, { core });
    for (let entry = 1; entry <= 1100; entry++) index.append(entry * 10, entry * 4096);
    index.finish();
    return { storage, bytes: (await get(storage, OFFSETS)) as Uint8Array };
  }

  it("is told by its checksum or its problem, at every flip and every length", async () => {
    const storage = memory();
    const bytes = golden(`data-clean/orders-0/${OFFSETS}`);
    for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
      await put(storage, OFFSETS, flipped(bytes, bit));
      const index = await OffsetIndex.open(storage, OFFSETS, 0, { core });
      expect(index.checksum() !== core.crc32c(bytes) || index.problem !== null, `bit ${bit}`).toBe(true);
    }
    for (let byteLength = 0; byteLength < bytes.byteLength; byteLength++) {
      await put(storage, OFFSETS, bytes.subarray(0, byteLength));
      const index = await OffsetIndex.open(storage, OFFSETS, 0, { core });
      expect(index.checksum(), `length ${byteLength}`).not.toBe(core.crc32c(bytes));
      expect(index.entryCount).toBe(Math.floor(byteLength / 8));
    }
  });

  it("that rots after it was read makes a search longer and never wrong, and says so", async () => {
    const { storage, bytes } = await large();
    for (const page of [0, 1]) {
      for (const byte of [0, 3, 7, 100, 2048, 4095]) {
        await put(storage, OFFSETS, bytes);
        const index = await OffsetIndex.open(storage, OFFSETS, 0, { core });
        expect(index.entryCount).toBe(1100); // read once
        await put(storage, OFFSETS, flipped(bytes, (page * 4096 + byte) * 8 + 6));
        for (let offset = page * 5120; offset < (page + 1) * 5120; offset += 333) {
          const right = Math.floor(offset / 10) * 4096;
          const answer = index.lookup(offset);
          expect(answer).toBeLessThanOrEqual(right);
          expect(answer % 4096).toBe(0);
          expect(answer).toBeGreaterThanOrEqual(Math.min(right, (page * 512 + 1) * 4096));
        }
        expect(index.problem).toMatch(/bytes \d+ to \d+ are not/);
        expect(index.lookup(10_990)).toBe(1099 * 4096);
        index.truncateTo(page * 5120 + 2000);
        expect(index.entryCount).toBeLessThanOrEqual(page * 512 + 200);
      }
    }
  });

  it("is dropped and begun anew by clear", async () => {
    const { storage } = await large();
    const index = await OffsetIndex.open(storage, OFFSETS, 0, { core });
    index.clear();
    expect([index.entryCount, index.lookup(5000), (await get(storage, OFFSETS))?.byteLength]).toEqual([0, 0, 0]);
    index.append(7, 70);
    expect(index.lookup(7)).toBe(70);
  });
});
