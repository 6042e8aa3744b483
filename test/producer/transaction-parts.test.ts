/** The parts of a transaction by themselves: its gate, whom it speaks of, and what its error carries. */
import { describe, expect, it } from "vitest";
import type { NextOffset } from "../../src/api/bytes.ts";
import type { Producer } from "../../src/api/producer.ts";
import { OdradekError, ProducerStateError, StorageError } from "../../src/base/errors.ts";
import { TRANSACTION_LINK, type TransactionLink } from "../../src/base/transaction-link.ts";
import { Idempotence } from "../../src/producer/idempotence.ts";
import { OpenTransaction } from "../../src/producer/open-transaction.ts";
import { TopicEntry } from "../../src/producer/topic-directory.ts";
import { TransactionGate } from "../../src/producer/transaction-gate.ts";
import { UsualLinks } from "../../src/producer/usual-links.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { gate, makeWorld, refusal, seeded } from "./world.ts";

const topic = "orders";

function transactional() {
  const { broker, producer } = makeWorld();
  broker.makeTopic(topic, 4);
  const sender: Producer<string, string> = producer({ transactionalId: "t" });
  return { broker, sender };
}

/** A consumer as a transaction sees one. */
function consumer(groupId: string, offsets: () => readonly NextOffset[]) {
  const told: unknown[] = [];
  const link: TransactionLink = {
    claim: () => ({ member: { groupId, memberId: "m", groupInstanceId: null, generation: 3 }, offsets: offsets() }),
    committed: (committed) => void told.push(committed),
    rewind: () => void told.push("rewind"),
  };
  return { link, told, face: { [TRANSACTION_LINK]: link } as never };
}
const at = (name: string, partition: number, nextOffset: number): NextOffset => ({ topic: name, partition, nextOffset });

describe("the gate of a transaction", () => {
  it("asks once for each partition of a transaction, and for all of them again in the next", async () => {
    const { broker, clock } = makeWorld();
    const idempotence = new Idempotence(broker, clock, { transactionalId: "t", maxBlockMs: 1000 });
    const opened = new TransactionGate(broker, "t", idempotence);
    const [orders, people] = [new TopicEntry("orders", seeded(1)), new TopicEntry("people", seeded(1))];
    await idempotence.ask();
    expect([opened.hasBegun, opened.isOpenFor(orders, 0)]).toEqual([false, false]);
    await opened.open([
      { topic: orders, partition: 0 },
      { topic: people, partition: 1 },
      { topic: orders, partition: 0 },
    ]);
    const openFor = (): boolean[] => [0, 1].flatMap((partition) => [orders, people].map((each) => opened.isOpenFor(each, partition)));
    expect([opened.hasBegun, openFor()]).toEqual([true, [true, false, false, true]]);
    await opened.open([
      { topic: orders, partition: 0 },
      { topic: orders, partition: 1 },
    ]);
    await opened.open([{ topic: people, partition: 1 }]);
    expect(broker.calls).toEqual(["init t", "add orders-0 people-1", "add orders-1"]);
    opened.clear();
    expect([opened.hasBegun, openFor()]).toEqual([false, [false, false, false, false]]);
    await opened.open([{ topic: orders, partition: 0 }]);
    expect(broker.calls.at(-1)).toBe("add orders-0");
  });

  it("stays shut, and its transaction unbegun, where it was refused", async () => {
    const { broker, clock } = makeWorld();
    const idempotence = new Idempotence(broker, clock, { transactionalId: "t", maxBlockMs: 1000 });
    const opened = new TransactionGate(broker, "t", idempotence);
    const orders = new TopicEntry("orders", seeded(1));
    await idempotence.ask();
    broker.onCall = () => Promise.reject(new StorageError("STORAGE_FULL", "no room"));
    expect((await refusal(opened.open([{ topic: orders, partition: 0 }]))).code).toBe("STORAGE_FULL");
    expect([opened.hasBegun, opened.isOpenFor(orders, 0)]).toEqual([false, false]);
  });
});

describe("the consumers that transactions speak of", () => {
  const [one, two, three] = [consumer("g", () => []).link, consumer("h", () => []).link, consumer("i", () => []).link];
  const claims = (...links: TransactionLink[]) => new Map(links.map((link) => [link, true] as const));
  const usual = (...before: TransactionLink[][]): TransactionLink[] => {
    const links = new UsualLinks();
    for (const each of before) links.learn(claims(...each));
    return [...links.linksOf(claims())];
  };

  it("are the usual ones only while they are always the same, in any order", () => {
    expect(usual()).toEqual([]);
    expect(usual([], [])).toEqual([]);
    expect(usual([one], [], [one])).toEqual([one]);
    expect(new Set(usual([one, two], [two, one]))).toEqual(new Set([one, two]));
    for (const various of [
      [[one], [two]],
      [[one], [one, two]],
      [[one, two], [one]],
      // As many, and one of them the same.
      [
        [one, two],
        [one, three],
      ],
      [[one], [two], [one]],
      [[one], [two], [two], [two]],
    ])
      expect(usual(...various)).toEqual([]);
  });

  it("are those that it named itself, whatever was usual", () => {
    const links = new UsualLinks();
    links.learn(claims(one));
    expect([...links.linksOf(claims(two))]).toEqual([two]);
  });
});

describe("the offsets of one consumer, named twice", () => {
  it("are the later ones partition by partition, and the earlier ones where nothing was said since", () => {
    const answers = [[at("in", 0, 7), at("in", 1, 3), at("other", 0, 2)], [at("in", 0, 8)], [at("other", 1, 5), at("in", 1, 1)]];
    const { link, face } = consumer("g", () => answers.shift() as NextOffset[]);
    const tx = new OpenTransaction({ send: () => Promise.reject(), sendBatch: () => Promise.reject() });
    for (let index = 0; index < 3; index += 1) tx.commitOffsets(face);
    expect(tx.claims.get(link)).toEqual({
      member: { groupId: "g", memberId: "m", groupInstanceId: null, generation: 3 },
      offsets: [at("other", 0, 2), at("in", 0, 8), at("other", 1, 5), at("in", 1, 1)],
    });
  });

  it("are written whole, as Kafka writes them, and a group of two consumers is named once", async () => {
    const { broker, sender } = transactional();
    const [one, two] = [consumer("g", () => [at("in", 0, 7)]), consumer("g", () => [at("in", 1, 9)])];
    await sender.transaction(async (tx) => {
      tx.commitOffsets(one.face);
      tx.commitOffsets(two.face);
    });
    expect(broker.calls).toEqual(["init t", "addOffsets g", "offsets g in-0@7", "offsets g in-1@9", "commit"]);
    expect(broker.offsets[0]?.offsets).toEqual([{ topic: "in", partition: 0, nextOffset: 7, leaderEpoch: -1, metadata: "" }]);
  });
});

describe("a transaction", () => {
  it("is settled when the last of its sends is, and its failure is the first that failed", async () => {
    const answers = Array.from({ length: 3 }, () => gate());
    let sent = 0;
    const tx = new OpenTransaction<string, string>({
      send: () => {
        const index = sent++;
        return (answers[index] as ReturnType<typeof gate>).opened.then(() => Promise.reject(new Error(`send ${index}`)));
      },
      sendBatch: () => Promise.resolve([]),
    });
    let isSettled = false;
    await tx.settled();
    const told = [0, 1, 2].map(() => tx.send({ topic, value: "v" }).catch((error: Error) => error.message));
    void tx.settled().then(() => {
      isSettled = true;
    });
    for (const [index, expected] of [
      [1, false],
      [0, false],
      [2, true],
    ] as const) {
      answers[index]?.open();
      await settled();
      expect(isSettled).toBe(expected);
    }
    expect([await Promise.all(told), tx.failure?.error]).toEqual([
      ["send 0", "send 1", "send 2"],
      expect.objectContaining({ message: "send 1" }),
    ]);
  });

  it("refuses with what ended it first, and is over from then on", async () => {
    const tx = new OpenTransaction<string, string>({ send: () => Promise.reject(), sendBatch: () => Promise.reject() });
    expect(tx.isOver).toBe(false);
    const [first, second] = [new Error("closed"), new Error("ended")];
    tx.end(first, false);
    tx.end(second, true);
    expect(tx.isOver).toBe(true);
    await expect(tx.send({ topic, value: "v" })).rejects.toBe(first);
    await expect(tx.sendBatch([])).rejects.toBe(first);
    expect(() => tx.commitOffsets({} as never)).toThrow(first);
  });

  it("is rejected with what its body threw, be it frozen, no error at all, or with a cause of its own, though aborting failed too", async () => {
    const cause = new Error("its own cause");
    for (const thrown of [Object.freeze(new Error("frozen")), "a word", null, new Error("with a cause", { cause })]) {
      const { broker, sender } = transactional();
      broker.onCall = (call) => {
        if (call === "abort") throw new StorageError("STORAGE_FULL", "no room for markers");
      };
      const told = await sender
        .transaction(async (tx) => {
          await tx.send({ topic, value: "v" });
          throw thrown;
        })
        .catch((error: unknown) => ({ error }));
      expect(told).toEqual({ error: thrown });
      if (thrown instanceof Error) expect([undefined, cause]).toContain(thrown.cause);
    }
  });

  it("that was not told its partition is known to be refused is asked to end nowhere, and the next one begins anew", async () => {
    const { broker, sender } = transactional();
    broker.onCall = (call) => {
      if (call.startsWith("add")) throw new StorageError("STORAGE_FULL", "no room");
    };
    await refusal(sender.transaction((tx) => tx.send({ topic, partition: 0, value: "v" })));
    broker.onCall = () => {};
    await sender.transaction((tx) => tx.send({ topic, partition: 0, value: "v" }));
    expect(broker.calls).toEqual(["init t", "add orders-0", "init t", "add orders-0", "commit"]);
  });

  it("goes on under the identity that ending the one before it answered, from sequence 0", async () => {
    const { broker, sender } = transactional();
    const { endTransaction } = broker;
    let isBumped = true;
    broker.endTransaction = async (request) => {
      const identity = await endTransaction.call(broker, request);
      if (!isBumped) return identity;
      isBumped = false;
      // As a coordinator does that raises the epoch with each end.
      return broker.initProducerId({ transactionalId: "t" });
    };
    for (let index = 0; index < 3; index += 1) await sender.transaction((tx) => tx.send({ topic, partition: 0, value: "v" }));
    expect(broker.batches.map(({ producerEpoch, baseSequence }) => [producerEpoch, baseSequence])).toEqual([
      [0, 0],
      [1, 0],
      [1, 1],
    ]);
  });

  it("is fenced by whatever stands behind its error, and by nothing else", async () => {
    const behind = (code: "INVALID_PRODUCER_EPOCH" | "STORAGE_FULL"): OdradekError =>
      new StorageError("PARTITION_FAILED", "outermost", {
        cause: new OdradekError("UNKNOWN_SERVER_ERROR", "between", { cause: new ProducerStateError(code as never, "innermost") }),
      });
    for (const [code, isFenced] of [
      ["INVALID_PRODUCER_EPOCH", true],
      ["STORAGE_FULL", false],
    ] as const) {
      const { broker, sender } = transactional();
      await sender.transaction((tx) => tx.send({ topic, partition: 0, value: "v" }));
      broker.refuse = () => behind(code);
      await refusal(sender.transaction((tx) => tx.send({ topic, partition: 0, value: "v" })));
      broker.refuse = () => null;
      const next = sender.transaction((tx) => tx.send({ topic, partition: 0, value: "v" }));
      if (isFenced) expect(await refusal(next)).toMatchObject({ code: "PRODUCER_FENCED", cause: { message: "outermost" } });
      else await next;
    }
  });
});
