/** Reading by `for await`: what is delivered, what is in hand, and how a loop ends. */
import { describe, expect, it } from "vitest";
import { CorruptionError, OffsetError, UsageError } from "../../src/base/errors.ts";
import { bed, numbers, orders, valuesToEnd } from "./bed.ts";

describe("an iteration", () => {
  it("delivers every record in order, decoded, and ends at the end that was asked for", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [
      {
        key: "a",
        value: "1",
        headers: [
          ["trace", "x"],
          ["none", null],
        ],
        timestamp: 7,
      },
      { key: null, value: null },
    ]);
    broker.appendSingles(orders, 3, 2);
    const reader = consumer();
    await reader.assign([orders]);
    const records = [];
    for await (const record of reader.records({ until: "end" })) records.push(record);
    expect(records.slice(0, 2)).toEqual([
      {
        topic: "orders",
        partition: 0,
        offset: 0,
        timestamp: 7,
        key: "a",
        value: "1",
        headers: [
          ["trace", new Uint8Array([120])],
          ["none", null],
        ],
      },
      { topic: "orders", partition: 0, offset: 1, timestamp: 1000, key: null, value: null, headers: [] },
    ]);
    expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
  });

  it("gives plain objects: own properties, safe to spread, to clone and to print, owning their bytes", async () => {
    const { broker, consumer } = await bed();
    const { bytes } = await import("../../src/base/serdes/bytes.ts");
    broker.append(orders, [
      { key: "a", value: "value", headers: [["h", "x"]] },
      { key: "b", value: "x".repeat(5000) },
    ]);
    const reader = consumer({ value: bytes });
    await reader.assign([orders]);
    for await (const record of reader) {
      expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
      expect(structuredClone(record)).toEqual(record);
      expect({ ...record }).toEqual(record);
      expect(JSON.parse(JSON.stringify({ ...record, value: null, headers: [] }))).toMatchObject({ topic: "orders", offset: 0, key: "a" });
      expect(record.value?.buffer.byteLength).toBe(5);
      expect(record.headers[0]?.[1]?.buffer.byteLength).toBe(1);
      break;
    }
  });

  it("goes on, after a break, with the record that was in hand", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 5);
    const reader = consumer();
    await reader.assign([orders]);
    for await (const { value } of reader) if (value === "2") break;
    expect(await valuesToEnd(reader)).toEqual(["2", "3", "4"]);
  });

  it("goes on, after a throw in its body, with the record that was in hand", async () => {
    const { broker, consumer } = await bed();
    broker.append(
      orders,
      numbers(0, 5).map((value) => ({ value })),
    );
    const reader = consumer();
    await reader.assign([orders]);
    const loop = async (): Promise<void> => {
      for await (const { value } of reader) if (value === "3") throw new Error("no");
    };
    await expect(loop()).rejects.toThrow("no");
    expect(await valuesToEnd(reader)).toEqual(["3", "4"]);
  });

  it("goes on, after a return out of it, with the record that was in hand", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 3);
    const reader = consumer();
    await reader.assign([orders]);
    const first = async (): Promise<string | null> => {
      for await (const { value } of reader) return value;
      return "none";
    };
    expect(await first()).toBe("0");
    expect(await first()).toBe("0");
    expect(await reader.position(orders)).toBe(0);
  });

  it("waits for records that come later, and delivers them at once", async () => {
    const { broker, consumer } = await bed();
    const reader = consumer();
    await reader.assign([orders]);
    const next = reader.records().next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    broker.appendSingles(orders, 1);
    expect((await next).value.value).toBe("0");
  });

  it("reads the end that each partition had when it was first assigned, not what came since", async () => {
    const { broker, consumer } = await bed(2);
    const second = { topic: "orders", partition: 1 };
    broker.appendSingles(orders, 3);
    broker.appendSingles(second, 3, 10);
    const reader = consumer();
    await reader.assign([orders, second]);
    const values: (string | null)[] = [];
    for await (const { value } of reader.records({ until: "end" })) {
      values.push(value);
      broker.appendSingles(orders, 1, 100 + values.length);
    }
    expect(values.sort()).toEqual(["0", "1", "10", "11", "12", "2"]);
    expect((await valuesToEnd(reader)).length).toBe(6);
  });

  it("ends at once, until the end of nothing", async () => {
    const { broker, consumer } = await bed();
    const reader = consumer();
    await reader.assign([orders]);
    expect(await valuesToEnd(reader)).toEqual([]);
    await reader.assign([]);
    broker.appendSingles(orders, 1);
    expect(await valuesToEnd(reader)).toEqual([]);
  });

  it("stops within the turn of close(), called from its own body, and the record in hand is not moved past", async () => {
    const { broker, consumer, closed } = await bed();
    broker.appendSingles(orders, 5);
    const reader = consumer({ groupId: "g" });
    await reader.assign([orders]);
    const values: (string | null)[] = [];
    for await (const { value } of reader) {
      values.push(value);
      if (value === "2") await reader.close();
    }
    expect(values).toEqual(["0", "1", "2"]);
    expect(broker.committedOf("g", orders)).toBe(2);
    expect(closed).toEqual([reader]);
    await reader.close();
    expect(closed.length).toBe(1);
  });

  it("ends a waiting loop when the consumer is closed from outside", async () => {
    const { consumer } = await bed();
    const reader = consumer();
    await reader.assign([orders]);
    const next = reader.records().next();
    await reader.close();
    expect(await next).toEqual({ done: true, value: undefined });
    await expect(reader.records().next()).rejects.toMatchObject({ code: "CONSUMER_CLOSED" });
    await expect(reader.poll()).rejects.toMatchObject({ code: "CONSUMER_CLOSED" });
    expect(() => reader.seek(orders, 0)).toThrow(UsageError);
  });
});

describe("signals", () => {
  it("the consumer's is the polite stop: the record in hand is finished and committed, the loop ends, the consumer closes", async () => {
    const { broker, consumer, closed } = await bed();
    broker.appendSingles(orders, 5);
    const controller = new AbortController();
    const reader = consumer({ groupId: "g", signal: controller.signal });
    await reader.assign([orders]);
    const values: (string | null)[] = [];
    for await (const record of reader) {
      values.push(record.value);
      if (record.value === "1") controller.abort();
      await reader.commit(record);
    }
    expect(values).toEqual(["0", "1"]);
    expect(broker.committedOf("g", orders)).toBe(2);
    expect(closed).toEqual([reader]);
  });

  it("the consumer's ends a loop that waits, and closes a consumer that does nothing", async () => {
    const { consumer, closed } = await bed();
    const controller = new AbortController();
    const [waiting, idle] = [consumer({ signal: controller.signal }), consumer({ signal: controller.signal })];
    await waiting.assign([orders]);
    const next = waiting.records().next();
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    await expect.poll(() => closed.length).toBe(2);
    expect(closed).toContain(idle);
    // Ended as politely when it was not under way yet.
    expect(await waiting.records().next()).toEqual({ done: true, value: undefined });
  });

  it("a call's own rejects it with the signal's reason; the consumer lives on, at the record that was in hand", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 3);
    const reader = consumer();
    await reader.assign([orders]);
    const controller = new AbortController();
    const reason = new Error("enough");
    const loop = async (): Promise<void> => {
      for await (const { value } of reader.records({ signal: controller.signal })) if (value === "1") controller.abort(reason);
    };
    await expect(loop()).rejects.toBe(reason);
    expect(await valuesToEnd(reader)).toEqual(["2"]);
    const waiting = new AbortController();
    const next = reader.records({ signal: waiting.signal }).next();
    waiting.abort();
    await expect(next).rejects.toBe(waiting.signal.reason);
    await expect(reader.poll({ signal: waiting.signal })).rejects.toBe(waiting.signal.reason);
  });
});

describe("one at a time", () => {
  it("refuses a second iteration, a poll beside one, and a next() before the last has settled", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 3);
    const reader = consumer();
    await reader.assign([orders]);
    const iterator = reader.records();
    await iterator.next();
    await expect(reader.records().next()).rejects.toMatchObject({ code: "CONCURRENT_CALL" });
    await expect(reader.poll()).rejects.toMatchObject({ name: "UsageError", code: "CONCURRENT_CALL" });
    await iterator.return?.();
    const again = reader.records();
    const [first, second] = await Promise.allSettled([again.next(), again.next()]);
    expect(first).toMatchObject({ status: "fulfilled", value: { value: { value: "0" } } });
    expect(second).toMatchObject({ status: "rejected", reason: { code: "CONCURRENT_CALL" } });
    expect((await again.next()).value.value).toBe("1");
  });

  it("asks for subscribe() or assign() first", async () => {
    const { consumer } = await bed();
    await expect(consumer().records().next()).rejects.toMatchObject({ name: "UsageError" });
    await expect(consumer().poll()).rejects.toMatchObject({ name: "UsageError" });
  });
});

describe("fetching", () => {
  it("reads nothing while nobody asks", async () => {
    const { broker, consumer } = await bed();
    for (let batch = 0; batch < 20; batch++)
      broker.append(
        orders,
        numbers(0, 10).map((value) => ({ value })),
      );
    const reader = consumer({ fetchMaxBytes: 500 });
    await reader.assign([orders]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(broker.fetches.length).toBe(0);
    const iterator = reader.records();
    await iterator.next();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(broker.fetches.length).toBe(1);
    for (let count = 0; count < 10; count++) await iterator.next();
    await new Promise((resolve) => setTimeout(resolve, 10));
    // One ahead: the run being read, and the one after it.
    expect(broker.fetches.length).toBe(2);
    expect(broker.fetches.every(({ maxBytes }) => maxBytes === 500)).toBe(true);
  });

  it("leaves no fetch waiting behind a poll whose time is over", async () => {
    const { broker, consumer } = await bed();
    const reader = consumer();
    await reader.assign([orders]);
    expect(await reader.poll({ timeoutMs: 5 })).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(broker.waitingCount).toBe(0);
  });

  it("does not let a busy partition starve another", async () => {
    const { broker, consumer } = await bed(2);
    const second = { topic: "orders", partition: 1 };
    for (let batch = 0; batch < 50; batch++)
      broker.append(
        orders,
        numbers(0, 20).map((value) => ({ value })),
      );
    broker.appendSingles(second, 1, 7000);
    const reader = consumer({ fetchMaxBytes: 500 });
    await reader.assign([orders, second]);
    let count = 0;
    for await (const { partition } of reader) {
      count += 1;
      if (partition === 1) break;
    }
    expect(count).toBeLessThan(200);
  });

  it("throws what made a fetch fail, and goes on in a new loop", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 2);
    const reader = consumer();
    await reader.assign([orders]);
    broker.nextFetchError = new UsageError("LOG_CLOSED", "the log was closed");
    await expect(reader.records().next()).rejects.toMatchObject({ code: "LOG_CLOSED" });
    expect(await valuesToEnd(reader)).toEqual(["0", "1"]);
  });

  it("throws a CorruptionError where the damage is, and goes on behind it after a seek", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 6);
    const damage = { file: "orders-0/0.log", byteRange: [1, 2], offsetRange: [2, 4], nextReadableOffset: 4 } as const;
    broker.partition(orders).fault = { at: 3, error: new CorruptionError("bad", damage) };
    const reader = consumer();
    await reader.assign([orders]);
    const values: (string | null)[] = [];
    const loop = async (): Promise<void> => {
      for await (const { value } of reader) values.push(value);
    };
    await expect(loop()).rejects.toMatchObject({ name: "CorruptionError", nextReadableOffset: 4 });
    await expect(loop()).rejects.toBeInstanceOf(CorruptionError);
    expect(values).toEqual(["0", "1", "2"]);
    reader.seek(orders, 4);
    expect(await valuesToEnd(reader)).toEqual(["4", "5"]);
  });
});

describe("a position out of range", () => {
  it("is met by autoOffsetReset, and reported", async () => {
    const { broker, consumer, events } = await bed();
    broker.appendSingles(orders, 5);
    broker.partition(orders).logStartOffset = 2;
    const reader = consumer();
    await reader.assign([orders]);
    reader.seek(orders, 1);
    expect(await valuesToEnd(reader)).toEqual(["2", "3", "4"]);
    expect(events).toMatchObject([{ type: "offset.reset", partition: orders, from: 1, to: 2, strategy: "earliest" }]);
    const late = consumer({ autoOffsetReset: "latest" });
    await late.assign([orders]);
    late.seek(orders, 99);
    expect(await late.poll({ timeoutMs: 0 })).toEqual([]);
    expect(await late.poll({ timeoutMs: 0 })).toEqual([]);
    expect(await late.position(orders)).toBe(5);
  });

  it('is an OffsetError with the legal range under "none"', async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 5);
    broker.partition(orders).logStartOffset = 2;
    const reader = consumer({ autoOffsetReset: "none" });
    await reader.assign([orders]);
    await expect(reader.poll()).rejects.toBeInstanceOf(OffsetError);
    reader.seek(orders, 9);
    await expect(reader.records().next()).rejects.toMatchObject({
      code: "OFFSET_OUT_OF_RANGE",
      range: { logStartOffset: 2, highWatermark: 5 },
    });
    reader.seek(orders, 3);
    expect(await valuesToEnd(reader)).toEqual(["3", "4"]);
  });
});
