import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/base/errors.ts";
import { utf8 } from "../../src/base/serde.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { gate, makeWorld, refusal } from "./world.ts";

const topic = "orders";

describe("bufferMemory", () => {
  it("makes further sends wait, in order, until earlier ones have settled", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const gates = Array.from({ length: 50 }, gate);
    let inFlight = 0;
    broker.onProduce = async (batch) => {
      inFlight += batch.byteLength;
      expect(inFlight).toBeLessThanOrEqual(400);
      await (gates[broker.batches.length - 1] as ReturnType<typeof gate>).opened;
      inFlight -= batch.byteLength;
    };
    const sender = producer({ bufferMemory: 400, batchSize: 0 });
    const value = "-".repeat(100);
    const settledOrder: number[] = [];
    const sent = Array.from({ length: 10 }, (_, i) => sender.send({ topic, value: `${i}${value}` }).then(() => settledOrder.push(i)));
    await settled();
    expect(broker.batches).toHaveLength(2);
    const batch = sender.sendBatch([{ topic, value: "batch" }]).then(() => settledOrder.push(10));
    const last = sender.send({ topic, value: "last" }).then(() => settledOrder.push(11));
    for (const { open } of gates) {
      open();
      await settled();
    }
    await Promise.all([...sent, batch, last]);
    expect(broker.values(topic).map((text) => text?.slice(0, 5))).toStrictEqual([
      ...Array.from({ length: 10 }, (_, i) => `${i}----`),
      "batch",
      "last",
    ]);
    expect(settledOrder).toStrictEqual([...Array.from({ length: 12 }).keys()]);
  });

  it("fails what has waited for maxBlockMs, retriably, and lets the rest go on", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const held = gate();
    broker.onProduce = () => held.opened;
    const sender = producer({ bufferMemory: 200, maxBlockMs: 1000 });
    const first = sender.send({ topic, value: "x".repeat(100) });
    await settled();
    const early = sender.send({ topic, value: "y".repeat(100) });
    const batch = sender.sendBatch([{ topic, value: "z".repeat(100) }]);
    await clock.advance(500);
    const late = sender.send({ topic, value: "w".repeat(100) });
    const refusals = Promise.all([refusal(early), refusal(batch)]);
    await clock.advance(500);
    for (const error of await refusals) {
      expect(error).toBeInstanceOf(UsageError);
      expect(error).toMatchObject({ code: "BUFFER_EXHAUSTED", retriable: true });
      expect(error.message).toContain("maxBlockMs (1000)");
    }
    held.open();
    await Promise.all([first, late]);
    expect(broker.values(topic).map((text) => text?.[0])).toStrictEqual(["x", "w"]);
    expect(clock.pendingCount).toBe(0);
  });

  it("lets what lingers go when somebody wants its room", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 2);
    const sender = producer({ bufferMemory: 250, lingerMs: 60_000 });
    await Promise.all([
      sender.send({ topic, partition: 0, value: "x".repeat(100) }),
      sender.send({ topic, partition: 1, value: "y".repeat(100) }),
      sender.flush(),
    ]);
    const lingering = sender.send({ topic, partition: 0, value: "x".repeat(100) });
    const wanting = sender.send({ topic, partition: 1, value: "y".repeat(100) });
    await lingering;
    await Promise.all([wanting, sender.flush()]);
    expect(broker.records(topic, 1)).toHaveLength(2);
  });

  it("refuses a record that it could never hold", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer({ bufferMemory: 200 });
    for (const promise of [sender.send({ topic, value: "x".repeat(300) }), sender.sendBatch([{ topic, value: "x".repeat(300) }])]) {
      const error = await refusal(promise);
      expect(error.code).toBe("MESSAGE_TOO_LARGE");
      expect(error.message).toContain("200 bytes (the producer's bufferMemory)");
    }
  });

  it("lets a sendBatch larger than itself through piece by piece, and nothing in between", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    let inFlight = 0;
    let most = 0;
    broker.onProduce = async ({ byteLength }) => {
      inFlight += byteLength;
      most = Math.max(most, inFlight);
      await settled();
      inFlight -= byteLength;
    };
    const sender = producer({ bufferMemory: 500 });
    const batch = sender.sendBatch(Array.from({ length: 30 }, (_, i) => ({ topic, value: `b${i}`.padEnd(60) })));
    const after = sender.send({ topic, value: "after" });
    expect((await batch).map(({ offset }) => offset)).toStrictEqual([...Array.from({ length: 30 }).keys()]);
    expect((await after).offset).toBe(30);
    expect(most).toBeLessThanOrEqual(500);
    expect(broker.batches.length).toBeGreaterThan(4);
  });

  it("tells what became of each record when only part of a sendBatch went in time", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const held = gate();
    broker.onProduce = () => held.opened;
    const sender = producer({ bufferMemory: 200, maxBlockMs: 100 });
    const error = refusal(sender.sendBatch(["a", "b", "c"].map((name) => ({ topic, value: name.repeat(120) }))));
    await clock.advance(200);
    held.open();
    const { results } = (await error) as unknown as { results: PromiseSettledResult<{ offset: number }>[] };
    expect(
      results.map((result) => (result.status === "fulfilled" ? result.value.offset : (result.reason as UsageError).code)),
    ).toStrictEqual([0, "BUFFER_EXHAUSTED", "BUFFER_EXHAUSTED"]);
    await sender.send({ topic, value: "goes on" });
  });

  it("holds with acks 0 too", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const held = gate();
    broker.onProduce = () => held.opened;
    const sender = producer({ bufferMemory: 200, acks: 0, value: utf8 });
    await sender.send({ topic, value: "x".repeat(100) });
    let taken = false;
    const second = sender.send({ topic, value: "y".repeat(100) }).then(() => {
      taken = true;
    });
    await settled();
    expect(taken).toBe(false);
    held.open();
    await second;
  });
});
