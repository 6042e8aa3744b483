/** A piece of a batch at hand: of the very batch that was read and checked, or nothing. */
import { describe, expect, it } from "vitest";
import { readInt32 } from "../../src/base/big-endian.ts";
import { batchByteLengthAt, CRC_AT } from "../../src/base/record-batch.ts";
import { memory } from "../../src/index.ts";
import { openEngine, produce } from "../simulation/engine-rig.ts";

const AT = { topic: "orders", partition: 0 };

describe("a batch at hand", () => {
  it("is read to the memory that is given for it, a piece of it once this process has checked all of the batch, and of that batch alone", async () => {
    const storage = memory();
    const first = await openEngine(storage);
    await first.engine.createTopic({ topic: "orders", partitions: 1, config: { maxMessageBytes: 4096, segmentBytes: 8192 } });
    for (const name of ["a", "b", "c"])
      await produce(
        first,
        "orders",
        0,
        Array.from({ length: 100 }, (_, index) => `${name} ${index}`),
      );
    await first.engine.close();
    const { engine } = await openEngine(storage);
    const [read] = (
      await engine.fetch({
        partitions: [{ ...AT, offset: 100, maxBytes: 1 }],
        minBytes: 1,
        maxWaitMs: 0,
        maxBytes: 1,
        isolation: "readCommitted",
      })
    ).partitions;
    const batch = read?.batches ?? new Uint8Array(0);
    const byteLength = batchByteLengthAt(batch, 0);
    expect(batch.length).toBe(byteLength);
    const memories: Uint8Array[] = [];
    const answer = engine.atHand?.read({ ...AT, offset: 150, maxBytes: 1 }, (wantedByteLength) => {
      // Not fresh: what stood there before must not show.
      const given = new Uint8Array(wantedByteLength).fill(0xff);
      memories.push(given);
      return given;
    });
    expect([memories.length, answer?.batches === memories[0]]).toEqual([1, true]);
    expect(answer?.batches).toEqual(batch);
    const wanted = { ...AT, baseOffset: 100, byteLength, checksum: readInt32(batch, CRC_AT), from: 70, place: null };
    const into = new Uint8Array(100);
    for (const other of [wanted, { ...wanted, place: null }]) {
      into.fill(0);
      expect(engine.atHand?.part?.(other, into)).toBe(true);
      expect(into).toEqual(batch.slice(70, 170));
    }
    for (const other of [
      { checksum: wanted.checksum ^ 1 },
      { byteLength: byteLength - 1 },
      { baseOffset: 101 },
      { baseOffset: 300 },
      { baseOffset: 0 },
      { topic: "others" },
    ])
      expect(engine.atHand?.part?.({ ...wanted, place: null, ...other }, into), JSON.stringify(other)).toBe(false);
    await engine.close();
    expect(engine.atHand).toBe(undefined);
  });
});
