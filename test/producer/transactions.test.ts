import { describe, expect, it } from "vitest";
import type { NextOffset } from "../../src/api/bytes.ts";
import type { Producer, Transaction } from "../../src/api/producer.ts";
import { GroupError, ProducerStateError, StorageError } from "../../src/base/errors.ts";
import { TRANSACTION_LINK, type TransactionLink } from "../../src/base/transaction-link.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import type { FakeBroker } from "./fake-broker.ts";
import { gate, makeWorld, refusal } from "./world.ts";

const topic = "orders";

function transactional(options: Parameters<ReturnType<typeof makeWorld>["producer"]>[0] = {}): {
  broker: FakeBroker;
  sender: Producer<string, string>;
  another: () => Producer<string, string>;
} {
  const { broker, producer } = makeWorld();
  broker.makeTopic(topic, 4);
  const another = (): Producer<string, string> => producer({ transactionalId: "t", ...(options as object) });
  return { broker, sender: another(), another };
}

/** A consumer as a transaction sees one. */
class FakeConsumer implements TransactionLink {
  offsets: NextOffset[] = [{ topic: "in", partition: 0, nextOffset: 7 }];
  readonly told: unknown[] = [];
  readonly groupId: string;

  constructor(groupId = "g") {
    this.groupId = groupId;
  }

  get [TRANSACTION_LINK](): TransactionLink {
    return this;
  }

  claim(): ReturnType<TransactionLink["claim"]> {
    return { member: { groupId: this.groupId, memberId: "m", groupInstanceId: null, generation: 3 }, offsets: [...this.offsets] };
  }

  committed(offsets: readonly NextOffset[]): void {
    this.told.push(offsets);
  }

  rewind(inDoubt?: readonly NextOffset[]): void {
    this.told.push(inDoubt === undefined ? "rewind" : "rewind in doubt");
  }
}

describe("a transaction", () => {
  it("commits when its body returns, with the body's value, once everything sent has settled", async () => {
    const { broker, sender } = transactional({ lingerMs: 60_000 });
    const value = await sender.transaction(async (tx) => {
      await Promise.all([0, 1].map((partition) => tx.sendBatch([{ topic, partition, value: `a${partition}` }])));
      void tx.send({ topic, partition: 0, value: "not awaited, and lingering" });
      expect(broker.committedValues(topic, 0)).toEqual([]);
      return 42;
    });
    expect(value).toBe(42);
    expect(broker.committedValues(topic, 0)).toEqual(["a0", "not awaited, and lingering"]);
    expect(broker.committedValues(topic, 1)).toEqual(["a1"]);
    expect(broker.calls.at(-1)).toBe("commit");
  });

  it("aborts when its body throws, with the body's error, and what was sent is not seen", async () => {
    const { broker, sender } = transactional();
    const mine = new Error("mine");
    for (const body of [
      async (tx: Transaction<string, string, "all">) => {
        await tx.send({ topic, partition: 0, value: "a" });
        throw mine;
      },
      (tx: Transaction<string, string, "all">): Promise<void> => {
        void tx.send({ topic, partition: 0, value: "b" });
        throw mine;
      },
    ]) {
      await expect(sender.transaction(body)).rejects.toBe(mine);
    }
    await sender.transaction((tx) => tx.send({ topic, partition: 0, value: "c" }));
    expect(broker.values(topic, 0)).toEqual(["a", "b", "c"]);
    expect(broker.committedValues(topic, 0)).toEqual(["c"]);
    expect(broker.calls).toEqual(["init t", "add orders-0", "abort", "add orders-0", "abort", "add orders-0", "commit"]);
    expect(broker.batches.map(({ producerEpoch, baseSequence }) => [producerEpoch, baseSequence])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
    ]);
    expect(mine.cause).toBe(undefined);
  });

  it("that sent nothing asks for nothing", async () => {
    const { broker, sender } = transactional();
    expect(await sender.transaction(async () => "v")).toBe("v");
    await expect(
      sender.transaction(async () => {
        throw new Error("x");
      }),
    ).rejects.toThrow("x");
    expect(broker.calls).toEqual(["init t"]);
  });

  it("is told of its partitions before their first batch, all of one turn or one sendBatch at once", async () => {
    const { broker, sender } = transactional();
    broker.makeTopic("b", 1);
    await sender.transaction(async (tx) => {
      await Promise.all([0, 1, 0].map((partition) => tx.send({ topic, partition, value: "v" })));
      await tx.sendBatch([
        { topic, partition: 1, value: "w" },
        { topic, partition: 2, value: "w" },
        { topic: "b", value: "w" },
      ]);
      await tx.send({ topic, partition: 2, value: "x" });
      await tx.sendBatch([{ topic, partition: 0, value: "y" }]);
    });
    expect(broker.calls).toEqual(["init t", "add orders-0 orders-1", "add orders-2 b-0", "commit"]);
    expect(broker.committedValues(topic, 0)).toEqual(["v", "v", "y"]);
    expect(broker.committedValues(topic, 2)).toEqual(["w", "x"]);
  });

  it("keeps call order while its partitions are being told of", async () => {
    const { broker, sender } = transactional({ batchSize: 0 });
    const held = gate();
    broker.onCalled = (call) => (call.startsWith("add") ? held.opened : undefined);
    const done = sender.transaction(async (tx) => {
      const sent = [];
      for (let index = 0; index < 6; index += 1) {
        sent.push(
          index % 3 === 2
            ? tx.sendBatch([{ topic, partition: 0, value: `${index}` }])
            : tx.send({ topic, partition: 0, value: `${index}` }),
        );
        await settled();
      }
      held.open();
      await Promise.all(sent);
    });
    await done;
    expect(broker.committedValues(topic, 0)).toEqual(["0", "1", "2", "3", "4", "5"]);
  });

  it.each([
    ["that was not awaited", false],
    ["that the body caught", true],
  ])("is aborted by a send that failed, %s, with its error", async (_, isAwaited) => {
    const { broker, sender } = transactional();
    const full = new StorageError("STORAGE_FULL", "no room");
    await sender.transaction((tx) => tx.send({ topic, partition: 0, value: "before" }));
    let failures = 1;
    broker.refuse = () => (failures-- > 0 ? full : null);
    const done = sender.transaction(async (tx) => {
      const sent = tx.send({ topic, partition: 0, value: "a" });
      if (isAwaited) {
        await sent.catch(() => {});
        const refused = await refusal(tx.send({ topic, partition: 1, value: "b" }));
        expect(refused).toMatchObject({ code: "INVALID_TXN_STATE", cause: full });
      } else {
        await settled();
        // Refused, and no unhandled rejection: the transaction tells.
        void tx.send({ topic, partition: 1, value: "b" });
        void tx.sendBatch([{ topic, partition: 1, value: "b" }]);
      }
      return "never";
    });
    await expect(done).rejects.toBe(full);
    expect(broker.calls.slice(3)).toEqual(["add orders-0", "abort"]);
    await sender.transaction((tx) => tx.send({ topic, partition: 0, value: "after" }));
    // Sequences begin anew under another epoch: nobody knows which ones the log has seen.
    expect(broker.calls.slice(5)).toEqual(["init t", "add orders-0", "commit"]);
    expect(broker.committedValues(topic, 0)).toEqual(["before", "after"]);
  });

  it("is aborted by a record that could not be sent at all", async () => {
    const { broker, sender } = transactional();
    const done = sender.transaction(async (tx) => {
      await tx.send({ topic, partition: 0, value: "good" });
      void tx.send({ topic: "nowhere", value: "bad" });
    });
    await expect(done).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    expect(broker.committedValues(topic, 0)).toEqual([]);
  });

  it("whose partition is refused is aborted, and the next begins with another epoch", async () => {
    const { broker, sender } = transactional();
    broker.onCall = (call) => {
      if (call.startsWith("add")) throw new StorageError("STORAGE_FULL", "no room");
    };
    await expect(sender.transaction((tx) => tx.send({ topic, value: "a" }))).rejects.toMatchObject({ code: "STORAGE_FULL" });
    broker.onCall = () => {};
    await sender.transaction((tx) => tx.sendBatch([{ topic, partition: 0, value: "b" }]));
    expect(broker.batches).toMatchObject([{ producerEpoch: 1 }]);
  });
});

describe("one at a time", () => {
  it("a second transaction is refused while one is under way, nested ones too, and let in after it", async () => {
    const { sender } = transactional();
    const held = gate();
    const first = sender.transaction(async () => {
      expect(await refusal(sender.transaction(async () => {}))).toMatchObject({ name: "UsageError", code: "CONCURRENT_CALL" });
      await held.opened;
    });
    expect((await refusal(sender.transaction(async () => {}))).code).toBe("CONCURRENT_CALL");
    held.open();
    await first;
    await sender.transaction(async () => {});
  });

  it("a tx is of no use after its transaction, nor the producer's own send, nor transaction() without a transactionalId", async () => {
    const { broker, sender } = transactional();
    let kept: Transaction<string, string, "all"> | undefined;
    await sender.transaction(async (tx) => {
      kept = tx;
      expect((await refusal(sender.send({ topic, value: "v" }))).code).toBe("INVALID_TXN_STATE");
      await sender.flush();
    });
    for (const call of [
      async () => kept?.send({ topic, value: "v" }),
      async () => kept?.sendBatch([{ topic, value: "v" }]),
      async () => kept?.commitOffsets({} as never),
      () => sender.send({ topic, value: "v" }),
      () => sender.sendBatch([{ topic, value: "v" }]),
      () =>
        makeWorld()
          .producer()
          .transaction(async () => {}),
    ]) {
      expect(await refusal(call())).toMatchObject({ name: "UsageError", code: "INVALID_TXN_STATE" });
    }
    expect(broker.batches).toEqual([]);
    await sender.transaction(async () => {});
    expect((await refusal(sender.transaction("no" as never))).code).toBe("INVALID_ARGUMENT");
  });
});

describe("a producer that was fenced", () => {
  it("by another with its transactionalId says so at every later call", async () => {
    const { broker, sender, another } = transactional();
    const newer = another();
    const error = await refusal(
      sender.transaction(async (tx) => {
        await tx.send({ topic, partition: 0, value: "old" });
        await newer.transaction((its) => its.send({ topic, partition: 0, value: "new" }));
        await tx.send({ topic, partition: 0, value: "old too" });
      }),
    );
    expect(error).toMatchObject({ name: "ProducerStateError", code: "PRODUCER_FENCED" });
    for (const call of [
      () => sender.transaction(async () => {}),
      () => sender.send({ topic, value: "v" }),
      () => sender.sendBatch([]),
      () => sender.flush(),
    ]) {
      expect(await refusal(call())).toMatchObject({ name: "ProducerStateError", code: "PRODUCER_FENCED" });
    }
    expect(broker.committedValues(topic, 0)).toEqual(["new"]);
    expect(broker.calls.filter((call) => call === "abort")).toEqual([]);
    await newer.transaction((tx) => tx.send({ topic, partition: 0, value: "newer" }));
    await sender.close();
  });

  it("is found out by any of its calls, within a sendBatch too", async () => {
    for (const fencing of ["add", "addOffsets", "offsets", "commit", "batch"]) {
      const { broker, sender } = transactional();
      broker.onCall = (call) => {
        if (call.split(" ")[0] === fencing) throw new ProducerStateError("PRODUCER_FENCED", "by the broker");
      };
      if (fencing === "batch") broker.refuse = () => new ProducerStateError("INVALID_PRODUCER_EPOCH", "by the log");
      const consumer = new FakeConsumer();
      const done = sender.transaction(async (tx) => {
        tx.commitOffsets(consumer as never);
        await tx.sendBatch([{ topic, partition: 0, value: "v" }]);
      });
      await refusal(done);
      expect((await refusal(sender.transaction(async () => {}))).code, fencing).toBe("PRODUCER_FENCED");
      expect(consumer.told, fencing).toEqual([fencing === "commit" ? "rewind in doubt" : "rewind"]);
    }
  });
});

describe("close during a transaction", () => {
  it("aborts it; the body's next send is refused, and so is the transaction", async () => {
    const { broker, sender } = transactional();
    const consumer = new FakeConsumer();
    const reached = gate();
    const closed = gate();
    const done = sender.transaction(async (tx) => {
      tx.commitOffsets(consumer as never);
      await tx.send({ topic, partition: 0, value: "a" });
      reached.open();
      await closed.opened;
      expect((await refusal(tx.send({ topic, partition: 0, value: "b" }))).code).toBe("PRODUCER_CLOSED");
      void tx.send({ topic, partition: 0, value: "c" });
      expect(() => tx.commitOffsets(consumer as never)).toThrow("closed");
    });
    await reached.opened;
    await sender.close();
    expect(broker.calls.at(-1)).toBe("abort");
    expect(consumer.told).toEqual(["rewind"]);
    closed.open();
    expect((await refusal(done)).code).toBe("PRODUCER_CLOSED");
    expect(broker.committedValues(topic, 0)).toEqual([]);
  });

  it("from within the body, and before it has begun, waits for nobody", async () => {
    const { sender } = transactional();
    const done = sender.transaction(async () => {
      await sender.close();
    });
    expect((await refusal(done)).code).toBe("PRODUCER_CLOSED");
    const { broker, sender: other } = transactional();
    const asked = gate();
    broker.onCall = () => asked.opened;
    let isEntered = false;
    const early = other.transaction(async () => {
      isEntered = true;
    });
    const refused = refusal(early);
    await other.close();
    asked.open();
    expect((await refused).code).toBe("PRODUCER_CLOSED");
    expect(isEntered).toBe(false);
  });

  it("waits for a commit that has begun", async () => {
    const { broker, sender } = transactional();
    const held = gate();
    broker.onCalled = (call) => (call === "commit" ? held.opened : undefined);
    const done = sender.transaction((tx) => tx.send({ topic, partition: 0, value: "a" }));
    while (!broker.calls.includes("commit")) await settled();
    const closing = sender.close();
    held.open();
    await Promise.all([done, closing]);
    expect(broker.committedValues(topic, 0)).toEqual(["a"]);
  });
});

describe("offsets of consumers", () => {
  it("are committed with the records, each group's under its own name, and then count as committed", async () => {
    const { broker, sender } = transactional();
    const [one, two] = [new FakeConsumer("g"), new FakeConsumer("h")];
    two.offsets = [{ topic: "in", partition: 1, nextOffset: 9 }];
    await sender.transaction(async (tx) => {
      void tx.send({ topic, partition: 0, value: "a" });
      tx.commitOffsets(one as never);
      tx.commitOffsets(two as never);
      one.offsets = [{ topic: "in", partition: 0, nextOffset: 8 }];
      tx.commitOffsets(one as never);
    });
    expect(broker.calls.slice(2)).toEqual(["addOffsets g", "addOffsets h", "offsets g in-0@8", "offsets h in-1@9", "commit"]);
    expect(broker.offsets[0]).toMatchObject({ memberId: "m", generation: 3, transactionalId: "t" });
    expect(one.told).toEqual([[{ topic: "in", partition: 0, nextOffset: 8 }]]);
    expect(two.told).toEqual([two.offsets]);
  });

  it("alone make a transaction, and none of them none", async () => {
    const { broker, sender } = transactional();
    const consumer = new FakeConsumer();
    await sender.transaction(async (tx) => tx.commitOffsets(consumer as never));
    expect(broker.calls).toEqual(["init t", "addOffsets g", "offsets g in-0@7", "commit"]);
    consumer.offsets = [];
    await sender.transaction(async (tx) => tx.commitOffsets(consumer as never));
    expect(broker.calls).toHaveLength(4);
  });

  it("that the group refuses abort the transaction, with the group's error, and the consumer goes back", async () => {
    const { broker, sender } = transactional();
    const consumer = new FakeConsumer();
    broker.onCall = (call) => {
      if (call.startsWith("offsets")) throw new GroupError("ILLEGAL_GENERATION", "another generation");
    };
    const done = sender.transaction(async (tx) => {
      tx.commitOffsets(consumer as never);
      await tx.send({ topic, partition: 0, value: "a" });
    });
    expect(await refusal(done)).toMatchObject({ name: "GroupError", code: "ILLEGAL_GENERATION" });
    expect(broker.calls.at(-1)).toBe("abort");
    expect(consumer.told).toEqual(["rewind"]);
    expect(broker.committedValues(topic, 0)).toEqual([]);
  });

  it("that a body threw before it could name go back too, where all transactions before it named the same consumers", async () => {
    const { sender } = transactional();
    const [one, two] = [new FakeConsumer("g"), new FakeConsumer("h")];
    const commit = (...consumers: FakeConsumer[]): Promise<void> =>
      sender.transaction(async (tx) => {
        for (const consumer of consumers) tx.commitOffsets(consumer as never);
      });
    const fail = async (): Promise<void> => {
      const done = sender.transaction(async () => {
        throw new Error("too early");
      });
      await expect(done).rejects.toThrow("too early");
    };
    await fail();
    await commit(one);
    await fail();
    expect(one.told).toEqual([one.offsets, "rewind"]);
    await commit(two);
    await fail();
    await commit(one);
    await fail();
    // Whose turn it was nobody can say.
    expect([one.told.length, two.told.length]).toEqual([3, 1]);
  });

  it("of what is no consumer of ours are a UsageError", async () => {
    const { sender } = transactional();
    for (const wrong of [undefined, null, {}, "c", sender]) {
      const done = sender.transaction(async (tx) => tx.commitOffsets(wrong as never));
      expect(await refusal(done)).toMatchObject({ name: "UsageError", code: "INVALID_ARGUMENT" });
    }
  });
});

describe("an end that fails", () => {
  it("when committing passes its error on, and the next transaction begins with another epoch", async () => {
    const { broker, sender } = transactional();
    const consumer = new FakeConsumer();
    broker.onCalled = (call) => {
      if (call === "commit") throw new StorageError("PARTITION_FAILED", "decided; a marker is still to be written");
    };
    const done = sender.transaction(async (tx) => {
      tx.commitOffsets(consumer as never);
      await tx.send({ topic, partition: 0, value: "a" });
    });
    expect((await refusal(done)).message).toBe("decided; a marker is still to be written");
    // Asked for at once: what was decided is complete before the consumer asks what its group has committed.
    expect(broker.calls.slice(-2)).toEqual(["commit", "init t"]);
    expect(consumer.told).toEqual(["rewind in doubt"]);
    broker.onCalled = () => {};
    await sender.transaction((tx) => tx.send({ topic, partition: 0, value: "b" }));
    expect(broker.committedValues(topic, 0)).toEqual(["a", "b"]);
  });

  it("when it is decided already counts for the consumer, which does not go back", async () => {
    const { broker, sender } = transactional();
    const consumer = new FakeConsumer();
    broker.onCalled = (call) => {
      if (call === "commit") throw new StorageError("MARKERS_PENDING", "committed; markers of orders-0 still to be written");
    };
    const done = sender.transaction(async (tx) => {
      tx.commitOffsets(consumer as never);
      await tx.send({ topic, partition: 0, value: "a" });
    });
    expect((await refusal(done)).code).toBe("MARKERS_PENDING");
    expect(consumer.told).toEqual([consumer.offsets]);
    broker.onCalled = () => {};
    await sender.transaction((tx) => tx.send({ topic, partition: 0, value: "b" }));
    expect(broker.committedValues(topic, 0)).toEqual(["a", "b"]);
  });

  it("and leaves it open what was committed sends its consumers back once more when that is known, and lets nothing be made of what they gave meanwhile", async () => {
    const { broker, sender } = transactional();
    const consumer = new FakeConsumer();
    const doubt = (call: string): void => {
      if (call === "init t") throw new ProducerStateError("CONCURRENT_TRANSACTIONS", "nobody knows");
    };
    broker.onCalled = (call) => {
      if (call === "commit") throw new ProducerStateError("CONCURRENT_TRANSACTIONS", "nobody knows");
    };
    const transact = (): Promise<unknown> =>
      sender.transaction(async (tx) => {
        tx.commitOffsets(consumer as never);
        await tx.send({ topic, partition: 0, value: "a" });
      });
    await sender.transaction(async () => {});
    broker.onCall = doubt;
    expect((await refusal(transact())).message).toBe("nobody knows");
    expect(consumer.told.splice(0)).toEqual(["rewind in doubt"]);
    expect((await refusal(transact())).message).toBe("nobody knows");
    expect(consumer.told.splice(0)).toEqual(["rewind"]);
    broker.onCall = () => {};
    broker.onCalled = () => {};
    expect((await refusal(transact())).code).toBe("TRANSACTION_ABORTABLE");
    expect(consumer.told.splice(0)).toEqual(["rewind in doubt", "rewind"]);
    await transact();
    expect(consumer.told).toEqual([consumer.offsets]);
    expect(broker.committedValues(topic, 0)).toEqual(["a", "a"]);
  });

  it("when aborting is told beside the body's error", async () => {
    const { broker, sender } = transactional();
    broker.onCall = (call) => {
      if (call === "abort") throw new StorageError("STORAGE_FULL", "no room for markers");
    };
    const mine = new Error("mine");
    const done = sender.transaction(async (tx) => {
      await tx.send({ topic, partition: 0, value: "a" });
      throw mine;
    });
    await expect(done).rejects.toBe(mine);
    expect(mine.cause).toMatchObject({ code: "STORAGE_FULL" });
    broker.onCall = () => {};
    await sender.transaction((tx) => tx.send({ topic, partition: 0, value: "b" }));
    expect(broker.committedValues(topic, 0)).toEqual(["b"]);
  });

  it("when beginning is told; the body runs all the same, so that it can say which consumers go back", async () => {
    const { broker, sender } = transactional();
    const consumer = new FakeConsumer();
    broker.onCall = () => Promise.reject(new StorageError("STORAGE_FULL", "no room"));
    const done = sender.transaction(async (tx) => {
      expect((await refusal(tx.send({ topic, value: "a" }))).code).toBe("STORAGE_FULL");
      void tx.sendBatch([{ topic, value: "a" }]);
      tx.commitOffsets(consumer as never);
    });
    expect((await refusal(done)).code).toBe("STORAGE_FULL");
    expect(consumer.told).toEqual(["rewind"]);
    broker.onCall = () => {};
    await sender.transaction(async () => {});
    expect(broker.calls).toEqual(["init t", "init t"]);
  });
});
