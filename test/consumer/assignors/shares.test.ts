/** What stands below the assignors: who is next by load, whose claim counts, and what is too short to be one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  assignorByName,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../../../src/consumer/assignors/index.ts";
import { LoadHeap } from "../../../src/consumer/assignors/load-heap.ts";
import { name } from "./group-of-members.ts";

describe.each(["least", "most"] as const)("members by load, %s first", (first) => {
  it("come in that order, the lower index where loads are equal, while loads change", () => {
    const change = fc.record({ member: fc.nat(7), by: fc.integer({ min: -2, max: 5 }), takes: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const load = new Int32Array(8);
        const heap = new LoadHeap(load, first);
        const there = new Set<number>();
        const expected = (): number | null => {
          const sign = first === "least" ? 1 : -1;
          const order = [...there].sort((a, b) => sign * ((load[a] as number) - (load[b] as number)) || a - b);
          return order[0] ?? null;
        };
        for (const { member, by, takes } of changes) {
          // Who is in the heap is put again with each change of its load.
          load[member] = Math.max(0, (load[member] as number) + by);
          if (by !== 0 || !there.has(member)) heap.put(member);
          there.add(member);
          expect(heap.peek()).toBe(expected());
          if (!takes) continue;
          const next = expected();
          // A pair put twice with the same load stands there twice.
          while (heap.peek() === next && next !== null) heap.take();
          there.delete(next as number);
        }
        while (there.size > 0) {
          const next = expected() as number;
          expect(heap.take()).toBe(next);
          while (heap.peek() === next) heap.take();
          there.delete(next);
        }
        expect([heap.peek(), heap.take()]).toEqual([null, null]);
      }),
    );
  });
});

describe("user data", () => {
  const cooperative = assignorByName("cooperative-sticky");
  const owning = (partition: number, userData: Uint8Array<ArrayBuffer> | null) =>
    decodeSubscription(encodeSubscription({ topics: ["t"], ownedPartitions: [{ topic: "t", partition }], userData, generation: -1 }));
  const kept = (userDataOfA: Uint8Array<ArrayBuffer> | null, userDataOfB: Uint8Array<ArrayBuffer> | null) =>
    [
      ...cooperative.assign(
        new Map([["t", 1]]),
        new Map([
          ["a", owning(0, userDataOfA)],
          ["b", owning(0, userDataOfB)],
        ]),
      ),
    ].flatMap(([id, partitions]) => (partitions.length > 0 ? [id] : []));

  it("of a cooperative member is its generation in four bytes; what is shorter tells none", () => {
    const [third, fourth] = [cooperative.subscriptionUserData([], 3), cooperative.subscriptionUserData([], 4)];
    expect([third, fourth]).toEqual([new Uint8Array([0, 0, 0, 3]), new Uint8Array([0, 0, 0, 4])]);
    expect([kept(third, fourth), kept(fourth, third)]).toEqual([["b"], ["a"]]);
    expect([kept(third, null), kept(new Uint8Array([0, 0, 9]), third)]).toEqual([["a"], ["b"]]);
    expect(kept(null, new Uint8Array(3))).toEqual([]);
  });

  it("of a sticky one is nothing where it was never assigned to, and its generation where it was assigned nothing", () => {
    const sticky = assignorByName("sticky");
    expect([sticky.subscriptionUserData([], -1), sticky.subscriptionUserData([], 0)]).toEqual([null, new Uint8Array(8)]);
    expect(sticky.subscriptionUserData([{ topic: "t", partition: 1 }], -1)?.slice(-4)).toEqual(new Uint8Array(4).fill(255));
    expect([assignorByName("range"), assignorByName("roundrobin")].map((each) => each.subscriptionUserData([], 5))).toEqual([null, null]);
  });

  it("says which protocol each speaks: one alone lets its members keep what they have", () => {
    expect(["range", "roundrobin", "sticky", "cooperative-sticky"].map((each) => assignorByName(each).protocol)).toEqual([
      "eager",
      "eager",
      "eager",
      "cooperative",
    ]);
  });
});

describe("shares", () => {
  it("of range end with those members that there is one partition less for, and with none where there are more members", () => {
    const range = assignorByName("range");
    const dealt = (partitionCount: number, memberCount: number): number[] =>
      [
        ...range
          .assign(
            new Map([["t", partitionCount]]),
            new Map(
              Array.from({ length: memberCount }, (_, index) => [`m${index}`, decodeSubscription(encodeSubscription({ topics: ["t"] }))]),
            ),
          )
          .values(),
      ].map(({ length }) => length);
    expect([dealt(7, 3), dealt(6, 3), dealt(2, 3), dealt(0, 2)]).toEqual([
      [3, 2, 2],
      [2, 2, 2],
      [1, 1, 0],
      [0, 0],
    ]);
  });

  it("of sticky leave the one partition more with who has it already, whatever its id", () => {
    const sticky = assignorByName("sticky");
    const having = (...partitions: number[]) => {
      const had = partitions.map((partition) => ({ topic: "t", partition }));
      return decodeSubscription(encodeSubscription({ topics: ["t"], userData: sticky.subscriptionUserData(had, 1) }));
    };
    const members = new Map([
      ["a", having(0)],
      ["b", having(1, 2)],
      ["c", having(3, 4)],
    ]);
    const given = [...sticky.assign(new Map([["t", 5]]), members)].map(([id, partitions]) => [id, ...partitions.map(name)]);
    expect(given).toEqual([
      ["a", "t-0"],
      ["b", "t-1", "t-2"],
      ["c", "t-3", "t-4"],
    ]);
  });
});

describe("bytes of an assignment", () => {
  it("of a version below 0 are refused; topics stand in the order of their first partition", () => {
    expect(() => decodeAssignment(new Uint8Array([0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]))).toThrow("found -1");
    const partitions = [
      { topic: "b", partition: 2 },
      { topic: "a", partition: 0 },
      { topic: "b", partition: 1 },
    ];
    expect(decodeAssignment(encodeAssignment(partitions)).partitions.map(name)).toEqual(["b-2", "b-1", "a-0"]);
    expect(decodeAssignment(encodeAssignment([], new Uint8Array([7])))).toEqual({ partitions: [], userData: new Uint8Array([7]) });
  });
});
