/** Groups as a restart may find them: kept whole, half, by another broker, or long ago. */
import { describe, expect, it } from "vitest";
import { GroupCoordinator } from "../../src/group/coordinator.ts";
import type { GroupMetadata } from "../../src/group/group-metadata.ts";
import { isExpired } from "../../src/group/offset-expiry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";

const member = {
  memberId: "m",
  groupInstanceId: null,
  clientId: "c",
  clientHost: "/host",
  rebalanceTimeoutMs: 0,
  sessionTimeoutMs: 30_000,
  subscription: new Uint8Array(0),
  assignment: new Uint8Array([1]),
};
const kept = (more: Partial<GroupMetadata> = {}): GroupMetadata => ({
  protocolType: "consumer",
  generation: 4,
  protocolName: null,
  leader: null,
  stateTimestamp: 1000,
  members: [member],
  ...more,
});

function coordinator(): { readonly clock: ManualClock; readonly groups: GroupCoordinator } {
  const clock = new ManualClock();
  return { clock, groups: new GroupCoordinator({ clock, random: new SeededRandom(1), save: async () => {}, emit: () => {} }) };
}

describe("a group that is found again", () => {
  it("has its members for a session, whatever a broker left out of what it kept", async () => {
    const { clock, groups } = coordinator();
    groups.restore("g", kept());
    expect(groups.describe("g")).toMatchObject({ state: "Stable", generation: 4, members: [{ memberId: "m" }] });
    expect(() => groups.restore("g", kept())).toThrow(/there already/);
    // Its first rebalance has as long as a session, where no other time was kept.
    const told = await groups.heartbeat({ groupId: "g", memberId: "m", groupInstanceId: null, generation: 4, maxWaitMs: 0 });
    expect(told.rebalanceInProgress).toBe(false);
    await clock.advance(31_000);
    expect(groups.describe("g")).toMatchObject({ state: "Empty", members: [] });
    groups.close();
  });

  it("answers a member that repeats itself, also where a broker kept no protocol's name", async () => {
    const { groups } = coordinator();
    groups.restore("g", kept({ leader: "m", members: [member, { ...member, memberId: "n" }] }));
    const answer = await groups.joinGroup({
      groupId: "g",
      memberId: "n",
      groupInstanceId: null,
      clientId: "c",
      protocolType: "consumer",
      protocols: [{ name: "", metadata: new Uint8Array(0) }],
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
    });
    expect(answer).toEqual({ memberId: "n", generation: 4, protocolName: "", leader: "m", members: [] });
    expect(groups.describe("g")).toMatchObject({ state: "Stable" });
    groups.close();
  });

  it("knows its leader if that one is there still, and nobody of a process that has ended", () => {
    const { groups } = coordinator();
    groups.restore("led", kept({ leader: "m", protocolName: "range" }));
    expect(groups.describe("led")).toMatchObject({ protocolName: "range", members: [{ memberId: "m" }] });
    groups.restore("lost", kept({ leader: "gone" }));
    expect(groups.describe("lost")).toMatchObject({ state: "Stable" });
    groups.restore("local", kept({ members: [{ ...member, sessionTimeoutMs: -1 }] }));
    expect(groups.describe("local")).toMatchObject({ members: [] });
    groups.restore("empty", kept({ members: [] }));
    expect(groups.describe("empty")).toMatchObject({ state: "Empty" });
    groups.close();
    groups.close();
    expect(groups.describe("led")).toBeNull();
  });
});

describe("an offset of an empty group", () => {
  it("ages from when the group was left, or, where nobody noted that, from its commit", () => {
    const offset = { nextOffset: 1, leaderEpoch: -1, metadata: "", commitTimestamp: 500, expireTimestamp: -1 };
    const group = { state: "Empty", protocolType: "consumer", stateTimestamp: 1000, subscribedTopics: null } as const;
    const expired = (stateTimestamp: number, nowMs: number): boolean =>
      isExpired(offset as never, "orders", { ...group, stateTimestamp } as never, nowMs, 100);
    expect([expired(1000, 1099), expired(1000, 1100)]).toEqual([false, true]);
    expect([expired(-1, 599), expired(-1, 600)]).toEqual([false, true]);
  });
});
