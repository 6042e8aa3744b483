import { describe, expect, it } from "vitest";
import { MemberIdRequiredError } from "../../src/group/member-id.ts";
import { subscribedTopics } from "../../src/group/subscribed-topics.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { GROUP, isWaiting, REMOTE, text, untext, World } from "./group-world.ts";

const code = (expected: string) => expect.objectContaining({ name: "GroupError", code: expected });

describe("joining", () => {
  it("a first member of this process leads a group of one at once, without any time passing", async () => {
    const world = new World();
    const answer = await world.join();
    expect(answer).toMatchObject({ generation: 1, protocolName: "range", leader: answer.memberId });
    expect(answer.memberId).toMatch(/^app-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(answer.members.map(({ memberId, metadata }) => [memberId, untext(metadata)])).toEqual([[answer.memberId, "topics"]]);
    expect(await world.sync(answer)).toBe(`for ${answer.memberId}`);
    expect(world.group.state).toBe("Stable");
  });

  it("a second member makes the first join again; only the leader, who stays, is told the members", async () => {
    const world = new World();
    const [first] = await world.stable(1);
    const second = world.join();
    expect(await isWaiting(second)).toBe(true);
    expect(world.group.state).toBe("PreparingRebalance");
    const [again, newcomer] = await Promise.all([world.join({ memberId: first!.memberId }), second]);
    expect([again.generation, newcomer.generation]).toEqual([2, 2]);
    expect([again.leader, newcomer.leader]).toEqual([first!.memberId, first!.memberId]);
    expect([again.members.length, newcomer.members.length]).toEqual([2, 0]);
  });

  it("of a remote member waits 3 s for others, anew as long as they come, but no longer than the rebalance timeout", async () => {
    const world = new World();
    const joins = [world.join({ ...REMOTE, rebalanceTimeoutMs: 7000 })];
    for (const waited of [2000, 2000]) {
      await world.clock.advance(waited);
      joins.push(world.join({ ...REMOTE, rebalanceTimeoutMs: 7000 }));
    }
    // 4 s have passed: the round that began at 3 s saw someone come, the next would end at 9 s; 7 s is the limit.
    await world.clock.advance(2999);
    expect(await isWaiting(joins[0]!)).toBe(true);
    await world.clock.advance(1);
    const answers = await Promise.all(joins);
    expect(answers.map(({ generation }) => generation)).toEqual([1, 1, 1]);
  });

  it("a client that asks for it is given its id first, and the rebalance waits for it to come back", async () => {
    const world = new World();
    const required = await world.join(REMOTE, { requireKnownMemberId: true }).catch((error: unknown) => error);
    expect(required).toBeInstanceOf(MemberIdRequiredError);
    const { memberId } = required as MemberIdRequiredError;
    expect(world.group).toMatchObject({ state: "Empty", members: [] });
    const joined = world.join({ ...REMOTE, memberId }, { requireKnownMemberId: true });
    await world.clock.advance(3000);
    const first = await joined;
    expect(first.memberId).toBe(memberId);
    await world.sync(first);

    await world.join(REMOTE, { requireKnownMemberId: true }).catch(() => {});
    const again = world.join({ ...REMOTE, memberId });
    await world.clock.advance(9999);
    expect(await isWaiting(again)).toBe(true);
    await world.clock.advance(1);
    expect((await again).generation).toBe(2);
  });

  it("an id given out and never used is forgotten", async () => {
    const world = new World();
    const { memberId } = (await world
      .join(REMOTE, { requireKnownMemberId: true })
      .catch((error: unknown) => error)) as MemberIdRequiredError;
    await world.clock.advance(10_000);
    await expect(world.join({ ...REMOTE, memberId })).rejects.toEqual(code("UNKNOWN_MEMBER_ID"));
    expect(world.clock.pendingCount).toBe(0);
  });

  it("refuses what Kafka refuses, with Kafka's codes", async () => {
    const world = new World();
    await expect(world.join({ groupId: "" })).rejects.toEqual(code("INVALID_GROUP_ID"));
    for (const sessionTimeoutMs of [5999, 1_800_001, Number.NaN]) {
      await expect(world.join({ sessionTimeoutMs })).rejects.toEqual(code("INVALID_SESSION_TIMEOUT"));
    }
    await expect(world.join({ memberId: "ghost" })).rejects.toEqual(code("UNKNOWN_MEMBER_ID"));
    await expect(world.join({ protocols: [] })).rejects.toEqual(code("INCONSISTENT_GROUP_PROTOCOL"));
    await expect(world.join({ rebalanceTimeoutMs: 0 })).rejects.toMatchObject({ name: "UsageError", code: "INVALID_ARGUMENT" });
    const [member] = await world.stable(1);
    await expect(world.join({ memberId: "ghost" })).rejects.toEqual(code("UNKNOWN_MEMBER_ID"));
    await expect(world.join({ groupInstanceId: "i", memberId: "ghost" })).rejects.toEqual(code("UNKNOWN_MEMBER_ID"));
    await expect(world.join({ protocols: [{ name: "sticky", metadata: text("") }] })).rejects.toEqual(code("INCONSISTENT_GROUP_PROTOCOL"));
    await expect(world.join({ protocolType: "connect" })).rejects.toEqual(code("INCONSISTENT_GROUP_PROTOCOL"));
    expect(world.group).toMatchObject({ state: "Stable", generation: 1, members: [{ memberId: member!.memberId }] });
  });

  it("elects the protocol all know that most prefer", async () => {
    const world = new World();
    const named = (...names: string[]) => ({ ...REMOTE, protocols: names.map((name) => ({ name, metadata: text(name) })) });
    const joins = [
      world.join(named("range", "sticky", "roundrobin")),
      world.join(named("cooperative-sticky", "sticky", "range")),
      world.join(named("sticky", "range")),
    ];
    await world.clock.advance(6000);
    const [leader] = await Promise.all(joins);
    expect(leader?.protocolName).toBe("sticky");
    expect(leader?.members.map(({ metadata }) => untext(metadata))).toEqual(["sticky", "sticky", "sticky"]);
  });

  it("again with the same metadata changes nothing for a follower, and begins a rebalance for the leader", async () => {
    const world = new World();
    const [leader, follower] = await world.stable(2);
    const { generation } = world.group;
    expect(await world.join({ memberId: follower!.memberId })).toMatchObject({ generation, members: [], leader: leader!.memberId });
    expect(world.group.state).toBe("Stable");
    const again = world.join({ memberId: leader!.memberId });
    expect(world.group.state).toBe("PreparingRebalance");
    await world.join({ memberId: follower!.memberId });
    expect((await again).generation).toBe(generation + 1);
  });

  it("again with other metadata begins a rebalance, whoever does it", async () => {
    const world = new World();
    const [, follower] = await world.stable(2);
    void world.join({ memberId: follower!.memberId, protocols: [{ name: "range", metadata: text("other topics") }] });
    await settled();
    expect(world.group.state).toBe("PreparingRebalance");
  });

  it("whose answer was lost is answered again before the sync", async () => {
    const world = new World();
    const first = await world.join();
    expect(await world.join({ memberId: first.memberId })).toEqual(first);
  });

  it("aborted by a caller that never learnt its id leaves no ghost behind", async () => {
    const world = new World();
    const [first] = await world.stable(1);
    const leaving = new AbortController();
    const newcomer = world.join({}, {}, leaving.signal);
    const again = world.join({ memberId: first!.memberId, protocols: [{ name: "range", metadata: text("changed") }] });
    // Both are in, so the barrier has fallen; a third begins anew and is aborted while it waits.
    await Promise.all([newcomer, again]);
    const third = world.join({}, {}, leaving.signal);
    await settled();
    leaving.abort(new Error("enough"));
    await expect(third).rejects.toThrow("enough");
    expect(world.group.members).toHaveLength(2);
    await expect(world.join({}, {}, leaving.signal)).rejects.toThrow("enough");
  });
});

describe("the barriers", () => {
  it("put out who does not join within the longest rebalance timeout of all, and tell it why", async () => {
    const world = new World();
    const [first, second] = await world.stable(2);
    const third = world.join({ rebalanceTimeoutMs: 90_000 });
    void world.join({ memberId: first!.memberId });
    await world.clock.advance(89_999);
    expect(await isWaiting(third)).toBe(true);
    await world.clock.advance(1);
    expect(await third).toMatchObject({ leader: first!.memberId });
    expect(world.group.members).toHaveLength(2);
    await expect(world.join({ memberId: second!.memberId })).rejects.toThrow(/it did not join generation \d+ within 90000 ms/);
    expect(() => world.commit(second!)).toThrow(code("UNKNOWN_MEMBER_ID") as never);
  });

  it("give the lead to one who joined when the leader did not", async () => {
    const world = new World();
    const [, second] = await world.stable(2);
    const again = world.join({ memberId: second!.memberId, protocols: [{ name: "range", metadata: text("changed") }] });
    await world.clock.advance(60_000);
    expect(await again).toMatchObject({ leader: second!.memberId, members: [{ memberId: second!.memberId }] });
  });

  it("put out a leader that does not sync, and send the others to join again", async () => {
    const world = new World();
    const [leader, follower] = await world.stable(2);
    void world.join({ memberId: leader!.memberId });
    const again = await world.join({ memberId: follower!.memberId });
    const synced = world.sync(again);
    await world.clock.advance(59_999);
    expect(await isWaiting(synced)).toBe(true);
    await world.clock.advance(1);
    await expect(synced).rejects.toEqual(code("REBALANCE_IN_PROGRESS"));
    expect(await world.join({ memberId: follower!.memberId })).toMatchObject({
      leader: follower!.memberId,
      generation: again.generation + 1,
    });
  });

  it("put out a follower that never fetches its assignment, although the group is stable", async () => {
    const world = new World();
    const [leader, follower] = await world.stable(2);
    const leads = world.join({ memberId: leader!.memberId });
    await world.join({ memberId: follower!.memberId });
    await world.sync(await leads);
    expect(world.group.state).toBe("Stable");
    await world.clock.advance(60_000);
    expect(world.group).toMatchObject({ state: "PreparingRebalance", members: [{ memberId: leader!.memberId }] });
  });

  it("a sync of another generation, or during a rebalance, is refused", async () => {
    const world = new World();
    const [first] = await world.stable(1);
    await expect(world.sync({ ...first!, generation: 7 })).rejects.toThrow("is at generation 1");
    void world.join();
    await settled();
    await expect(world.sync(first!)).rejects.toEqual(code("REBALANCE_IN_PROGRESS"));
  });

  it("a member that was assigned nothing gets empty bytes", async () => {
    const world = new World();
    const { memberId, generation } = await world.join();
    const request = { groupId: GROUP, memberId, groupInstanceId: null, generation, assignments: [] };
    expect((await world.coordinator.syncGroup(request)).assignment.byteLength).toBe(0);
  });

  it("with a remote member falls only when the assignment is kept, and not at all when it cannot be", async () => {
    const world = new World();
    const joined = world.join(REMOTE);
    await world.clock.advance(6000);
    const answer = await joined;
    let written = (_error?: Error): void => {};
    world.save = () =>
      new Promise((resolve, reject) => {
        written = (error) => (error === undefined ? resolve() : reject(error));
      });
    const synced = world.sync(answer);
    expect(await isWaiting(synced)).toBe(true);
    expect(world.group.state).toBe("CompletingRebalance");
    written(new Error("disk full"));
    await expect(synced).rejects.toThrow("disk full");
    expect(world.group.state).toBe("PreparingRebalance");
    const again = await world.join({ ...REMOTE, memberId: answer.memberId });
    const second = world.sync(again);
    await settled();
    written();
    expect(await second).toBe(`for ${answer.memberId}`);
    expect(world.saved.at(-1)).toMatchObject({
      generation: again.generation,
      members: [{ memberId: answer.memberId, sessionTimeoutMs: 10_000 }],
    });
  });

  it("of members of this process do not wait for the disk, and a disk that fails is reported", async () => {
    const world = new World();
    world.save = () => Promise.reject(new Error("disk full"));
    const [member] = await world.stable(1);
    await settled();
    expect(world.group.state).toBe("Stable");
    expect(world.events.some(({ type }) => type === "group.notKept")).toBe(true);
    expect(await world.beat(member!)).toEqual({ rebalanceInProgress: false });
  });
});

describe("heartbeats", () => {
  it("wait as long as they are told, and end at once when a rebalance begins", async () => {
    const world = new World();
    const [first] = await world.stable(1);
    const quiet = world.beat(first!, 500);
    await world.clock.advance(499);
    expect(await isWaiting(quiet)).toBe(true);
    await world.clock.advance(1);
    expect(await quiet).toEqual({ rebalanceInProgress: false });
    const woken = world.beat(first!, 500);
    expect(await isWaiting(woken)).toBe(true);
    void world.join();
    expect(await woken).toEqual({ rebalanceInProgress: true });
    expect(await world.beat(first!, 500)).toEqual({ rebalanceInProgress: true });
  });

  it("are refused from strangers and for passed generations", async () => {
    const world = new World();
    const [first] = await world.stable(1);
    await expect(world.beat({ ...first!, memberId: "ghost" })).rejects.toEqual(code("UNKNOWN_MEMBER_ID"));
    await expect(world.beat({ ...first!, generation: 0 })).rejects.toEqual(code("ILLEGAL_GENERATION"));
    await expect(new World().beat(first!)).rejects.toEqual(code("UNKNOWN_MEMBER_ID"));
  });

  it("keep a remote member's session; without them it ends, and only then", async () => {
    const world = new World();
    const joined = world.join(REMOTE);
    await world.clock.advance(6000);
    const member = await joined;
    await world.sync(member);
    for (let beat = 0; beat < 5; beat++) {
      await world.clock.advance(9999);
      await world.beat(member);
    }
    await world.clock.advance(9999);
    expect(world.group.state).toBe("Stable");
    await world.clock.advance(1);
    expect(world.group).toMatchObject({ state: "Empty", generation: 2, members: [] });
    await expect(world.beat(member)).rejects.toThrow("nothing was heard of it for its session timeout of 10000 ms");
    expect(world.clock.pendingCount).toBe(0);
  });

  it("that wait count as being heard of, and a member of this process needs none", async () => {
    const world = new World();
    const joined = world.join(REMOTE);
    await world.clock.advance(6000);
    const remote = await joined;
    await world.sync(remote);
    const beat = world.beat(remote, 100_000);
    await world.clock.advance(99_999);
    expect(await isWaiting(beat)).toBe(true);

    const local = new World();
    await local.stable(1);
    await local.clock.advance(86_400_000);
    expect(local.group.state).toBe("Stable");
  });

  it("stop waiting when their signal says so", async () => {
    const world = new World();
    const [first] = await world.stable(1);
    const controller = new AbortController();
    const beat = world.beat(first!, 500, null, controller.signal);
    controller.abort(new Error("enough"));
    await expect(beat).rejects.toThrow("enough");
    expect(world.clock.pendingCount).toBe(0);
  });
});

describe("leaving", () => {
  it("begins a rebalance for those who stay; the last one leaves an empty group of a new generation", async () => {
    const world = new World();
    const [first, second] = await world.stable(2);
    const { generation } = world.group;
    const woken = world.beat(first!.generation === generation ? first! : { ...first!, generation }, 1000);
    await world.leave(second!.memberId);
    expect(await woken).toEqual({ rebalanceInProgress: true });
    await world.join({ memberId: first!.memberId });
    await world.leave(first!.memberId);
    expect(world.group).toMatchObject({ state: "Empty", generation: generation + 2, protocolName: null, members: [] });
    expect(world.saved.at(-1)).toMatchObject({ generation: generation + 2, members: [], leader: null });
    expect(world.clock.pendingCount).toBe(0);
  });

  it("rejects the leaver's own waiting calls, and what it does afterwards", async () => {
    const world = new World();
    const [first] = await world.stable(1);
    const beat = world.beat(first!, 1000);
    await world.leave(first!.memberId);
    await expect(beat).rejects.toEqual(code("UNKNOWN_MEMBER_ID"));
    await expect(world.beat(first!)).rejects.toThrow("it left");
    expect(() => world.commit(first!)).toThrow("it left");
  });

  it("in a batch lets everyone go who can, then names the first who could not", async () => {
    const world = new World();
    const [first, second] = await world.stable(2);
    const members = [first!.memberId, "ghost", second!.memberId].map((memberId) => ({ memberId, groupInstanceId: null }));
    await expect(world.coordinator.leaveGroup({ groupId: GROUP, members })).rejects.toThrow('has no member "ghost"');
    expect(world.group.state).toBe("Empty");
  });
});

describe("static members", () => {
  const STATIC = { ...REMOTE, groupInstanceId: "i" } as const;

  async function staticGroup() {
    const world = new World();
    const joins = [world.join(STATIC), world.join({ ...REMOTE })];
    await world.clock.advance(6000);
    const [member, other] = await Promise.all(joins);
    const synced = world.sync(other!);
    await Promise.all([world.sync(member!, "i"), synced]);
    return { world, member: member!, other: other! };
  }

  it("come back with the same metadata without a rebalance, to their old assignment; the old self is fenced", async () => {
    const { world, member } = await staticGroup();
    const waiting = world.beat(member, 5000, "i");
    const back = await world.join(STATIC);
    expect(back.memberId).not.toBe(member.memberId);
    expect(back.memberId).toMatch(/^i-/);
    expect(back).toMatchObject({ generation: 1, leader: back.memberId });
    await expect(waiting).rejects.toEqual(code("FENCED_INSTANCE_ID"));
    await expect(world.beat(member, 0, "i")).rejects.toEqual(code("FENCED_INSTANCE_ID"));
    await expect(world.join({ ...STATIC, memberId: member.memberId })).rejects.toEqual(code("FENCED_INSTANCE_ID"));
    expect(() => world.commit(member, "i")).toThrow(code("FENCED_INSTANCE_ID") as never);
    expect(() => world.commit(member)).toThrow("took its place as the same static member");
    expect(await world.sync(back, "i")).toBe(`for ${member.memberId}`);
    expect(world.group.state).toBe("Stable");
    expect(world.saved.at(-1)?.members[0]).toMatchObject({ memberId: back.memberId, groupInstanceId: "i" });
    world.commit(back, "i");
  });

  it("come back with other metadata through a rebalance", async () => {
    const { world, other } = await staticGroup();
    const back = world.join({ ...STATIC, protocols: [{ name: "range", metadata: text("other topics") }] });
    expect(await isWaiting(back)).toBe(true);
    expect(world.group.state).toBe("PreparingRebalance");
    await world.join({ ...REMOTE, memberId: other.memberId });
    expect((await back).generation).toBe(2);
  });

  it("are not put out by a rebalance they miss, only by the end of their session", async () => {
    const { world, member, other } = await staticGroup();
    const newcomer = world.join({ ...REMOTE, sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 5000 });
    void world.join({ ...REMOTE, memberId: other.memberId, rebalanceTimeoutMs: 5000 }).catch(() => {});
    // The rebalance timeout is the longest known when it began: 60 s. The static member's session ends first.
    await world.clock.advance(9999);
    expect(world.group.members.map(({ memberId }) => memberId)).toContain(member.memberId);
    expect(await isWaiting(newcomer)).toBe(true);
    await world.clock.advance(1);
    expect(await isWaiting(newcomer)).toBe(false);
    expect(world.group.members.map(({ memberId }) => memberId)).not.toContain(member.memberId);
  });

  it("keep their place and assignment through a barrier that falls without them", async () => {
    const world = new World();
    const patient = { sessionTimeoutMs: 1_000_000, groupInstanceId: "i", rebalanceTimeoutMs: 5000 } as const;
    const joins = [world.join({ ...REMOTE, rebalanceTimeoutMs: 5000 }), world.join(patient)];
    await world.clock.advance(5000);
    const [leader, member] = await Promise.all(joins);
    await Promise.all([world.sync(leader!), world.sync(member!, "i")]);
    const again = world.join({ ...REMOTE, rebalanceTimeoutMs: 5000, memberId: leader!.memberId });
    await world.clock.advance(5000);
    const led = await again;
    expect(led.members.map(({ memberId }) => memberId)).toEqual([leader!.memberId, member!.memberId]);
    await world.sync(led);
    await world.clock.advance(5000);
    await world.beat(led);
    expect(world.group.state).toBe("Stable");
    const back = await world.join(patient);
    expect(back.generation).toBe(led.generation);
    expect(await world.sync(back, "i")).toBe(`for ${member!.memberId}`);
  });

  it("of this process have no session to end, so a barrier does put them out", async () => {
    const world = new World();
    const first = await world.join({ groupInstanceId: "i" });
    await world.sync(first, "i");
    const second = world.join();
    await world.clock.advance(60_000);
    expect((await second).members).toHaveLength(1);
  });

  it("may leave by instance id alone", async () => {
    const { world, member } = await staticGroup();
    await world.leave("", "i");
    expect(world.group.members.map(({ memberId }) => memberId)).not.toContain(member.memberId);
    await expect(world.leave("", "i")).rejects.toEqual(code("UNKNOWN_MEMBER_ID"));
  });
});

describe("committing", () => {
  it("from outside is let in only while the group has no members", async () => {
    const world = new World();
    const outside = { memberId: "", generation: -1 };
    world.commit(outside);
    const [member] = await world.stable(1);
    expect(() => world.commit(outside)).toThrow('group "g" is Stable and has 1 member: ');
    await world.leave(member!.memberId);
    world.commit(outside);
    expect(() => world.commit({ memberId: "", generation: 0 })).toThrow(code("UNKNOWN_MEMBER_ID") as never);
    expect(() => new World().commit({ memberId: "", generation: 3 })).toThrow(code("UNKNOWN_MEMBER_ID") as never);
  });

  it("is allowed to a member of this generation, also while others join, but not between join and sync", async () => {
    const world = new World();
    const [member] = await world.stable(1);
    world.commit(member!);
    expect(() => world.commit({ ...member!, generation: 0 })).toThrow(code("ILLEGAL_GENERATION") as never);
    const newcomer = world.join();
    await settled();
    world.commit(member!);
    const again = await world.join({ memberId: member!.memberId });
    expect(() => world.commit(again)).toThrow(code("REBALANCE_IN_PROGRESS") as never);
    expect(() => world.commit(member!)).toThrow(code("ILLEGAL_GENERATION") as never);
    await Promise.all([world.sync(again), newcomer.then((answer) => world.sync(answer))]);
    world.commit(again);
  });
});

describe("a restart", () => {
  it("finds remote members with their assignment, who have a session to be heard in", async () => {
    const before = new World();
    const joined = before.join({ ...REMOTE, groupInstanceId: "i" });
    await before.clock.advance(6000);
    const member = await joined;
    await before.sync(member, "i");

    const after = new World();
    after.coordinator.restore(GROUP, before.saved.at(-1)!);
    expect(after.group).toMatchObject({ state: "Stable", generation: 1, members: [{ memberId: member.memberId }] });
    expect(await after.sync(member, "i")).toBe(`for ${member.memberId}`);
    await after.clock.advance(9000);
    await after.beat(member, 0, "i");
    await after.clock.advance(10_000);
    expect(after.group).toMatchObject({ state: "Empty", generation: 2 });
  });

  it("finds none of the members of its own process, and goes on with higher generations", async () => {
    const before = new World();
    const members = await before.stable(3);
    const after = new World();
    after.coordinator.restore(GROUP, before.saved.at(-1)!);
    const { generation } = before.group;
    expect(after.group).toMatchObject({ state: "Empty", generation, protocolType: "consumer", members: [] });
    expect(() => after.commit({ ...members[0]!, generation })).toThrow(code("UNKNOWN_MEMBER_ID") as never);
    expect((await after.join()).generation).toBe(generation + 1);
  });

  it("of a group of both makes those who remain join again", async () => {
    const before = new World();
    const joins = [before.join(REMOTE), before.join()];
    await before.clock.advance(6000);
    const [remote, local] = await Promise.all(joins);
    await Promise.all([before.sync(remote!), before.sync(local!)]);
    const after = new World();
    after.coordinator.restore(GROUP, before.saved.at(-1)!);
    expect(after.group).toMatchObject({ state: "PreparingRebalance", members: [{ memberId: remote!.memberId }] });
    expect(await after.join({ ...REMOTE, memberId: remote!.memberId })).toMatchObject({
      generation: 2,
      members: [{ memberId: remote!.memberId }],
    });
  });
});

describe("what a group reads", () => {
  // A version, two topics, no user data: what every consumer's metadata begins with.
  const subscription = Uint8Array.from(Buffer.from("0003" + "00000002" + "000161" + "000162" + "ffffffff", "hex"));
  const protocols = [{ name: "range", metadata: subscription }];

  it("is told by its members, for whom its offsets there must stay", async () => {
    const world = new World();
    const [member] = await world.stable(1, { protocols });
    expect(subscribedTopics(world.group)).toEqual(new Set(["a", "b"]));
    await world.leave(member!.memberId);
    expect(subscribedTopics(world.group)).toEqual(new Set());
  });

  it("is not known of members that are no consumers, or that say nothing readable", async () => {
    const connect = new World();
    await connect.stable(1, { protocols, protocolType: "connect" });
    expect(subscribedTopics(connect.group)).toBeNull();
    const noise = new World();
    await noise.stable(1, { protocols: [{ name: "range", metadata: text("topics") }] });
    expect(subscribedTopics(noise.group)).toBeNull();
  });

  it("counts its time from when it came into its state", async () => {
    const world = new World();
    expect(world.coordinator.stateTimestamp(GROUP)).toBeNull();
    const [member] = await world.stable(1);
    await world.clock.advance(5000);
    await world.leave(member!.memberId);
    expect(world.coordinator.stateTimestamp(GROUP)).toBe(world.clock.now());
  });
});

describe("the end", () => {
  it("of a group needs it empty; what waits in a group that is closed is told so", async () => {
    const world = new World();
    const [member] = await world.stable(1);
    expect(() => world.coordinator.remove(GROUP)).toThrow(code("NON_EMPTY_GROUP") as never);
    const beat = world.beat(member!, 1000);
    const newcomer = world.join();
    const closed = Promise.allSettled([newcomer, world.beat(member!, 1000), beat]);
    world.coordinator.close();
    expect(await newcomer.catch((error: unknown) => error)).toMatchObject({ code: "LOG_CLOSED" });
    await closed;
    await expect(world.join()).rejects.toMatchObject({ code: "LOG_CLOSED" });
    expect(world.clock.pendingCount).toBe(0);

    const other = new World();
    const [only] = await other.stable(1);
    await other.leave(only!.memberId);
    other.coordinator.remove(GROUP);
    expect(other.coordinator.describe(GROUP)).toBeNull();
  });
});
