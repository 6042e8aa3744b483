/** A call that waits for its answer, and what a transaction's end means when its owner has gone. */
import { expect, it, vi } from "vitest";
import { OpenCall } from "../../src/attached/open-call.ts";
import { ProducerStateError, StorageError } from "../../src/base/errors.ts";

const call = (name: "endTransaction" | "listGroups", onOver: () => void = () => {}): OpenCall =>
  new OpenCall(name, [{ transactionalId: "t", producerId: 7n, producerEpoch: 0 }], undefined, 0, onOver);

it("a call is settled once, and its end is told once, whatever comes behind its answer", async () => {
  const onOver = vi.fn();
  const answered = call("listGroups", onOver);
  answered.resolve(["g"]);
  answered.resolve(["h"]);
  answered.reject(new Error("too late"));
  expect(await answered.promise).toEqual(["g"]);
  expect(onOver).toHaveBeenCalledTimes(1);
});

it.each(["PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"] as const)(
  "a transaction's end that its owner took along is no fencing (%s) to its own producer: the next owner aborted it",
  async (code) => {
    const fenced = new ProducerStateError(code, "another epoch");
    const lost = call("endTransaction");
    lost.wasLost = true;
    lost.reject(fenced);
    const told = await lost.promise.catch((error: unknown) => error);
    expect(told).toMatchObject({ code: "TRANSACTION_ABORTABLE" });
    expect((told as Error).cause).toBeUndefined();
    const seen = call("endTransaction");
    seen.reject(fenced);
    await expect(seen.promise).rejects.toBe(fenced);
  },
);

it("what else became of a transaction's end is told as it is", async () => {
  for (const error of [new StorageError("STORAGE_FAILED", "no room"), new Error("of another kind")]) {
    const lost = call("endTransaction");
    lost.wasLost = true;
    lost.reject(error);
    await expect(lost.promise).rejects.toBe(error);
  }
});
