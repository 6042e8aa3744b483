/** Positions: seek, pause, resume, and what is told about a partition. */
import { describe, expect, it } from "vitest";
import { bed, numbers, orders, valuesToEnd } from "./bed.ts";

const second = { topic: "orders", partition: 1 };

describe("seek", () => {
  it("holds for the next record delivered, from within the loop too", async () => {
    const { broker, consumer } = await bed();
    broker.append(
      orders,
      numbers(0, 10).map((value) => ({ value })),
    );
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.assign([orders]);
    const values: (string | null)[] = [];
    for await (const { value } of reader) {
      values.push(value);
      if (values.length === 3) reader.seek(orders, 7);
      if (values.length === 5) reader.seek(orders, "earliest");
      if (values.length === 6) break;
    }
    expect(values).toEqual(["0", "1", "2", "7", "8", "0"]);
    // The record in hand at the seek was not moved past: where the seek led is what counts.
    expect(await reader.position(orders)).toBe(0);
  });

  it('goes to the end that this isolation level may read with "latest"', async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 3);
    broker.append(orders, [{ value: "open" }], { producerId: 1n, transactional: true });
    const [committed, uncommitted] = [consumer(), consumer({ isolationLevel: "readUncommitted" })];
    for (const reader of [committed, uncommitted]) {
      await reader.assign([orders]);
      reader.seek(orders, "latest");
    }
    expect([await committed.position(orders), await uncommitted.position(orders)]).toEqual([3, 4]);
    expect([await committed.lag(orders), await uncommitted.lag(orders)]).toEqual([0, 0]);
  });

  it("wakes a loop that waits at the end", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 2);
    const reader = consumer();
    await reader.assign([orders]);
    await valuesToEnd(reader);
    const next = reader.records().next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    reader.seek(orders, 1);
    expect((await next).value.value).toBe("1");
  });

  it("says what is assigned, in few words, and what was given for a partition", async () => {
    const { consumer } = await bed(25);
    const reader = consumer();
    expect(() => reader.seek(orders, 0)).toThrow("nothing is");
    await reader.assign(Array.from({ length: 25 }, (_, partition) => ({ topic: "orders", partition })));
    expect(() => reader.seek({ topic: "orders", partition: 30 }, 0)).toThrow(/these are: orders-0, .*, orders-19, …$/);
    for (const [given, words] of [
      [undefined, "expected { topic, partition }, found undefined"],
      ["orders-0", 'expected { topic, partition }, found "orders-0"'],
      [null, "expected { topic, partition }, found null"],
      [{ topic: "orders" }, 'expected { topic, partition }, found topic "orders", partition undefined'],
      [{ topic: "orders", partition: -1 }, 'found topic "orders", partition -1'],
    ] as const) {
      expect(() => reader.pause([given as never]), words).toThrow(words);
    }
  });

  it("refuses what is no offset and what is not assigned", async () => {
    const { consumer } = await bed(2);
    const reader = consumer();
    await reader.assign([orders]);
    expect(() => reader.seek(orders, -1)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => reader.seek(orders, "end" as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => reader.seek(second, 1)).toThrow(expect.objectContaining({ code: "NOT_ASSIGNED" }));
    await expect(reader.position(second)).rejects.toMatchObject({ code: "NOT_ASSIGNED" });
  });
});

describe("pause and resume", () => {
  it("hold for the next record delivered", async () => {
    const { broker, consumer } = await bed(2);
    broker.append(
      orders,
      numbers(0, 5).map((value) => ({ value })),
    );
    broker.append(
      second,
      numbers(10, 15).map((value) => ({ value })),
    );
    const reader = consumer();
    await reader.assign([orders, second]);
    const values: (string | null)[] = [];
    for await (const { value } of reader) {
      values.push(value);
      if (values.length === 2) reader.pause([orders]);
      if (values.length === 7) reader.resume([orders]);
      if (values.length === 10) break;
    }
    expect(values).toEqual(["0", "1", "10", "11", "12", "13", "14", "2", "3", "4"]);
  });

  it("without partitions are for all; a paused loop waits until it is resumed", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 1);
    const reader = consumer();
    await reader.assign([orders]);
    reader.pause();
    expect(await reader.poll({ timeoutMs: 10 })).toEqual([]);
    const next = reader.records().next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    reader.resume();
    expect((await next).value.value).toBe("0");
    expect(() => reader.pause([second])).toThrow(expect.objectContaining({ code: "NOT_ASSIGNED" }));
  });
});

describe("what is told of a partition", () => {
  it("position is the next offset after what was delivered, lag what is left from there", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 5);
    const reader = consumer();
    await reader.assign([orders]);
    expect(await reader.position(orders)).toBe(0);
    for await (const { offset } of reader) {
      expect(await reader.position(orders)).toBe(offset + 1);
      expect(await reader.lag(orders)).toBe(4 - offset);
      if (offset === 4) break;
    }
  });

  it("watermarks and offsetForTime need no assignment", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [
      { value: "a", timestamp: 100 },
      { value: "b", timestamp: 300 },
      { value: "c", timestamp: 200 },
    ]);
    const reader = consumer();
    expect(await reader.watermarks(orders)).toEqual({ logStartOffset: 0, lastStableOffset: 3, highWatermark: 3, logEndOffset: 3 });
    expect(await reader.offsetForTime(orders, 150)).toEqual({ offset: 1, timestamp: 300 });
    expect(await reader.offsetForTime(orders, 100)).toEqual({ offset: 0, timestamp: 100 });
    expect(await reader.offsetForTime(orders, 301)).toBe(null);
    await expect(reader.watermarks(second)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await expect(reader.offsetForTime(orders, Number.NaN)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(reader.watermarks({ topic: "orders" } as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("assign", () => {
  it("keeps the position of what stays, and begins anew with what comes back", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(orders, 3);
    broker.appendSingles(second, 3, 10);
    const reader = consumer();
    await reader.assign([orders]);
    await reader.poll({ maxRecords: 2 });
    await reader.assign([orders, second]);
    expect(reader.assignment()).toEqual([orders, second]);
    expect((await valuesToEnd(reader)).sort()).toEqual(["10", "11", "12", "2"]);
    await reader.assign([second]);
    await reader.assign([orders]);
    expect(await reader.position(orders)).toBe(0);
  });

  it("begins at the committed offset, else where autoOffsetReset says, as of the time of the call", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(orders, 5);
    broker.appendSingles(second, 5, 10);
    const first = consumer({ groupId: "g", autoOffsetReset: "latest" });
    await first.commit([{ ...orders, nextOffset: 3 }]);
    await first.assign([orders, second]);
    broker.appendSingles(second, 1, 15);
    expect((await valuesToEnd(first)).sort()).toEqual(["15", "3", "4"]);
  });

  it("refuses a topic or partition that is not there, and what is no partition", async () => {
    const { consumer } = await bed(2);
    const reader = consumer();
    await expect(reader.assign([{ topic: "order", partition: 0 }])).rejects.toThrow(/did you mean "orders"/);
    await expect(reader.assign([{ topic: "orders", partition: 2 }])).rejects.toThrow(/partitions 0 to 1, found partition 2/);
    await expect(reader.assign([{ topic: "orders", partition: -1 }])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(reader.assign(orders as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await reader.assign([orders]);
    await expect(consumer({ groupId: "g" }).subscribe([])).resolves.toBeUndefined();
  });
});

describe("isolation", () => {
  it("readCommitted gives committed records alone, readUncommitted all; control records are never given", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ value: "plain" }]);
    broker.append(orders, [{ value: "a1" }], { producerId: 1n, transactional: true });
    broker.append(orders, [{ value: "b1" }], { producerId: 2n, transactional: true });
    broker.append(orders, [{ value: "a2" }], { producerId: 1n, transactional: true });
    broker.endTransactionOf(orders, 1n, false);
    broker.append(orders, [{ value: "a3" }], { producerId: 1n, transactional: true });
    broker.endTransactionOf(orders, 1n, true);
    broker.append(orders, [{ value: "b2" }], { producerId: 2n, transactional: true });
    const [committed, uncommitted] = [consumer(), consumer({ isolationLevel: "readUncommitted" })];
    await committed.assign([orders]);
    await uncommitted.assign([orders]);
    expect(await valuesToEnd(committed)).toEqual(["plain"]);
    expect(await valuesToEnd(uncommitted)).toEqual(["plain", "a1", "b1", "a2", "a3", "b2"]);
    broker.endTransactionOf(orders, 2n, true);
    expect(await valuesToEnd(committed)).toEqual(["b1", "a3", "b2"]);
    expect(await committed.position(orders)).toBe(broker.partition(orders).endOffset);
    expect(await committed.lag(orders)).toBe(0);
  });

  it("drops what was aborted however the fetches cut it", async () => {
    const { broker, consumer } = await bed();
    const kept: string[] = [];
    for (let round = 0; round < 30; round++) {
      const commit = round % 3 === 0;
      for (let each = 0; each < 3; each++) {
        const value = `${round}/${each}`;
        broker.append(orders, [{ value }], { producerId: BigInt(round % 2), transactional: true });
        if (commit) kept.push(value);
      }
      broker.endTransactionOf(orders, BigInt(round % 2), commit);
    }
    for (const fetchMaxBytes of [1, 100, 300, 1000, 1 << 20]) {
      const reader = consumer({ fetchMaxBytes });
      await reader.assign([orders]);
      expect(await valuesToEnd(reader)).toEqual(kept);
    }
  });
});
