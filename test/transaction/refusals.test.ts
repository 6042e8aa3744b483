/** What the coordinator refuses though no client can ask for it, and bytes that are no record of a transaction. */
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { decodeTransactionKey, encodeTransactionKey } from "../../src/transaction/schemas/transaction-key.ts";
import { decodeTransactionValue, encodeTransactionValue } from "../../src/transaction/schemas/transaction-value.ts";
import { TransactionCoordinator } from "../../src/transaction/transaction-coordinator.ts";
import { completed, newlyInitialized, prepared, reinitialized, withPartitions } from "../../src/transaction/transaction-metadata.ts";

const at = { topic: "orders", partition: 0 };

describe("the coordinator", () => {
  it("has each id once, and forgets none whose transaction is open", () => {
    const coordinator = new TransactionCoordinator({ clock: new ManualClock(0) });
    const metadata = newlyInitialized(7n, 60_000, 0);
    const transaction = coordinator.put("t", metadata);
    expect(() => coordinator.put("t", metadata)).toThrow('"t" is there already');
    const identity = { transactionalId: "t", producerId: 7n, producerEpoch: transaction.metadata.producerEpoch };
    expect(() => coordinator.requireOpen(identity, at)).toThrow("a transaction must be open");
    coordinator.apply(transaction, withPartitions(transaction.metadata, [at], 1) as typeof metadata);
    expect(() => coordinator.requireOpen(identity, { ...at, partition: 1 })).toThrow("orders-1 must be added to it first");
    expect(coordinator.requireOpen(identity, at)).toBe(transaction);
    expect(() => coordinator.remove(transaction)).toThrow("only an idle id can be forgotten");
    expect(coordinator.find("t")).toBe(transaction);
  });
});

describe("a refusal", () => {
  const bed = () => {
    const coordinator = new TransactionCoordinator({ clock: new ManualClock(0) });
    const transaction = coordinator.put("t", newlyInitialized(7n, 60_000, 0));
    const identity = { transactionalId: "t", producerId: 7n, producerEpoch: 0 };
    return { coordinator, transaction, identity };
  };

  it("of a producer that is not the id's tells whose it is, or that it is nobody's", () => {
    const { coordinator, identity } = bed();
    const code = "INVALID_PRODUCER_ID_MAPPING";
    const others = expect.objectContaining({ code, message: expect.stringContaining("found it to be producer 7's;") });
    expect(() => coordinator.requireAddable({ ...identity, producerId: 8n })).toThrow(others);
    const nobodys = expect.objectContaining({ code, message: expect.stringContaining("found it to be nobody's:") });
    expect(() => coordinator.requireAddable({ ...identity, transactionalId: "other" })).toThrow(nobodys);
  });

  it("while the last transaction is being finished tells what holds that up, if anything does", () => {
    const { coordinator, transaction, identity } = bed();
    const code = "CONCURRENT_TRANSACTIONS";
    transaction.isEnding = true;
    const finishing = 'transactional id "t": its last transaction is still being finished (Empty)';
    expect(() => coordinator.requireAddable(identity)).toThrow(expect.objectContaining({ code, message: finishing }));
    transaction.trouble = "orders-0: no room";
    expect(() => coordinator.requireAddable(identity)).toThrow(
      expect.objectContaining({ code, message: `${finishing}: orders-0: no room` }),
    );
  });

  it("while nobody knows whether the last transaction is committed says that, why, and what settles it", () => {
    const { coordinator, transaction, identity } = bed();
    transaction.isEnding = true;
    transaction.trouble = "orders-0: no room";
    transaction.doubt = "the disk failed";
    for (const ask of [() => coordinator.requireAddable(identity), () => coordinator.checkEnd(identity, true)])
      expect(ask).toThrow(
        expect.objectContaining({
          name: "ProducerStateError",
          code: "CONCURRENT_TRANSACTIONS",
          message: expect.stringMatching(/whether its transaction is committed is not known: the disk failed; reopenPartition/),
        }),
      );
  });
});

describe("an id with its next producer", () => {
  it("has begun no transaction, and keeps nothing of the last one", () => {
    const open = withPartitions(newlyInitialized(7n, 60_000, 0), [at], 10) as ReturnType<typeof newlyInitialized>;
    const ended = completed(prepared(open, true, 20), 30);
    expect(ended.startMs).toBe(10);
    const identity = { producerId: 7n, producerEpoch: 1 };
    expect(reinitialized(ended, identity, 5000, 40)).toEqual({ ...newlyInitialized(7n, 5000, 40), producerEpoch: 1 });
  });
});

describe("partitions", () => {
  it("are added once each, with the time of the first; what adds none changes nothing", () => {
    const fresh = newlyInitialized(7n, 60_000, 5);
    expect(fresh.startMs).toBe(-1);
    const open = withPartitions(fresh, [at, at], 10);
    expect(open).toMatchObject({ state: "Ongoing", partitions: [at], startMs: 10 });
    expect(withPartitions(open as typeof fresh, [at], 20)).toBe(null);
    const more = withPartitions(open as typeof fresh, [at, { ...at, partition: 1 }], 20);
    expect(more).toMatchObject({ partitions: [at, { ...at, partition: 1 }], startMs: 10 });
  });
});

describe("a record of a transaction", () => {
  it("of another version's key is nobody's, and of a state without a name is refused", () => {
    const key = encodeTransactionKey("t");
    expect(decodeTransactionKey(key)).toBe("t");
    key[1] = 1;
    expect(decodeTransactionKey(key)).toBe(null);
    const value = encodeTransactionValue(newlyInitialized(7n, 60_000, 0));
    // Behind version, producer id, epoch and timeout.
    value[2 + 8 + 2 + 4] = 100;
    expect(() => decodeTransactionValue(value)).toThrow("100 is the number of no state");
  });
});
