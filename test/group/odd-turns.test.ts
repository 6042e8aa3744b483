/** Turns that a group takes seldom: an id that is given back, an assignment sent twice, a member that becomes one of this process. */
import { describe, expect, it } from "vitest";
import { MemberIdRequiredError } from "../../src/group/member-id.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { GROUP, isWaiting, REMOTE, text, untext, World } from "./group-world.ts";

async function givenId(world: World, request: object): Promise<string> {
  const required = await world.join(request, { requireKnownMemberId: true }).catch((error: unknown) => error);
  expect(required).toBeInstanceOf(MemberIdRequiredError);
  return (required as MemberIdRequiredError).memberId;
}

describe("an id that was given out", () => {
  it("may leave before it ever joined, and the rebalance waits for it no longer", async () => {
    const world = new World();
    const [first] = await world.stable(1);
    const memberId = await givenId(world, REMOTE);
    const again = world.join({ memberId: first!.memberId });
    expect(await isWaiting(again)).toBe(true);
    await world.leave(memberId);
    expect((await again).generation).toBe(2);
    await expect(world.join({ ...REMOTE, memberId })).rejects.toMatchObject({ code: "UNKNOWN_MEMBER_ID" });
  });

  it("is awaited for the rebalance timeout where it has no session", async () => {
    const world = new World();
    const memberId = await givenId(world, { rebalanceTimeoutMs: 2000 });
    await world.clock.advance(1999);
    expect(world.clock.pendingCount).toBe(1);
    await world.clock.advance(1);
    await expect(world.join({ memberId })).rejects.toMatchObject({ code: "UNKNOWN_MEMBER_ID" });
  });
});

describe("a member", () => {
  it("that leads and assigns twice while the first assignment is being kept changes nothing by the second", async () => {
    const world = new World();
    const joined = world.join(REMOTE);
    await world.clock.advance(6000);
    const { memberId, generation } = await joined;
    let written = (): void => {};
    world.save = () => new Promise((resolve) => (written = resolve));
    const assign = (what: string) =>
      world.coordinator.syncGroup({
        groupId: GROUP,
        memberId,
        groupInstanceId: null,
        generation,
        assignments: [{ memberId, assignment: text(what) }],
      });
    const first = assign("first");
    const second = assign("second");
    await expect(first).rejects.toMatchObject({ code: "REBALANCE_IN_PROGRESS" });
    written();
    expect(untext((await second).assignment)).toBe("first");
    expect(world.saved).toHaveLength(1);
    expect(untext(world.saved[0]!.members[0]!.assignment)).toBe("first");
  });

  it("that comes back as one of this process has no session any more", async () => {
    const world = new World();
    const joined = world.join(REMOTE);
    await world.clock.advance(6000);
    const member = await joined;
    await world.sync(member);
    const again = await world.join({ memberId: member.memberId, protocols: [{ name: "range", metadata: text("others") }] });
    await world.sync(again);
    await world.clock.advance(3_600_000);
    expect(world.group).toMatchObject({ state: "Stable", members: [{ memberId: member.memberId }] });
    expect(world.clock.pendingCount).toBe(0);
  });

  it("that is static and of this process comes back at once, and a disk that does not keep that is told of", async () => {
    const world = new World();
    const first = await world.join({ groupInstanceId: "i" });
    await world.sync(first, "i");
    for (const disk of ["holds", "full"]) {
      world.events.length = 0;
      if (disk === "full") world.save = () => Promise.reject(new Error("disk full"));
      const back = await world.join({ groupInstanceId: "i" });
      expect(back).toMatchObject({ generation: 1, leader: back.memberId });
      expect(await world.sync(back, "i")).toBe(`for ${first.memberId}`);
      await settled();
      expect(world.events.map(({ type }) => type)).toEqual(disk === "full" ? ["group.notKept"] : []);
    }
    expect(world.group).toMatchObject({ state: "Stable", generation: 1 });
  });
});
