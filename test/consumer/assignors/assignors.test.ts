import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignorByName, type PartitionAssignor, type Subscription } from "../../../src/consumer/assignors/index.ts";
import { membersInOrder } from "../../../src/consumer/assignors/member-order.ts";
import { countsArbitrary, memberIdsArbitrary, name, subscribedPartitions, subscriptions, unequalArbitrary } from "./group-of-members.ts";

const names = ["range", "roundrobin", "sticky", "cooperative-sticky"] as const;

const assign = (assignor: PartitionAssignor, counts: Record<string, number>, topicsOf: Record<string, string[]>) =>
  Object.fromEntries(
    [...assignor.assign(new Map(Object.entries(counts)), subscriptions(assignor, new Map(Object.entries(topicsOf))))].map(
      ([memberId, partitions]) => [memberId, partitions.map(name)],
    ),
  );

describe.each(names)("the assignor %s", (assignorName) => {
  const assignor = assignorByName(assignorName);

  it("gives every partition of a subscribed topic to exactly one member that subscribes to it", () => {
    fc.assert(
      fc.property(unequalArbitrary, ({ counts, topicsOf }) => {
        const members = subscriptions(assignor, topicsOf);
        const assigned = assignor.assign(counts, members);
        expect([...assigned.keys()].sort()).toEqual([...members.keys()].sort());
        expect([...assigned.values()].flat().map(name).sort()).toEqual(subscribedPartitions(counts, members));
        for (const [memberId, partitions] of assigned) {
          for (const { topic } of partitions) expect(members.get(memberId)?.topics).toContain(topic);
        }
      }),
    );
  });

  it("deals members of one subscription shares that differ by one at most, each topic's for range", () => {
    fc.assert(
      fc.property(countsArbitrary, memberIdsArbitrary, (counts, memberIds) => {
        const assigned = assignor.assign(counts, subscriptions(assignor, new Map(memberIds.map((id) => [id, [...counts.keys()]]))));
        const spread = (topic: string | null): number => {
          const sizes = [...assigned.values()].map((partitions) => partitions.filter((tp) => topic === null || tp.topic === topic).length);
          return Math.max(...sizes) - Math.min(...sizes);
        };
        for (const topic of assignorName === "range" ? counts.keys() : [null]) expect(spread(topic)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("answers the same whatever order the members are named in", () => {
    fc.assert(
      fc.property(unequalArbitrary, fc.func(fc.nat()), ({ counts, topicsOf }, rank) => {
        const members = subscriptions(assignor, topicsOf);
        const shuffled = new Map([...members].sort(([a], [b]) => rank(a) - rank(b)));
        expect(Object.fromEntries(assignor.assign(counts, shuffled))).toEqual(Object.fromEntries(assignor.assign(counts, members)));
      }),
    );
  });

  it("assigns nothing to nobody", () => {
    expect(assignor.assign(new Map([["a", 3]]), new Map()).size).toBe(0);
  });

  it.each(["equal", "unequal"])("assigns 100 topics of 100 partitions to 1,000 members of %s subscriptions within a second", (kind) => {
    const topics = Array.from({ length: 100 }, (_, index) => `topic-${index}`);
    const memberIds = Array.from({ length: 1000 }, (_, index) => `member-${index}`);
    const counts = new Map(topics.map((topic) => [topic, 100]));
    const topicsOf = new Map(memberIds.map((id, index) => [id, kind === "equal" ? topics : topics.slice(index % 37, 50 + (index % 51))]));
    const first = subscriptions(assignor, topicsOf);
    let began = performance.now();
    const assigned = assignor.assign(counts, first);
    expect(performance.now() - began).toBeLessThan(1000);
    // A tenth leaves, so the others' memory counts too.
    const left = new Map([...topicsOf].slice(100));
    const second = subscriptions(assignor, left, assigned, 1);
    began = performance.now();
    assignor.assign(counts, second);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe("Kafka's examples", () => {
  it("range: each topic by itself, the first members get one more", () => {
    expect(assign(assignorByName("range"), { t0: 3, t1: 3 }, { c0: ["t0", "t1"], c1: ["t0", "t1"] })).toEqual({
      c0: ["t0-0", "t0-1", "t1-0", "t1-1"],
      c1: ["t0-2", "t1-2"],
    });
  });

  it("range: static members come first, by instance id", () => {
    const subscription = (groupInstanceId: string | null): Subscription => {
      return { topics: ["t"], userData: null, ownedPartitions: [], generation: -1, rackId: null, groupInstanceId };
    };
    const members = new Map([
      ["a", subscription(null)],
      ["b", subscription("i2")],
      ["c", subscription("i1")],
    ]);
    const assigned = assignorByName("range").assign(new Map([["t", 3]]), members);
    expect([...assigned].map(([memberId, partitions]) => [memberId, partitions.map(name)])).toEqual([
      ["c", ["t-0"]],
      ["b", ["t-1"]],
      ["a", ["t-2"]],
    ]);
  });

  it("order: static members by instance id before all others, who stand by member id", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ maxLength: 3 }), fc.option(fc.string({ maxLength: 2 }))), { selector: ([id]) => id }),
        (ids) => {
          const made = ([memberId, groupInstanceId]: readonly [string, string | null]): [string, Subscription] => [
            memberId,
            { topics: [], userData: null, ownedPartitions: [], generation: -1, rackId: null, groupInstanceId },
          ];
          const sortKey = ([memberId, instanceId]: readonly [string, string | null]): string[] =>
            instanceId === null ? ["1", "", memberId] : ["0", instanceId, memberId];
          const slow = ids.toSorted((left, right) => {
            const [a, b] = [sortKey(left), sortKey(right)];
            const at = a.findIndex((part, index) => part !== b[index]);
            return at < 0 ? 0 : (a[at] as string) < (b[at] as string) ? -1 : 1;
          });
          expect(membersInOrder(new Map(ids.map(made)))).toEqual(slow.map(([memberId]) => memberId));
        },
      ),
    );
  });

  it("roundrobin: dealt across topics", () => {
    expect(assign(assignorByName("roundrobin"), { t0: 3, t1: 3 }, { c0: ["t0", "t1"], c1: ["t0", "t1"] })).toEqual({
      c0: ["t0-0", "t0-2", "t1-1"],
      c1: ["t0-1", "t1-0", "t1-2"],
    });
    expect(assign(assignorByName("roundrobin"), { t0: 1, t1: 2, t2: 3 }, { c0: ["t0"], c1: ["t0", "t1"], c2: ["t0", "t1", "t2"] })).toEqual(
      {
        c0: ["t0-0"],
        c1: ["t1-0"],
        c2: ["t1-1", "t2-0", "t2-1", "t2-2"],
      },
    );
  });

  it("sticky: better balanced than roundrobin where subscriptions differ", () => {
    expect(assign(assignorByName("sticky"), { t0: 1, t1: 2, t2: 3 }, { c0: ["t0"], c1: ["t0", "t1"], c2: ["t0", "t1", "t2"] })).toEqual({
      c0: ["t0-0"],
      c1: ["t1-0", "t1-1"],
      c2: ["t2-0", "t2-1", "t2-2"],
    });
  });

  it("an unknown name names the ones there are", () => {
    expect(() => assignorByName("stiky")).toThrow('expected one of "range", "roundrobin", "sticky", "cooperative-sticky", found "stiky"');
  });
});
