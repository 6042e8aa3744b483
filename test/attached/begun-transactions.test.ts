/** Which calls of a transaction may still go when the owner that knew of it has gone, and from when on they may again. */
import { describe, expect, it } from "vitest";
import { BegunTransactions } from "../../src/attached/begun-transactions.ts";
import type { CallName } from "../../src/attached/calls.ts";
import { OpenCall } from "../../src/attached/open-call.ts";

interface Made {
  readonly call: OpenCall;
  readonly outcome: Promise<unknown>;
}

function callOf(name: CallName, epoch = 0, id = "t", wasLost = false): Made {
  const call = new OpenCall(name, [{ transactionalId: id, producerId: 7n, producerEpoch: epoch }], undefined, 0, () => {});
  call.wasLost = wasLost;
  return { call, outcome: call.promise.catch((error: { readonly code: string }) => error.code) };
}

/** Begun under epoch 0, and its owner has gone. */
function lost(...names: CallName[]): BegunTransactions {
  const begun = new BegunTransactions();
  for (const name of names) expect(begun.mayGo(callOf(name).call)).toBe(true);
  begun.ownerWent();
  return begun;
}

const mayGo = (begun: BegunTransactions, ...facts: Parameters<typeof callOf>): boolean => begun.mayGo(callOf(...facts).call);

describe("a transaction that went with its owner", () => {
  it.each(["addPartitions", "addOffsets"] as const)(
    "was begun by %s, and each of its calls is refused as one that may be begun again",
    async (name) => {
      const begun = lost(name);
      for (const next of ["commitOffsets", "endTransaction", "addPartitions", "addOffsets"] as const) {
        const { call, outcome } = callOf(next);
        expect(begun.mayGo(call), next).toBe(false);
        expect(await outcome).toBe("TRANSACTION_ABORTABLE");
      }
    },
  );

  it("is no matter of another id's, of another epoch's, or of calls of none", () => {
    const begun = lost("addPartitions");
    const others: readonly Parameters<typeof callOf>[] = [
      ["endTransaction", 0, "u"],
      ["endTransaction", 1],
      ["listGroups"],
      ["commitOffsets", 1],
    ];
    for (const facts of others) expect(mayGo(begun, ...facts), String(facts)).toBe(true);
    expect(mayGo(begun, "endTransaction")).toBe(false);
  });

  it("may be asked how it ended by who had asked before", () => {
    expect(mayGo(lost("addPartitions"), "endTransaction", 0, "t", true)).toBe(true);
  });

  it("stands in nobody's way once it has ended, or another one was begun in its place, and its end is that of its own epoch alone", () => {
    const ended = lost("addPartitions");
    ended.over(callOf("endTransaction", 1).call);
    ended.over(callOf("commitOffsets").call);
    ended.over(callOf("endTransaction", 0, "u").call);
    ended.over(callOf("listGroups").call);
    expect(mayGo(ended, "endTransaction")).toBe(false);
    ended.over(callOf("endTransaction").call);
    expect(mayGo(ended, "endTransaction")).toBe(true);
    const next = lost("addPartitions");
    expect(mayGo(next, "addPartitions", 1)).toBe(true);
    expect(mayGo(next, "commitOffsets", 1)).toBe(true);
    next.ownerWent();
    expect(mayGo(next, "commitOffsets", 1)).toBe(false);
  });
});

describe("a transaction whose owner is there", () => {
  it("goes its way, and one that nothing was added to was not begun", () => {
    const begun = new BegunTransactions();
    for (const name of ["addPartitions", "commitOffsets", "endTransaction"] as const) expect(mayGo(begun, name)).toBe(true);
    const other = new BegunTransactions();
    expect(mayGo(other, "commitOffsets")).toBe(true);
    other.ownerWent();
    expect(mayGo(other, "commitOffsets")).toBe(true);
  });
});
