/** What a producer is told of what it sent: each record its own fate, each failure its own cause, and who it is afterwards. */
import { describe, expect, it } from "vitest";
import { type OdradekError, ProducerStateError, SendBatchError, StorageError, UsageError } from "../../src/base/errors.ts";
import { utf8 } from "../../src/base/serde.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import type { SeenBatch } from "./fake-broker.ts";
import { gate, makeWorld, refusal } from "./world.ts";

const topic = "orders";
const full = (): StorageError => new StorageError("STORAGE_FULL", "no room");
const illegal = (): UsageError => new UsageError("INVALID_RECORD", "not this one");
const numbers = ({ producerEpoch, baseSequence }: SeenBatch): number[] => [producerEpoch, baseSequence];

describe("a sendBatch over several partitions", () => {
  const to = (partition: number) => ({ topic, partition, value: `to ${partition}` });

  /** By partition what the broker says to it; what the call is rejected with. */
  async function fate(refusals: Readonly<Record<number, OdradekError>>): Promise<OdradekError> {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 3);
    broker.refuse = ({ partition }) => refusals[partition] ?? null;
    return refusal(producer().sendBatch([to(0), to(1), to(0), to(2)]));
  }

  it("is rejected with the UsageError itself only where none was appended and nothing but the call was wrong", async () => {
    const [first, second, third] = [illegal(), illegal(), illegal()];
    expect(await fate({ 0: first, 1: second, 2: third })).toBe(first);
    for (const [refusals, statuses] of [
      [{ 1: second }, ["fulfilled", "rejected", "fulfilled", "fulfilled"]],
      [{ 0: first, 1: second }, ["rejected", "rejected", "rejected", "fulfilled"]],
      [{ 0: first, 1: full(), 2: third }, ["rejected", "rejected", "rejected", "rejected"]],
      [{ 0: full(), 1: full(), 2: full() }, ["rejected", "rejected", "rejected", "rejected"]],
    ] as const) {
      const error = (await fate(refusals)) as SendBatchError;
      expect(error).toBeInstanceOf(SendBatchError);
      expect(error.results.map(({ status }) => status)).toEqual(statuses);
      expect(error.message).toContain(`${statuses.filter((status) => status === "rejected").length} of 4`);
    }
  });

  it("tells each record the reason of its own batch, and the whole the first that failed", async () => {
    const [first, second] = [full(), new StorageError("PARTITION_FAILED", "the flush failed")];
    const error = (await fate({ 1: first, 2: second })) as SendBatchError;
    expect(error.cause).toBe(first);
    expect(error.results).toEqual([
      { status: "fulfilled", value: { topic, partition: 0, offset: 0, timestamp: 1_000_000, durability: "power" } },
      { status: "rejected", reason: first },
      { status: "fulfilled", value: { topic, partition: 0, offset: 1, timestamp: 1_000_000, durability: "power" } },
      { status: "rejected", reason: second },
    ]);
  });

  it("gives its room back, whatever became of it", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 3);
    const sender = producer({ bufferMemory: 300, maxBlockMs: 0 });
    for (let round = 0; round < 5; round += 1) {
      broker.refuse = ({ partition }) => (partition === round % 3 ? full() : null);
      await refusal(sender.sendBatch([to(0), to(1), to(2)]));
      await refusal(sender.sendBatch([to(round % 3)]));
      await refusal(sender.send(to(round % 3)));
    }
    broker.refuse = () => null;
    expect(await sender.sendBatch([to(0), to(1), to(2)])).toHaveLength(3);
  });
});

describe("acks", () => {
  it("0 asks the log for 1, and answers every record of however many batches with its own time and no offset", async () => {
    const { broker, events, producer } = makeWorld();
    broker.makeTopic(topic, 1, 300);
    const sender = producer({ acks: 0, value: utf8 });
    // The first while the topic is unknown, the others straight: in one batch, and in several.
    for (const count of [3, 2, 20]) {
      const records = Array.from({ length: count }, (_, index) => ({ topic, value: `${index}`.repeat(40), timestamp: 7 + index }));
      expect(await sender.sendBatch(records)).toStrictEqual(
        records.map(({ timestamp }) => ({ topic, partition: 0, offset: undefined, timestamp, durability: "none" })),
      );
    }
    await sender.flush();
    expect(new Set(broker.batches.map(({ acks }) => acks))).toEqual(new Set([1]));
    expect([broker.records(topic).length, broker.batches.length > 4, events]).toEqual([25, true, []]);
  });

  it("all and 1 tell failures to the sender alone: no event beside it", async () => {
    for (const acks of ["all", 1] as const) {
      const { broker, events, producer } = makeWorld();
      broker.makeTopic(topic, 1);
      broker.refuse = full;
      const sender = producer({ acks: acks as "all" });
      for (let index = 0; index < 2; index += 1) {
        await refusal(sender.send({ topic, value: "v" }));
        await refusal(sender.sendBatch([{ topic, value: "v" }]));
      }
      expect(events).toEqual([]);
    }
  });

  it("0 has the number of records in the event of a batch that failed, and of a sendBatch each batch its own", async () => {
    const { broker, events, producer } = makeWorld();
    broker.makeTopic(topic, 2);
    broker.refuse = full;
    const sender = producer({ acks: 0, value: utf8 });
    await Promise.all([1, 2, 3].map(() => sender.send({ topic, partition: 1, value: "v" })));
    await sender.flush();
    await sender.sendBatch([0, 1, 0].map((partition) => ({ topic, partition, value: "v" })));
    await sender.flush();
    await sender.sendBatch([0, 0].map((partition) => ({ topic, partition, value: "v" })));
    await sender.flush();
    expect(events.map(({ fields }) => [fields.partition, fields.recordCount])).toEqual([
      [{ topic, partition: 1 }, 3],
      [{ topic, partition: 0 }, 2],
      [{ topic, partition: 1 }, 1],
      [{ topic, partition: 0 }, 2],
    ]);
  });
});

describe("what is known of a topic", () => {
  it("is asked for anew after the log called a batch wrong, not after it merely failed", async () => {
    for (const [error, calls] of [
      [illegal(), 2],
      [full(), 1],
    ] as const) {
      for (const way of ["send", "sendBatch"] as const) {
        const { broker, producer } = makeWorld();
        broker.makeTopic(topic, 1);
        const sender = producer();
        await sender.send({ topic, value: "known" });
        broker.refuse = () => error;
        await refusal(way === "send" ? sender.send({ topic, value: "v" }) : sender.sendBatch([{ topic, value: "v" }]));
        broker.refuse = () => null;
        await sender.send({ topic, value: "v" });
        expect(broker.metadataCalls).toBe(calls);
      }
    }
  });
});

describe("an identity", () => {
  it("begins at 0 under the next epoch after a failure, wherever it began at first", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 2);
    const sender = producer({}, { firstSequence: 100 });
    const send = (partition: number): Promise<unknown> => sender.send({ topic, partition, value: "v" });
    await send(0);
    await send(0);
    broker.refuse = full;
    await refusal(send(0));
    broker.refuse = () => null;
    await send(0);
    await send(1);
    await send(0);
    expect(broker.batches.map(numbers)).toEqual([
      [0, 100],
      [0, 101],
      [1, 0],
      [1, 0],
      [1, 1],
    ]);
    expect(broker.calls).toEqual(["init null"]);
  });

  it("keeps its id up to the last epoch there is", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    broker.firstEpoch = 2 ** 15 - 2;
    const sender = producer();
    const fail = async (): Promise<void> => {
      broker.refuse = full;
      await refusal(sender.send({ topic, value: "v" }));
      broker.refuse = () => null;
      await sender.send({ topic, value: "v" });
    };
    await fail();
    expect(broker.batches.at(-1)).toMatchObject({ producerId: 1000n, producerEpoch: 2 ** 15 - 1, baseSequence: 0 });
    await fail();
    expect(broker.batches.at(-1)).toMatchObject({ producerId: 1001n, baseSequence: 0 });
  });

  it("rises by one epoch however many batches under it fail, late or soon", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 3);
    const sender = producer({ batchSize: 0 });
    const known = [0, 1, 2].map((partition) => sender.send({ topic, partition, value: "known" }));
    await Promise.all(known);
    const held = gate();
    broker.onProduce = async ({ partition }) => {
      if (partition === 2) await held.opened;
      throw full();
    };
    const late = refusal(sender.send({ topic, partition: 2, value: "late" }));
    const soon = [0, 1].map((partition) => refusal(sender.send({ topic, partition, value: "soon" })));
    await Promise.all(soon);
    broker.onProduce = () => {};
    await sender.send({ topic, partition: 0, value: "v" });
    held.open();
    await late;
    await sender.send({ topic, partition: 1, value: "v" });
    await sender.send({ topic, partition: 2, value: "v" });
    expect(broker.batches.slice(-3).map(numbers)).toEqual([
      [1, 0],
      [1, 0],
      [1, 0],
    ]);
  });

  it("is asked for with Kafka's own words, and the question is called off when its time is over", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const asked: unknown[] = [];
    let isCalledOff = (): boolean => false;
    broker.initProducerId = (request: object, signal?: AbortSignal) => {
      asked.push(request);
      isCalledOff = () => signal?.aborted === true;
      return new Promise(() => {});
    };
    const refused = refusal(producer({ maxBlockMs: 500 }).send({ topic, value: "v" }));
    await settled();
    await clock.advance(499);
    expect([asked, isCalledOff()]).toEqual([[{ transactionalId: null, transactionTimeoutMs: 60_000 }], false]);
    await clock.advance(1);
    expect([isCalledOff(), (await refused).code]).toEqual([true, "BUFFER_EXHAUSTED"]);
  });
});

describe("a batch that fails behind another", () => {
  /** Two batches of one partition in flight, which the log answers so. */
  async function answered(first: () => Promise<unknown>, second: () => Promise<unknown>): Promise<PromiseSettledResult<unknown>[]> {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer({ batchSize: 0 });
    await sender.send({ topic, value: "known" });
    const answers = [first, second];
    broker.produce = (() => (answers.shift() as () => Promise<unknown>)()) as typeof broker.produce;
    return Promise.allSettled(["1", "2"].map((value) => sender.send({ topic, value })));
  }
  const gap = new ProducerStateError("OUT_OF_ORDER_SEQUENCE_NUMBER", "a gap of the log's own");
  const taken = async () => ({ baseOffset: 1, logAppendTime: -1, logStartOffset: 0, durability: "power", throttleTimeMs: 0 });

  it("for a reason of its own is told that reason, though the one before it failed as well", async () => {
    const [one, two] = [full(), new StorageError("PARTITION_FAILED", "the flush failed")];
    expect(
      await answered(
        () => Promise.reject(one),
        () => Promise.reject(two),
      ),
    ).toMatchObject([{ reason: one }, { reason: two }]);
  });

  it("that was appended is told of the gap itself: there is nothing it waited behind", async () => {
    const [, second] = await answered(taken, () => Promise.reject(gap));
    expect(second).toEqual({ status: "rejected", reason: gap });
  });
});
