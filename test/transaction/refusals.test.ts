/** What the coordinator refuses though no client can ask for it, and bytes that are no record of a transaction. */
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { decodeTransactionKey, encodeTransactionKey } from "../../src/transaction/schemas/transaction-key.ts";
import { decodeTransactionValue, encodeTransactionValue } from "../../src/transaction/schemas/transaction-value.ts";
import { TransactionCoordinator } from "../../src/transaction/transaction-coordinator.ts";
import { newlyInitialized, withPartitions } from "../../src/transaction/transaction-metadata.ts";

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
