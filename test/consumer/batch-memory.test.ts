/** Which memory large batches are read to again, and which is never touched twice. */
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../src/api/bytes.ts";
import type { Deserializer } from "../../src/api/serde.ts";
import { writeInt64 } from "../../src/base/big-endian.ts";
import { BASE_OFFSET_AT } from "../../src/base/record-batch.ts";
import { BatchMemory } from "../../src/consumer/batch-memory.ts";
import { RecentBatches } from "../../src/consumer/recent-batches.ts";
import { RecentRun } from "../../src/consumer/recent-run.ts";
import { bytes, open, utf8 } from "../../src/index.ts";
import { memory } from "../../src/storage/memory.ts";
import { sliceAt, storedBatchOf } from "./stored-batch.ts";

const LARGE = 100_000;

describe("the memory of a batch", () => {
  it("is that of the last one that was given back, once, for a batch that fits it and is not much shorter", () => {
    // 25 pages are 102,400 bytes.
    for (const [byteLength, isReused] of [
      [102_400, true],
      [102_401, false],
      [91_023, true],
      [91_022, false],
    ] as const) {
      const batches = new BatchMemory();
      const first = batches.take(LARGE);
      expect([first.length, batches.take(LARGE).buffer === first.buffer]).toEqual([LARGE, false]);
      batches.giveBack(first);
      const second = batches.take(byteLength);
      expect([second.length, second.buffer === first.buffer]).toEqual([byteLength, isReused]);
      expect(batches.take(byteLength).buffer === first.buffer).toBe(false);
      if (!isReused) continue;
      batches.giveBack(second);
      expect(batches.take(LARGE)).toMatchObject({ buffer: first.buffer, length: LARGE });
    }
  });

  it("is fresh for small batches, beyond what is kept, and where what was given back is somebody else's", () => {
    const isReused = (given: Bytes, batches: BatchMemory): boolean => {
      batches.giveBack(given);
      return batches.take(given.length).buffer === given.buffer;
    };
    const largest = (1 << 20) + 4096;
    const batches = new BatchMemory();
    const lengths = [32_767, 32_768, largest, largest + 1];
    expect(lengths.map((byteLength) => isReused(batches.take(byteLength), batches))).toEqual([false, true, true, false]);
    expect(isReused(new Uint8Array(LARGE), new BatchMemory())).toBe(false);
  });

  it("goes from a run that is driven out to the next, but for one that a program may hold a view of", () => {
    for (const isShown of [false, true]) {
      const recent = new RecentBatches();
      const batch = storedBatchOf(LARGE, 100);
      const buffers = new Set<ArrayBuffer>();
      const isFresh = Array.from({ length: 120 }, (_, index) => {
        const stored = recent.memory.take(LARGE);
        stored.set(batch);
        writeInt64(stored, BASE_OFFSET_AT, index * 100);
        const run = new RecentRun("id", sliceAt(stored, 0, LARGE), true, false);
        run.isShown = isShown;
        recent.keep(run);
        const count = buffers.size;
        return buffers.add(stored.buffer).size > count;
      });
      // 8 MiB of batches are kept; from then on each takes the place of another.
      expect(isFresh.slice(0, 80)).toEqual(new Array(80).fill(true));
      expect(isFresh.slice(90)).toEqual(new Array(30).fill(isShown));
    }
  });
});

describe("a log whose batches are read to the memory of others", () => {
  const RECORDS = 10;
  /** A batch of values so long is given up as soon as it was read; of the others 8 MiB are kept. */
  const LONG = 104_900;
  const SHORT = 10_000;
  const where = (offset: number) => ({ topic: "t", partition: 0, offset });
  const isRight = (value: Uint8Array | null | undefined, offset: number): boolean => value?.every((byte) => byte === offset % 251) === true;

  async function filledLog(batchCount: number, valueByteLength: number) {
    const log = await open({ storage: memory() });
    await log.createTopic("t", { durability: "os", maxMessageBytes: 4 << 20 });
    const producer = log.producer({ key: utf8, value: bytes });
    for (let offset = 0; offset < batchCount * RECORDS; offset += RECORDS) {
      const offsets = Array.from({ length: RECORDS }, (_, index) => offset + index);
      await producer.sendBatch(
        offsets.map((each) => ({ topic: "t", key: `${each}`, value: new Uint8Array(valueByteLength).fill(each % 251) })),
      );
    }
    return log;
  }

  it.each([
    ["as a batch is first read", 24, LONG, false],
    ["out of one that is kept", 200, SHORT, true],
  ])("leaves a view alone that a program's own deserializer kept, %s", async (_, batchCount, valueByteLength, isReadBefore) => {
    const log = await filledLog(batchCount, valueByteLength);
    const kept: Uint8Array[] = [];
    const keeping: Deserializer<number> = { deserialize: (stored) => kept.push(stored) };
    for (let batch = 0; batch < batchCount; batch += 1) {
      const offset = batch * RECORDS + 3;
      if (isReadBefore || batch % 2 === 1)
        expect(isRight((await log.read(where(offset - 1), { key: utf8, value: bytes }))?.value, offset - 1)).toBe(true);
      if (batch % 2 === 0) await log.read(where(offset), { key: utf8, value: keeping });
    }
    expect(kept.map((value, index) => isRight(value, index * 2 * RECORDS + 3))).toEqual(new Array(batchCount / 2).fill(true));
    await log.close();
  });

  it("shows a record whole whose own deserializer reads other batches in the middle of it", async () => {
    const batchCount = 24;
    const log = await filledLog(batchCount, LONG);
    let batch = 0;
    const curious: Deserializer<string> = {
      deserialize: (stored, context) => {
        void log.read(where((batch + 1) * RECORDS), { key: utf8, value: bytes });
        void log.read(where((batch + 2) * RECORDS), { key: utf8, value: bytes });
        return utf8.deserialize(stored, context);
      },
    };
    for (; batch < batchCount; batch += 3) {
      const offset = batch * RECORDS + 5;
      const record = await log.read(where(offset), { key: curious, value: bytes });
      expect([record?.key, isRight(record?.value, offset)]).toEqual([`${offset}`, true]);
    }
    await log.close();
  });
});
