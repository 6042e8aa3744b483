/** When a batch is full, to the byte, and when it goes: what a limit lets in at its exact value, and what comes beside it. */
import { describe, expect, it } from "vitest";
import type { Producer } from "../../src/api/producer.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { gate, makeWorld, refusal, type World } from "./world.ts";

const topic = "orders";
const value = "x".repeat(40);
const LINGER_MS = 60_000;

/** How large a batch of so many records of `value` is. */
async function byteLengthOf(recordCount: number): Promise<number> {
  const { broker, producer } = makeWorld();
  broker.makeTopic(topic, 1);
  await producer().sendBatch(new Array(recordCount).fill({ topic, value }));
  return broker.batches[0]?.byteLength as number;
}

const counts = ({ broker }: World): number[] => broker.batches.map(({ recordCount }) => recordCount);

/** Sends one after another within a turn, and lets go what lingers. */
async function sendAll({ producer }: World, count: number, options: object): Promise<void> {
  const sender = producer({ lingerMs: LINGER_MS, ...options });
  // Once known, the topic is not asked for again.
  await Promise.all([sender.send({ topic, value }), sender.flush()]);
  const sent = Array.from({ length: count }, () => sender.send({ topic, value }));
  await Promise.all([...sent, sender.flush()]);
}

describe("a sendBatch that goes straight into more batches than one", () => {
  // A hundred and more, so that places in a batch take two bytes as well as one.
  it("cuts those behind the first to the byte", async () => {
    const hundred = await byteLengthOf(100);
    for (const [maxMessageBytes, count] of [
      [hundred, 100],
      [hundred - 1, 99],
      [hundred + 1, 100],
    ] as const) {
      const world = makeWorld();
      world.broker.makeTopic(topic, 1, maxMessageBytes);
      const sender = world.producer();
      // From then on the topic is known.
      await sender.sendBatch([{ topic, value }]);
      await sender.sendBatch(new Array(350).fill({ topic, value }));
      expect(counts(world).slice(2, 4), `maxMessageBytes ${maxMessageBytes}`).toEqual([count, count]);
      expect(world.broker.records(topic)).toHaveLength(351);
    }
  });
});

describe("a batch that sends are collected in", () => {
  it("takes a record that fills batchSize to its last byte, and not one that is a byte too much", async () => {
    const three = await byteLengthOf(3);
    for (const [batchSize, expected] of [
      [three, [1, 3, 3, 1]],
      [three - 1, [1, 2, 2, 2, 1]],
      [three + 1, [1, 3, 3, 1]],
    ] as const) {
      const world = makeWorld();
      world.broker.makeTopic(topic, 1);
      await sendAll(world, 7, { batchSize });
      expect(counts(world), `batchSize ${batchSize}`).toEqual(expected);
    }
  });

  it("takes as much as the topic's maxMessageBytes allows, to its last byte, however large batchSize is", async () => {
    const two = await byteLengthOf(2);
    for (const [maxMessageBytes, expected] of [
      [two, [1, 2, 2]],
      [two - 1, [1, 1, 1, 1, 1]],
    ] as const) {
      const world = makeWorld();
      world.broker.makeTopic(topic, 1, maxMessageBytes);
      await sendAll(world, 4, { batchSize: 1_000_000 });
      expect(counts(world), `maxMessageBytes ${maxMessageBytes}`).toEqual(expected);
    }
  });

  it("takes as much as bufferMemory holds, and the next is let in when that has gone", async () => {
    const two = await byteLengthOf(2);
    const world = makeWorld();
    world.broker.makeTopic(topic, 1);
    await sendAll(world, 4, { bufferMemory: two });
    expect(counts(world)).toEqual([1, 2, 2]);
  });

  it("that is full goes at once, in front of the one that is begun behind it, and leaves no timer", async () => {
    const world = makeWorld();
    world.broker.makeTopic(topic, 1);
    const sender = world.producer({ lingerMs: LINGER_MS, batchSize: await byteLengthOf(2) });
    await Promise.all([sender.send({ topic, value }), sender.flush()]);
    const sent = [0, 1, 2].map(() => sender.send({ topic, value }));
    expect([counts(world), world.clock.pendingCount]).toEqual([[1, 2], 1]);
    await world.clock.advance(LINGER_MS - 1);
    expect(counts(world)).toEqual([1, 2]);
    await world.clock.advance(1);
    expect([counts(world), world.clock.pendingCount]).toEqual([[1, 2, 1], 0]);
    await Promise.all(sent);
  });

  it("goes in the order in which it was begun, whichever of them went before by itself", async () => {
    for (const full of [0, 1, 2]) {
      const world = makeWorld();
      world.broker.makeTopic(topic, 3);
      const sender = world.producer({ lingerMs: LINGER_MS, batchSize: await byteLengthOf(1) });
      const to = (partition: number): Promise<unknown> => sender.send({ topic, partition, value });
      await Promise.all([to(0), sender.flush()]);
      const order = (): number[] => world.broker.batches.splice(0).map(({ partition }) => partition);
      order();
      const sent = [0, 1, 2].map(to);
      expect(order()).toEqual([]);
      sent.push(to(full));
      expect(order()).toEqual([full]);
      await Promise.all([...sent, sender.flush()]);
      expect(order()).toEqual([...[0, 1, 2].filter((partition) => partition !== full), full]);
      // And again, by those that went.
      await Promise.all([to(2), to(0), to(1), sender.flush()]);
      expect(order()).toEqual([2, 0, 1]);
    }
  });

  it("has nothing of one that went before it: its headers, its times, its promises are its own", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer({ lingerMs: LINGER_MS });
    const headers: [string, string][] = [["h", "x"]];
    for (const [count, isPlain] of [
      [3, false],
      [2, true],
      [4, true],
      [1, false],
      [2, true],
    ] as const) {
      const from = broker.records(topic).length;
      const records = Array.from({ length: count }, (_, index) => ({ topic, value: `${from + index}`, timestamp: 100 * from + index }));
      const sent = records.map((record) => sender.send(isPlain ? record : { ...record, headers }));
      const told = (await Promise.all([...sent, sender.flush()])).slice(0, count);
      expect(told).toMatchObject(records.map(({ timestamp }, index) => ({ offset: from + index, timestamp })));
      const kept = broker.records(topic).slice(from);
      expect(kept.map((record) => [Buffer.from(record.value as Uint8Array).toString(), record.timestamp, record.headers.length])).toEqual(
        records.map((record) => [record.value, record.timestamp, isPlain ? 0 : 1]),
      );
    }
  });

  it("does not wait for ever where sends keep coming one await behind the other", async () => {
    const world = makeWorld();
    world.broker.makeTopic(topic, 1);
    const sender = world.producer();
    await sender.send({ topic, value });
    world.broker.batches.length = 0;
    const sent: Promise<unknown>[] = [];
    for (let index = 0; index < 60; index += 1) {
      sent.push(sender.send({ topic, value }));
      await null;
    }
    // Each is put off four times at most.
    expect(counts(world).slice(0, 2)).toEqual([5, 5]);
    await Promise.all(sent);
    expect(counts(world).reduce((sum, count) => sum + count)).toBe(60);
  });
});

describe("while a flush is under way", () => {
  it("what is sent does not linger, whether its topic is known or not; when it is over it does again", async () => {
    const world = makeWorld();
    const { broker, clock, producer } = world;
    broker.makeTopic(topic, 1);
    broker.makeTopic("other", 1);
    const sender = producer({ lingerMs: LINGER_MS });
    const held = gate();
    broker.onProduce = () => held.opened;
    const first = sender.send({ topic, value });
    const flushing = [sender.flush(), sender.flush()];
    await settled();
    const meanwhile = [sender.send({ topic, value }), sender.send({ topic: "other", value })];
    await settled();
    await settled();
    expect(counts(world)).toEqual([1, 1, 1]);
    held.open();
    await Promise.all([first, ...meanwhile, ...flushing]);
    const lingering = sender.send({ topic, value });
    await settled();
    expect([counts(world).length, clock.pendingCount]).toEqual([3, 1]);
    await clock.advance(LINGER_MS);
    await lingering;
  });
});

describe("a record alone", () => {
  it("goes where it fills the largest batch to its last byte, and is refused a byte above, by every way in", async () => {
    const one = await byteLengthOf(1);
    for (const [maxMessageBytes, bufferMemory, named] of [
      [one, 10_000, `${one - 1} bytes (maxMessageBytes of topic "orders")`],
      [10_000, one, `${one - 1} bytes (the producer's bufferMemory)`],
      // Where both are the same it is the topic's that is named: another producer would not help.
      [one, one, `${one - 1} bytes (maxMessageBytes of topic "orders")`],
    ] as const) {
      for (const way of ["send", "sendBatch"] as const) {
        const { broker, producer } = makeWorld();
        const send = (sender: Producer<string, string>): Promise<unknown> =>
          way === "send" ? sender.send({ topic, value }) : sender.sendBatch([{ topic, value }]);
        broker.makeTopic(topic, 1, maxMessageBytes);
        const sender = producer({ bufferMemory });
        // While its topic is unknown, and once it is known.
        for (let index = 0; index < 2; index += 1) await send(sender);
        broker.makeTopic(topic, 1, maxMessageBytes === one ? one - 1 : maxMessageBytes);
        const other = producer({ bufferMemory: bufferMemory === one ? one - 1 : bufferMemory });
        for (let index = 0; index < 2; index += 1) {
          const { code, message } = await refusal(send(other));
          expect([code, message]).toEqual(["MESSAGE_TOO_LARGE", expect.stringContaining(named)]);
          expect(message).toContain(`found ${one}`);
        }
      }
    }
  });

  it("that was too large goes as soon as its topic takes it, and so does one without a key or for a new partition, by every way in", async () => {
    type Change = Parameters<ReturnType<typeof makeWorld>["broker"]["makeTopic"]>;
    const cases: readonly (readonly [before: Change, after: Change, record: object])[] = [
      [[topic, 1, 200], [topic, 1, 2000], { value: "x".repeat(1000) }],
      [[topic, 1, 2000, true], [topic, 1, 2000, false], { value }],
      [[topic, 2], [topic, 3], { value, partition: 2 }],
    ];
    for (const [before, after, record] of cases) {
      for (const way of ["send", "sendBatch"] as const) {
        const { broker, producer } = makeWorld();
        broker.makeTopic(...before);
        const sender = producer();
        await sender.send({ topic, key: "k", value: "known" });
        broker.makeTopic(...after);
        const given = { topic, ...record } as { topic: string; value: string };
        if (way === "send") await sender.send(given);
        else await sender.sendBatch([given, given]);
        expect(broker.metadataCalls).toBe(2);
      }
    }
  });
});

describe("what a sendBatch is cut into", () => {
  it("are batches of one partition side by side, partitions in the order of their first record", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 3, await byteLengthOf(2));
    broker.makeTopic("a", 1);
    const to = (partition: number, name = topic) => ({ topic: name, partition, value });
    await producer().sendBatch([to(2), to(0), to(0, "a"), to(2), to(1), to(2), to(0)]);
    expect(broker.batches.map((batch) => `${batch.topic}-${batch.partition} ${batch.recordCount}`)).toEqual([
      "orders-2 2",
      "orders-2 1",
      "orders-0 2",
      "a-0 1",
      "orders-1 1",
    ]);
  });

  it("are as full as maxMessageBytes lets them be, to the last byte", async () => {
    const three = await byteLengthOf(3);
    for (const [maxMessageBytes, expected] of [
      [three, [3, 3, 1]],
      [three - 1, [2, 2, 2, 1]],
    ] as const) {
      const world = makeWorld();
      world.broker.makeTopic(topic, 1, maxMessageBytes);
      await world.producer().sendBatch(new Array(7).fill({ topic, value }));
      expect(counts(world)).toEqual(expected);
    }
  });

  it("goes behind what lingers for its partition, also where a partitioner is asked first", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 2);
    const sender = producer({ lingerMs: LINGER_MS, partitioner: ({ value: text }) => (text === "elsewhere" ? 1 : 0) });
    await Promise.all([sender.send({ topic, value: "known" }), sender.flush()]);
    const lingering = [sender.send({ topic, value: "before" }), sender.send({ topic, value: "elsewhere" })];
    await sender.sendBatch([{ topic, value: "after" }]);
    expect([broker.values(topic, 0), broker.values(topic, 1)]).toEqual([["known", "before", "after"], []]);
    await Promise.all([...lingering, sender.flush()]);
  });
});

describe("a compressed batch", () => {
  it("goes compressed where that fills maxMessageBytes to its last byte, and plain where it is a byte too much", async () => {
    const stored = async (maxMessageBytes: number): Promise<{ codec: number; byteLength: number }> => {
      const { broker, producer } = makeWorld();
      broker.makeTopic(topic, 1, maxMessageBytes);
      const { produce } = broker;
      let byteLength = 0;
      broker.produce = (request) => {
        byteLength = request.batch.length;
        return produce.call(broker, request);
      };
      await producer({ compressionType: "gzip" }).send({ topic, value: "x" });
      return { codec: broker.batches[0]?.codec as number, byteLength };
    };
    const { byteLength } = await stored(10_000);
    expect(await stored(byteLength)).toEqual({ codec: 1, byteLength });
    expect((await stored(byteLength - 1)).codec).toBe(0);
  });
});
