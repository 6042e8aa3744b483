/** How a transaction ends, on a log and markers of the test's own: which step stands before which, and what each of them failing leaves. */
import { describe, expect, it } from "vitest";
import type { OdradekEvent } from "../../src/api/odradek.ts";
import { StorageError } from "../../src/base/errors.ts";
import { Events } from "../../src/engine/events.ts";
import type { House } from "../../src/engine/house.ts";
import { TransactionEnding } from "../../src/engine/transaction-ending.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import type { Transaction } from "../../src/transaction/transaction.ts";
import { TransactionCoordinator } from "../../src/transaction/transaction-coordinator.ts";
import { newlyInitialized, type TransactionMetadata, withPartitions } from "../../src/transaction/transaction-metadata.ts";

const AT = { topic: "orders", partition: 2 };
const LATE = { at: AT, error: new StorageError("STORAGE_FULL", "no room") };

class Bed {
  readonly clock = new ManualClock(1_700_000_000_000);
  readonly told: OdradekEvent[] = [];
  readonly did: unknown[] = [];
  readonly coordinator = new TransactionCoordinator({ clock: this.clock });
  readonly transaction: Transaction;
  readonly ending: TransactionEnding;
  /** What fails, by the step; a write by the state that is written. */
  readonly fails: Record<string, Error> = {};
  /** Of the partition of `__transaction_state`. */
  failure: StorageError | null = null;
  late: (typeof LATE)[] = [];
  onStep: (name: string) => void = () => {};

  constructor() {
    const metadata = withPartitions(newlyInitialized(7n, 60_000, this.clock.now()), [AT], this.clock.now()) as TransactionMetadata;
    this.coordinator.put("t", metadata);
    this.transaction = this.coordinator.find("t") as Transaction;
    const step = (name: string): void => {
      this.did.push(name);
      this.onStep(name);
      if (this.fails[name] !== undefined) throw this.fails[name];
    };
    const log = {
      failure: () => this.failure,
      coordinatorEpoch: () => 4,
      write: async (id: string, { state }: TransactionMetadata) => {
        step(`write ${id} ${state}`);
        return async () => step(`durable ${state}`);
      },
    };
    const markers = {
      flush: async () => step("flush"),
      end: async ({ commit, ...end }: { commit: boolean }, partitions: unknown, scope: string) => {
        this.did.push([commit ? "commit" : "abort", end, partitions, scope]);
        return { written: [], late: this.late };
      },
    };
    const events = new Events(this.clock, { onEvent: (event) => void this.told.push(event) });
    const house = { events, context: { clock: this.clock } } as unknown as House;
    this.ending = new TransactionEnding(house, this.coordinator, log as never, markers as never);
  }
  get state(): string {
    return this.transaction.metadata.state;
  }
  get counts(): number[] {
    return [this.ending.committed, this.ending.aborted];
  }
  types(): string[] {
    return this.told.map(({ type }) => type);
  }
}

const marked = (outcome: string, producerEpoch = 0, scope = "everywhere") => [
  outcome,
  { producerId: 7n, producerEpoch, coordinatorEpoch: 4 },
  [AT],
  scope,
];

describe("a commit", () => {
  it("has its records durable, then the outcome, then markers, then that it is complete, and waits for that only before the next", async () => {
    const bed = new Bed();
    await bed.ending.commit(bed.transaction);
    expect(bed.did).toEqual([
      "flush",
      "write t PrepareCommit",
      "durable PrepareCommit",
      marked("commit"),
      "write t CompleteCommit",
      "durable CompleteCommit",
    ]);
    expect([bed.state, bed.counts, bed.told]).toEqual(["CompleteCommit", [1, 0], []]);
    await bed.ending.settled(bed.transaction);
  });

  it.each([
    ["flush", "its records could not be made durable"],
    ["write t PrepareCommit", "the outcome could not be written"],
    ["durable PrepareCommit", "the disk was full"],
  ])("of which the step %s fails is as open as before, and may be tried again", async (step) => {
    const bed = new Bed();
    bed.fails[step] = new StorageError("STORAGE_FULL", "no room");
    await expect(bed.ending.commit(bed.transaction)).rejects.toBe(bed.fails[step]);
    expect([bed.state, bed.transaction.isEnding, bed.transaction.doubt, bed.counts, bed.told]).toEqual([
      "Ongoing",
      false,
      null,
      [0, 0],
      [],
    ]);
    delete bed.fails[step];
    await bed.ending.commit(bed.transaction);
    expect([bed.state, bed.counts]).toEqual(["CompleteCommit", [1, 0]]);
  });

  it("whose place had failed before is not written at all", async () => {
    const bed = new Bed();
    bed.failure = new StorageError("PARTITION_FAILED", "a flush failed");
    await expect(bed.ending.commit(bed.transaction)).rejects.toBe(bed.failure);
    expect([bed.did, bed.transaction.isEnding, bed.transaction.doubt]).toEqual([["flush"], false, null]);
  });

  it("whose place fails under it is in doubt, told of as that, and nobody else may end it", async () => {
    const bed = new Bed();
    const failure = new StorageError("PARTITION_FAILED", "a flush failed");
    bed.onStep = (name) => {
      if (name === "durable PrepareCommit") bed.failure = failure;
    };
    bed.fails["durable PrepareCommit"] = new Error("EIO");
    const failing = bed.ending.commit(bed.transaction);
    await expect(failing).rejects.toMatchObject({ code: "CONCURRENT_TRANSACTIONS" });
    expect([bed.state, bed.transaction.isEnding, bed.transaction.doubt, bed.counts]).toEqual(["Ongoing", true, "a flush failed", [0, 0]]);
    expect(bed.told).toMatchObject([{ type: "transaction.inDoubt", transactionalId: "t", producerId: 7n, error: failure }]);
  });
});

describe("an abort", () => {
  it("is told with its reason, ends with markers, and waits for no disk", async () => {
    const bed = new Bed();
    await bed.ending.abort(bed.transaction, "by its producer");
    expect(bed.did).toEqual(["write t PrepareAbort", marked("abort"), "write t CompleteAbort"]);
    expect([bed.state, bed.counts]).toEqual(["CompleteAbort", [0, 1]]);
    expect(bed.told).toMatchObject([{ type: "transaction.aborted", transactionalId: "t", producerId: 7n, reason: "by its producer" }]);
    await bed.ending.settled(bed.transaction);
  });

  it("ends with markers though it could not be written down", async () => {
    const bed = new Bed();
    bed.fails["write t PrepareAbort"] = new StorageError("STORAGE_FULL", "no room");
    await bed.ending.abort(bed.transaction, "it timed out");
    expect([bed.state, bed.counts]).toEqual(["CompleteAbort", [0, 1]]);
  });

  it("that fences goes under the next epoch, with the scope it was given", async () => {
    const bed = new Bed();
    await bed.ending.fence(bed.transaction, "its process ended", "where open");
    expect(bed.did[1]).toEqual(marked("abort", 1, "where open"));
    expect([bed.state, bed.transaction.metadata.producerEpoch]).toEqual(["CompleteAbort", 1]);
  });
});

describe("a marker that is late", () => {
  it.each([
    [true, "PrepareCommit"],
    [false, "PrepareAbort"],
  ])("leaves the outcome as it is (commit: %s), is answered, and told of once for each trouble", async (commit, state) => {
    const bed = new Bed();
    bed.late = [LATE];
    const outcome = await (commit ? bed.ending.commit(bed.transaction) : bed.ending.abort(bed.transaction, "by its producer"));
    expect([outcome.late, bed.state]).toEqual([[LATE], state]);
    await bed.ending.finish(bed.transaction, "where open");
    expect(bed.types().filter((type) => type === "transaction.late")).toHaveLength(1);
    expect(bed.told.at(-1)).toMatchObject({ type: "transaction.late", transactionalId: "t", producerId: 7n, error: LATE.error });
    bed.late = [{ ...LATE, error: new StorageError("STORAGE_FAILED", "of another kind") }];
    await bed.ending.finish(bed.transaction, "where open");
    expect(bed.types().filter((type) => type === "transaction.late")).toHaveLength(2);
    bed.late = [];
    await bed.ending.finish(bed.transaction, "where open");
    expect(bed.state).toBe(commit ? "CompleteCommit" : "CompleteAbort");
    expect(bed.counts).toEqual(commit ? [1, 0] : [0, 1]);
  });
});

describe("that a transaction is complete", () => {
  it("is told to be late where it cannot be written down, and the transaction is as decided as before", async () => {
    const bed = new Bed();
    bed.fails["write t CompleteCommit"] = new StorageError("STORAGE_FULL", "no room");
    await bed.ending.commit(bed.transaction);
    expect([bed.state, bed.counts]).toEqual(["PrepareCommit", [1, 0]]);
    expect(bed.told).toMatchObject([{ type: "transaction.late", error: bed.fails["write t CompleteCommit"] }]);
    expect(bed.transaction.trouble).toContain("committed; that all markers are written could not be noted");
  });

  it("of a commit must be durable before the next begins, unless what is known was mended since", async () => {
    const bed = new Bed();
    bed.fails["durable CompleteCommit"] = new StorageError("STORAGE_FAILED", "EIO");
    await bed.ending.commit(bed.transaction);
    expect(bed.state).toBe("CompleteCommit");
    await expect(bed.ending.settled(bed.transaction)).rejects.toBe(bed.fails["durable CompleteCommit"]);
    bed.ending.mended(bed.transaction);
    await bed.ending.settled(bed.transaction);
  });
});
