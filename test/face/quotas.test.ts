import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Odradek } from "../../src/api/index.ts";
import { bytes, memory } from "../../src/index.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { brokersDirectory, heard, openLog, temporaryDirectory, valuesIn } from "./support.ts";

interface Bed {
  readonly log: Odradek;
  readonly clock: ManualClock;
  readonly told: ReturnType<typeof heard>;
}

async function bed(): Promise<Bed> {
  const clock = new ManualClock();
  const told = heard();
  const log = await openLog(memory({ clock }), { clock, onEvent: told.onEvent });
  await log.createTopic("orders");
  return { log, clock, told };
}

/** Lets time pass, and what it set off be done, storage included. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  await clock.advance(ms);
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Whether a promise has settled, without waiting for it. */
function watched<T>(promise: Promise<T>): { readonly promise: Promise<T>; isSettled: boolean } {
  const state = { promise, isSettled: false };
  const settle = (): void => void Object.assign(state, { isSettled: true });
  promise.then(settle, settle);
  return state;
}

/** Milliseconds that pass until it settles, a step at a time. */
async function waitedMs(clock: ManualClock, promise: Promise<unknown>, stepMs = 1, mostMs = 120_000): Promise<number> {
  const state = watched(promise);
  const from = clock.monotonic();
  await pass(clock, 0);
  while (!state.isSettled && clock.monotonic() - from < mostMs) await pass(clock, stepMs);
  await promise;
  return clock.monotonic() - from;
}

const value = (byteLength: number): Uint8Array => new Uint8Array(byteLength);

describe("a producer over its quota", () => {
  it("is answered at once, and its next request waits as long as Kafka's formula says", async () => {
    const { log, clock } = await bed();
    await log.alterClientQuotas("greedy", { producerByteRate: 1000 });
    const producer = log.producer({ clientId: "greedy", value: bytes });
    expect(await waitedMs(clock, producer.send({ topic: "orders", value: value(15_000) }))).toBe(0);
    const { produceBytes = 0 } = log.metrics();
    const nowMs = clock.monotonic();
    const next = watched(producer.send({ topic: "orders", value: value(10) }));
    // (bytes / 10 s - 1000) / 1000 × 10,000 ms
    const throttleMs = Math.round(((produceBytes / 10 - 1000) / 1000) * 10_000);
    await pass(clock, throttleMs - 1);
    expect(next.isSettled).toBe(false);
    await pass(clock, 2);
    expect(next.isSettled).toBe(true);
    expect(clock.monotonic() - nowMs).toBe(throttleMs + 1);
    expect((await next.promise).offset).toBe(1);
  });

  it.each([0, 1, "all"] as const)("is muted with acks %j, its records kept in the order of the calls", async (acks) => {
    const { log, clock } = await bed();
    await log.alterClientQuotas("greedy", { producerByteRate: 1000 });
    const producer = log.producer({ clientId: "greedy", acks });
    for (let count = 0; count < 40; count += 1) void producer.sendBatch([{ topic: "orders", value: `${count}`.padEnd(1000) }]);
    await pass(clock, 0);
    // The first ten seconds' worth, and one more.
    const first = log.metrics()["produceBatches"] as number;
    expect(first).toBeGreaterThan(5);
    expect(first).toBeLessThan(12);
    const flushed = watched(producer.flush());
    await pass(clock, 5000);
    expect(flushed.isSettled).toBe(false);
    await waitedMs(clock, flushed.promise, 1000);
    expect((await valuesIn(log, "orders")).map((each) => Number(each))).toEqual(Array.from({ length: 40 }, (_, count) => count));
  });

  it("does not delay another client, however much it asks for", async () => {
    const { log, clock } = await bed();
    await log.createTopic("modest");
    const modest = log.producer({ clientId: "modest", value: bytes });
    const run = async (): Promise<number[]> => {
      const waits: number[] = [];
      for (let count = 0; count < 200; count += 1) {
        waits.push(await waitedMs(clock, modest.send({ topic: "modest", value: value(100) })));
        await pass(clock, 5);
      }
      return waits.sort((left, right) => left - right);
    };
    const alone = await run();
    await log.alterClientQuotas(null, { producerByteRate: 100_000 });
    const greedy = log.producer({ clientId: "greedy", value: bytes });
    for (let count = 0; count < 2000; count += 1) void greedy.sendBatch([{ topic: "orders", value: value(10_000) }]);
    const beside = await run();
    expect(beside[Math.floor(beside.length * 0.99)]).toBeLessThanOrEqual(2 * (alone[Math.floor(alone.length * 0.99)] as number));
    // And the greedy one got what it may have: ten seconds at once, and no more than its rate from then on.
    const { highWatermark = 0 } = (await log.describeTopic("orders")).partitions[0] ?? {};
    expect(highWatermark).toBeGreaterThan(90);
    expect(highWatermark).toBeLessThan(130);
  });

  it("fills its own memory and nobody's else: a send beyond bufferMemory waits for maxBlockMs", async () => {
    const { log, clock } = await bed();
    await log.alterClientQuotas(null, { producerByteRate: 10 });
    const producer = log.producer({ value: bytes, bufferMemory: 100_000, maxBlockMs: 2000, lingerMs: 0 });
    const sent = Array.from({ length: 20 }, () =>
      producer.sendBatch([{ topic: "orders", value: value(10_000) }]).catch((error: unknown) => error),
    );
    await pass(clock, 2001);
    expect(await (sent[19] as Promise<unknown>)).toMatchObject({ code: "BUFFER_EXHAUSTED" });
    await log.close();
    expect(await (sent[1] as Promise<unknown>)).toMatchObject([{ offset: 1 }]);
  });
});

describe("a consumer over its quota", () => {
  async function filled(records: number, byteLength: number): Promise<Bed> {
    const made = await bed();
    const producer = made.log.producer({ value: bytes });
    for (let count = 0; count < records; count += 1) await producer.send({ topic: "orders", value: value(byteLength) });
    return made;
  }

  it("gets every record once and in order, at its rate", async () => {
    const { log, clock } = await filled(60, 1000);
    await log.alterClientQuotas("reader", { consumerByteRate: 1000 });
    const consumer = log.consumer({ clientId: "reader", value: bytes });
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    const offsets: number[] = [];
    const reading = (async () => {
      for await (const { offset } of consumer.records({ until: "end" })) offsets.push(offset);
    })();
    const waited = await waitedMs(clock, reading, 100);
    expect(offsets).toEqual(Array.from({ length: 60 }, (_, offset) => offset));
    // 64 kB at 1000 a second, ten seconds of them at once.
    expect(waited).toBeGreaterThan(45_000);
    expect(waited).toBeLessThan(70_000);
  });

  it("gets a batch that is larger than its whole window", async () => {
    const { log, clock } = await filled(3, 50_000);
    await log.alterClientQuotas("reader", { consumerByteRate: 1000 });
    const consumer = log.consumer({ clientId: "reader", value: bytes });
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    const offsets: number[] = [];
    const reading = (async () => {
      for await (const { offset } of consumer.records({ until: "end" })) offsets.push(offset);
    })();
    const waited = await waitedMs(clock, reading, 100, 300_000);
    expect(offsets).toEqual([0, 1, 2]);
    expect(waited).toBeGreaterThan(70_000);
  });

  it("is not held by a poll that does not wait, and let go by its signal", async () => {
    const { log, clock } = await filled(30, 1000);
    await log.alterClientQuotas("reader", { consumerByteRate: 1000 });
    const consumer = log.consumer({ clientId: "reader", value: bytes });
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    let count = 0;
    for (let round = 0; round < 20; round += 1) count += (await consumer.poll({ timeoutMs: 0 })).length;
    expect(count).toBeGreaterThan(5);
    expect(count).toBeLessThan(11);
    const waiting = watched(consumer.poll({ timeoutMs: 100 }));
    expect(await waitedMs(clock, waiting.promise)).toBeLessThanOrEqual(101);
    const controller = new AbortController();
    const polling = consumer.poll({ timeoutMs: 60_000, signal: controller.signal });
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(polling).rejects.toBe(reason);
    await consumer.close();
  });

  it("is the only one held: a read by its offset and another client go on", async () => {
    const { log } = await filled(30, 1000);
    await log.alterClientQuotas("reader", { consumerByteRate: 1 });
    const consumer = log.consumer({ clientId: "reader", value: bytes });
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    expect((await consumer.poll({ timeoutMs: 0 })).length).toBeLessThanOrEqual(1);
    expect(await consumer.poll({ timeoutMs: 0 })).toEqual([]);
    expect((await log.read({ topic: "orders", partition: 0, offset: 29 }, { value: bytes }))?.offset).toBe(29);
    expect((await offsetsIn(log)).length).toBe(30);
  });
});

async function offsetsIn(log: Odradek): Promise<number[]> {
  const consumer = log.consumer({ value: bytes, clientId: "other" });
  await consumer.assign([{ topic: "orders", partition: 0 }]);
  const offsets: number[] = [];
  for await (const { offset } of consumer.records({ until: "end" })) offsets.push(offset);
  await consumer.close();
  return offsets;
}

describe("alterClientQuotas", () => {
  it("holds at once for clients that run: raised, those who wait go on; lowered, the next request is judged by it", async () => {
    const { log, clock } = await bed();
    await log.alterClientQuotas("greedy", { producerByteRate: 100 });
    const producer = log.producer({ clientId: "greedy", value: bytes });
    await producer.send({ topic: "orders", value: value(20_000) });
    const next = watched(producer.send({ topic: "orders", value: value(20_000) }));
    await pass(clock, 100);
    expect(next.isSettled).toBe(false);
    await log.alterClientQuotas("other", { producerByteRate: 100_000 });
    await pass(clock, 0);
    expect(next.isSettled).toBe(false);
    await log.alterClientQuotas("greedy", { producerByteRate: 100_000 });
    await pass(clock, 0);
    expect(next.isSettled).toBe(true);
    await log.alterClientQuotas("greedy", { producerByteRate: 10 });
    await producer.send({ topic: "orders", value: value(10) });
    const last = watched(producer.send({ topic: "orders", value: value(10) }));
    await pass(clock, 1000);
    expect(last.isSettled).toBe(false);
    await log.alterClientQuotas("greedy", { producerByteRate: null });
    await log.alterClientQuotas("other", { producerByteRate: null });
    await pass(clock, 0);
    expect(last.isSettled).toBe(true);
    expect(await log.describeClientQuotas()).toEqual([]);
  });

  it("goes by the client's own quota before the default, and counts those without an id as one", async () => {
    const { log, clock } = await bed();
    await log.alterClientQuotas(null, { producerByteRate: 100 });
    await log.alterClientQuotas("free", { producerByteRate: 1e9 });
    const free = log.producer({ clientId: "free", value: bytes });
    const nameless = [log.producer({ value: bytes }), log.producer({ value: bytes })];
    for (let count = 0; count < 5; count += 1) await free.send({ topic: "orders", value: value(10_000) });
    await nameless[0]?.send({ topic: "orders", value: value(10_000) });
    const second = watched(nameless[1]?.send({ topic: "orders", value: value(1) }) as Promise<unknown>);
    await pass(clock, 500);
    expect(second.isSettled).toBe(false);
    await log.alterClientQuotas(null, { producerByteRate: null });
    await pass(clock, 0);
    expect(second.isSettled).toBe(true);
  });

  it("is durable, and holds after the log was opened again", async () => {
    const directory = temporaryDirectory();
    const first = await openLog(directory);
    await first.createTopic("orders");
    await first.alterClientQuotas(null, { requestPercentage: 50 });
    await first.alterClientQuotas("a", { producerByteRate: 0.5, consumerByteRate: 1e15 });
    for (const name of ["__proto__", "constructor", "\ud800", "☃".repeat(249), "a b\n"])
      await first.alterClientQuotas(name, { consumerByteRate: 7 });
    await first.alterClientQuotas("gone", { consumerByteRate: 7 });
    await first.alterClientQuotas("gone", { consumerByteRate: null });
    const before = await first.describeClientQuotas();
    await first.close();
    const second = await openLog(directory);
    const after = await second.describeClientQuotas();
    expect(new Set(after.map((each) => JSON.stringify(each)))).toEqual(new Set(before.map((each) => JSON.stringify(each))));
    expect(after).toHaveLength(7);
    expect(after).toContainEqual({ clientId: "__proto__", quota: { consumerByteRate: 7 } });
    expect(await second.listTopics()).toEqual(["orders"]);
    for (const { clientId, quota } of after)
      await second.alterClientQuotas(clientId, Object.fromEntries(Object.keys(quota).map((key) => [key, null])));
    await second.close();
    // What an older version knows nothing of is not in the file any more.
    expect(readFileSync(join(directory, "odradek.json"), "utf8")).not.toContain("quotas");
  });

  it("says what it does not take, and changes nothing", async () => {
    const { log } = await bed();
    await expect(log.alterClientQuotas("a", { producerByteRates: 5 } as never)).rejects.toThrow(/did you mean producerByteRate/);
    for (const [
      clientId,
      quota,
    ] of [["", {}], [5, {}], ["a", { producerByteRate: 0 }], ["a", { producerByteRate: Number.NaN }], ["a", null]] as const) // biome-ignore format: pairs
      await expect(log.alterClientQuotas(clientId as never, quota as never)).rejects.toMatchObject({
        name: "UsageError",
        code: "INVALID_ARGUMENT",
      });
    expect(await log.describeClientQuotas()).toEqual([]);
  });

  it("is refused where the log is read only, and after its close", async () => {
    const readOnly = await openLog(nodeStorage(brokersDirectory()), { readOnly: true });
    await expect(readOnly.alterClientQuotas("a", { producerByteRate: 5 })).rejects.toMatchObject({ code: "READ_ONLY" });
    const { log } = await bed();
    await log.close();
    await expect(log.alterClientQuotas("a", { producerByteRate: 5 })).rejects.toMatchObject({ code: "LOG_CLOSED" });
    await expect(log.describeClientQuotas()).rejects.toMatchObject({ code: "LOG_CLOSED" });
  });
});

describe("closing", () => {
  it("the log lets everyone through: what was sent is written, and no timer is left", async () => {
    const { log, clock } = await bed();
    await log.alterClientQuotas(null, { producerByteRate: 1, consumerByteRate: 1 });
    const producer = log.producer({ value: bytes });
    const sent = Array.from({ length: 50 }, () => producer.sendBatch([{ topic: "orders", value: value(1000) }]));
    const consumer = log.consumer({ value: bytes });
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    const polling = consumer.poll({ timeoutMs: 60_000 });
    await pass(clock, 10);
    await log.close();
    expect((await Promise.all(sent)).flat().map(({ offset }) => offset)).toEqual(Array.from({ length: 50 }, (_, offset) => offset));
    await polling.catch(() => {});
    expect(clock.pendingCount).toBe(0);
  });

  it("a producer waits for its quota, as Kafka's does", async () => {
    const { log, clock } = await bed();
    await log.alterClientQuotas(null, { producerByteRate: 1000 });
    const producer = log.producer({ value: bytes });
    await producer.send({ topic: "orders", value: value(15_000) });
    void producer.send({ topic: "orders", value: value(10) });
    expect(await waitedMs(clock, producer.close(), 10)).toBeGreaterThan(4000);
  });
});

describe("quotas seen from outside", () => {
  it("an event tells of the beginning of a throttle, not of each request in it; metrics tell how much", async () => {
    const { log, clock, told } = await bed();
    await log.alterClientQuotas("greedy", { producerByteRate: 1000 });
    const producer = log.producer({ clientId: "greedy", value: bytes });
    for (let count = 0; count < 100; count += 1) void producer.sendBatch([{ topic: "orders", value: value(1000) }]);
    await pass(clock, 30_000);
    expect(told.of("quota.throttled")).toMatchObject([{ clientId: "greedy", quota: "producerByteRate", limit: 1000 }]);
    expect(log.metrics()["quota.producerByteRate.throttledMs"]).toBeGreaterThan(20_000);
    expect(log.metrics()["quota.producerByteRate.throttledClients"]).toBe(1);
    expect(log.metrics()["quota.consumerByteRate.throttledMs"]).toBe(0);
    await waitedMs(clock, producer.flush(), 1000);
    await pass(clock, 30_000);
    expect(log.metrics()["quota.producerByteRate.throttledClients"]).toBe(0);
    for (let count = 0; count < 20; count += 1) void producer.sendBatch([{ topic: "orders", value: value(1000) }]);
    await pass(clock, 1000);
    expect(told.of("quota.throttled")).toHaveLength(2);
  });
});
