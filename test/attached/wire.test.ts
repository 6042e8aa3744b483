/** Calls and answers on the wire: batches in the tail as they are, numbers of producers as what they were, the rest untouched. */
import { describe, expect, it } from "vitest";
import { packAnswer, packCall, unpackAnswer, unpackCall } from "../../src/attached/wire.ts";

const NO_FRAME = expect.objectContaining({ code: "INVALID_REQUEST" }) as Error;
const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.of(...values);

describe("a call", () => {
  it("goes with its arguments, and the batch of a produce behind them", () => {
    const batch = bytes(1, 2);
    const request = { topic: "t", partition: 0, acks: 1 };
    expect(packCall("produce", [{ ...request, batch }])).toEqual({ body: ["produce", request], tail: [batch] });
    expect(packCall("deleteRecords", [{ topic: "t" }, 7])).toEqual({ body: ["deleteRecords", { topic: "t" }, 7], tail: [] });
    expect(unpackCall(["produce", { ...request }], batch)).toEqual({ name: "produce", values: [{ ...request, batch }] });
    expect(unpackCall(["deleteRecords", { topic: "t" }, 7], bytes())).toEqual({ name: "deleteRecords", values: [{ topic: "t" }, 7] });
  });

  it("that is a produce of nothing has no batch, and that of another name has none whatever its tail", () => {
    for (const values of [[], [null], ["text"], [7]])
      expect(unpackCall(["produce", ...values], bytes(1))).toEqual({ name: "produce", values });
    expect(unpackCall(["fetch", {}], bytes(1))).toEqual({ name: "fetch", values: [{}] });
  });

  it("is none without a name", () => {
    for (const body of [undefined, null, "produce", { 0: "produce" }, [], [7], [["produce"]]])
      expect(() => unpackCall(body, bytes()), JSON.stringify(body)).toThrow(NO_FRAME);
  });
});

describe("an answer", () => {
  const partition = (batches: Uint8Array | number, ...producerIds: (number | bigint)[]) => ({
    topic: "t",
    batches,
    abortedTransactions: producerIds.map((producerId) => ({ producerId, firstOffset: 3 })),
  });

  it("of a fetch goes with its batches behind it, and comes as views of what came, in their order", () => {
    const tail = [bytes(1, 2, 3), bytes(), bytes(4, 5)];
    const packed = packAnswer("fetch", { partitions: tail.map((each) => partition(each)), throttleTimeMs: 9 });
    expect(packed).toEqual({ body: { partitions: [partition(3), partition(0), partition(2)], throttleTimeMs: 9 }, tail });
    const whole = bytes(1, 2, 3, 4, 5);
    const found = unpackAnswer("fetch", { partitions: [partition(3, 7), partition(0), partition(2, 8, 9n)], throttleTimeMs: 9 }, whole);
    expect(found).toEqual({
      partitions: [partition(bytes(1, 2, 3), 7n), partition(bytes()), partition(bytes(4, 5), 8n, 9n)],
      throttleTimeMs: 9,
    });
    expect((found as { partitions: { batches: Uint8Array }[] }).partitions.every(({ batches }) => batches.buffer === whole.buffer)).toBe(
      true,
    );
  });

  it.each([[[3]], [[2, 1]], [[Number.NaN]]])("of a fetch whose lengths (%j) go beyond what came is none", (lengths) => {
    const partitions = lengths.map((length) => partition(length as number));
    expect(() => unpackAnswer("fetch", { partitions, throttleTimeMs: 0 }, bytes(1, 2))).toThrow(NO_FRAME);
  });

  it("that names a producer names it as a bigint, and any other one is as it came", () => {
    for (const name of ["initProducerId", "endTransaction"])
      expect(unpackAnswer(name, { producerId: 5, producerEpoch: 2 }, bytes())).toEqual({ producerId: 5n, producerEpoch: 2 });
    for (const body of [{ producerId: 5 }, null, undefined, ["g"]]) {
      expect(unpackAnswer("listGroups", body, bytes())).toBe(body);
      expect(packAnswer("listGroups", body)).toEqual({ body, tail: [] });
    }
  });
});
