/** Reading by `poll()`: how much, how long, and what is in hand until the next call. */
import { describe, expect, it } from "vitest";
import { bed, numbers, orders } from "./bed.ts";

describe("poll", () => {
  it("answers with what there is, up to maxRecords, as soon as there is any", async () => {
    const { broker, consumer } = await bed();
    broker.append(
      orders,
      numbers(0, 1200).map((value) => ({ value })),
    );
    const reader = consumer();
    await reader.assign([orders]);
    expect((await reader.poll()).map(({ value }) => value)).toEqual(numbers(0, 500));
    expect((await reader.poll({ maxRecords: 3 })).map(({ value }) => value)).toEqual(numbers(500, 503));
    expect((await reader.poll({ maxRecords: 5000 })).map(({ value }) => value)).toEqual(numbers(503, 1200));
    expect(await reader.poll({ timeoutMs: 0 })).toEqual([]);
  });

  it("takes from several batches and partitions in one call", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(orders, 3);
    broker.appendSingles({ topic: "orders", partition: 1 }, 3, 10);
    const reader = consumer({ maxPollRecords: 100 });
    await reader.assign([orders, { topic: "orders", partition: 1 }]);
    expect((await reader.poll({ timeoutMs: 0 })).map(({ value }) => value)).toEqual(["0", "1", "2", "10", "11", "12"]);
  });

  it("waits for the first record, at most timeoutMs", async () => {
    const { broker, consumer } = await bed();
    const reader = consumer();
    await reader.assign([orders]);
    const startMs = performance.now();
    expect(await reader.poll({ timeoutMs: 30 })).toEqual([]);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(29);
    const polled = reader.poll({ timeoutMs: 60_000 });
    setTimeout(() => broker.appendSingles(orders, 1), 10);
    expect((await polled).length).toBe(1);
  });

  it("keeps the array in hand until the next call, and commit() covers it", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 4);
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.assign([orders]);
    await reader.poll({ maxRecords: 2 });
    expect(await reader.position(orders)).toBe(2);
    await reader.commit();
    expect(await reader.committed(orders)).toBe(2);
    await reader.poll({ maxRecords: 1 });
    await reader.close();
    expect(broker.committedOf("g", orders)).toBe(2);
  });

  it("never commits the array in hand by itself, and commits it once the next call has come", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 4);
    const reader = consumer({ groupId: "g", autoCommitIntervalMs: 5 });
    await reader.assign([orders]);
    await reader.poll({ maxRecords: 2 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(broker.committedOf("g", orders)).toBe(null);
    await reader.poll({ maxRecords: 1 });
    await expect.poll(() => broker.committedOf("g", orders)).toBe(2);
    await reader.close();
    expect(broker.committedOf("g", orders)).toBe(2);
  });

  it("goes on where an iteration was left, and an iteration where it was left", async () => {
    const { broker, consumer } = await bed();
    broker.append(
      orders,
      numbers(0, 6).map((value) => ({ value })),
    );
    const reader = consumer();
    await reader.assign([orders]);
    for await (const { value } of reader) if (value === "1") break;
    expect((await reader.poll({ maxRecords: 2 })).map(({ value }) => value)).toEqual(["1", "2"]);
    for await (const { value } of reader) {
      expect(value).toBe("3");
      break;
    }
  });

  it("answers with nothing when the consumer is stopped or closed while it waits", async () => {
    const { consumer, closed } = await bed();
    const controller = new AbortController();
    const [stopped, shut] = [consumer({ signal: controller.signal }), consumer()];
    await stopped.assign([orders]);
    await shut.assign([orders]);
    const polls = [stopped.poll({ timeoutMs: 60_000 }), shut.poll({ timeoutMs: 60_000 })];
    controller.abort();
    await shut.close();
    expect(await Promise.all(polls)).toEqual([[], []]);
    expect(closed.length).toBe(2);
  });

  it("lets the array in hand be finished when the consumer's signal says stop", async () => {
    const { broker, consumer, closed } = await bed();
    broker.appendSingles(orders, 4);
    const controller = new AbortController();
    const reader = consumer({ groupId: "g", signal: controller.signal });
    await reader.assign([orders]);
    await reader.poll({ maxRecords: 3 });
    controller.abort();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(closed).toEqual([]);
    expect(await reader.poll()).toEqual([]);
    expect(closed).toEqual([reader]);
    expect(broker.committedOf("g", orders)).toBe(3);
  });

  it("refuses options that mean nothing", async () => {
    const { consumer } = await bed();
    const reader = consumer();
    await reader.assign([orders]);
    await expect(reader.poll({ timeoutMs: -1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(reader.poll({ maxRecords: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(reader.poll({ timeout: 1 } as never)).rejects.toThrow(/timeoutMs/);
  });
});
