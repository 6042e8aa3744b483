/** When a turn of the event loop has lasted long enough, asked as often as a loop over records asks, and looked up as seldom as it may be. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import { macrotask, Turn, turnOf } from "../../src/base/turn.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

/** A turn by a clock that is moved by hand and counts how often it was looked at. */
class Bed {
  nowMs = 1000;
  looks = 0;
  /** What was asked for from the next round of the loop. */
  readonly rounds: (() => void)[] = [];
  readonly turn: Turn;

  constructor() {
    const clock: Clock = {
      now: () => 0,
      monotonic: () => {
        this.looks += 1;
        return this.nowMs;
      },
      after: () => ({ cancel: () => {} }),
    };
    this.turn = new Turn(clock, (call) => void this.rounds.push(call));
  }

  /** The questions, counted from 1, at which the clock was looked at; `stepMs` passes before each but the first. */
  looksAt(questions: number, stepMs: number): number[] {
    const found: number[] = [];
    for (let question = 1; question <= questions; question++) {
      const before = this.looks;
      if (question > 1) this.nowMs += stepMs;
      expect(this.turn.isSpent(), `question ${question}`).toBe(false);
      if (this.looks > before) found.push(question);
    }
    return found;
  }
}

describe("a turn", () => {
  it("looks at its clock ever more seldom while questions pass quickly, and at every eighth at the least", () => {
    expect(new Bed().looksAt(40, 0)).toEqual([1, 2, 4, 8, 16, 24, 32, 40]);
  });

  it.each([
    [0.124, [1, 2, 4, 5, 7, 8]],
    [0.125, [1, 2, 3, 4, 5, 6, 7, 8]],
  ])("that is asked every %d ms looks at the questions %j: an eighth of a millisecond between two looks is slow", (stepMs, questions) => {
    expect(new Bed().looksAt(8, stepMs)).toEqual(questions);
  });

  it("looks at every question again once one was slow, and from there on as from the start", () => {
    const bed = new Bed();
    expect(bed.looksAt(8, 0)).toEqual([1, 2, 4, 8]);
    bed.nowMs += 0.5;
    const before = bed.looks;
    const looks = Array.from({ length: 16 }, () => {
      expect(bed.turn.isSpent()).toBe(false);
      return bed.looks - before;
    });
    // The stride of eight is walked to its end; slow, so the next question looks, then one two after it, then one four after that.
    expect(looks).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 4, 4]);
  });

  it.each([
    [1, false],
    [1.001, true],
  ])("of %d ms is spent: %s", (lastedMs, isSpent) => {
    const bed = new Bed();
    expect(bed.turn.isSpent()).toBe(false);
    bed.nowMs += lastedMs;
    expect(bed.turn.isSpent()).toBe(isSpent);
  });

  it("stays spent, however often it is asked, until the loop has gone round; then it begins anew from that moment", async () => {
    const bed = new Bed();
    bed.turn.isSpent();
    bed.nowMs += 5;
    expect([bed.turn.isSpent(), bed.turn.isSpent(), bed.turn.isSpent()]).toEqual([true, true, true]);
    expect(bed.rounds).toHaveLength(1);
    bed.rounds[0]?.();
    await bed.turn.next();
    expect(bed.turn.isSpent()).toBe(false);
    expect(bed.rounds).toHaveLength(2);
    bed.nowMs += 1;
    expect(bed.turn.isSpent()).toBe(false);
    bed.nowMs += 0.5;
    expect(bed.turn.isSpent()).toBe(true);
  });

  it("that nobody has looked at has no end to wait for, unless it is asked for one", async () => {
    const bed = new Bed();
    await bed.turn.next();
    expect([bed.looks, bed.rounds.length]).toEqual([0, 0]);
    let ended = 0;
    const waits = [bed.turn.ending(), bed.turn.ending(), bed.turn.next()].map((wait) =>
      wait.then(() => {
        ended += 1;
      }),
    );
    await Promise.resolve();
    expect([ended, bed.looks, bed.rounds.length]).toEqual([0, 1, 1]);
    bed.rounds[0]?.();
    await Promise.all(waits);
    expect(ended).toBe(3);
    // Over: the next one to ask begins another.
    const again = bed.turn.ending();
    expect(bed.rounds).toHaveLength(2);
    bed.rounds[1]?.();
    await again;
  });

  it("that was begun for its end is spent like any other", () => {
    const bed = new Bed();
    void bed.turn.ending();
    bed.nowMs += 2;
    expect(bed.turn.isSpent()).toBe(true);
  });

  it("is one for all who share a clock, and another for another clock", () => {
    const [one, other] = [new ManualClock(), new ManualClock()];
    expect(turnOf(one)).toBe(turnOf(one));
    expect(turnOf(other)).not.toBe(turnOf(one));
  });
});

describe("the way into the loop's next round", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("is setImmediate where there is one", () => {
    const calls: (() => void)[] = [];
    vi.stubGlobal("setImmediate", (call: () => void) => calls.push(call));
    const call = vi.fn();
    macrotask(new ManualClock())(call);
    expect(call).not.toHaveBeenCalled();
    expect(calls).toEqual([call]);
  });

  it("is one message for each call where there is none, in the order of the calls; a message of nobody's is nothing", () => {
    const ports: { onmessage: (() => void) | null }[] = [];
    let posted = 0;
    class Channel {
      readonly port1: { onmessage: (() => void) | null } = { onmessage: null };
      readonly port2 = {
        postMessage: () => {
          posted += 1;
        },
      };
      constructor() {
        ports.push(this.port1);
      }
    }
    vi.stubGlobal("setImmediate", undefined);
    vi.stubGlobal("MessageChannel", Channel);
    const order: string[] = [];
    const later = macrotask(new ManualClock());
    later(() => order.push("one"));
    later(() => order.push("two"));
    expect([ports.length, posted, order]).toEqual([1, 2, []]);
    ports[0]?.onmessage?.();
    expect(order).toEqual(["one"]);
    for (let message = 0; message < 2; message++) ports[0]?.onmessage?.();
    expect(order).toEqual(["one", "two"]);
  });

  it("is a timer of 0 ms where there is neither, one that keeps the process from ending", () => {
    vi.stubGlobal("setImmediate", undefined);
    vi.stubGlobal("MessageChannel", undefined);
    const after = vi.fn(() => ({ cancel: () => {} }));
    const call = (): void => {};
    macrotask({ now: () => 0, monotonic: () => 0, after })(call);
    expect(after.mock.calls).toEqual([[0, call, true]]);
  });
});
