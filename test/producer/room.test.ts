/** The bounds of what a producer holds: its bytes to the last one, the order of those who wait for them, and what a flush waits for. */
import { describe, expect, it } from "vitest";
import type { Destination } from "../../src/producer/batch-gate.ts";
import { BufferMemory } from "../../src/producer/buffer-memory.ts";
import { HeldBatches } from "../../src/producer/held-batches.ts";
import type { PendingBatch } from "../../src/producer/pending-batch.ts";
import { Unsettled } from "../../src/producer/unsettled.ts";
import { type WaitingCall, WaitingLine } from "../../src/producer/waiting-line.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { gate } from "./world.ts";

describe("bufferMemory", () => {
  it("is given out to its last byte, and not one more", () => {
    const memory = new BufferMemory(100, () => {});
    expect([memory.reserve(60), memory.reserve(40), memory.reserve(1)]).toEqual([true, true, false]);
    expect(memory.usedByteLength).toBe(100);
    memory.release(1);
    // What was refused took nothing.
    expect([memory.reserve(2), memory.usedByteLength, memory.reserve(1), memory.usedByteLength]).toEqual([false, 99, true, 100]);
  });

  it("tells of room once there is some", () => {
    const seen: boolean[] = [];
    const memory: BufferMemory = new BufferMemory(10, () => seen.push(memory.reserve(10)));
    memory.reserve(10);
    memory.release(10);
    expect([seen, memory.usedByteLength]).toEqual([[true], 10]);
  });
});

/** Waits until it may go, and notes what became of it. */
class Call implements WaitingCall {
  mayGo = false;
  readonly name: string;
  readonly #notes: string[];
  constructor(name: string, notes: string[]) {
    this.name = name;
    this.#notes = notes;
  }
  advance(): boolean {
    if (this.mayGo) this.#notes.push(`${this.name} went`);
    return this.mayGo;
  }
  expire(): void {
    this.#notes.push(`${this.name} expired`);
  }
}

describe("those who wait in line", () => {
  function lineOf(maxBlockMs: number) {
    const clock = new ManualClock();
    const notes: string[] = [];
    const line = new WaitingLine(clock, maxBlockMs);
    const add = (name: string): Call => {
      const call = new Call(name, notes);
      line.add(call);
      return call;
    };
    return { clock, notes, line, add };
  }

  it("go in their order: who may go waits for who came before", () => {
    const { notes, line, add } = lineOf(1000);
    const [first, second, third] = [add("a"), add("b"), add("c")];
    second.mayGo = true;
    line.advance();
    expect([notes, line.isEmpty]).toEqual([[], false]);
    first.mayGo = true;
    line.advance();
    expect([notes, line.isEmpty]).toEqual([["a went", "b went"], false]);
    third.mayGo = true;
    line.advance();
    expect([notes.length, line.isEmpty]).toEqual([3, true]);
  });

  it("are each given up maxBlockMs after they came, to the millisecond, and no timer stays behind the last", async () => {
    const { clock, notes, line, add } = lineOf(1000);
    const first = add("a");
    await clock.advance(300);
    add("b");
    add("c");
    await clock.advance(300);
    add("d");
    first.mayGo = true;
    line.advance();
    await clock.advance(699);
    expect(notes).toEqual(["a went"]);
    await clock.advance(1);
    expect(notes).toEqual(["a went", "b expired", "c expired"]);
    await clock.advance(299);
    expect([notes.length, clock.pendingCount]).toEqual([3, 1]);
    await clock.advance(1);
    expect([notes.at(-1), line.isEmpty, clock.pendingCount]).toEqual(["d expired", true, 0]);
  });

  it("are asked in order, each until it goes and no more, when thousands wait", () => {
    const { notes, line, add } = lineOf(1000);
    const calls = Array.from({ length: 3000 }, (_, index) => add(String(index)));
    for (const upTo of [1, 700, 1023, 1024, 1025, 2047, 2500, 2999]) {
      for (const call of calls.slice(0, upTo)) call.mayGo = true;
      line.advance();
      add("behind").mayGo = true;
      expect([notes.length, line.isEmpty]).toEqual([upTo, false]);
    }
    (calls[2999] as Call).mayGo = true;
    line.advance();
    expect(notes).toEqual([...calls.map(({ name }) => `${name} went`), ...new Array(8).fill("behind went")]);
    expect(line.isEmpty).toBe(true);
  });

  it("let those behind go as soon as one is given up that stood in their way", async () => {
    const { clock, notes, add } = lineOf(50);
    add("a");
    await clock.advance(10);
    add("b").mayGo = true;
    await clock.advance(40);
    expect([notes, clock.pendingCount]).toEqual([["a expired", "b went"], 0]);
  });

  it("wait for ever where nothing bounds it, without a timer, and not at all where the bound is 0", async () => {
    const endless = lineOf(Number.POSITIVE_INFINITY);
    endless.add("a");
    expect(endless.clock.pendingCount).toBe(0);
    const hasty = lineOf(0);
    hasty.add("a");
    await hasty.clock.advance(0);
    expect(hasty.notes).toEqual(["a expired"]);
  });
});

describe("a flush", () => {
  const isOver = async (promise: Promise<void>): Promise<boolean> => {
    let over = false;
    void promise.then(() => {
      over = true;
    });
    await settled();
    return over;
  };

  it("waits for what had begun, for nothing begun since, and for all that an earlier one waits for", async () => {
    const unsettled = new Unsettled();
    expect(await isOver(unsettled.settled())).toBe(true);
    const [one, two] = [unsettled.begin(), unsettled.begin()];
    const first = unsettled.settled();
    const three = unsettled.begin();
    const second = unsettled.settled();
    const four = unsettled.begin();
    three.end();
    one.end();
    expect([await isOver(first), await isOver(second)]).toEqual([false, false]);
    two.end();
    expect([await isOver(first), await isOver(second)]).toEqual([true, true]);
    const third = unsettled.settled();
    expect(await isOver(third)).toBe(false);
    four.end();
    expect(await isOver(third)).toBe(true);
  });
});

describe("batches that may not be handed over yet", () => {
  function heldBy(answers: (() => Promise<void>)[]) {
    const notes: string[] = [];
    const names = (batches: readonly Destination[]): string => batches.map(({ partition }) => partition).join(" ");
    const held = new HeldBatches(
      {
        isOpenFor: (_topic, partition) => partition === 9,
        open: (batches) => {
          notes.push(`asks ${names(batches)}`);
          return (answers.shift() ?? (() => Promise.resolve()))();
        },
      },
      {
        handOver: (batch) => notes.push(`goes ${batch.partition}`),
        refuse: (batch, error) => notes.push(`${(error as Error).message} ${batch.partition}`),
        onEmpty: () => notes.push(`empty ${held.isEmpty}`),
      },
    );
    const batch = (partition: number): PendingBatch => ({ topic: {}, partition }) as PendingBatch;
    return { held, notes, batch };
  }

  it("are asked for together at the end of the turn; those that came meanwhile together behind them", async () => {
    const asked = gate();
    const { held, notes, batch } = heldBy([() => asked.opened]);
    expect([held.mustHold(batch(9)), held.mustHold(batch(1)), held.isEmpty]).toEqual([false, true, true]);
    held.add(batch(1));
    held.add(batch(2));
    expect(notes).toEqual([]);
    // Nothing overtakes them, open or not.
    expect([held.mustHold(batch(9)), held.isEmpty]).toEqual([true, false]);
    await settled();
    held.add(batch(9));
    held.add(batch(3));
    await settled();
    expect(notes).toEqual(["asks 1 2"]);
    asked.open();
    await settled();
    expect(notes).toEqual(["asks 1 2", "goes 1", "goes 2", "asks 9 3", "goes 9", "goes 3", "empty true"]);
    held.add(batch(4));
    await settled();
    expect(notes.slice(7)).toEqual(["asks 4", "goes 4", "empty true"]);
  });

  it("are refused where the gate was asked for them in vain, and those that came meanwhile are asked for anew", async () => {
    const asked = gate();
    const { held, notes, batch } = heldBy([() => asked.opened.then(() => Promise.reject(new Error("shut")))]);
    held.add(batch(1));
    await settled();
    held.add(batch(2));
    asked.open();
    await settled();
    expect(notes).toEqual(["asks 1", "shut 1", "asks 2", "goes 2", "empty true"]);
  });
});
