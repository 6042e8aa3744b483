/** Where a consumer stands, by the parts that know: positions, what is in hand, what may be committed, and who is woken. */
import { describe, expect, it } from "vitest";
import { Assignment } from "../../src/consumer/assignment.ts";
import { offsetsOf } from "../../src/consumer/committer.ts";
import { Hand } from "../../src/consumer/hand.ts";
import { PartitionState } from "../../src/consumer/partition-state.ts";
import { Session } from "../../src/consumer/session.ts";
import { Signal } from "../../src/consumer/signal.ts";
import { Wakeup } from "../../src/consumer/wakeup.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";
import { orders } from "./bed.ts";

const at = (partition: number) => ({ topic: "orders", partition });

async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  void promise.then(() => {
    over = true;
  });
  await settled();
  return over;
}

describe("what a commit writes of a partition", () => {
  it.each([
    ["nothing where nothing is known", { committed: null }, null, null],
    ["what was moved past", { committed: 3 }, 5, 5],
    ["nothing that is written already", { committed: 5 }, 5, null],
    ["less, after a seek back", { committed: 5 }, 2, 2],
    ["nothing below what was committed by hand", { committed: 7, committedFloor: 6 }, 5, null],
    ["from there on, that very offset included", { committed: 7, committedFloor: 6 }, 6, 6],
    ["not where reading merely began", { committed: null, startedAt: 4 }, 4, null],
    ["one further than where it began", { committed: null, startedAt: 4 }, 5, 5],
    ["where it began, when the group has another offset", { committed: 9, startedAt: 4 }, 4, 4],
    ["offset 0, which is one", { committed: 3 }, 0, 0],
  ] as const)("is %s", (_, known, end, expected) => {
    const state = Object.assign(new PartitionState(orders), known);
    expect(state.commitOf(end)).toBe(expected);
    expect(offsetsOf([state], () => end)).toEqual(expected === null ? [] : [{ ...orders, nextOffset: expected }]);
  });
});

describe("a partition's state", () => {
  it("is moved by a seek, and then nothing of before counts: not what is in hand, nor fetched, nor committed by hand", () => {
    const state = new PartitionState(orders);
    Object.assign(state, { position: 5, handFrom: 3, fetchOffset: 9, committedFloor: 4 });
    expect([state.movedPast, `${state}`]).toEqual([3, "orders-0"]);
    const { epoch } = state;
    state.moveTo(2);
    expect(state).toMatchObject({ position: 2, handFrom: null, fetchOffset: 2, committedFloor: 0, epoch: epoch + 1, movedPast: 2 });
    state.moveTo(null);
    expect(state).toMatchObject({ position: null, fetchOffset: 0, epoch: epoch + 2, movedPast: null });
  });

  it("goes back to what was in hand when that is given back, and stays where nothing was", () => {
    const state = new PartitionState(orders);
    state.moveTo(5);
    const { epoch } = state;
    state.giveBack();
    expect(state).toMatchObject({ position: 5, epoch });
    Object.assign(state, { position: 8, handFrom: 5, fetchOffset: 20 });
    state.giveBack();
    expect(state).toMatchObject({ position: 5, handFrom: null, fetchOffset: 5, epoch: epoch + 1 });
  });
});

describe("the hand", () => {
  it("holds of each partition what was taken from its first offset on, until the next is asked for", async () => {
    const [hand, one, two] = [new Hand(), new PartitionState(at(0)), new PartitionState(at(1))];
    expect([hand.isEmpty, await isOver(hand.whenEmpty())]).toEqual([true, true]);
    hand.take(one, 3, 4);
    hand.take(one, 4, 5);
    hand.take(two, 7, 8);
    hand.coversCommit = true;
    const empty = hand.whenEmpty();
    expect([hand.isEmpty, one.movedPast, one.position, two.movedPast, two.position, await isOver(empty)]).toEqual([
      false,
      3,
      5,
      7,
      8,
      false,
    ]);
    hand.moveOn();
    expect([hand.isEmpty, one.movedPast, two.movedPast, hand.coversCommit, await isOver(empty)]).toEqual([true, 5, 8, false, true]);
  });

  it("gives back all of it, of every partition, and covers no commit then", async () => {
    const [hand, one, two] = [new Hand(), new PartitionState(at(0)), new PartitionState(at(1))];
    hand.take(one, 3, 5);
    hand.take(two, 7, 8);
    hand.coversCommit = true;
    const empty = hand.whenEmpty();
    hand.giveBack();
    expect([hand.isEmpty, one.position, two.position, hand.coversCommit, await isOver(empty)]).toEqual([true, 3, 7, false, true]);
    hand.take(two, 7, 8);
    hand.moveOn();
    expect([one.position, two.movedPast]).toEqual([3, 8]);
  });
});

describe("an assignment", () => {
  it("knows its positions when each partition has one, from the first moment to the next that comes", () => {
    const assignment = new Assignment();
    expect(assignment.hasPositions).toBe(true);
    const [one, two] = assignment.add([at(0), at(1)]) as [PartitionState, PartitionState];
    one.moveTo(0);
    expect(assignment.hasPositions).toBe(false);
    two.moveTo(3);
    expect(assignment.hasPositions).toBe(true);
    assignment.moveTo(one, 7);
    expect([assignment.hasPositions, one.position, one.rewindTo, one.target]).toEqual([true, 7, 7, null]);
    assignment.moveTo(one, "latest");
    expect([assignment.hasPositions, one.position, one.rewindTo, one.target]).toEqual([false, null, null, "latest"]);
    one.moveTo(1);
    expect(assignment.add([at(1)])).toEqual([]);
    expect(assignment.hasPositions).toBe(true);
    assignment.add([at(2)]);
    expect(assignment.hasPositions).toBe(false);
  });

  it("goes back as a whole: to the last seek, or to what the group has where that is in doubt or there was none", () => {
    const assignment = new Assignment();
    const [sought, doubted, plain] = assignment.add([at(0), at(1), at(2)]) as [PartitionState, PartitionState, PartitionState];
    for (const state of [sought, doubted, plain]) state.moveTo(9);
    assignment.moveTo(sought, 4);
    assignment.moveTo(doubted, 5);
    sought.moveTo(6);
    plain.target = "earliest";
    assignment.rewind([{ ...at(1), nextOffset: 8 }]);
    expect([sought, doubted, plain].map(({ position, inDoubt, target }) => [position, inDoubt, target])).toEqual([
      [4, null, null],
      [null, 8, null],
      [null, null, null],
    ]);
    expect(assignment.hasPositions).toBe(false);
  });

  it("is another list whenever it changes, and what was taken away is of no use any more", () => {
    const assignment = new Assignment();
    const [one, two] = assignment.add([at(0), at(1)]) as [PartitionState, PartitionState];
    const before = assignment.states;
    expect(assignment.states).toBe(before);
    Object.assign(one, { handFrom: 3, position: 4 });
    const { epoch } = one;
    assignment.remove([one]);
    expect([assignment.states, before.length]).toEqual([[two], 2]);
    expect(one).toMatchObject({ revoked: true, handFrom: null, epoch: epoch + 1 });
    expect([assignment.find(at(0)), assignment.find(at(1)), assignment.partitions()]).toEqual([undefined, two, [at(1)]]);
    expect(assignment.statesOf(undefined, "pause")).toEqual([two]);
    expect(() => assignment.statesOf([at(1), at(0)], "pause")).toThrow("pause: orders-0 is not assigned");
  });

  it("names up to twenty of its partitions to who asked for another", () => {
    const assignment = new Assignment();
    assignment.add(Array.from({ length: 20 }, (_, partition) => at(partition)));
    expect(() => assignment.get(at(50), "seek")).toThrow(/orders-18, orders-19$/);
    assignment.add([at(20)]);
    expect(() => assignment.get(at(50), "seek")).toThrow(/orders-19, …$/);
  });
});

describe("a session until the end", () => {
  it("is finished when every partition is at the end that it had, and where there is none", () => {
    const assignment = new Assignment();
    const [one, two] = assignment.add([at(0), at(1)]) as [PartitionState, PartitionState];
    const session = new Session("records()", { untilEnd: true });
    expect([session.hasEnds, session.knowsEnds(assignment), new Session("records()", {}).hasEnds]).toEqual([true, false, false]);
    const ends = new Map([
      ["orders-0", 3],
      ["orders-1", 0],
    ]);
    const asked: number[] = [];
    const positions = {
      ends: async (partitions: readonly unknown[]) => {
        asked.push(partitions.length);
        return ends;
      },
    } as never;
    return session.learnEnds(assignment, positions).then(async () => {
      expect([session.knowsEnds(assignment), session.isFinished(assignment)]).toEqual([true, false]);
      one.moveTo(3);
      // Where reading begins in the other is not known yet, be it empty or not.
      expect(session.isFinished(assignment)).toBe(false);
      one.moveTo(2);
      two.moveTo(0);
      expect([session.finished(one, 2), session.finished(one, 3), session.isFinished(assignment)]).toEqual([false, true, false]);
      one.moveTo(3);
      expect(session.isFinished(assignment)).toBe(true);
      assignment.add([at(2)]);
      expect(session.knowsEnds(assignment)).toBe(false);
      await session.learnEnds(assignment, positions);
      expect(asked).toEqual([2, 1]);
      expect(new Session("records()", {}).isFinished(new Assignment())).toBe(false);
    });
  });
});

describe("a session that reads for ever", () => {
  it("knows all the ends that it has, and asks for none", async () => {
    const assignment = new Assignment();
    assignment.add([at(0)]);
    const session = new Session("records()", {});
    expect(session.knowsEnds(assignment)).toBe(true);
    await session.learnEnds(assignment, { ends: () => Promise.reject(new Error("asked for")) } as never);
    expect(session.isFinished(assignment)).toBe(false);
  });
});

describe("who waits", () => {
  it("is woken once by whoever comes first, keeps the process alive for as long, and leaves no timer", async () => {
    const clock = new ManualClock();
    const wakeup = new Wakeup(clock);
    wakeup.wake();
    const waiting = wakeup.wait();
    await clock.advance(200_000);
    expect([await isOver(waiting), clock.pendingCount]).toEqual([false, 1]);
    wakeup.wake();
    expect([await isOver(waiting), clock.pendingCount]).toEqual([true, 0]);
  });

  it("no longer than so is woken by the time, or before it, and leaves no timer either way", async () => {
    const clock = new ManualClock();
    const wakeup = new Wakeup(clock);
    const late = wakeup.waitAtMost(50);
    await clock.advance(49);
    expect(await isOver(late)).toBe(false);
    await clock.advance(1);
    expect([await isOver(late), clock.pendingCount]).toEqual([true, 0]);
    const soon = wakeup.waitAtMost(50);
    wakeup.wake();
    expect([await isOver(soon), clock.pendingCount]).toEqual([true, 0]);
  });

  it("with others is told with them, and again only by what comes later", async () => {
    const signal = new Signal();
    signal.tell();
    const [one, two] = [signal.wait(), signal.wait()];
    expect([await isOver(one), await isOver(two)]).toEqual([false, false]);
    signal.tell();
    const three = signal.wait();
    expect([await isOver(one), await isOver(two), await isOver(three)]).toEqual([true, true, false]);
    signal.tell();
    expect(await isOver(three)).toBe(true);
  });
});
