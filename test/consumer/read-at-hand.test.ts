/** A record by its offset out of a log in this process: what is answered from memory, what is read at once, and what must be asked for. */
import { describe, expect, it } from "vitest";
import type { AtHand, FetchedPartition, Standing } from "../../src/api/broker.ts";
import type { Bytes } from "../../src/api/bytes.ts";
import { bytes as plainBytes } from "../../src/base/serdes/bytes.ts";
import { utf8 } from "../../src/base/serdes/utf8.ts";
import type { Turn } from "../../src/base/turn.ts";
import { RecordReading, readRecord } from "../../src/consumer/read-record.ts";
import { orders } from "./bed.ts";
import { FakeBroker } from "./fake-broker.ts";
import { joined, storedBatch, storedBatchOf } from "./stored-batch.ts";

/** A broker of which everything that it is asked is noted, and its log at hand, which holds these batches. */
async function world(batches: readonly Bytes[]) {
  const fake = await FakeBroker.create();
  const notes: string[] = [];
  const state = {
    standing: { topicId: "first", logStartOffset: 0 } as Standing | null,
    canRead: true,
    batches: [...batches],
    abortedTransactions: [] as FetchedPartition["abortedTransactions"],
    /** Where each was read to. */
    buffers: [] as ArrayBuffer[],
  };
  const answer = (offset: number): FetchedPartition => {
    const watermarks = { logStartOffset: 0, lastStableOffset: 1000, highWatermark: 1000, logEndOffset: 1000 };
    const found = state.batches.filter((batch) => Number(new DataView(batch.buffer).getBigInt64(0)) + (batch[26] as number) >= offset);
    return { ...orders, fault: null, watermarks, abortedTransactions: state.abortedTransactions, batches: joined(...found) };
  };
  const atHand: AtHand = {
    standing: () => state.standing,
    read: ({ offset, maxBytes }, memory) => {
      notes.push(`read ${offset} ${maxBytes}`);
      if (!state.canRead || memory === undefined) return null;
      const found = answer(offset);
      const batches = memory(found.batches.length);
      batches.set(found.batches);
      state.buffers.push(batches.buffer);
      return { ...found, batches };
    },
  };
  const broker = {
    atHand,
    fetch: async ({ partitions: [wanted], minBytes, maxWaitMs, maxBytes, isolation }: Parameters<FakeBroker["fetch"]>[0]) => {
      notes.push(`fetch ${wanted?.offset} ${wanted?.maxBytes} ${minBytes} ${maxWaitMs} ${maxBytes} ${isolation}`);
      return { partitions: [answer(wanted?.offset as number)], throttleTimeMs: 0 };
    },
    metadata: async () => {
      notes.push("metadata");
      return state.standing === null ? [{ topicId: "asked for" }] : [{ topicId: state.standing.topicId }];
    },
    listOffsets: async () => {
      notes.push("listOffsets");
      return [{ ...orders, fault: null, offset: 0 }];
    },
  } as unknown as FakeBroker;
  // Spent as often as it is told to be.
  const turn = { spentCount: 0, waitedCount: 0 };
  const reading = new RecordReading(broker, fake.compression, {
    isSpent: () => turn.spentCount-- > 0,
    next: async () => {
      turn.waitedCount += 1;
    },
  } as unknown as Turn);
  /** The filling of its value; null: there is none. */
  const read = async (offset: number): Promise<number | null> => {
    const record = await readRecord(reading, { ...orders, offset }, utf8, plainBytes);
    if (record !== null) expect(record).toMatchObject({ ...orders, offset, key: null });
    return record === null ? null : (record.value?.[0] as number);
  };
  return { state, notes, read, reading, turn };
}

describe("readRecord with a log at hand", () => {
  it("has a batch read to the memory of another that was too large to be kept", async () => {
    const large = [0, 10, 20].map((baseOffset) => storedBatchOf(1_049_000, 10, baseOffset));
    const { state, read } = await world([]);
    for (const [index, batch] of large.entries()) {
      state.batches = [batch];
      // The last of its records is the long one.
      expect(await read(index * 10 + 9)).toBe(index * 10 + 9);
    }
    expect(state.buffers).toHaveLength(3);
    expect(new Set(state.buffers).size).toBe(1);
  });

  it("reads a batch once for all its records and for the small ones behind it, and asks the broker for nothing", async () => {
    const { notes, read } = await world([storedBatch(0, [3, 3]), storedBatch(2, [3]), storedBatch(3, [3, 3])]);
    const found = [];
    for (const offset of [0, 4, 1, 2, 3]) found.push(await read(offset));
    expect(found).toEqual([0, 4, 1, 2, 3]);
    expect(notes).toEqual(["read 0 4096"]);
  });

  it("asks the broker where the log cannot tell at once, and remembers what that answered under the topic's id", async () => {
    const { state, notes, read } = await world([storedBatch(0, [3, 3])]);
    state.canRead = false;
    expect([await read(0), await read(1)]).toEqual([0, 1]);
    expect(notes).toEqual(["read 0 4096", "fetch 0 4096 0 0 4096 readCommitted"]);
  });

  it("asks where a partition is not open, which topic it is first of all: what is read is kept under that id", async () => {
    const { state, notes, read } = await world([storedBatch(0, [3, 3])]);
    state.standing = null;
    expect(await read(0)).toBe(0);
    expect(notes.splice(0)).toEqual(["metadata", "fetch 0 4096 0 0 4096 readCommitted"]);
    expect(await read(1)).toBe(1);
    expect(notes.splice(0)).toEqual(["metadata", "listOffsets"]);
    // Nothing is remembered of where nothing was read.
    expect(await read(7)).toBe(null);
    expect(notes).toEqual(["metadata", "listOffsets", "fetch 7 4096 0 0 4096 readCommitted"]);
  });

  it("remembers nothing below the log's start, and everything from there on", async () => {
    const { state, notes, read } = await world([storedBatch(0, [3, 3, 3])]);
    await read(0);
    state.standing = { topicId: "first", logStartOffset: 1 };
    expect([await read(1), await read(2), notes.length]).toEqual([1, 2, 1]);
    await read(0);
    expect(notes).toHaveLength(2);
  });

  it("remembers nothing of a topic that was deleted, though another has its name", async () => {
    const { state, notes, read } = await world([storedBatch(0, [3, 3])]);
    await read(0);
    state.standing = { topicId: "second", logStartOffset: 0 };
    state.batches = [storedBatch(0, [4, null])];
    expect([await read(0), notes.length]).toEqual([0, 2]);
    expect(await read(1)).toBe(undefined);
  });

  it("finds nothing where whole batches were compacted away, and what stands behind them is still to be found", async () => {
    const { notes, read } = await world([storedBatch(0, [3]), storedBatch(10, [3, 3])]);
    expect(await read(5)).toBe(null);
    expect([await read(10), await read(11), await read(9), await read(0)]).toEqual([10, 11, null, 0]);
    expect(notes.map((note) => note.split(" ")[1])).toEqual(["5", "10", "9", "0"]);
  });

  it("keeps a batch by itself where transactions were aborted behind it", async () => {
    const { state, notes, read } = await world([storedBatch(0, [3]), storedBatch(1, [3])]);
    state.abortedTransactions = [{ producerId: 5n, firstOffset: 1 }];
    expect([await read(0), await read(1), notes.length]).toEqual([0, 1, 2]);
  });

  it("answers in the next turn where this one has lasted long enough, wherever the record was found", async () => {
    const { state, read, turn } = await world([storedBatch(0, [3, 3])]);
    const ways = ["read", "recent", "asked for", "recent, its topic asked for"];
    for (const [index, way] of ways.entries()) {
      state.standing = index < 2 ? { topicId: "first", logStartOffset: 0 } : null;
      turn.spentCount = 1;
      expect(await read(index % 2), way).toBe(index % 2);
      expect(turn.waitedCount, way).toBe(index + 1);
      turn.spentCount = 0;
    }
  });

  it("refuses what is no offset, and no partition, before anything is asked", async () => {
    const { notes, reading } = await world([]);
    for (const [at, words] of [
      [{ ...orders, offset: 2 ** 53 }, "0 to 2^53-1"],
      [{ ...orders, offset: "0" }, "offset"],
      [{ ...orders }, "found undefined"],
      [{ topic: "orders", offset: 0 }, "partition undefined"],
      [undefined, "expected { topic, partition }"],
    ] as const) {
      await expect(readRecord(reading, at as never, utf8, utf8)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(words) as string,
      });
    }
    expect(notes).toEqual([]);
  });

  it("decodes by what each call was given, whatever the one before was", async () => {
    const { reading } = await world([storedBatch(65, [1, 1])]);
    const at = { ...orders, offset: 65 };
    const loud = { deserialize: () => "loud" };
    const decoded = [];
    for (const [key, value] of [
      [utf8, utf8],
      [utf8, plainBytes],
      [plainBytes, utf8],
      [utf8, loud],
      [utf8, utf8],
    ] as const) {
      decoded.push((await readRecord<unknown, unknown>(reading, at, key as never, value as never))?.value);
    }
    expect(decoded).toEqual(["A", new Uint8Array([65]), "A", "loud", "A"]);
  });
});
