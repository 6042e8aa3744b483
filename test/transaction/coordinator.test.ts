/** The coordinator against a table of ten lines: whatever is asked in whatever order, the same answer and the same state. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OdradekError } from "../../src/base/errors.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { TransactionCoordinator } from "../../src/transaction/transaction-coordinator.ts";
import { checkTransactionalId, checkTransactionTimeout } from "../../src/transaction/transaction-errors.ts";
import {
  completed,
  fenced,
  newlyInitialized,
  PRODUCER_EPOCH_EXHAUSTED,
  prepared,
  reinitialized,
  TRANSACTION_TIMEOUT_MS_MAX,
  TRANSACTIONAL_ID_EXPIRATION_MS,
  withPartitions,
} from "../../src/transaction/transaction-metadata.ts";
import { mayFollow, TRANSACTION_STATES, type TransactionState } from "../../src/transaction/transaction-state.ts";

const ID = "t";
const TIMEOUT_MS = 60_000;
const at = (partition: number) => ({ topic: "orders", partition });

/** What Kafka answers, by state. "": it is done. */
const END: Record<TransactionState, { commit: string; abort: string }> = {
  Empty: { commit: "INVALID_TXN_STATE", abort: "INVALID_TXN_STATE" },
  Ongoing: { commit: "", abort: "" },
  PrepareCommit: { commit: "CONCURRENT_TRANSACTIONS", abort: "INVALID_TXN_STATE" },
  PrepareAbort: { commit: "INVALID_TXN_STATE", abort: "CONCURRENT_TRANSACTIONS" },
  CompleteCommit: { commit: "", abort: "INVALID_TXN_STATE" },
  CompleteAbort: { commit: "INVALID_TXN_STATE", abort: "" },
  Dead: { commit: "INVALID_PRODUCER_ID_MAPPING", abort: "INVALID_PRODUCER_ID_MAPPING" },
  PrepareEpochFence: { commit: "CONCURRENT_TRANSACTIONS", abort: "CONCURRENT_TRANSACTIONS" },
};
const ADD: Record<TransactionState, string> = {
  Empty: "",
  Ongoing: "",
  PrepareCommit: "CONCURRENT_TRANSACTIONS",
  PrepareAbort: "CONCURRENT_TRANSACTIONS",
  CompleteCommit: "",
  CompleteAbort: "",
  Dead: "INVALID_PRODUCER_ID_MAPPING",
  PrepareEpochFence: "CONCURRENT_TRANSACTIONS",
};

interface Model {
  state: TransactionState;
  producerId: bigint;
  epoch: number;
  partitions: Set<number>;
  openedAtMs: number;
  lastUpdateMs: number;
}

interface Real {
  readonly clock: ManualClock;
  readonly coordinator: TransactionCoordinator;
}

type Step =
  | { readonly kind: "add" | "verify"; readonly partition: number; readonly wrong: Wrong }
  | { readonly kind: "end"; readonly commit: boolean; readonly wrong: Wrong }
  | { readonly kind: "init" | "complete" | "fence" }
  | { readonly kind: "expire"; readonly late: boolean }
  | { readonly kind: "wait"; readonly ms: number };
type Wrong = "" | "producerId" | "old epoch" | "new epoch";

const wrong = fc.oneof({ weight: 6, arbitrary: fc.constant<Wrong>("") }, fc.constantFrom<Wrong>("producerId", "old epoch", "new epoch"));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), partition: fc.nat(2), wrong }),
  fc.record({ kind: fc.constant("verify" as const), partition: fc.nat(2), wrong }),
  fc.record({ kind: fc.constant("end" as const), commit: fc.boolean(), wrong }),
  fc.record({ kind: fc.constantFrom("init" as const, "complete" as const, "complete" as const, "fence" as const) }),
  fc.record({ kind: fc.constant("expire" as const), late: fc.boolean() }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1, 20_000, TIMEOUT_MS, TRANSACTIONAL_ID_EXPIRATION_MS) }),
);

function codeOf(call: () => void): string {
  try {
    call();
    return "";
  } catch (error) {
    if (!(error instanceof OdradekError)) throw error;
    return error.code;
  }
}

/** One step on both; answers what each said. */
async function take(step: Step, model: Model, { clock, coordinator }: Real): Promise<[expected: string, found: string]> {
  const transaction = coordinator.find(ID);
  const identity = { transactionalId: ID, producerId: model.producerId, producerEpoch: model.epoch };
  if ("wrong" in step) {
    if (step.wrong === "producerId") identity.producerId += 1n;
    if (step.wrong === "old epoch") identity.producerEpoch -= 1;
    if (step.wrong === "new epoch") identity.producerEpoch += 1;
  }
  const wrongCode = (): string => {
    if (model.state === "Dead" || identity.producerId !== model.producerId) return "INVALID_PRODUCER_ID_MAPPING";
    return identity.producerEpoch === model.epoch ? "" : "PRODUCER_FENCED";
  };
  switch (step.kind) {
    case "add": {
      const expected = wrongCode() || ADD[model.state];
      const found = codeOf(() => {
        const found = coordinator.requireAddable(identity);
        const next = withPartitions(found.metadata, [at(step.partition)], clock.now());
        if (next !== null) coordinator.apply(found, next);
      });
      if (expected === "") {
        if (model.state !== "Ongoing") [model.partitions, model.openedAtMs] = [new Set(), clock.monotonic()];
        if (model.state !== "Ongoing" || !model.partitions.has(step.partition)) model.lastUpdateMs = clock.now();
        model.partitions.add(step.partition);
        model.state = "Ongoing";
      }
      return [expected, found];
    }
    case "verify": {
      const isIn = model.state === "Ongoing" && model.partitions.has(step.partition);
      const expected = wrongCode() || (isIn ? "" : "INVALID_TXN_STATE");
      return [expected, codeOf(() => coordinator.verify(at(step.partition), identity.producerId, identity.producerEpoch))];
    }
    case "end": {
      const expected = wrongCode() || END[model.state][step.commit ? "commit" : "abort"];
      const found = codeOf(() => {
        const { transaction, hasEnded } = coordinator.checkEnd(identity, step.commit);
        expect(hasEnded).toBe(model.state !== "Ongoing");
        if (!hasEnded) coordinator.apply(transaction, prepared(transaction.metadata, step.commit, clock.now()));
      });
      if (expected === "" && model.state === "Ongoing") {
        model.state = step.commit ? "PrepareCommit" : "PrepareAbort";
        model.lastUpdateMs = clock.now();
      }
      return [expected, found];
    }
    case "complete": {
      if (transaction === null || (model.state !== "PrepareCommit" && model.state !== "PrepareAbort")) return ["", ""];
      coordinator.apply(transaction, completed(transaction.metadata, clock.now()));
      model.state = model.state === "PrepareCommit" ? "CompleteCommit" : "CompleteAbort";
      [model.partitions, model.lastUpdateMs] = [new Set(), clock.now()];
      return ["", ""];
    }
    case "fence": {
      if (transaction === null || model.state !== "Ongoing") return ["", ""];
      coordinator.apply(transaction, fenced(transaction.metadata, clock.now()));
      coordinator.apply(transaction, prepared(transaction.metadata, false, clock.now()));
      [model.state, model.lastUpdateMs] = ["PrepareAbort", clock.now()];
      model.epoch += 1;
      return ["", ""];
    }
    case "init": {
      if (transaction === null) {
        model.producerId += 10n;
        coordinator.put(ID, newlyInitialized(model.producerId, TIMEOUT_MS, clock.now()));
        [model.state, model.epoch, model.partitions, model.lastUpdateMs] = ["Empty", 0, new Set(), clock.now()];
        return ["", ""];
      }
      if (!["Empty", "CompleteCommit", "CompleteAbort"].includes(model.state)) return ["", ""];
      if (model.epoch >= PRODUCER_EPOCH_EXHAUSTED) [model.producerId, model.epoch] = [model.producerId + 10n, -1];
      model.epoch += 1;
      const next = { producerId: model.producerId, producerEpoch: model.epoch };
      coordinator.apply(transaction, reinitialized(transaction.metadata, next, TIMEOUT_MS, clock.now()));
      [model.state, model.partitions, model.lastUpdateMs] = ["Empty", new Set(), clock.now()];
      return ["", ""];
    }
    case "expire": {
      if (step.late) await clock.advance(TRANSACTIONAL_ID_EXPIRATION_MS);
      for (const found of coordinator.expired()) coordinator.remove(found);
      const isIdle = ["Empty", "CompleteCommit", "CompleteAbort"].includes(model.state);
      if (isIdle && clock.now() - model.lastUpdateMs >= TRANSACTIONAL_ID_EXPIRATION_MS) model.state = "Dead";
      return ["", ""];
    }
    case "wait":
      await clock.advance(step.ms);
      return ["", ""];
  }
}

function agree(model: Model, { clock, coordinator }: Real): void {
  const transaction = coordinator.find(ID);
  expect(transaction?.metadata.state ?? "Dead").toBe(model.state);
  if (transaction === null) {
    expect(coordinator.ofProducer(model.producerId)).toBeNull();
    return;
  }
  const { producerId, producerEpoch, partitions } = transaction.metadata;
  expect({ producerId, producerEpoch }).toEqual({ producerId: model.producerId, producerEpoch: model.epoch });
  expect(new Set(partitions.map(({ partition }) => partition))).toEqual(model.partitions);
  expect(coordinator.ofProducer(producerId)).toBe(transaction);
  const isOverdue = model.state === "Ongoing" && clock.monotonic() - model.openedAtMs > TIMEOUT_MS;
  expect(coordinator.overdue().includes(transaction)).toBe(isOverdue);
  expect(coordinator.countIn("Ongoing")).toBe(model.state === "Ongoing" ? 1 : 0);
}

describe("a transactional id", () => {
  it("answers every call in every state as Kafka does, whatever came before", async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), fc.boolean(), async (steps, old) => {
        const clock = new ManualClock();
        const world: Real = { clock, coordinator: new TransactionCoordinator({ clock }) };
        const model: Model = { state: "Dead", producerId: 7n, epoch: 0, partitions: new Set(), openedAtMs: 0, lastUpdateMs: 0 };
        await take({ kind: "init" }, model, world);
        if (old) {
          // An id whose epochs are nearly used up.
          const transaction = world.coordinator.find(ID)!;
          const identity = { producerId: model.producerId, producerEpoch: PRODUCER_EPOCH_EXHAUSTED - 2 };
          world.coordinator.apply(transaction, reinitialized(transaction.metadata, identity, TIMEOUT_MS, clock.now()));
          model.epoch = identity.producerEpoch;
        }
        for (const each of steps) {
          const before = model.state;
          const [expected, found] = await take(each, model, world);
          expect(found, `${JSON.stringify(each)} in ${before}`).toBe(expected);
          agree(model, world);
          seen.add(`${before} ${each.kind}`);
        }
      }),
      { numRuns: 400 },
    );
    // A run that never came to some state would prove nothing of it.
    for (const state of TRANSACTION_STATES.filter((state) => state !== "PrepareEpochFence")) {
      for (const kind of ["add", "end", "verify", "init"]) expect(seen, "never tried").toContain(`${state} ${kind}`);
    }
  });

  it("is let in for nothing while its end has begun, though nothing is written of it yet", () => {
    const clock = new ManualClock();
    const coordinator = new TransactionCoordinator({ clock });
    const transaction = coordinator.put(ID, newlyInitialized(1n, TIMEOUT_MS, 0));
    coordinator.apply(transaction, withPartitions(transaction.metadata, [at(0)], 0)!);
    const identity = { transactionalId: ID, producerId: 1n, producerEpoch: 0 };
    transaction.isEnding = true;
    expect(codeOf(() => coordinator.verify(at(0), 1n, 0))).toBe("INVALID_TXN_STATE");
    expect(codeOf(() => void coordinator.requireAddable(identity))).toBe("CONCURRENT_TRANSACTIONS");
    expect(codeOf(() => void coordinator.checkEnd(identity, true))).toBe("CONCURRENT_TRANSACTIONS");
    transaction.isEnding = false;
    transaction.doom = "orders-0 was lost";
    expect(codeOf(() => void coordinator.checkEnd(identity, true))).toBe("TRANSACTION_ABORTABLE");
    expect(coordinator.checkEnd(identity, false).hasEnded).toBe(false);
    expect(codeOf(() => void coordinator.requireOpen(identity, at(1)))).toBe("INVALID_TXN_STATE");
    expect(coordinator.requireOpen(identity, at(0))).toBe(transaction);
  });

  it("takes no step that Kafka's table does not have", () => {
    const legal = TRANSACTION_STATES.flatMap((from) => TRANSACTION_STATES.filter((to) => mayFollow(from, to)).map((to) => `${from} ${to}`));
    expect(legal.sort()).toEqual(
      [
        ["Empty Empty", "Empty Ongoing", "Empty Dead"],
        ["Ongoing Ongoing", "Ongoing PrepareCommit", "Ongoing PrepareAbort", "Ongoing PrepareEpochFence"],
        ["PrepareCommit CompleteCommit", "PrepareAbort CompleteAbort", "PrepareEpochFence PrepareAbort"],
        ["CompleteCommit Empty", "CompleteCommit Ongoing", "CompleteCommit Dead"],
        ["CompleteAbort Empty", "CompleteAbort Ongoing", "CompleteAbort Dead"],
      ]
        .flat()
        .sort(),
    );
    const coordinator = new TransactionCoordinator({ clock: new ManualClock() });
    const transaction = coordinator.put(ID, newlyInitialized(1n, TIMEOUT_MS, 0));
    expect(() => coordinator.apply(transaction, prepared(transaction.metadata, true, 0))).toThrow(/PrepareCommit cannot follow Empty/);
  });

  it("has a name that is not empty, and a timeout of 1 ms to 15 min", () => {
    for (const timeoutMs of [0, -1, 1.5, Number.NaN, TRANSACTION_TIMEOUT_MS_MAX + 1])
      expect(codeOf(() => checkTransactionTimeout(timeoutMs))).toBe("INVALID_TRANSACTION_TIMEOUT");
    for (const timeoutMs of [1, TRANSACTION_TIMEOUT_MS_MAX]) expect(codeOf(() => checkTransactionTimeout(timeoutMs))).toBe("");
    expect(codeOf(() => checkTransactionalId(""))).toBe("INVALID_REQUEST");
    expect(codeOf(() => checkTransactionalId(7 as never))).toBe("INVALID_REQUEST");
  });
});
