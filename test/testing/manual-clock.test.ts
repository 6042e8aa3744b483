/** Time that stands still: timers fire in their order, at their time, and not without being let. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { ManualClock } from "../../src/testing/manual-clock.ts";

describe("a manual clock", () => {
  it("fires each timer once, in the order they are due, at its own time", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 50 }), { maxLength: 20 }),
        fc.array(fc.nat({ max: 20 }), { maxLength: 10 }),
        async (delays, steps) => {
          const clock = new ManualClock(1000);
          const fired: { readonly timer: number; readonly atMs: number; readonly wallMs: number }[] = [];
          for (const [timer, delayMs] of delays.entries()) {
            clock.after(delayMs, () => fired.push({ timer, atMs: clock.monotonic(), wallMs: clock.now() }));
          }
          let passedMs = 0;
          for (const stepMs of steps) {
            await clock.advance(stepMs);
            passedMs += stepMs;
            expect(clock.monotonic()).toBe(passedMs);
            expect(clock.now()).toBe(1000 + passedMs);
          }
          const expected = delays
            .map((atMs, timer) => ({ timer, atMs, wallMs: 1000 + atMs }))
            .filter((one) => one.atMs <= passedMs && steps.length > 0)
            .sort((left, right) => left.atMs - right.atMs || left.timer - right.timer);
          expect(fired).toEqual(expected);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("lets promises run between one timer and the next, and fires what they set meanwhile", async () => {
    const clock = new ManualClock();
    const story: string[] = [];
    const sleep = (delayMs: number): Promise<void> => new Promise((wake) => void clock.after(delayMs, wake));
    const walk = async (name: string, stepMs: number): Promise<void> => {
      for (let step = 0; step < 3; step++) {
        await sleep(stepMs);
        story.push(`${name}${clock.monotonic()}`);
      }
    };
    const walks = [walk("a", 10), walk("b", 15)];
    await clock.advance(100);
    await Promise.all(walks);
    expect(story).toEqual(["a10", "b15", "a20", "b30", "a30", "b45"]);
  });

  it("does not fire what was cancelled, nor what is due never", async () => {
    const clock = new ManualClock();
    let fired = 0;
    const timer = clock.after(5, () => fired++);
    clock.after(Number.POSITIVE_INFINITY, () => fired++);
    timer.cancel();
    timer.cancel();
    await clock.advance(1e9);
    expect(fired).toBe(0);
    expect(clock.nextDelayMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("jumps on the wall alone, either way", async () => {
    const clock = new ManualClock(5000);
    let fired = 0;
    clock.after(10, () => fired++);
    expect(clock.nextDelayMs).toBe(10);
    clock.jump(-4000);
    expect([clock.now(), clock.monotonic(), fired]).toEqual([1000, 0, 0]);
    clock.jump(1e9);
    await clock.advance(9);
    expect(fired).toBe(0);
    await clock.advance(1);
    expect(fired).toBe(1);
  });

  it("tells of a timer that sets itself again without end, instead of standing there for ever", async () => {
    // A runtime whose macrotasks cost nothing: the bound is a million.
    vi.stubGlobal("setImmediate", queueMicrotask);
    vi.resetModules();
    const { ManualClock: Clock } = await import("../../src/testing/manual-clock.ts");
    vi.unstubAllGlobals();
    const clock = new Clock();
    const again = (): void => void clock.after(0, again);
    again();
    await expect(clock.advance(1)).rejects.toThrow("more than 1000000 timers fired; does one set itself again after 0 ms?");
  });

  it("needs no setImmediate, which browsers do not have", async () => {
    vi.stubGlobal("setImmediate", undefined);
    vi.resetModules();
    const { ManualClock: Clock } = await import("../../src/testing/manual-clock.ts");
    vi.unstubAllGlobals();
    const clock = new Clock();
    const story: string[] = [];
    clock.after(1, () => void Promise.resolve().then(() => story.push("first")));
    clock.after(1, () => void story.push("second"));
    await clock.advance(1);
    expect(story).toEqual(["first", "second"]);
  });
});
