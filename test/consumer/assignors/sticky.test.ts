import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignorByName, decodeSubscription, encodeSubscription, type Subscription } from "../../../src/consumer/assignors/index.ts";
import { topicOwners } from "../../../src/consumer/assignors/partition-claims.ts";
import {
  type Assigned,
  countsArbitrary,
  memberIdsArbitrary,
  movedCount,
  name,
  subscribedPartitions,
  subscriptions,
  unequalArbitrary,
} from "./group-of-members.ts";

const sizes = (assigned: Assigned): number[] => [...assigned.values()].map((partitions) => partitions.length);

/** The fewest moves that can level these holdings: what lies above the best shares the holders can be granted. */
function fewestMoves(before: Assigned, survivors: readonly string[], partitionCount: number): number {
  const share = Math.floor(partitionCount / survivors.length);
  const held = survivors.map((memberId) => before.get(memberId)?.length ?? 0).sort((a, b) => b - a);
  return held.reduce((sum, count, index) => sum + Math.max(0, count - share - (index < partitionCount % survivors.length ? 1 : 0)), 0);
}

describe("sticky", () => {
  const sticky = assignorByName("sticky");

  it("stays balanced and moves no more than it must as members come and go", () => {
    fc.assert(
      fc.property(countsArbitrary, fc.array(memberIdsArbitrary, { minLength: 2, maxLength: 6 }), (counts, rounds) => {
        let last: Assigned = new Map();
        for (const [generation, memberIds] of rounds.entries()) {
          const members = subscriptions(sticky, new Map(memberIds.map((id) => [id, [...counts.keys()]])), last, generation);
          const assigned = sticky.assign(counts, members);
          expect(Math.max(...sizes(assigned)) - Math.min(...sizes(assigned))).toBeLessThanOrEqual(1);
          const partitionCount = subscribedPartitions(counts, members).length;
          expect(movedCount(last, assigned)).toBe(fewestMoves(last, memberIds, partitionCount));
          last = assigned;
        }
      }),
    );
  });

  it("leaves nothing that one move would level, whatever each member subscribes to, and then moves nothing more", () => {
    fc.assert(
      fc.property(unequalArbitrary, ({ counts, topicsOf }) => {
        const first = sticky.assign(counts, subscriptions(sticky, topicsOf));
        for (const [memberId, partitions] of first) {
          for (const { topic } of partitions) {
            for (const [other, topics] of topicsOf) {
              if (topics.includes(topic))
                expect((first.get(other)?.length ?? 0) + 1).toBeGreaterThanOrEqual(first.get(memberId)?.length ?? 0);
            }
          }
        }
        expect(movedCount(first, sticky.assign(counts, subscriptions(sticky, topicsOf, first, 1)))).toBe(0);
      }),
    );
  });

  it("believes the newer of two claims, and neither of two of the same generation", () => {
    const claim = (partitions: number[], generation: number): Subscription =>
      decodeSubscription(
        encodeSubscription({
          topics: ["t"],
          userData: sticky.subscriptionUserData(
            partitions.map((partition) => ({ topic: "t", partition })),
            generation,
          ),
        }),
      );
    const zombie = new Map([
      ["a", claim([0, 1], 3)],
      ["b", claim([0, 1], 4)],
      ["c", claim([2], 4)],
    ]);
    expect([...sticky.assign(new Map([["t", 6]]), zombie)].map(([id, partitions]) => [id, partitions.map(name)])).toEqual([
      ["a", ["t-3", "t-5"]],
      ["b", ["t-0", "t-1"]],
      ["c", ["t-2", "t-4"]],
    ]);
    const both = new Map([
      ["a", claim([5], 4)],
      ["b", claim([5, 4], 4)],
    ]);
    expect([...sticky.assign(new Map([["t", 6]]), both)].map(([id, partitions]) => [id, partitions.map(name)])).toEqual([
      ["a", ["t-0", "t-2", "t-5"]],
      ["b", ["t-1", "t-3", "t-4"]],
    ]);
  });

  it("reads user data of the first version, and deals on without the memory of one it cannot read", () => {
    const v1 = sticky.subscriptionUserData([{ topic: "t", partition: 1 }], 5);
    const v0 = v1?.slice(0, -4) ?? null;
    const members = (userData: Subscription["userData"]) =>
      new Map([
        ["a", decodeSubscription(encodeSubscription({ topics: ["t"] }))],
        ["b", decodeSubscription(encodeSubscription({ topics: ["t"], userData }))],
      ]);
    const ofB = (userData: Subscription["userData"]) =>
      sticky
        .assign(new Map([["t", 2]]), members(userData))
        .get("b")
        ?.map(name);
    expect(ofB(v0)).toEqual(["t-1"]);
    expect(ofB(sticky.subscriptionUserData([{ topic: "t", partition: 0 }], 5))).toEqual(["t-0"]);
    expect(ofB(Uint8Array.of(9, 9, 9))).toEqual(["t-1"]);
  });

  it("writes Kafka's user data: partitions by topic, then the generation", () => {
    const userData = sticky.subscriptionUserData(
      [
        { topic: "ab", partition: 1 },
        { topic: "ab", partition: 258 },
      ],
      7,
    );
    expect(Buffer.from(userData ?? []).toString("hex")).toBe("0000000100026162000000020000000100000102" + "00000007");
    expect(sticky.subscriptionUserData([], -1)).toBeNull();
  });
});

describe("claims", () => {
  const at = (topic: string, partition: number) => ({ topic, partition });

  it("count where the topic and the partition are there and the member subscribes to it, the newest before the others", () => {
    const claims = [
      { generation: 5, partitions: [at("t", 0), at("gone", 0), at("t", 9)] },
      { generation: 3, partitions: [at("t", 0), at("t", 1)] },
      { generation: 5, partitions: [at("t", 1), at("u", 0)] },
      { generation: 5, partitions: [at("u", 0), at("u", 0)] },
    ];
    const subscribed = [new Set(["t"]), new Set(["t"]), new Set(["t"]), new Set(["u"])];
    const topics = [
      { topic: "t", partitionCount: 2 },
      { topic: "u", partitionCount: 1 },
    ];
    expect(topicOwners(topics, subscribed, claims).map(({ topic, ownerOf }) => [topic, [...ownerOf]])).toEqual([
      ["t", [0, 2]],
      ["u", [3]],
    ]);
  });
});

describe("cooperative-sticky", () => {
  const cooperative = assignorByName("cooperative-sticky");

  it("leaves a partition with the newest of its claims, whichever member is looked at first", () => {
    const claim = (generation: number): Subscription =>
      decodeSubscription(encodeSubscription({ topics: ["t"], ownedPartitions: [{ topic: "t", partition: 0 }], generation }));
    const given = (generations: readonly [string, number][]) =>
      [...cooperative.assign(new Map([["t", 1]]), new Map(generations.map(([id, generation]) => [id, claim(generation)])))]
        .filter(([, partitions]) => partitions.length > 0)
        .map(([id]) => id);
    expect(
      given([
        ["a", 5],
        ["b", 3],
      ]),
    ).toEqual(["a"]);
    expect(
      given([
        ["a", 3],
        ["b", 5],
      ]),
    ).toEqual(["b"]);
  });

  /** One rebalance: what each member is given, from what each still owns as it joins. */
  const rebalance = (counts: ReadonlyMap<string, number>, memberIds: readonly string[], owned: Assigned, generation: number) =>
    cooperative.assign(counts, subscriptions(cooperative, new Map(memberIds.map((id) => [id, [...counts.keys()]])), owned, generation));

  it("never gives away in one generation what a member still owns in it, and is balanced after a second rebalance", () => {
    fc.assert(
      fc.property(countsArbitrary, fc.array(memberIdsArbitrary, { minLength: 2, maxLength: 6 }), (counts, rounds) => {
        let owned: Assigned = new Map();
        let generation = 0;
        for (const memberIds of rounds) {
          const before = new Map([...owned].filter(([id]) => memberIds.includes(id)));
          const first = rebalance(counts, memberIds, before, generation++);
          const ownerBefore = new Map([...before].flatMap(([id, partitions]) => partitions.map((tp) => [name(tp), id] as const)));
          for (const [memberId, partitions] of first) {
            for (const tp of partitions) expect(ownerBefore.get(name(tp)) ?? memberId).toBe(memberId);
          }
          // Whoever lost something revokes it and joins again; if nobody did, this was all.
          const revoked = movedCount(before, first);
          owned = revoked === 0 ? first : rebalance(counts, memberIds, first, generation++);
          expect([...owned.values()].flat()).toHaveLength([...counts.values()].reduce((sum, count) => sum + count, 0));
          expect(Math.max(...sizes(owned)) - Math.min(...sizes(owned))).toBeLessThanOrEqual(1);
          expect(movedCount(first, owned)).toBe(0);
        }
      }),
    );
  });

  it("takes the generation from user data when the subscription has none", () => {
    const old = (partition: number, generation: number): Subscription =>
      decodeSubscription(
        encodeSubscription(
          { topics: ["t"], ownedPartitions: [{ topic: "t", partition }], userData: cooperative.subscriptionUserData([], generation) },
          1,
        ),
      );
    const assigned = cooperative.assign(
      new Map([["t", 1]]),
      new Map([
        ["a", old(0, 4)],
        ["b", old(0, 5)],
      ]),
    );
    expect(assigned.get("b")).toEqual([{ topic: "t", partition: 0 }]);
  });

  it("lets both revoke what two of one generation claim, so that one of them gets it next", () => {
    const claim = decodeSubscription(encodeSubscription({ topics: ["t"], ownedPartitions: [{ topic: "t", partition: 0 }], generation: 4 }));
    const assigned = cooperative.assign(
      new Map([["t", 1]]),
      new Map([
        ["a", claim],
        ["b", claim],
      ]),
    );
    expect([...assigned.values()].flat()).toEqual([]);
  });
});
