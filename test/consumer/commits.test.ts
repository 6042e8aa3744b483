/** Committing: what is covered, by whom, when, and what is refused. */
import { describe, expect, it } from "vitest";
import { GroupError, StorageError } from "../../src/base/errors.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";
import { bed, numbers, orders, valuesToEnd } from "./bed.ts";

describe("commit", () => {
  it("without argument covers what was moved past, never the record in hand of an iteration", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 5);
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.assign([orders]);
    for await (const { offset } of reader) {
      await reader.commit();
      expect(await reader.committed(orders)).toBe(offset === 0 ? null : offset);
      if (offset === 3) break;
    }
    await reader.commit();
    expect(broker.committedOf("g", orders)).toBe(3);
  });

  it("of a record commits the offset after it; of offsets, those", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 5);
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.assign([orders]);
    for await (const record of reader) {
      await reader.commit(record, { durable: record.offset === 1 });
      if (record.offset === 1) break;
    }
    expect(broker.commits.map(({ durable, offsets }) => [durable, offsets[0]?.nextOffset])).toEqual([
      [false, 1],
      [true, 2],
    ]);
    await reader.commit([{ topic: "orders", partition: 0, nextOffset: 4 }]);
    expect(await reader.committed(orders)).toBe(4);
    await reader.commit([]);
    expect(broker.commits.length).toBe(3);
  });

  it("never goes back by itself behind what was committed by hand", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 5);
    const reader = consumer({ groupId: "g" });
    await reader.assign([orders]);
    for await (const record of reader) {
      if (record.offset < 2) continue;
      await reader.commit(record);
      break;
    }
    await reader.close();
    expect(broker.committedOf("g", orders)).toBe(3);
  });

  it("goes back after a seek back, which is the caller's wish", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 5);
    const reader = consumer({ groupId: "g" });
    await reader.assign([orders]);
    await valuesToEnd(reader);
    await reader.commit();
    expect(broker.committedOf("g", orders)).toBe(5);
    reader.seek(orders, 1);
    await reader.poll({ maxRecords: 1 });
    await reader.commit();
    expect(broker.committedOf("g", orders)).toBe(2);
  });

  it("passes what no reader sees: control records and the holes that compaction left at the end", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ value: "t" }], { producerId: 1n, transactional: true });
    broker.endTransactionOf(orders, 1n, true);
    broker.appendSparse(orders, [0, 2], 7);
    const reader = consumer({ groupId: "g" });
    await reader.assign([orders]);
    expect(await valuesToEnd(reader)).toEqual(["t", "0", "2"]);
    await reader.close();
    expect(broker.committedOf("g", orders)).toBe(10);
  });

  it("refuses, clearly, a record where offsets are expected, and what is neither", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 2);
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.assign([orders]);
    const records = await reader.poll();
    await expect(reader.commit(records as never)).rejects.toMatchObject({ name: "UsageError", code: "INVALID_ARGUMENT" });
    await expect(reader.commit(records as never)).rejects.toThrow(/\[0\]: expected \{ topic, partition, nextOffset \}, found a record/);
    await expect(reader.commit({ ...orders, nextOffset: 1 } as never)).rejects.toThrow(/in an array/);
    await expect(reader.commit(5 as never)).rejects.toThrow(/expected a record, a batch or an array/);
    await expect(reader.commit([{ ...orders, nextOffset: -1 }])).rejects.toThrow(/nextOffset: expected a whole number/);
    await expect(reader.commit([{ ...orders, nextOffset: 1.5 }])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const batch = { topic: "orders", partition: 0, lastOffset: 3 };
    for (const [given, words] of [
      [[batch], "found a batch: commit(it)"],
      [[{ ...orders, offset: 3 }], "found a record: commit(it)"],
      [[5], "found 5"],
      [[null], "found null"],
      [[{ topic: 7, partition: 0, nextOffset: 1 }], "topic: expected a string, found 7"],
      [[{ topic: "orders", partition: -1, nextOffset: 1 }], "partition: expected a whole number from 0, found -1"],
      [[{ topic: "orders", partition: 0.5, nextOffset: 1 }], "partition: expected a whole number from 0, found 0.5"],
    ] as const) {
      await expect(reader.commit(given as never)).rejects.toThrow(words);
    }
    await expect(reader.commit([{ topic: "nope", partition: 0, nextOffset: 1 }])).rejects.toMatchObject({
      code: "UNKNOWN_TOPIC_OR_PARTITION",
    });
    await expect(reader.commit(undefined, { sync: true } as never)).rejects.toMatchObject({ code: "UNKNOWN_CONFIG" });
    expect(broker.committedOf("g", orders)).toBe(null);
  });

  it("needs a group", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 1);
    const reader = consumer();
    await reader.assign([orders]);
    const [record] = await reader.poll();
    await expect(reader.commit()).rejects.toMatchObject({ name: "UsageError", code: "NO_GROUP" });
    await expect(reader.commit(record)).rejects.toMatchObject({ code: "NO_GROUP" });
    await expect(reader.committed(orders)).rejects.toMatchObject({ code: "NO_GROUP" });
    await reader.close();
    expect(broker.commits).toEqual([]);
  });

  it("of a reader outside the group is refused while the group has members", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 1);
    await consumer({ groupId: "g" }).subscribe(["orders"]);
    const outsider = consumer({ groupId: "g", enableAutoCommit: false });
    await outsider.assign([orders]);
    const [record] = await outsider.poll();
    await expect(outsider.commit(record)).rejects.toBeInstanceOf(GroupError);
  });

  it("rejects with what kept it from being written", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 1);
    const reader = consumer({ groupId: "g" });
    await reader.assign([orders]);
    await valuesToEnd(reader);
    broker.nextCommitError = new StorageError("STORAGE_FULL", "the disk is full");
    await expect(reader.commit()).rejects.toMatchObject({ code: "STORAGE_FULL" });
    await reader.commit();
    expect(broker.committedOf("g", orders)).toBe(1);
  });
});

describe("auto commit", () => {
  it("commits every autoCommitIntervalMs what was moved past, only when there is something new", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    broker.append(
      orders,
      numbers(0, 10).map((value) => ({ value })),
    );
    const reader = consumer({ groupId: "g" });
    await reader.assign([orders]);
    const iterator = reader.records();
    for (let count = 0; count < 4; count++) await iterator.next();
    await clock.advance(4999);
    expect(broker.commits.length).toBe(0);
    await clock.advance(1);
    expect(broker.committedOf("g", orders)).toBe(3);
    await clock.advance(20_000);
    expect(broker.commits.length).toBe(1);
    await iterator.next();
    await clock.advance(5000);
    expect(broker.committedOf("g", orders)).toBe(4);
    expect(broker.commits.every(({ durable }) => !durable)).toBe(true);
  });

  it("tries again at the next interval what failed, and reports it", async () => {
    const clock = new ManualClock();
    const { broker, consumer, events } = await bed(1, clock);
    broker.appendSingles(orders, 3);
    const reader = consumer({ groupId: "g", autoCommitIntervalMs: 100 });
    await reader.assign([orders]);
    await valuesToEnd(reader);
    broker.nextCommitError = new StorageError("STORAGE_FULL", "the disk is full");
    await clock.advance(100);
    expect(events).toMatchObject([{ type: "commit.failed", error: { code: "STORAGE_FULL" } }]);
    await clock.advance(100);
    expect(broker.committedOf("g", orders)).toBe(3);
  });

  it("is off when told so, and nothing is committed of what nobody has moved past", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 3);
    const off = consumer({ groupId: "off", enableAutoCommit: false });
    await off.assign([orders]);
    await valuesToEnd(off);
    await off.close();
    const idle = consumer({ groupId: "idle" });
    await idle.assign([orders]);
    for await (const _ of idle) break;
    await idle.close();
    await settled();
    expect(broker.commits).toEqual([]);
  });

  it("leaves no timer behind a closed consumer", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    broker.appendSingles(orders, 3);
    const [assigned, subscribed] = [consumer({ groupId: "a" }), consumer({ groupId: "b" })];
    await assigned.assign([orders]);
    await subscribed.subscribe(["orders"]);
    await valuesToEnd(assigned);
    await valuesToEnd(subscribed);
    const next = assigned.records().next();
    await settled();
    await Promise.all([assigned.close(), subscribed.close()]);
    await next;
    for (let turns = 0; turns < 5; turns++) await settled();
    expect(clock.pendingCount).toBe(0);
  });
});
