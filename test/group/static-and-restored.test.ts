/** Static members that come back in every state of their group, and groups that a restart finds: who leads, who is expected, and until when. */
import { describe, expect, it } from "vitest";
import type { JoinGroupRequest, JoinGroupResponse } from "../../src/api/broker.ts";
import type { GroupMetadata, GroupMetadataMember } from "../../src/group/group-metadata.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { GROUP, isWaiting, REMOTE, text, untext, World } from "./group-world.ts";

const STATIC = { ...REMOTE, groupInstanceId: "i", rebalanceTimeoutMs: 5000 } as const;
const DYNAMIC = { ...REMOTE, rebalanceTimeoutMs: 5000 } as const;
const wishes = (...names: readonly string[]) => names.map((name) => ({ name, metadata: text(`topics of ${name}`) }));

/** A stable group of generation 1: whoever is named first leads. */
async function group(
  ...requests: readonly Partial<JoinGroupRequest>[]
): Promise<{ readonly world: World; readonly answers: JoinGroupResponse[] }> {
  const world = new World();
  const joins = requests.map((request) => world.join(request));
  await world.clock.advance(5000);
  const answers = await Promise.all(joins);
  await Promise.all(answers.map((answer, at) => world.sync(answer, requests[at]?.groupInstanceId ?? null)));
  expect(world.group).toMatchObject({ state: "Stable", generation: 1 });
  return { world, answers };
}

const memberIds = (world: World): string[] => world.group.members.map(({ memberId }) => memberId);

describe("a static member that comes back", () => {
  it("takes the place of the one before it in the order, and leads only if that one led", async () => {
    const { world, answers } = await group(DYNAMIC, STATIC, DYNAMIC);
    const [leader, , last] = answers;
    const back = await world.join(STATIC);
    expect(back).toMatchObject({ generation: 1, leader: leader!.memberId, members: [], protocolName: "range" });
    expect(memberIds(world)).toEqual([leader!.memberId, back.memberId, last!.memberId]);
    expect(world.saved.at(-1)).toMatchObject({ generation: 1, leader: leader!.memberId });
    expect(world.saved.at(-1)?.members.map(({ memberId }) => memberId)).toEqual(memberIds(world));
    expect(world.events.at(-1)?.type).toBe("group.rebalanced");
  });

  it("and led is told everyone, itself by its new id", async () => {
    const { world, answers } = await group(STATIC, DYNAMIC);
    const back = await world.join(STATIC);
    expect(back.leader).toBe(back.memberId);
    expect(back.members.map(({ memberId, groupInstanceId }) => [memberId, groupInstanceId])).toEqual([
      [back.memberId, "i"],
      [answers[1]!.memberId, null],
    ]);
  });

  it("has a session of its own from then on, and that of the one before it is over", async () => {
    const { world, answers } = await group(STATIC, { ...DYNAMIC, sessionTimeoutMs: 600_000 });
    await world.clock.advance(9000);
    const back = await world.join({ ...STATIC, sessionTimeoutMs: 20_000 });
    await world.clock.advance(19_999);
    expect(memberIds(world)).toEqual([back.memberId, answers[1]!.memberId]);
    await world.clock.advance(1);
    expect(memberIds(world)).toEqual([answers[1]!.memberId]);
  });

  it.each([
    ["the same wishes", wishes("range", "sticky"), false],
    ["one wish more, behind those it had", wishes("range", "sticky", "other"), false],
    ["the elected one alone", wishes("range"), false],
    ["the same wishes in another order, by which another is elected", wishes("sticky", "range"), true],
    ["another word under the elected one", [{ name: "range", metadata: text("elsewhere") }, ...wishes("sticky")], true],
    ["another word under one that was not elected", [...wishes("range"), { name: "sticky", metadata: text("elsewhere") }], false],
  ])("with %s makes the group rebalance: %s", async (_what, protocols, isRebalancing) => {
    const before = wishes("range", "sticky");
    const { world } = await group({ ...STATIC, protocols: before }, { ...DYNAMIC, protocols: before });
    const back = world.join({ ...STATIC, protocols });
    expect([await isWaiting(back), world.group.state]).toEqual([isRebalancing, isRebalancing ? "PreparingRebalance" : "Stable"]);
    world.coordinator.close();
    await back.catch(() => {});
  });

  it("is answered when that is kept, and refused by the disk's own word where it cannot be", async () => {
    const { world } = await group(STATIC);
    let written = (_error?: Error): void => {};
    world.save = () =>
      new Promise((resolve, reject) => {
        written = (error) => (error === undefined ? resolve() : reject(error));
      });
    const back = world.join(STATIC);
    expect(await isWaiting(back)).toBe(true);
    written();
    expect((await back).generation).toBe(1);
    const again = world.join(STATIC);
    await settled();
    written(new Error("disk full"));
    await expect(again).rejects.toThrow("disk full");
  });

  it("while the others have yet to sync makes them join again; what the one before it had waiting is fenced", async () => {
    const { world, answers } = await group(STATIC, DYNAMIC);
    const old = answers[0]!.memberId;
    const again = world.join({ ...STATIC, memberId: old, protocols: wishes("range") });
    const follower = await world.join({ ...DYNAMIC, memberId: answers[1]!.memberId });
    await again;
    const waits = world.sync(follower).catch((error: unknown) => error);
    const back = world.join({ ...STATIC, protocols: wishes("range") });
    expect(await isWaiting(back)).toBe(true);
    expect(world.group.state).toBe("PreparingRebalance");
    expect(await waits).toMatchObject({ code: "REBALANCE_IN_PROGRESS" });
    await world.join({ ...DYNAMIC, memberId: follower.memberId });
    expect(await back).toMatchObject({ generation: 3 });
  });

  it("while it joins already has the join before it fenced, and is waited for no longer", async () => {
    const { world, answers } = await group(DYNAMIC, STATIC);
    const first = world.join({ ...STATIC, memberId: answers[1]!.memberId, protocols: wishes("range") }).catch((error: unknown) => error);
    const second = world.join({ ...STATIC, protocols: wishes("range") });
    expect(await first).toMatchObject({ code: "FENCED_INSTANCE_ID" });
    const led = await world.join({ ...DYNAMIC, memberId: answers[0]!.memberId });
    expect(led.members.map(({ memberId }) => memberId)).toEqual([answers[0]!.memberId, (await second).memberId]);
  });

  it("alone and with wishes that the one before it had not is let in: it disagrees with nobody", async () => {
    const { world } = await group(STATIC);
    expect(await world.join({ ...STATIC, protocols: wishes("new") })).toMatchObject({ generation: 2, protocolName: "new" });
    // So is a member that joins again by itself.
    const alone = new World();
    const { memberId } = await alone.join();
    expect(await alone.join({ memberId, protocols: wishes("new") })).toMatchObject({ generation: 2, protocolName: "new" });
  });
});

describe("static members that are all away", () => {
  it("are waited for, one rebalance timeout after the other, until one is back or its session ends", async () => {
    for (const isBack of [true, false]) {
      const { world, answers } = await group({ ...STATIC, sessionTimeoutMs: 16_000 }, DYNAMIC);
      await world.leave(answers[1]!.memberId);
      await world.clock.advance(15_999);
      expect(world.group).toMatchObject({ state: "PreparingRebalance", generation: 1, members: [{ memberId: answers[0]!.memberId }] });
      if (isBack) expect(await world.join({ ...STATIC, sessionTimeoutMs: 16_000 })).toMatchObject({ generation: 2 });
      await world.clock.advance(1);
      expect(world.group).toMatchObject(isBack ? { state: "CompletingRebalance" } : { state: "Empty", generation: 2, members: [] });
    }
  });
});

describe("a member that can come back by a name it knows", () => {
  it.each(["its own id", "its instance"])(
    "does not leave by an aborted join: only the end of its session puts it out, by %s",
    async (name) => {
      const world = new World();
      const [first] = await world.stable(1);
      const stop = new AbortController();
      let request: Partial<JoinGroupRequest> = { ...REMOTE, groupInstanceId: "j" };
      if (name === "its own id") {
        const required = await world.join(REMOTE, { requireKnownMemberId: true }).catch((error: unknown) => error);
        request = { ...REMOTE, memberId: (required as { memberId: string }).memberId };
      }
      const joined = world.join(request, {}, stop.signal).catch(() => {});
      await settled();
      stop.abort();
      await joined;
      expect(memberIds(world)).toHaveLength(2);
      await world.clock.advance(9999);
      expect(memberIds(world)).toHaveLength(2);
      await world.clock.advance(1);
      expect(memberIds(world)).toEqual([first!.memberId]);
    },
  );
});

describe("a group that is found again", () => {
  const member = (memberId: string, more: Partial<GroupMetadataMember> = {}): GroupMetadataMember => ({
    memberId,
    groupInstanceId: null,
    clientId: "app",
    clientHost: "/h",
    rebalanceTimeoutMs: 5000,
    sessionTimeoutMs: 10_000,
    subscription: text(`topics of ${memberId}`),
    assignment: text(`for ${memberId}`),
    ...more,
  });
  const kept = (members: readonly GroupMetadataMember[], more: Partial<GroupMetadata> = {}): GroupMetadata => ({
    protocolType: "consumer",
    generation: 4,
    protocolName: "range",
    leader: "a",
    stateTimestamp: 1000,
    members,
    ...more,
  });
  const found = (metadata: GroupMetadata): World => {
    const world = new World();
    world.coordinator.restore(GROUP, metadata);
    return world;
  };
  const LOCAL = { sessionTimeoutMs: -1 };

  it.each([
    ["without members", [], {}, "Empty", null, 1000],
    ["without members, whatever protocol they had", [], { protocolName: "range" }, "Empty", null, 1000],
    ["with members of a process that has ended", [member("a", LOCAL)], {}, "Empty", null, "now"],
    ["with members of others", [member("a"), member("b")], {}, "Stable", "range", "now"],
    ["with one that is not heard of for a moment", [member("a", { sessionTimeoutMs: 0 })], {}, "Stable", "range", "now"],
    ["with members of both", [member("a", LOCAL), member("b")], {}, "PreparingRebalance", "range", "now"],
  ] as const)("%s is in the state that they are in, since when that is known", (_what, members, more, state, protocolName, since) => {
    const world = found(kept(members, more));
    expect(world.group).toMatchObject({ state, generation: 4, protocolType: "consumer", protocolName });
    expect(memberIds(world)).toEqual(members.filter(({ sessionTimeoutMs }) => sessionTimeoutMs >= 0).map(({ memberId }) => memberId));
    expect(world.coordinator.stateTimestamp(GROUP)).toBe(since === "now" ? world.clock.now() : since);
    expect(world.events.map(({ type }) => type)).toEqual(state === "PreparingRebalance" ? ["group.rebalancing"] : []);
    expect(world.saved).toEqual([]);
  });

  it.each([
    ["b", [member("a"), member("b")], "b"],
    ["a", [member("a"), member("b")], "a"],
    ["gone", [member("a"), member("b")], "a"],
    [null, [member("a"), member("b")], "a"],
  ] as const)("was led by %s and is led by who is there", async (leader, members, expected) => {
    const world = found(kept(members, { leader }));
    const follower = expected === "a" ? "b" : "a";
    const protocols = [{ name: "range", metadata: text(`topics of ${follower}`) }];
    const answer = await world.join({ ...REMOTE, memberId: follower, protocols });
    expect(answer).toEqual({ memberId: follower, generation: 4, protocolName: "range", leader: expected, members: [] });
    expect(world.group.state).toBe("Stable");
  });

  it("has its members for a session each, with what they said and were given", async () => {
    const world = found(kept([member("a"), member("b", { sessionTimeoutMs: 20_000, groupInstanceId: "i" })]));
    expect(world.group.members.map(({ metadata, assignment }) => [untext(metadata), untext(assignment)])).toEqual([
      ["topics of a", "for a"],
      ["topics of b", "for b"],
    ]);
    await world.clock.advance(9999);
    expect(memberIds(world)).toEqual(["a", "b"]);
    await world.clock.advance(1);
    expect(memberIds(world)).toEqual(["b"]);
    // Who is static goes by its instance, as before.
    await expect(world.join({ ...REMOTE, groupInstanceId: "i", memberId: "a" })).rejects.toMatchObject({ code: "FENCED_INSTANCE_ID" });
    await world.clock.advance(10_000);
    expect(memberIds(world)).toEqual([]);
  });

  it("waits for those that remain as long as they had said, or a session where nobody wrote that down", async () => {
    for (const [rebalanceTimeoutMs, waitedMs] of [
      [5000, 5000],
      [0, 9000],
    ] as const) {
      const world = found(kept([member("a", LOCAL), member("b", { rebalanceTimeoutMs, sessionTimeoutMs: 9000 })]));
      await world.clock.advance(waitedMs - 1);
      expect(world.group.state).toBe("PreparingRebalance");
      await world.clock.advance(1);
      expect(world.group).toMatchObject({ state: "Empty", generation: 5 });
    }
  });
});
