/** Transactions over the broker port: what is seen of them, when, and what a producer is told that may not have its way. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { memory } from "../../src/index.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { type Life, openEngine, produce } from "../simulation/engine-rig.ts";
import { committedOffset, readCommitted, TestProducer, TIMEOUT_MS, unstable } from "../simulation/transaction-rig.ts";

const TOPIC = { topic: "orders", partitions: 3, config: { segmentBytes: 100_000 } };

async function bed(storage: StorageDriver = memory()): Promise<Life> {
  const life = await openEngine(storage);
  if (!life.engine.hasTopic("orders")) await life.engine.createTopic(TOPIC);
  return life;
}

const all = async (life: Life): Promise<string[][]> => Promise.all([0, 1, 2].map((partition) => readCommitted(life, "orders", partition)));
const open = async (life: Life): Promise<number[]> => Promise.all([0, 1, 2].map((partition) => unstable(life, "orders", partition)));
const code = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "",
    (error: { code: string }) => error.code,
  );

describe("a transaction", () => {
  it("shows nothing before it commits, and then everything, in all partitions and offsets", async () => {
    const life = await bed();
    await produce(life, "orders", 0, ["before"]);
    const producer = await new TestProducer(life, "t").init();
    expect(producer.identity).toEqual({ producerId: 0n, producerEpoch: 0 });
    await producer.send("orders", 0, "a", "b");
    await producer.send("orders", 1, "c");
    await producer.commitOffset("g", "orders", 0, 1);
    expect(await all(life)).toEqual([["before"], [], []]);
    expect(await committedOffset(life, "g", "orders", 0)).toBeNull();
    expect(life.engine.metrics()).toMatchObject({ "transactions.begun": 1, "transactions.open": 1, "transactions.committed": 0 });
    await producer.end(true);
    expect(await all(life)).toEqual([["before", "a", "b"], ["c"], []]);
    expect(await committedOffset(life, "g", "orders", 0)).toBe(1);
    expect(await open(life)).toEqual([0, 0, 0]);
    expect(life.engine.metrics()).toMatchObject({ "transactions.open": 0, "transactions.committed": 1 });
    await life.engine.close();
  });

  it("that is aborted never was, and the next one of the same producer goes on", async () => {
    const life = await bed();
    const producer = await new TestProducer(life, "t").init();
    await producer.send("orders", 0, "no");
    await producer.commitOffset("g", "orders", 0, 7);
    await producer.end(false);
    expect(await all(life)).toEqual([[], [], []]);
    expect(await committedOffset(life, "g", "orders", 0)).toBeNull();
    expect(await open(life)).toEqual([0, 0, 0]);
    for (const [index, value] of ["yes", "and yes"].entries()) {
      await producer.send("orders", 0, value);
      await producer.send("orders", 2, value);
      await producer.commitOffset("g", "orders", 0, index + 1);
      await producer.end(true);
    }
    expect(await all(life)).toEqual([["yes", "and yes"], [], ["yes", "and yes"]]);
    expect(await committedOffset(life, "g", "orders", 0)).toBe(2);
    await life.engine.close();
  });

  it("is there after a close and an open, and one that was open at the close is not", async () => {
    const storage = memory();
    const life = await bed(storage);
    const producer = await new TestProducer(life, "t").init();
    await producer.send("orders", 0, "kept");
    await producer.commitOffset("g", "orders", 0, 1);
    await producer.end(true);
    await producer.send("orders", 0, "left open");
    await producer.commitOffset("g", "orders", 0, 2);
    await life.engine.close();
    const again = await bed(storage);
    expect(await all(again)).toEqual([["kept"], [], []]);
    expect(await committedOffset(again, "g", "orders", 0)).toBe(1);
    expect(await open(again)).toEqual([0, 0, 0]);
    // Aborted at the close, not at the open.
    expect(again.events.filter(({ type }) => type === "transaction.recovered")).toEqual([]);
    const next = await new TestProducer(again, "t").init();
    expect(next.identity.producerId).toBe(producer.identity.producerId);
    expect(next.identity.producerEpoch).toBeGreaterThan(producer.identity.producerEpoch);
    await next.send("orders", 0, "more");
    await next.end(true);
    expect(await all(again)).toEqual([["kept", "more"], [], []]);
    await again.engine.close();
  });

  it("waits for no other producer's but where they share a partition: it resolves when readers are past it", async () => {
    const life = await bed();
    const [one, two] = [await new TestProducer(life, "one").init(), await new TestProducer(life, "two").init()];
    await one.send("orders", 0, "first");
    await two.send("orders", 0, "second");
    await two.send("orders", 1, "second");
    let ended = false;
    const ending = two.end(true).then(() => {
      ended = true;
    });
    await settled();
    await settled();
    expect(ended).toBe(false);
    expect(await all(life)).toEqual([[], ["second"], []]);
    await one.end(false);
    await ending;
    expect(await all(life)).toEqual([["second"], ["second"], []]);
    await life.engine.close();
  });
});

describe("what a producer is told", () => {
  it("whose transactional id was taken over: it is fenced, in the partitions too, and what it had begun is aborted", async () => {
    const life = await bed();
    const old = await new TestProducer(life, "t").init();
    await old.send("orders", 0, "zombie");
    const taker = await new TestProducer(life, "t").init();
    expect(taker.identity).toEqual({ producerId: old.identity.producerId, producerEpoch: 1 });
    expect(await open(life)).toEqual([0, 0, 0]);
    expect(await code(old.produce("orders", 0, "zombie"))).toBe("PRODUCER_FENCED");
    expect(await code(old.add("orders", 1))).toBe("PRODUCER_FENCED");
    expect(await code(old.end(true))).toBe("PRODUCER_FENCED");
    expect(await code(old.commitOffset("g", "orders", 0, 1))).toBe("PRODUCER_FENCED");
    // Outside of any transaction: the log itself refuses, since the marker carried the epoch that took over.
    life.engine.core.writer.begin({ ...old.identity, baseSequence: 1, transactional: false });
    life.engine.core.writer.append(null, new Uint8Array(1), null, 0);
    const plain = life.engine.produce({ topic: "orders", partition: 0, batch: life.engine.core.writer.finish(), acks: "all" });
    expect(await code(plain)).toBe("INVALID_PRODUCER_EPOCH");
    await taker.send("orders", 0, "mine");
    await taker.end(true);
    expect(await all(life)).toEqual([["mine"], [], []]);
    await life.engine.close();
  });

  it("that repeats itself, contradicts itself, or was never there", async () => {
    const life = await bed();
    const producer = await new TestProducer(life, "t").init();
    expect(await code(producer.end(true))).toBe("INVALID_TXN_STATE");
    await producer.send("orders", 0, "a");
    await producer.end(true);
    expect(await code(producer.end(true))).toBe("");
    expect(await code(producer.end(false))).toBe("INVALID_TXN_STATE");
    await producer.send("orders", 0, "b");
    await producer.end(false);
    expect(await code(producer.end(false))).toBe("");
    expect(await code(producer.end(true))).toBe("INVALID_TXN_STATE");
    const stranger = new TestProducer(life, "s");
    stranger.identity = { producerId: 99n, producerEpoch: 0 };
    expect(await code(stranger.add("orders", 0))).toBe("INVALID_PRODUCER_ID_MAPPING");
    expect(await code(stranger.produce("orders", 0, "x"))).toBe("INVALID_PRODUCER_ID_MAPPING");
    expect(await code(new TestProducer(life, "").init())).toBe("INVALID_REQUEST");
    expect(await code(new TestProducer(life, "t").init(0))).toBe("INVALID_TRANSACTION_TIMEOUT");
    expect(await code(new TestProducer(life, "t").init(900_001))).toBe("INVALID_TRANSACTION_TIMEOUT");
    await life.engine.close();
    expect(await code(producer.add("orders", 0))).toBe("LOG_CLOSED");
  });

  it("that sends where its transaction does not reach: nothing of it is appended", async () => {
    const life = await bed();
    const producer = await new TestProducer(life, "t").init();
    expect(await code(producer.produce("orders", 0, "early"))).toBe("INVALID_TXN_STATE");
    await producer.send("orders", 0, "in");
    expect(await code(producer.produce("orders", 1, "elsewhere"))).toBe("INVALID_TXN_STATE");
    const ending = producer.end(true);
    await Promise.resolve();
    expect(await code(producer.produce("orders", 0, "late"))).toBe("INVALID_TXN_STATE");
    await ending;
    expect(await code(producer.produce("orders", 0, "later"))).toBe("INVALID_TXN_STATE");
    expect(await all(life)).toEqual([["in"], [], []]);
    expect(await code(producer.add("orders", 9))).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(await code(producer.add("nowhere", 0))).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(await code(producer.add("__transaction_state", 0))).toBe("INVALID_TOPIC_EXCEPTION");
    await life.engine.close();
  });

  it("that kept its transaction open for longer than its timeout: it is aborted and fenced", async () => {
    const life = await bed();
    const slow = await new TestProducer(life, "slow").init(5000);
    const quick = await new TestProducer(life, "quick").init(TIMEOUT_MS);
    await slow.send("orders", 0, "slow");
    await quick.send("orders", 1, "quick");
    await life.clock.advance(30_000);
    expect(life.events.filter(({ type }) => type === "transaction.timedOut")).toMatchObject([{ transactionalId: "slow", timeoutMs: 5000 }]);
    expect(await open(life)).toEqual([0, 1, 0]);
    expect(await code(slow.end(true))).toBe("PRODUCER_FENCED");
    await quick.end(true);
    expect(await all(life)).toEqual([[], ["quick"], []]);
    await life.engine.close();
  });

  it("that was not heard of for a week: its id is forgotten, and a new producer gets another producer id", async () => {
    const storage = memory();
    const life = await bed(storage);
    const producer = await new TestProducer(life, "t").init();
    await producer.send("orders", 0, "a");
    await producer.end(true);
    life.clock.jump(7 * 24 * 3600 * 1000);
    await life.clock.advance(20_000);
    expect(await code(producer.add("orders", 0))).toBe("INVALID_PRODUCER_ID_MAPPING");
    await life.engine.close();
    const again = await bed(storage);
    const next = await new TestProducer(again, "t").init();
    expect(next.identity.producerEpoch).toBe(0);
    expect(next.identity.producerId).toBeGreaterThan(producer.identity.producerId);
    await again.engine.close();
  });

  it("whose epochs are used up: it gets a fresh producer id, and its sequences begin anew", async () => {
    const life = await bed();
    let producer = await new TestProducer(life, "t").init();
    const first = producer.identity.producerId;
    await producer.send("orders", 0, "old");
    await producer.end(true);
    for (let epoch = 1; epoch <= 32_766; epoch += 1) {
      const identity = await life.engine.initProducerId({ transactionalId: "t", transactionTimeoutMs: TIMEOUT_MS });
      if (epoch % 8191 === 0) expect(identity).toEqual({ producerId: first, producerEpoch: epoch });
    }
    producer = await new TestProducer(life, "t").init();
    expect(producer.identity.producerEpoch).toBe(0);
    expect(producer.identity.producerId).toBeGreaterThan(first);
    await producer.send("orders", 0, "new");
    await producer.end(true);
    expect(await all(life)).toEqual([["old", "new"], [], []]);
    await life.engine.close();
  }, 60_000);
});

describe("a transaction and the rest of the engine", () => {
  it("goes on without a topic that is deleted meanwhile, and its offsets are forgotten", async () => {
    const life = await bed();
    await life.engine.createTopic({ topic: "gone", partitions: 1, config: {} });
    const producer = await new TestProducer(life, "t").init();
    await producer.send("gone", 0, "x");
    await producer.send("orders", 0, "kept");
    await producer.commitOffset("g", "gone", 0, 1);
    await producer.commitOffset("g", "orders", 0, 0);
    await life.engine.deleteTopic("gone");
    await producer.end(true);
    expect(await all(life)).toEqual([["kept"], [], []]);
    expect(await life.engine.offsetFetch({ groupId: "g", partitions: null })).toMatchObject([{ topic: "orders", nextOffset: 0 }]);
    await life.engine.close();
  });

  it("commits offsets of a group under the group's own rules", async () => {
    const life = await bed();
    const producer = await new TestProducer(life, "t").init();
    const who = { transactionalId: "t", ...producer.identity };
    const offsets = [{ topic: "orders", partition: 0, nextOffset: 1, leaderEpoch: -1, metadata: "" }];
    const outside = { groupId: "g", memberId: "", groupInstanceId: null, generation: -1 };
    // Not added to the transaction, not a member, not a topic.
    await producer.send("orders", 0, "x");
    expect(await code(life.engine.commitOffsets({ ...who, ...outside, offsets }))).toBe("INVALID_TXN_STATE");
    await life.engine.addOffsets({ ...who, groupId: "g" });
    const stale = { ...outside, memberId: "nobody", generation: 3 };
    expect(await code(life.engine.commitOffsets({ ...who, ...stale, offsets }))).toBe("UNKNOWN_MEMBER_ID");
    const nowhere = [{ ...offsets[0]!, topic: "nowhere" }];
    expect(await code(life.engine.commitOffsets({ ...who, ...outside, offsets: nowhere }))).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    const joining = { ...outside, clientId: "c", protocolType: "consumer", sessionTimeoutMs: null, rebalanceTimeoutMs: 1000 };
    const protocols = [{ name: "range", metadata: new Uint8Array() }];
    await life.engine.joinGroup({ ...joining, protocols });
    expect(await code(life.engine.commitOffsets({ ...who, ...outside, offsets }))).toBe("UNKNOWN_MEMBER_ID");
    await producer.end(true);
    expect(await committedOffset(life, "g", "orders", 0)).toBeNull();
    await life.engine.close();
  });

  it("a group with offsets that pend is there, and can be deleted with them", async () => {
    const storage = memory();
    const life = await bed(storage);
    const producer = await new TestProducer(life, "t").init();
    await producer.commitOffset("g", "orders", 0, 1);
    expect(await life.engine.listGroups()).toEqual(["g"]);
    await life.engine.deleteGroup("g");
    await producer.end(true);
    expect(await committedOffset(life, "g", "orders", 0)).toBeNull();
    await life.engine.close();
    const again = await bed(storage);
    expect(await committedOffset(again, "g", "orders", 0)).toBeNull();
    await again.engine.close();
  });
});
