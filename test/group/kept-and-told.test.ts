/** What a group says of itself at every turn: to its members, to who looks on, and to the disk, from which it must be found again. */
import { describe, expect, it } from "vitest";
import { settled } from "../../src/testing/manual-clock.ts";
import { GROUP, isWaiting, REMOTE, text, untext, World } from "./group-world.ts";

const STATIC = { ...REMOTE, groupInstanceId: "i" } as const;
const protocols = (metadata: string, name = "range") => [{ name, metadata: text(metadata) }];
const told = (world: World) => world.events.map(({ type, ...fields }) => [type.replace("group.", ""), fields] as const);
const types = (world: World): string[] => told(world).map(([type]) => type);

/** A remote member that leads, static as "i", and a dynamic one of this process. */
async function both(): Promise<{ readonly world: World; readonly remote: string; readonly local: string }> {
  const world = new World();
  const joins = [
    world.join({ ...STATIC, protocols: protocols("r") }, { clientHost: "/1.2.3.4" }),
    world.join({ protocols: protocols("l") }),
  ];
  await world.clock.advance(6000);
  const [remote, local] = await Promise.all(joins);
  const syncs = [world.sync(local!), world.sync(remote!, "i")];
  await Promise.all(syncs);
  return { world, remote: remote!.memberId, local: local!.memberId };
}

describe("a group is kept", () => {
  it("with everything that a restart needs of it, and told to a person with what a person needs", async () => {
    const { world, remote, local } = await both();
    expect(world.saved).toEqual([
      {
        protocolType: "consumer",
        generation: 1,
        protocolName: "range",
        leader: remote,
        stateTimestamp: world.clock.now(),
        members: [
          {
            memberId: remote,
            groupInstanceId: "i",
            clientId: "app",
            clientHost: "/1.2.3.4",
            rebalanceTimeoutMs: 60_000,
            sessionTimeoutMs: 10_000,
            subscription: text("r"),
            assignment: text(`for ${remote}`),
          },
          {
            memberId: local,
            groupInstanceId: null,
            clientId: "app",
            clientHost: "",
            rebalanceTimeoutMs: 60_000,
            sessionTimeoutMs: -1,
            subscription: text("l"),
            assignment: text(`for ${local}`),
          },
        ],
      },
    ]);
    expect(world.group).toEqual({
      groupId: GROUP,
      state: "Stable",
      generation: 1,
      protocolType: "consumer",
      protocolName: "range",
      members: [
        { memberId: remote, groupInstanceId: "i", clientId: "app", metadata: text("r"), assignment: text(`for ${remote}`) },
        { memberId: local, groupInstanceId: null, clientId: "app", metadata: text("l"), assignment: text(`for ${local}`) },
      ],
    });
  });

  it("with what a member has said last of itself, and its old host where it says none", async () => {
    const { world, remote, local } = await both();
    const other = { protocols: protocols("r2"), clientId: "app2", rebalanceTimeoutMs: 70_000, sessionTimeoutMs: 20_000 };
    const again = world.join({ ...STATIC, ...other, memberId: remote });
    await world.join({ memberId: local, protocols: protocols("l") });
    await world.sync(await again, "i");
    expect(world.saved.at(-1)?.members[0]).toMatchObject({
      memberId: remote,
      clientId: "app2",
      clientHost: "/1.2.3.4",
      rebalanceTimeoutMs: 70_000,
      sessionTimeoutMs: 20_000,
      subscription: text("r2"),
    });
    const moved = world.join({ ...STATIC, ...other, memberId: remote }, { clientHost: "/5.6.7.8" });
    await world.join({ memberId: local, protocols: protocols("l") });
    await world.sync(await moved, "i");
    expect(world.saved.at(-1)?.members[0]).toMatchObject({ clientHost: "/5.6.7.8" });
  });

  it("with nothing of an assignment before, for who is given none in the next", async () => {
    const { world, remote, local } = await both();
    const again = world.join({ ...STATIC, memberId: remote, protocols: protocols("r2") });
    await world.join({ memberId: local, protocols: protocols("l") });
    const { generation } = await again;
    const given = [
      { memberId: "stranger", assignment: text("not theirs") },
      { memberId: remote, assignment: text("all") },
    ];
    const who = { groupId: GROUP, memberId: remote, groupInstanceId: "i", generation };
    expect(untext((await world.coordinator.syncGroup({ ...who, assignments: given })).assignment)).toBe("all");
    expect(world.saved.at(-1)?.members.map(({ assignment }) => untext(assignment))).toEqual(["all", ""]);
  });

  it("by what its leader assigns alone: what a follower brings is not looked at", async () => {
    const { world, remote, local } = await both();
    const again = world.join({ ...STATIC, memberId: remote, protocols: protocols("r2") });
    const { generation } = await world.join({ memberId: local, protocols: protocols("l") });
    const before = world.saved.length;
    const who = { groupId: GROUP, memberId: local, groupInstanceId: null, generation };
    const greedy = world.coordinator.syncGroup({ ...who, assignments: [{ memberId: local, assignment: text("all") }] });
    expect([await isWaiting(greedy), world.saved.length - before, world.group.state]).toEqual([true, 0, "CompletingRebalance"]);
    await world.sync(await again, "i");
    expect(untext((await greedy).assignment)).toBe(`for ${local}`);
    // Stable: a sync is a question, and assigns nothing.
    const asked = await world.coordinator.syncGroup({ ...who, assignments: [{ memberId: local, assignment: text("all") }] });
    expect([untext(asked.assignment), world.saved.length - before]).toEqual([`for ${local}`, 1]);
  });

  it("when its last member has gone, or it is told that it could not be", async () => {
    for (const disk of ["holds", "full"]) {
      const world = new World();
      const [member] = await world.stable(1);
      world.saved.length = 0;
      world.events.length = 0;
      const error = new Error("disk full");
      if (disk === "full") world.save = () => Promise.reject(error);
      await world.leave(member!.memberId);
      await settled();
      expect(world.saved).toEqual([
        { protocolType: "consumer", generation: 2, protocolName: null, leader: null, stateTimestamp: world.clock.now(), members: [] },
      ]);
      expect(world.group.state).toBe("Empty");
      const notKept = told(world).filter(([type]) => type === "notKept");
      expect(notKept).toEqual(disk === "full" ? [["notKept", { groupId: GROUP, generation: 2, error }]] : []);
    }
  });

  it("or not, by an answer of the disk's that comes when the group is elsewhere: then it is told, and nothing changes", async () => {
    for (const outcome of ["written", "refused"]) {
      const { world, remote, local } = await both();
      const again = world.join({ ...STATIC, memberId: remote, protocols: protocols("r2") });
      await world.join({ memberId: local, protocols: protocols("l") });
      let answer = (): void => {};
      world.save = () =>
        new Promise((resolve, reject) => {
          answer = outcome === "written" ? resolve : () => reject(new Error("disk full"));
        });
      const synced = world.sync(await again, "i");
      await settled();
      const late = answer;
      // The other one goes meanwhile, and the first joins a generation of its own.
      await world.leave(local);
      await expect(synced).rejects.toMatchObject({ code: "REBALANCE_IN_PROGRESS" });
      const { generation } = await world.join({ ...STATIC, memberId: remote, protocols: protocols("r2") });
      world.events.length = 0;
      late();
      await settled();
      expect([world.group.state, world.group.generation]).toEqual(["CompletingRebalance", generation]);
      expect(types(world)).toEqual(outcome === "written" ? [] : ["notKept"]);
      world.save = () => Promise.resolve();
      const who = { groupId: GROUP, memberId: remote, groupInstanceId: "i", generation };
      const assigned = await world.coordinator.syncGroup({ ...who, assignments: [{ memberId: remote, assignment: text("all") }] });
      expect(untext(assigned.assignment)).toBe("all");
    }
  });
});

describe("a group tells", () => {
  it("of each rebalance once, why it began, who went, and what came of it", async () => {
    const world = new World();
    const [first] = await world.stable(1);
    const newcomer = world.join({ clientId: "new" });
    const again = await world.join({ memberId: first!.memberId });
    const second = await newcomer;
    await Promise.all([world.sync(second), world.sync(again)]);
    await world.leave(second.memberId);
    await world.sync(await world.join({ memberId: first!.memberId }));
    const [one, two] = [first!.memberId, second.memberId];
    const groupId = GROUP;
    expect(told(world)).toEqual([
      ["rebalancing", { groupId, generation: 0, reason: `"${one}" joins` }],
      ["rebalanced", { groupId, generation: 1, memberCount: 1 }],
      ["rebalancing", { groupId, generation: 1, reason: `"${two}" joins` }],
      ["rebalanced", { groupId, generation: 2, memberCount: 2 }],
      ["memberRemoved", { groupId, memberId: two, clientId: "new", reason: "it left" }],
      ["rebalancing", { groupId, generation: 2, reason: `"${two}" is gone: it left` }],
      ["rebalanced", { groupId, generation: 3, memberCount: 1 }],
    ]);
  });

  it("why a member was put out: it was not heard of, it did not join, it did not sync, its join was aborted", async () => {
    const removed = (world: World) => told(world).flatMap(([type, { reason }]) => (type === "memberRemoved" ? [reason] : []));

    const silent = new World();
    const joined = silent.join(REMOTE);
    await silent.clock.advance(3000);
    await silent.sync(await joined);
    await silent.clock.advance(10_000);
    expect(removed(silent)).toEqual(["nothing was heard of it for its session timeout of 10000 ms"]);

    const slow = new World();
    const [stays] = await slow.stable(2, { rebalanceTimeoutMs: 500 });
    const { generation } = slow.group;
    void slow.join({ memberId: stays!.memberId, rebalanceTimeoutMs: 500 });
    await slow.clock.advance(500);
    expect(removed(slow)).toEqual([`it did not join generation ${generation + 1} within 500 ms`]);
    await slow.clock.advance(500);
    expect(removed(slow)).toHaveLength(2);
    expect(removed(slow)[1]).toBe(`it did not sync generation ${generation + 1} within 500 ms`);
    expect(slow.group.state).toBe("Empty");

    const aborted = new World();
    const stop = new AbortController();
    const [there] = await aborted.stable(1);
    const newcomer = aborted.join({}, {}, stop.signal).catch(() => {});
    stop.abort();
    await newcomer;
    expect(removed(aborted)).toEqual(["its join was aborted"]);
    expect(aborted.group.members.map(({ memberId }) => memberId)).toEqual([there!.memberId]);
  });

  it("who rejoins why: its leader as it was, or anyone with other metadata", async () => {
    const { world, remote, local } = await both();
    world.events.length = 0;
    const again = world.join({ ...STATIC, memberId: remote, protocols: protocols("r") });
    expect(told(world)).toMatchObject([["rebalancing", { reason: `its leader "${remote}" joins again` }]]);
    await world.join({ memberId: local, protocols: protocols("l") });
    await world.sync(await again, "i");
    world.events.length = 0;
    void world.join({ memberId: local, protocols: protocols("l2") });
    await settled();
    expect(told(world)).toMatchObject([["rebalancing", { reason: `"${local}" joins again with other metadata` }]]);
  });
});

describe("a member whose call is made again", () => {
  it("has the call before it ended: a join and a sync as having been replaced, a heartbeat as quiet", async () => {
    const { world, remote, local } = await both();
    const generation = 1;
    const [beat, newer] = [
      world.beat({ memberId: local, generation } as never, 1000),
      world.beat({ memberId: local, generation } as never, 1000),
    ];
    expect(await beat).toEqual({ rebalanceInProgress: false });
    expect(await isWaiting(newer)).toBe(true);

    const joins = [world.join({ ...STATIC, memberId: remote, protocols: protocols("r2") })];
    const first = joins[0]?.catch((error: unknown) => error);
    joins.push(world.join({ ...STATIC, memberId: remote, protocols: protocols("r3") }));
    expect(await first).toMatchObject({ code: "REBALANCE_IN_PROGRESS", message: expect.stringContaining(`a newer join of "${remote}"`) });
    expect(await newer).toEqual({ rebalanceInProgress: true });
    const again = await world.join({ memberId: local, protocols: protocols("l") });
    const leads = await joins[1]!;
    // What it said last is what is told.
    expect(leads.members.map(({ metadata, groupInstanceId }) => [untext(metadata), groupInstanceId])).toEqual([
      ["r3", "i"],
      ["l", null],
    ]);
    const syncs = [world.sync(again).catch((error: unknown) => error), world.sync(again)];
    expect(await syncs[0]).toMatchObject({ code: "REBALANCE_IN_PROGRESS", message: expect.stringContaining(`a newer sync of "${local}"`) });
    await world.sync(leads, "i");
    expect(await syncs[1]).toBe(`for ${local}`);
  });

  it("is told at once where it asks for no wait, and that no rebalance is under way between its join and its sync", async () => {
    const world = new World();
    const member = await world.join();
    for (const maxWaitMs of [0, -5]) expect(await world.beat(member, maxWaitMs)).toEqual({ rebalanceInProgress: false });
    const beat = world.beat(member, 1);
    expect(await isWaiting(beat)).toBe(true);
    await world.clock.advance(1);
    expect(await beat).toEqual({ rebalanceInProgress: false });
  });
});
