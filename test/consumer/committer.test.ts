/** What is committed, by whom, how often it is tried, and what is learnt from it. */
import { describe, expect, it } from "vitest";
import type { NextOffset } from "../../src/api/bytes.ts";
import { faultFromError, GroupError, OdradekError, StorageError } from "../../src/base/errors.ts";
import { Assignment } from "../../src/consumer/assignment.ts";
import { type CommitIdentity, Committer } from "../../src/consumer/committer.ts";
import { Hand } from "../../src/consumer/hand.ts";
import type { PartitionState } from "../../src/consumer/partition-state.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";
import { orders } from "./bed.ts";

const people = { topic: "people", partition: 3 };
const turnedAway = (): GroupError => new GroupError("REBALANCE_IN_PROGRESS", "a generation is being handed out");

function world() {
  const clock = new ManualClock();
  const [assignment, hand] = [new Assignment(), new Hand()];
  const states = assignment.add([orders, people]) as [PartitionState, PartitionState];
  for (const state of states) state.moveTo(0);
  const written: string[] = [];
  const events: string[] = [];
  const given: { answers: (Error | null)[]; generation: number; whenSynced: () => boolean } = {
    answers: [],
    generation: 1,
    whenSynced: () => true,
  };
  const committer = new Committer({
    broker: {
      offsetCommit: async ({ generation, durable, offsets }: CommitIdentity & { durable: boolean; offsets: NextOffset[] }) => {
        written.push(`${generation}${durable ? " durable" : ""}: ${offsets.map((each) => `${each.topic} ${each.nextOffset}`).join(", ")}`);
        const answer = given.answers.shift() ?? null;
        if (answer instanceof GroupError) throw answer;
        return offsets.map((each, index) => ({ ...each, fault: answer !== null && index === 1 ? faultFromError(answer) : null }));
      },
    } as never,
    clock,
    assignment,
    hand,
    role: {
      identity: async () => ({ groupId: "g", memberId: "m", groupInstanceId: null, generation: given.generation++ }),
      whenSynced: async () => given.whenSynced(),
    },
    emit: (type, { error }) => void events.push(`${type} ${(error as Error).message}`),
  });
  return { clock, assignment, hand, states, written, events, given, committer };
}
const at = (partition: { topic: string; partition: number }, nextOffset: number): NextOffset => ({ ...partition, nextOffset });
const spelled = (...offsets: NextOffset[]) => ({ offsets, isDelivered: false });

describe("commit()", () => {
  it("covers what was moved past, and what a poll gave too, of every partition that has something new", async () => {
    const { hand, states, written, committer } = world();
    const [one, two] = states;
    one.moveTo(2);
    hand.take(one, 2, 4);
    await committer.commitAll(false);
    hand.coversCommit = true;
    await committer.commitAll(true);
    await committer.commitAll(true);
    two.committed = 0;
    await committer.commitMovedPast(states, false);
    expect(written).toEqual(["1: orders 2, people 0", "2 durable: orders 4"]);
    // It is not written back either.
    hand.moveOn();
    await committer.commitAll(false);
    expect(written).toHaveLength(2);
  });

  it("that is turned away is made again as who the member is then, as long as a rebalance gets on", async () => {
    const { given, written, committer } = world();
    given.answers = [turnedAway(), turnedAway()];
    await committer.commit(spelled(at(orders, 5)), true);
    expect(written).toEqual(["1 durable: orders 5", "2 durable: orders 5", "3 durable: orders 5"]);
    given.answers = [turnedAway()];
    given.whenSynced = () => false;
    await expect(committer.commit(spelled(at(orders, 6)), false)).rejects.toMatchObject({ code: "REBALANCE_IN_PROGRESS" });
    expect(written.slice(3)).toEqual(["4: orders 6"]);
  });

  it("is not made again of a partition that the rebalance took away, nor where anything else was refused", async () => {
    const { assignment, states, given, written, committer } = world();
    given.answers = [turnedAway()];
    given.whenSynced = () => {
      assignment.remove([states[0]]);
      return true;
    };
    await expect(committer.commit(spelled(at(people, 1), at(orders, 5)), false)).rejects.toMatchObject({ code: "ILLEGAL_GENERATION" });
    given.answers = [new GroupError("UNKNOWN_MEMBER_ID", "who?")];
    await expect(committer.commit(spelled(at(people, 1)), false)).rejects.toMatchObject({ code: "UNKNOWN_MEMBER_ID" });
    expect(written).toHaveLength(2);
  });

  it("is refused with what one of its partitions was refused with, and then counts for none", async () => {
    const { states, given, committer } = world();
    given.answers = [new StorageError("STORAGE_FULL", "no room")];
    await expect(committer.commit(spelled(at(orders, 5), at(people, 6)), false)).rejects.toMatchObject({ code: "STORAGE_FULL" });
    expect(states.map(({ committed }) => committed)).toEqual([null, null]);
  });

  it("of what was delivered needs its partition; one that is not there any more is told by its name", async () => {
    const { assignment, states, written, committer } = world();
    assignment.remove([states[1]]);
    const delivered = { offsets: [at(people, 4)], isDelivered: true };
    await expect(committer.commit(delivered, false)).rejects.toThrow("people-3 is no longer assigned");
    await committer.commit(spelled(at(people, 4)), false);
    expect(written).toEqual(["1: people 4"]);
    await committer.commit(spelled(), false);
    expect(written).toHaveLength(1);
  });
});

describe("what is learnt from a commit", () => {
  it("is what the group has, and a floor for what follows by itself, where it is not ahead of what was delivered", async () => {
    const { states, committer } = world();
    const [state] = states;
    for (const [position, nextOffset, floor] of [
      [5, 4, 4],
      [5, 5, 5],
      [5, 6, 0],
    ] as const) {
      state.moveTo(position);
      await committer.commit(spelled(at(orders, nextOffset)), false);
      expect([state.committed, state.committedFloor]).toEqual([nextOffset, floor]);
    }
  });

  it("is no floor where a seek came while it was written, and no way back where that was moved meanwhile", async () => {
    const { states, given, committer } = world();
    const [state] = states;
    state.moveTo(5);
    state.rewindTo = 2;
    await committer.commit(spelled(at(orders, 3)), false);
    expect([state.committedFloor, state.rewindTo]).toEqual([3, null]);
    given.answers = [turnedAway()];
    given.whenSynced = () => {
      state.rewindTo = 7;
      state.moveTo(7);
      return true;
    };
    await committer.commit(spelled(at(orders, 4)), false);
    expect([state.committed, state.committedFloor, state.rewindTo]).toEqual([4, 0, 7]);
  });

  it("counts as well where another made it, for what is assigned alone", () => {
    const { states, committer } = world();
    states[0].moveTo(9);
    states[0].rewindTo = 1;
    committer.learn([at(orders, 6), at({ topic: "gone", partition: 0 }, 3)]);
    expect(states[0]).toMatchObject({ committed: 6, committedFloor: 6, rewindTo: null });
    expect(states[1]).toMatchObject({ committed: null, committedFloor: 0 });
  });
});

describe("committing by itself", () => {
  it("comes every interval until it is stopped, once however often it was begun, and tells what failed", async () => {
    const { clock, states, written, events, given, committer } = world();
    committer.start(100);
    committer.start(30);
    states[0].moveTo(1);
    states[1].committed = 0;
    await clock.advance(99);
    expect(written).toEqual([]);
    await clock.advance(1);
    expect(written).toEqual(["1: orders 1"]);
    states[0].moveTo(2);
    given.answers = [new GroupError("UNKNOWN_MEMBER_ID", "who?")];
    await clock.advance(100);
    expect([written.length, events]).toEqual([2, ["commit.failed who?"]]);
    await clock.advance(100);
    expect(written.slice(2)).toEqual(["3: orders 2"]);
    states[0].moveTo(3);
    committer.stop();
    committer.stop();
    await clock.advance(1000);
    expect([written.length, clock.pendingCount]).toEqual([3, 0]);
    committer.start(10);
    await clock.advance(10);
    await settled();
    expect(written).toHaveLength(4);
    committer.stop();
  });

  it("reports an error of no kind that is known as it is", () => {
    const { events, committer } = world();
    committer.report(new OdradekError("UNKNOWN_SERVER_ERROR", "odd"));
    expect(events).toEqual(["commit.failed odd"]);
  });
});
