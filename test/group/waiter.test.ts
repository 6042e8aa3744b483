import { describe, expect, it } from "vitest";
import { Waiter } from "../../src/group/waiter.ts";

describe("a call that waits", () => {
  type End = (waiter: Waiter<string>, controller: AbortController) => void;
  const ends: Record<string, End> = {
    answer: (waiter) => waiter.resolve("answer"),
    refusal: (waiter) => waiter.reject("refusal"),
    signal: (_waiter, controller) => controller.abort("signal"),
  };

  it("ends once, by whichever comes first, and tells so before its promise settles", async () => {
    for (const [first, end] of Object.entries(ends)) {
      const told: boolean[] = [];
      const controller = new AbortController();
      const waiter = new Waiter<string>(controller.signal, (aborted) => told.push(aborted));
      end(waiter, controller);
      expect(told).toEqual([first === "signal"]);
      for (const later of Object.values(ends)) later(waiter, controller);
      expect(told).toHaveLength(1);
      expect(await waiter.promise.catch((reason: unknown) => reason)).toBe(first);
    }
  });

  it("needs no signal", async () => {
    const waiter = new Waiter<string>(undefined, () => {});
    waiter.resolve("answer");
    expect(await waiter.promise).toBe("answer");
  });
});
