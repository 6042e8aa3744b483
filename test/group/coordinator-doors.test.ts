/** What stands before every call on a group: the edges of what a join may ask for, a signal, a log that is closed, a group that is not there. */
import { describe, expect, it } from "vitest";
import type { JoinGroupRequest } from "../../src/api/broker.ts";
import { GroupCoordinator } from "../../src/group/coordinator.ts";
import { subscribedTopics } from "../../src/group/subscribed-topics.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { GROUP, isWaiting, JOIN, REMOTE, text, World } from "./group-world.ts";

const refused = (code: string, ...said: readonly string[]) =>
  expect.objectContaining({ code, message: expect.toSatisfy((message: string) => said.every((words) => message.includes(words))) });
const WHO = { groupId: GROUP, memberId: "m", groupInstanceId: null } as const;

describe("a join", () => {
  it.each([
    [{ sessionTimeoutMs: 6000 }, null],
    [{ sessionTimeoutMs: 1_800_000 }, null],
    [{ sessionTimeoutMs: null }, null],
    [{ rebalanceTimeoutMs: 0.5 }, null],
    [{ rebalanceTimeoutMs: Number.POSITIVE_INFINITY }, null],
    [{ sessionTimeoutMs: 5999 }, refused("INVALID_SESSION_TIMEOUT", GROUP, "6000 to 1800000 ms", "found 5999")],
    [{ sessionTimeoutMs: 1_800_001 }, refused("INVALID_SESSION_TIMEOUT", "found 1800001")],
    [{ sessionTimeoutMs: Number.POSITIVE_INFINITY }, refused("INVALID_SESSION_TIMEOUT", "found Infinity")],
    [{ rebalanceTimeoutMs: 0 }, refused("INVALID_ARGUMENT", GROUP, "found 0")],
    [{ rebalanceTimeoutMs: -1 }, refused("INVALID_ARGUMENT", "found -1")],
    [{ rebalanceTimeoutMs: Number.NaN }, refused("INVALID_ARGUMENT", "found NaN")],
    [{ groupId: "" }, refused("INVALID_GROUP_ID", 'found ""')],
    [{ groupId: 5 as never }, refused("INVALID_GROUP_ID", "found 5")],
    [{ groupId: undefined as never }, refused("INVALID_GROUP_ID", "found undefined")],
    [{ memberId: "m" }, refused("UNKNOWN_MEMBER_ID", 'no group "g"', '"m"')],
  ] as readonly (readonly [Partial<JoinGroupRequest>, unknown])[])(
    "with %j is taken or refused as it should be",
    async (request, error) => {
      const world = new World();
      const joined = world.join(request);
      const outcome = joined.then(
        () => null,
        (thrown: unknown) => thrown,
      );
      await world.clock.advance(3000);
      expect(await outcome).toEqual(error);
      // What was refused at the door has not made a group.
      expect([...world.coordinator.groupIds()]).toEqual(error === null ? [GROUP] : []);
      world.coordinator.close();
    },
  );

  it.each([
    [undefined, 3000],
    [0, 0],
    [50, 50],
  ])("of the first remote member, with an initial delay of %s ms, waits %d ms", async (initialRebalanceDelayMs, waitedMs) => {
    const clock = new ManualClock();
    const save = async (): Promise<void> => {};
    const options = { clock, random: new SeededRandom(1), save, emit: () => {} };
    const groups = new GroupCoordinator({ ...options, initialRebalanceDelayMs });
    const joined = groups.joinGroup({ ...JOIN, ...REMOTE });
    if (waitedMs > 0) {
      await clock.advance(waitedMs - 1);
      expect(await isWaiting(joined)).toBe(true);
      await clock.advance(1);
    }
    expect(await joined).toMatchObject({ generation: 1 });
    groups.close();
  });

  it("gives a member an id after its client, or after its instance, that nobody else has", async () => {
    const world = new World();
    const first = await world.join({ clientId: "one" });
    expect(first.memberId).toMatch(/^one-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const other = await world.join({ groupId: "h", groupInstanceId: "i" }, { requireKnownMemberId: true });
    expect(other.memberId).toMatch(/^i-[0-9a-f]{8}-/);
    expect(new Set([first.memberId.slice(4), other.memberId.slice(2)]).size).toBe(2);
  });
});

describe("a call", () => {
  const CALLS: Record<string, (world: World, signal?: AbortSignal) => Promise<unknown>> = {
    join: (world, signal) => world.join({}, {}, signal),
    sync: (world, signal) => world.coordinator.syncGroup({ ...WHO, generation: 1, assignments: [] }, signal),
    heartbeat: (world, signal) => world.coordinator.heartbeat({ ...WHO, generation: 1, maxWaitMs: 100 }, signal),
    leave: (world) => world.leave("m"),
    commit: async (world) => world.commit({ memberId: "m", generation: 1 }),
  };

  it.each(["join", "sync", "heartbeat"])("%s whose signal says so already does nothing but that", async (call) => {
    const world = new World();
    await world.stable(1);
    const before = world.group;
    await expect(CALLS[call]?.(world, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    expect(world.group).toEqual(before);
  });

  it.each(Object.keys(CALLS))("%s after the close is told that the log was closed", async (call) => {
    const world = new World();
    await world.stable(1);
    world.coordinator.close();
    await expect(CALLS[call]?.(world)).rejects.toMatchObject({ name: "UsageError", code: "LOG_CLOSED" });
    expect([...world.coordinator.groupIds()]).toEqual([]);
  });

  it.each(["sync", "heartbeat", "leave", "commit"])(
    "%s on a group that is not there is of an unknown member, and makes no group",
    async (call) => {
      const world = new World();
      await expect(CALLS[call]?.(world)).rejects.toEqual(refused("UNKNOWN_MEMBER_ID", 'no group "g"', '"m"'));
      expect(world.coordinator.describe(GROUP)).toBeNull();
    },
  );

  it("sync that waits ends by its signal, and the member may sync again", async () => {
    const world = new World();
    const [leader, follower] = await world.stable(2);
    void world.join({ memberId: leader!.memberId });
    const again = await world.join({ memberId: follower!.memberId });
    const stop = new AbortController();
    const { memberId, generation } = again;
    const syncing = world.coordinator.syncGroup({ ...WHO, memberId, generation, assignments: [] }, stop.signal);
    expect(await isWaiting(syncing)).toBe(true);
    stop.abort(new Error("enough"));
    await expect(syncing).rejects.toThrow("enough");
    expect(world.group.state).toBe("CompletingRebalance");
    const second = world.sync(again);
    await world.sync(await world.join({ memberId: leader!.memberId }));
    expect(await second).toBe(`for ${memberId}`);
  });

  it("to leave lets nobody go where nobody is named, also from a group that is not there", async () => {
    await new World().coordinator.leaveGroup({ groupId: GROUP, members: [] });
    const world = new World();
    await world.stable(1);
    await world.coordinator.leaveGroup({ groupId: GROUP, members: [] });
    expect(world.group).toMatchObject({ state: "Stable", generation: 1 });
  });
});

describe("a commit", () => {
  const commit =
    (world: World, memberId: string, generation: number, groupInstanceId: string | null = null) =>
    (): void =>
      world.coordinator.checkCommit({ groupId: GROUP, memberId, generation, groupInstanceId });

  it.each([
    ["", -1, true],
    ["", -2, true],
    ["", 0, false],
    ["m", -1, false],
    ["m", 0, false],
  ])("of %j for generation %d into a group that is not there is let in: %s", (memberId, generation, isIn) => {
    const world = new World();
    if (isIn) commit(world, memberId, generation)();
    else expect(commit(world, memberId, generation)).toThrow(refused("UNKNOWN_MEMBER_ID"));
  });

  it.each([
    ["", -1, null, true],
    ["", 0, null, false],
    ["m", -1, null, false],
    ["", -1, "i", false],
  ])("of %j for generation %d as instance %j into a group without members is let in: %s", async (memberId, generation, instance, isIn) => {
    const world = new World();
    const [member] = await world.stable(1);
    await world.leave(member!.memberId);
    if (isIn) commit(world, memberId, generation, instance)();
    else expect(commit(world, memberId, generation, instance)).toThrow(refused("UNKNOWN_MEMBER_ID"));
  });

  it.each([
    ["the generation before", -1],
    ["the generation after", 1],
  ])("of a member for %s is refused with both", async (_what, by) => {
    const world = new World();
    const members = await world.stable(2);
    const { generation } = world.group;
    const { memberId } = members[0]!;
    commit(world, memberId, generation)();
    expect(commit(world, memberId, generation + by)).toThrow(
      refused("ILLEGAL_GENERATION", `generation ${generation},`, `generation ${generation + by}`, memberId),
    );
  });

  it("counts as being heard of, and so does a sync; what is said for another generation does not", async () => {
    for (const [say, isHeard] of [
      [(world: World, memberId: string) => commit(world, memberId, 1)(), true],
      [(world: World, memberId: string) => void world.coordinator.syncGroup({ ...WHO, memberId, generation: 1, assignments: [] }), true],
      [(world: World, memberId: string) => expect(commit(world, memberId, 2)).toThrow("generation 2"), false],
    ] as const) {
      const world = new World();
      const joined = world.join(REMOTE);
      await world.clock.advance(3000);
      const member = await joined;
      await world.sync(member);
      await world.clock.advance(6000);
      say(world, member.memberId);
      await world.clock.advance(6000);
      expect(world.group.state).toBe(isHeard ? "Stable" : "Empty");
      await world.clock.advance(4000);
      expect(world.group.state).toBe("Empty");
    }
  });
});

describe("the end of a group", () => {
  it("is refused while it has members, with how many and what they do", async () => {
    const world = new World();
    const [member] = await world.stable(2);
    for (const call of [() => world.coordinator.remove(GROUP), () => world.coordinator.checkEmpty(GROUP)])
      expect(call).toThrow(refused("NON_EMPTY_GROUP", '"g"', "Stable", "2 member"));
    await world.leave(member!.memberId);
    expect(() => world.coordinator.checkEmpty(GROUP)).toThrow(refused("NON_EMPTY_GROUP", "PreparingRebalance", "1 member"));
    world.coordinator.checkEmpty("other");
    world.coordinator.remove("other");
  });

  it("is that of the ids that it has given out, and of nothing in another group", async () => {
    const world = new World();
    await world.join(REMOTE, { requireKnownMemberId: true }).catch(() => {});
    await world.join({ groupId: "other" });
    expect([...world.coordinator.groupIds()]).toEqual([GROUP, "other"]);
    const before = world.clock.pendingCount;
    world.coordinator.remove(GROUP);
    expect([[...world.coordinator.groupIds()], world.clock.pendingCount]).toEqual([["other"], before - 1]);
    expect([world.coordinator.describe(GROUP), world.coordinator.stateTimestamp(GROUP)]).toEqual([null, null]);
  });

  it("by the close ends every wait and every timer, in whatever state it was", async () => {
    const world = new World();
    const waits = [
      world.join({ groupId: "first", ...REMOTE }),
      world.join({ groupId: "pending", ...REMOTE }, { requireKnownMemberId: true }),
      world.join({ groupId: "completing" }),
    ];
    const outcomes = Promise.allSettled(waits);
    await settled();
    expect(world.clock.pendingCount).toBe(3);
    world.coordinator.close();
    world.coordinator.close();
    expect(world.clock.pendingCount).toBe(0);
    expect((await outcomes).map((outcome) => (outcome.status === "fulfilled" ? "in" : (outcome.reason as { code: string }).code))).toEqual([
      "LOG_CLOSED",
      "MEMBER_ID_REQUIRED",
      "in",
    ]);
    expect([...world.coordinator.groupIds()]).toEqual([]);
  });
});

describe("what a group's members subscribe to", () => {
  const told = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
  const group = (protocolType: string, protocolName: string | null, ...metadatas: readonly Uint8Array<ArrayBuffer>[]) => ({
    groupId: GROUP,
    state: "Stable" as const,
    generation: 1,
    protocolType,
    protocolName,
    members: metadatas.map((metadata, at) => ({ memberId: `m${at}`, groupInstanceId: null, clientId: "", metadata, assignment: text("") })),
  });
  const A = told("0000" + "00000001" + "000161");
  const BC = told("0003" + "00000002" + "000162" + "000163" + "ffffffff");

  it.each([
    ["all that any of them names", group("consumer", "range", A, BC), ["a", "b", "c"]],
    ["one that two of them name, once", group("consumer", "range", A, A), ["a"]],
    ["nothing, said by one", group("consumer", "range", told("0000" + "00000000")), []],
    ["nothing, where nobody is, of whatever type", group("connect", null), []],
    ["not known of another type", group("connect", "range", A), null],
    ["not known before they agree on a protocol", group("consumer", null, A), null],
    ["not known where one cannot be read", group("consumer", "range", A, told("0000" + "00000002" + "000162")), null],
    ["not known where one has said nothing", group("consumer", "range", A, told("")), null],
  ])("is %s", (_what, snapshot, topics) => {
    expect(subscribedTopics(snapshot)).toEqual(topics === null ? null : new Set(topics));
  });
});
