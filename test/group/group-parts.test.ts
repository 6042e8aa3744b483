/** The parts of a group by themselves: its barrier, its sessions, the ids it has given out, and when a timer may hold the process. */
import { getEventListeners } from "node:events";
import { describe, expect, it, vi } from "vitest";
import type { Timer } from "../../src/base/clock.ts";
import { GroupCoordinator } from "../../src/group/coordinator.ts";
import { JoinBarrier } from "../../src/group/join-barrier.ts";
import { bytesEqual, type GroupMember, metadataOf, newMember, restoredMember, saysTheSame } from "../../src/group/member.ts";
import { PendingIds } from "../../src/group/pending-ids.ts";
import { Sessions } from "../../src/group/sessions.ts";
import { Waiter } from "../../src/group/waiter.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { JOIN, text } from "./group-world.ts";

function barrier(initialDelayMs: number): { readonly clock: ManualClock; readonly raised: JoinBarrier; readonly onFall: () => void } {
  const clock = new ManualClock();
  const onFall = vi.fn();
  return { clock, raised: new JoinBarrier(clock, initialDelayMs, onFall), onFall };
}

describe("a barrier", () => {
  it("falls once, after its time and not a millisecond before; raised anew it forgets the time before", async () => {
    const { clock, raised, onFall } = barrier(3000);
    raised.raise(100);
    await clock.advance(99);
    raised.raise(100);
    await clock.advance(99);
    expect(onFall).not.toHaveBeenCalled();
    expect(raised.awaitsFirstMembers).toBe(false);
    await clock.advance(1);
    expect(onFall).toHaveBeenCalledTimes(1);
    await clock.advance(1000);
    expect(onFall).toHaveBeenCalledTimes(1);
  });

  // The time from raising to falling: rounds of 3 s while someone came in the last, at most the timeout.
  it.each([
    ["nobody else comes", 3000, 60_000, [], 3000],
    ["someone comes in the first round", 3000, 60_000, [1], 6000],
    ["two come in one round", 3000, 60_000, [1, 2], 6000],
    ["someone comes in the second round alone", 3000, 60_000, [3001], 3000],
    ["someone comes in every round", 3000, 60_000, [1, 3001, 6001], 12_000],
    ["someone comes at the very end of a round", 3000, 60_000, [2999], 6000],
    ["the timeout is shorter than a round", 3000, 2000, [], 2000],
    ["the timeout is shorter than a round, and someone comes", 3000, 2000, [1], 2000],
    ["the timeout ends the second round", 3000, 5000, [1], 5000],
    ["the timeout is just two rounds", 3000, 6000, [1, 3001], 6000],
    ["there is no delay", 0, 60_000, [], 0],
    ["there is no time", 3000, 0, [], 0],
  ] as const)("for first members falls when it has waited for them: %s", async (_what, delayMs, timeoutMs, comings, fallsAt) => {
    const { clock, raised, onFall } = barrier(delayMs);
    raised.someoneCame();
    expect(raised.awaitsFirstMembers).toBe(false);
    raised.raiseForFirstMembers(timeoutMs);
    for (const [at, coming] of comings.entries()) {
      await clock.advance(coming - (comings[at - 1] ?? 0));
      raised.someoneCame();
    }
    const left = fallsAt - (comings.at(-1) ?? 0);
    // It fell before that one came, where it had nobody to wait for.
    if (left > 0) {
      await clock.advance(left - 1);
      expect(onFall).not.toHaveBeenCalled();
      expect(raised.awaitsFirstMembers).toBe(true);
      await clock.advance(1);
    }
    expect(onFall).toHaveBeenCalledTimes(1);
    expect(clock.pendingCount).toBe(0);
  });

  it("that is lowered does not fall, and awaits nobody", async () => {
    for (const raise of ["raise", "raiseForFirstMembers"] as const) {
      const { clock, raised, onFall } = barrier(3000);
      raised[raise](10_000);
      raised.lower();
      raised.lower();
      expect([raised.awaitsFirstMembers, clock.pendingCount]).toEqual([false, 0]);
      await clock.advance(20_000);
      expect(onFall).not.toHaveBeenCalled();
    }
    const { clock, raised, onFall } = barrier(3000);
    raised.raiseForFirstMembers(10_000);
    raised.raise(5000);
    expect([raised.awaitsFirstMembers, clock.pendingCount]).toEqual([false, 1]);
    await clock.advance(4999);
    expect(onFall).not.toHaveBeenCalled();
  });
});

describe("a session", () => {
  const member = (sessionTimeoutMs: number | null): GroupMember => newMember("m", { ...JOIN, sessionTimeoutMs }, "here");
  const sessions = () => {
    const clock = new ManualClock();
    const ended: [string, number][] = [];
    return { clock, ended, kept: new Sessions(clock, ({ memberId }, timeoutMs) => void ended.push([memberId, timeoutMs])) };
  };

  it("is one timer, however often its member is heard of, and ends a timeout after the last time", async () => {
    const { clock, ended, kept } = sessions();
    const heard = member(1000);
    for (let beat = 0; beat < 5; beat++) {
      kept.touch(heard);
      expect(clock.pendingCount).toBe(1);
      await clock.advance(300);
    }
    await clock.advance(699);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(ended).toEqual([["m", 1000]]);
    expect(clock.pendingCount).toBe(0);
  });

  it.each(["joining", "syncing", "beating"] as const)("goes on while a call of its member's is waiting: %s", async (call) => {
    const { clock, ended, kept } = sessions();
    const waiting = member(1000);
    kept.touch(waiting);
    waiting[call] = new Waiter<never>(undefined, () => {}) as never;
    await clock.advance(10_500);
    expect([ended, clock.pendingCount]).toEqual([[], 1]);
    waiting[call] = null;
    // It was looked at last at 10 s, and counted as heard of.
    await clock.advance(499);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(ended).toEqual([["m", 1000]]);
  });

  it("is none for a member of this process, and begins no more once it was ended", async () => {
    const { clock, ended, kept } = sessions();
    kept.touch(member(null));
    expect(clock.pendingCount).toBe(0);
    const gone = member(1000);
    kept.touch(gone);
    kept.end(gone);
    expect(clock.pendingCount).toBe(0);
    kept.touch(gone);
    expect(clock.pendingCount).toBe(0);
    const never = member(1000);
    kept.end(never);
    kept.touch(never);
    await clock.advance(5000);
    expect([ended, clock.pendingCount]).toEqual([[], 0]);
  });

  it("ends with its timer alone, when its member has become one of this process meanwhile", async () => {
    const { clock, ended, kept } = sessions();
    const heard = member(1000);
    kept.touch(heard);
    heard.sessionTimeoutMs = null;
    await clock.advance(5000);
    expect([ended, clock.pendingCount, heard.sessionTimer]).toEqual([[], 0, null]);
    heard.sessionTimeoutMs = 200;
    kept.touch(heard);
    await clock.advance(200);
    expect(ended).toEqual([["m", 200]]);
  });
});

describe("an id that was given out", () => {
  it("is awaited until it is taken, once, or until its time has passed", async () => {
    const clock = new ManualClock();
    const ids = new PendingIds(clock);
    const forgotten: string[] = [];
    for (const [id, timeoutMs] of [
      ["a", 100],
      ["b", 200],
    ] as const)
      ids.expect(id, timeoutMs, () => void forgotten.push(`${id} of ${ids.size}`));
    expect([ids.size, ids.take("c"), ids.take("b"), ids.take("b"), ids.size]).toEqual([2, false, true, false, 1]);
    await clock.advance(99);
    expect(forgotten).toEqual([]);
    await clock.advance(1);
    // Told when it is out already: what waits for it looks at the size.
    expect([forgotten, ids.size, ids.take("a")]).toEqual([["a of 0"], 0, false]);
    await clock.advance(1000);
    expect(forgotten).toHaveLength(1);
    ids.expect("d", 100, () => void forgotten.push("d"));
    ids.clear();
    expect([ids.size, clock.pendingCount]).toEqual([0, 0]);
  });
});

describe("a member", () => {
  const said = (...protocols: (readonly [string, string])[]) => protocols.map(([name, metadata]) => ({ name, metadata: text(metadata) }));
  const before = said(["range", "a"], ["sticky", "b"]);

  it.each([
    [said(["range", "a"], ["sticky", "b"]), true],
    [said(["sticky", "b"], ["range", "a"]), false],
    [said(["range", "a"]), false],
    [said(["range", "a"], ["sticky", "b"], ["more", ""]), false],
    [said(["range", "a"], ["stucky", "b"]), false],
    [said(["range", "a"], ["sticky", "c"]), false],
    [said(["range", "x"], ["sticky", "b"]), false],
    [said(["range", "ab"], ["sticky", "b"]), false],
    [said(["range", ""], ["sticky", "b"]), false],
    [[], false],
  ])("%# says the same as before: %s", (protocols, isSame) => {
    expect(saysTheSame(newMember("m", { ...JOIN, protocols: before }, ""), protocols)).toBe(isSame);
  });

  it.each([
    ["", "", true],
    ["ab", "ab", true],
    ["ab", "ac", false],
    ["ab", "bb", false],
    ["a", "ab", false],
    ["ab", "a", false],
    ["", "a", false],
  ])("compares %j and %j byte by byte", (left, right, isEqual) => {
    expect(bytesEqual(text(left), text(right))).toBe(isEqual);
  });

  it("has what it said under a protocol, and nothing under one that it did not name", () => {
    const member = newMember("m", { ...JOIN, protocols: before }, "");
    expect(["range", "sticky", "other", null].map((name) => Buffer.from(metadataOf(member, name)).toString())).toEqual(["a", "b", "", ""]);
  });

  it.each([
    [5000, 5000],
    [1, 1],
    [0, 30_000],
    [-1, 30_000],
  ])("found again with a rebalance timeout of %d ms is waited for %d ms, and holds what it held", (rebalanceTimeoutMs, waitedMs) => {
    const kept = {
      memberId: "m",
      groupInstanceId: "i",
      clientId: "c",
      clientHost: "/h",
      rebalanceTimeoutMs,
      sessionTimeoutMs: 30_000,
      subscription: text("topics"),
      assignment: text("all"),
    };
    expect(restoredMember(kept, "g", "consumer", "range")).toMatchObject({
      memberId: "m",
      groupInstanceId: "i",
      clientId: "c",
      clientHost: "/h",
      rebalanceTimeoutMs: waitedMs,
      sessionTimeoutMs: 30_000,
      protocols: [{ name: "range", metadata: text("topics") }],
      assignment: text("all"),
      synced: true,
    });
  });
});

describe("what waits in a group", () => {
  it("listens to its signal for as long as it waits, and no longer", async () => {
    for (const end of ["resolve", "reject", "abort"] as const) {
      const controller = new AbortController();
      const waiter = new Waiter<number>(controller.signal, () => {});
      waiter.promise.catch(() => {});
      expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
      if (end === "abort") controller.abort();
      else waiter[end](1);
      expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    }
  });

  /** Which timers of a group keep the process from ending, in the order in which they were set. */
  class HoldingClock extends ManualClock {
    readonly holds: [delayMs: number, keepAlive: boolean][] = [];

    override after(delayMs: number, call: () => void, keepAlive = false): Timer {
      this.holds.push([delayMs, keepAlive]);
      return super.after(delayMs, call);
    }
  }

  it("holds the process where callers wait for others, and not for a session, a heartbeat or an id that may never come back", async () => {
    const clock = new HoldingClock();
    const groups = new GroupCoordinator({ clock, random: new SeededRandom(1), save: async () => {}, emit: () => {} });
    const request = { ...JOIN, sessionTimeoutMs: 7000 };
    await groups.joinGroup(request, undefined, { requireKnownMemberId: true }).catch(() => {});
    const joined = groups.joinGroup(request);
    await clock.advance(3000);
    await clock.advance(4000);
    const { memberId, generation } = await joined;
    const who = { groupId: "g", memberId, groupInstanceId: null, generation };
    await groups.syncGroup({ ...who, assignments: [] });
    void groups.heartbeat({ ...who, maxWaitMs: 900 }).catch(() => {});
    void groups.joinGroup({ ...request, rebalanceTimeoutMs: 50_000 }).catch(() => {});
    await settled();
    expect(clock.holds).toEqual([
      [7000, false], // an id that was given out
      [3000, true], // others may come
      [60_000, true], // all are to sync
      [7000, false], // a session
      [900, false], // a heartbeat
      [60_000, true], // all are to join
    ]);
    groups.close();
    expect(clock.pendingCount).toBe(0);
  });
});
