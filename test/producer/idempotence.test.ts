import { describe, expect, it } from "vitest";
import type { Acks } from "../../src/api/bytes.ts";
import { ProducerStateError, type SendBatchError, StorageError, UsageError } from "../../src/base/errors.ts";
import { utf8 } from "../../src/base/serde.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import type { SeenBatch } from "./fake-broker.ts";
import { gate, makeWorld, refusal } from "./world.ts";

const topic = "orders";
const numbers = ({ producerEpoch, baseSequence, recordCount }: SeenBatch): number[] => [producerEpoch, baseSequence, recordCount];

describe("an idempotent producer", () => {
  it("asks for its id once, before its first batch, and numbers what it sends by partition", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 2);
    const sender = producer();
    expect(broker.calls).toEqual([]);
    const asked = gate();
    broker.onCall = () => asked.opened;
    const sent = [0, 1, 0].map((partition) => sender.send({ topic, partition, value: "v" }));
    sent.push(sender.sendBatch([0, 0].map((partition) => ({ topic, partition, value: "w" }))) as never);
    await settled();
    expect([broker.calls, broker.batches]).toEqual([["init null"], []]);
    asked.open();
    await Promise.all(sent);
    await sender.sendBatch([{ topic, partition: 0, value: "x" }]);
    await sender.send({ topic, partition: 1, value: "y" });
    expect(broker.calls).toEqual(["init null"]);
    const of = (partition: number): number[][] => broker.batches.filter((batch) => batch.partition === partition).map(numbers);
    expect(of(0)).toEqual([
      [0, 0, 2],
      [0, 2, 2],
      [0, 4, 1],
    ]);
    expect(of(1)).toEqual([
      [0, 0, 1],
      [0, 1, 1],
    ]);
    expect(broker.values(topic, 0)).toEqual(["v", "v", "w", "w", "x"]);
    expect(new Set(broker.batches.map(({ producerId }) => producerId)).size).toBe(1);
    await producer().send({ topic, partition: 0, value: "of another" });
    expect(broker.batches.at(-1)?.producerId).not.toBe(broker.batches[0]?.producerId);
  });

  it("lets a sendBatch go right behind what waited for an id, before that is answered", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 2);
    const sender = producer();
    // The topic is known then, and there is no id yet.
    broker.onCall = () => Promise.reject(new StorageError("STORAGE_FULL", "no room for ids"));
    await refusal(sender.send({ topic, partition: 0, value: "refused" }));
    const [asked, answered] = [gate(), gate()];
    broker.onCall = () => asked.opened;
    broker.onProduce = () => answered.opened;
    const sent: Promise<unknown>[] = [sender.send({ topic, partition: 0, value: "held" })];
    await settled();
    sent.push(sender.sendBatch([{ topic, partition: 1, value: "behind" }]));
    await settled();
    expect(broker.batches).toEqual([]);
    asked.open();
    await settled();
    expect(broker.batches.map(({ partition }) => partition)).toEqual([0, 1]);
    answered.open();
    await Promise.all(sent);
  });

  it("tells the sends that waited for an id why there is none, and asks again with the next", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer();
    broker.onCall = () => Promise.reject(new StorageError("STORAGE_FULL", "no room for ids"));
    const outcomes = await Promise.allSettled([
      sender.send({ topic, value: "a" }),
      sender.sendBatch([{ topic, value: "b" }]),
      sender.send({ topic, value: "c" }),
    ]);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: "rejected", reason: { code: "STORAGE_FULL" } });
    broker.onCall = () => {};
    expect((await sender.send({ topic, value: "d" })).offset).toBe(0);
    expect(broker.values(topic)).toEqual(["d"]);
    await sender.close();
  });

  it("gives up waiting for an id after maxBlockMs", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer({ maxBlockMs: 1000 });
    broker.onCall = () => new Promise(() => {});
    const error = refusal(sender.send({ topic, value: "a" }));
    await settled();
    await clock.advance(1000);
    expect(await error).toMatchObject({ code: "BUFFER_EXHAUSTED", retriable: true });
    expect((await error).message).toContain("maxBlockMs (1000)");
    expect(clock.pendingCount).toBe(0);
  });

  it.each([
    [{}, true],
    [{ acks: "all" }, true],
    [{ acks: 1 }, false],
    [{ acks: 0 }, false],
    [{ enableIdempotence: false }, false],
    [{ acks: 1, enableIdempotence: false }, false],
    [{ enableIdempotence: true }, true],
  ] as const)("with %j: %j", async (options, isOn) => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer<string, string, Acks>({ ...options, value: utf8 });
    await sender.send({ topic, value: "v" });
    await sender.flush();
    expect(broker.batches[0]?.producerId).toBe(isOn ? 1000n : -1n);
  });

  it.each([
    [{ acks: 1, enableIdempotence: true }, 'expected "all" with enableIdempotence: true, found 1'],
    [{ acks: 0, enableIdempotence: true }, "found 0"],
    [{ acks: 1, transactionalId: "t" }, 'expected "all" with a transactionalId, found 1'],
    [{ transactionalId: "t", enableIdempotence: false }, "expected true with a transactionalId"],
  ])("options that contradict each other are refused: %j", (options, sentence) => {
    const { producer } = makeWorld();
    expect(() => producer(options as never)).toThrow(UsageError);
    expect(() => producer(options as never)).toThrow(sentence);
  });

  it("leaves no gap where a record is refused: too large, without the key it needs, not one that serializes", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1, 1000, true);
    const sender = producer();
    await sender.send({ topic, key: "k", value: "v" });
    for (const bad of [{ value: "v" }, { key: "k", value: "x".repeat(2000) }, { key: "k", value: undefined as never }]) {
      const before = broker.batches.length;
      await refusal(sender.send({ topic, ...bad }));
      const good = { topic, key: "k", value: "v" };
      await refusal(sender.sendBatch([good, { topic, ...bad }, good]));
      expect(broker.batches).toHaveLength(before);
      await sender.send(good);
    }
    const error = await refusal(
      sender.sendBatch([
        { topic, key: "k", value: "v" },
        { topic, value: "v" },
      ]),
    );
    expect(error).toMatchObject({ name: "UsageError", code: "INVALID_RECORD" });
    expect(error.message).toBe('sendBatch(): record 1: topic "orders" is compacted: expected a key, found none');
    expect(broker.batches.map(numbers)).toEqual([0, 1, 2, 3].map((sequence) => [0, sequence, 1]));
  });

  it("takes a key for needed only while the topic says so", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1, 1000, true);
    const sender = producer();
    await refusal(sender.send({ topic, value: "v" }));
    broker.makeTopic(topic, 1, 1000, false);
    expect((await sender.send({ topic, value: "v" })).offset).toBe(0);
  });

  it("begins at 0 again after 2^31-1", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer({}, { firstSequence: 2 ** 31 - 2 });
    await sender.sendBatch([1, 2, 3].map((i) => ({ topic, value: String(i) })));
    await sender.sendBatch([4, 5].map((i) => ({ topic, value: String(i) })));
    expect(broker.batches.map(({ baseSequence }) => baseSequence)).toEqual([2 ** 31 - 2, 1]);
    const exact = producer({}, { firstSequence: 2 ** 31 - 1 });
    await exact.send({ topic, value: "6" });
    await exact.send({ topic, value: "7" });
    expect(broker.batches.slice(2).map(({ baseSequence }) => baseSequence)).toEqual([2 ** 31 - 1, 0]);
    expect(broker.values(topic)).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
  });

  it("goes on in a topic made anew, whether it has heard of that or not", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer();
    await sender.send({ topic, value: "old" });
    broker.makeTopic(topic, 1);
    await sender.send({ topic, value: "a" });
    await clock.advance(10_001);
    await sender.send({ topic, value: "b" });
    expect(broker.values(topic)).toEqual(["a", "b"]);
  });

  it("that has forgotten a topic among ten thousand others goes on under another epoch", async () => {
    const { broker, producer } = makeWorld();
    const names = Array.from({ length: 10_001 }, (_, index) => `t${index}`);
    for (const name of names) broker.makeTopic(name, 1);
    const sender = producer();
    await sender.send({ topic: "t0", value: "a" });
    await sender.sendBatch(names.slice(1).map((name) => ({ topic: name, value: "v" })));
    await sender.send({ topic: "t0", value: "b" });
    expect(broker.values("t0")).toEqual(["a", "b"]);
    expect(broker.batches.at(-1)?.producerEpoch).toBeGreaterThan(0);
    expect(broker.batches.at(-1)?.baseSequence).toBe(0);
  });
});

describe("a batch that fails", () => {
  it("takes those with it that were handed over behind it in its partition, each told why, and no others", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 4);
    const sender = producer({ batchSize: 0 });
    await sender.send({ topic, partition: 3, value: "first" });
    const full = new StorageError("STORAGE_FULL", "no room");
    let failures = 1;
    broker.refuse = ({ partition }) => (partition === 3 && failures-- > 0 ? full : null);
    const outcomes = await Promise.allSettled([
      ...["a", "b", "c", "not handed over before that is known"].map((value) => sender.send({ topic, partition: 3, value })),
      sender.send({ topic, partition: 1, value: "of another partition" }),
    ]);
    const reasons = outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason : null));
    expect(reasons[0]).toBe(full);
    for (const reason of reasons.slice(1, 3)) {
      expect(reason).toMatchObject({ name: "ProducerStateError", code: "OUT_OF_ORDER_SEQUENCE_NUMBER", cause: full });
      expect(reason.message).toBe("not appended: the batch before it in orders-3 failed: no room");
    }
    expect(reasons.slice(3)).toEqual([null, null]);
    expect((await sender.send({ topic, partition: 3, value: "d" })).offset).toBe(2);
    expect((await sender.send({ topic, partition: 1, value: "e" })).offset).toBe(1);
    expect(broker.values(topic, 3)).toEqual(["first", "not handed over before that is known", "d"]);
    expect(broker.batches.filter(({ partition }) => partition === 3).map(numbers)).toEqual([
      [0, 0, 1],
      [1, 0, 1],
      [1, 1, 1],
    ]);
    expect(broker.calls).toEqual(["init null"]);
  });

  it("is what those behind it are told of, though the log's refusal of them came first", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer({ batchSize: 0 });
    await sender.send({ topic, value: "0" });
    const full = new StorageError("STORAGE_FULL", "no room");
    const held = gate();
    const answers = [
      () => held.opened.then(() => Promise.reject(full)),
      () => Promise.reject(new ProducerStateError("OUT_OF_ORDER_SEQUENCE_NUMBER", "a gap")),
    ];
    const { produce } = broker;
    broker.produce = (request) => answers.shift()?.() ?? produce.call(broker, request);
    const sent = Promise.allSettled(["1", "2"].map((value) => sender.send({ topic, value })));
    await settled();
    held.open();
    expect(await sent).toMatchObject([{ reason: full }, { reason: { code: "OUT_OF_ORDER_SEQUENCE_NUMBER", cause: full } }]);
    await sender.send({ topic, value: "3" });
    expect(broker.values(topic)).toEqual(["0", "3"]);
  });

  it("after it was written leaves those behind it as they are, and what comes then goes on under another epoch", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer({ batchSize: 0 });
    await sender.send({ topic, value: "0" });
    const held = gate();
    let isFirst = true;
    broker.onProduce = async () => {
      const fails = isFirst;
      isFirst = false;
      await held.opened;
      if (fails) throw new StorageError("PARTITION_FAILED", "the flush failed");
    };
    const sent = ["1", "2"].map((value) => sender.send({ topic, value }));
    await settled();
    held.open();
    const outcomes = await Promise.allSettled(sent);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    // Whether recovery keeps the batch or not: a new epoch begins at 0 either way.
    await sender.send({ topic, value: "3" });
    expect(broker.batches.at(-1)).toMatchObject({ producerEpoch: 1, baseSequence: 0 });
  });

  it("of a sendBatch leaves the rest of its partition out, and says so of each record", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1, 300);
    const sender = producer();
    await sender.send({ topic, value: "v" });
    let count = 0;
    broker.refuse = () => (++count === 2 ? new StorageError("STORAGE_FULL", "no room") : null);
    const records = Array.from({ length: 8 }, (_, i) => ({ topic, value: String(i).repeat(100) }));
    const error = (await refusal(sender.sendBatch(records))) as SendBatchError;
    const codes = error.results.map((result) => (result.status === "fulfilled" ? "kept" : result.reason.code));
    const keptCount = codes.lastIndexOf("kept") + 1;
    const failedCount = codes.lastIndexOf("STORAGE_FULL") + 1;
    expect([keptCount > 0, failedCount > keptCount, failedCount < 8]).toEqual([true, true, true]);
    expect(new Set(codes.slice(0, keptCount))).toEqual(new Set(["kept"]));
    expect(new Set(codes.slice(keptCount, failedCount))).toEqual(new Set(["STORAGE_FULL"]));
    expect(new Set(codes.slice(failedCount))).toEqual(new Set(["OUT_OF_ORDER_SEQUENCE_NUMBER"]));
    expect(error.cause).toMatchObject({ code: "STORAGE_FULL" });
    await sender.sendBatch(records.slice(keptCount));
    expect(broker.values(topic).slice(1)).toEqual(records.map(({ value }) => value));
  });

  it("under the last epoch makes the producer ask for another id, and what was let in meanwhile waits in order", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    broker.firstEpoch = 2 ** 15 - 1;
    const sender = producer({ lingerMs: 60_000 });
    await Promise.all([sender.send({ topic, value: "0" }), sender.flush()]);
    const lingering = sender.send({ topic, value: "1" });
    broker.refuse = () => new StorageError("STORAGE_FULL", "no room");
    await refusal(sender.sendBatch([{ topic, value: "refused" }])).catch(() => {});
    broker.refuse = () => null;
    await refusal(lingering);
    broker.firstEpoch = 0;
    const held = gate();
    broker.onCall = () => held.opened;
    const sent = [
      sender.send({ topic, value: "2" }),
      sender.sendBatch([{ topic, value: "3" }]),
      sender.send({ topic, value: "4" }),
      sender.flush(),
    ];
    await settled();
    held.open();
    await Promise.all(sent);
    expect(broker.values(topic)).toEqual(["0", "2", "3", "4"]);
    expect(broker.batches.map(({ producerId, producerEpoch }) => [producerId, producerEpoch])).toEqual([
      [1000n, 2 ** 15 - 1],
      [1001n, 0],
      [1001n, 0],
      [1001n, 0],
    ]);
  });
});

describe("compressionType", () => {
  it.each([
    ["gzip", 1],
    ["snappy", 2],
    ["lz4", 3],
  ] as const)("%s: batches go compressed and numbered, by send and sendBatch alike", async (compressionType, codec) => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1, 5000);
    const sender = producer({ compressionType });
    const values = Array.from({ length: 100 }, (_, index) => `value ${index} `.repeat(20));
    await sender.send({ topic, value: values[0] as string });
    await sender.sendBatch(values.slice(1).map((value) => ({ topic, value })));
    expect(broker.values(topic)).toEqual(values);
    expect(new Set(broker.batches.map((batch) => batch.codec))).toEqual(new Set([codec]));
    expect(broker.batches.length).toBeGreaterThan(4);
  });

  it("a batch that only its compression makes too large goes as it is", async () => {
    const { broker, producer } = makeWorld();
    const value = "x";
    broker.makeTopic(topic, 1, 70);
    await producer({ compressionType: "gzip" }).send({ topic, value });
    expect(broker.batches).toMatchObject([{ codec: 0 }]);
    broker.makeTopic("roomy", 1, 1000);
    await producer({ compressionType: "gzip" }).send({ topic: "roomy", value });
    expect(broker.batches.at(-1)).toMatchObject({ codec: 1 });
  });
});
