/** Batches that wait their turn: in order, copied, bounded, and given back to whoever no longer wants them. */
import { describe, expect, it } from "vitest";
import { AppendQueue } from "../../../src/log/append/append-queue.ts";

const VERDICT = { recordCount: 1, maxTimestamp: 7, hasNullKey: true };
const MIB = 1024 * 1024;
const pending = Symbol("pending");
const stateOf = (promise: Promise<unknown>): Promise<unknown> => Promise.race([promise, Promise.resolve(pending)]);

describe("batches that wait", () => {
  it("come out in the order in which they went in, as they were then", async () => {
    const queue = new AppendQueue<string>();
    const bytes = Uint8Array.of(1, 2);
    const first = queue.add(bytes, VERDICT, undefined, "orders-0");
    bytes.fill(9);
    const second = queue.add(bytes, VERDICT, undefined, "orders-0");
    expect([queue.length, [...queue.peek()!.batch], queue.peek()!.verdict]).toEqual([2, [1, 2], { recordCount: 1, maxTimestamp: 7 }]);
    queue.take()!.resolve("first");
    expect([queue.length, [...queue.peek()!.batch]]).toEqual([1, [9, 9]]);
    queue.take()!.resolve("second");
    expect([queue.length, queue.peek(), queue.take()]).toEqual([0, undefined, undefined]);
    expect([await first, await second]).toEqual(["first", "second"]);
  });

  it("are taken up to 64 MiB together, the first whatever its size", () => {
    const queue = new AppendQueue<void>();
    void queue.add(new Uint8Array(65 * MIB), VERDICT, undefined, "orders-0");
    const more = (byteLength: number) => () => void queue.add(new Uint8Array(byteLength), VERDICT, undefined, "orders-0");
    expect(more(1)).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));
    queue.take();
    more(40 * MIB)();
    more(24 * MIB)();
    expect(more(1)).toThrow(/67108864 bytes already wait to be written and 1 more exceed 67108864/);
    expect(queue.length).toBe(2);
    // What was taken out makes room again, byte for byte.
    queue.take();
    more(40 * MIB)();
    expect(more(1)).toThrow(/orders-0/);
  });

  it("leave when their signal is aborted, with its reason, and make room", async () => {
    const queue = new AppendQueue<void>();
    const controller = new AbortController();
    const kept = queue.add(Uint8Array.of(1), VERDICT, undefined, "orders-0");
    const left = queue.add(new Uint8Array(64 * MIB - 1), VERDICT, controller.signal, "orders-0");
    expect(() => void queue.add(Uint8Array.of(2), VERDICT, undefined, "orders-0")).toThrow(/already wait/);
    controller.abort(new Error("no longer"));
    await expect(left).rejects.toThrow("no longer");
    expect([queue.length, [...queue.peek()!.batch]]).toEqual([1, [1]]);
    void queue.add(new Uint8Array(64 * MIB - 1), VERDICT, undefined, "orders-0");
    expect(() => void queue.add(Uint8Array.of(2), VERDICT, undefined, "orders-0")).toThrow(/already wait/);
    expect(await stateOf(kept)).toBe(pending);
    expect(() => void queue.add(Uint8Array.of(1), VERDICT, controller.signal, "orders-0")).toThrow("no longer");
  });

  it("no longer listen to their signal once they are taken out", async () => {
    const queue = new AppendQueue<string>();
    const controller = new AbortController();
    const answer = queue.add(Uint8Array.of(1), VERDICT, controller.signal, "orders-0");
    const other = queue.add(Uint8Array.of(2), VERDICT, undefined, "orders-0");
    const taken = queue.take()!;
    controller.abort(new Error("too late"));
    expect(await stateOf(answer)).toBe(pending);
    taken.resolve("written");
    expect([await answer, queue.length, await stateOf(other)]).toEqual(["written", 1, pending]);
  });

  it("are all refused together, in order", async () => {
    const queue = new AppendQueue<void>();
    const order: number[] = [];
    const all = [0, 1, 2].map((at) => queue.add(Uint8Array.of(at), VERDICT, undefined, "orders-0").catch(() => void order.push(at)));
    queue.rejectAll(new Error("closed"));
    await Promise.all(all);
    expect([order, queue.length]).toEqual([[0, 1, 2], 0]);
  });
});
