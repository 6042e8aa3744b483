import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GROUP, World } from "./group-world.ts";
import { type MemberKind, PARTITION_COUNT, SimulatedMember } from "./simulated-member.ts";

const local: fc.Arbitrary<MemberKind> = fc.record({
  sessionTimeoutMs: fc.constant(null),
  rebalanceTimeoutMs: fc.integer({ min: 100, max: 40_000 }),
  groupInstanceId: fc.constant(null),
  busyMs: fc.constantFrom(0, 0, 50, 30_000),
});
const remote: fc.Arbitrary<MemberKind> = fc.record({
  sessionTimeoutMs: fc.integer({ min: 6000, max: 30_000 }),
  rebalanceTimeoutMs: fc.integer({ min: 100, max: 40_000 }),
  groupInstanceId: fc.option(fc.constantFrom("i", "j"), { freq: 3 }),
  busyMs: fc.constantFrom(0, 0, 50, 30_000),
});
const step = fc.oneof(
  fc.record({ kind: fc.constant("join" as const), member: fc.oneof(local, remote) }),
  fc.record({ kind: fc.constantFrom("leave" as const, "crash" as const, "hang" as const), which: fc.nat(20) }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.oneof(fc.constantFrom(0, 1, 3000), fc.nat(50_000)) }) },
);

describe("a group whose members come, go, crash and hang at random", () => {
  it("never lets two members of one generation hold a partition, only raises its generation, and always comes to rest", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer(), async (steps, seed) => {
        const world = new World(seed);
        const members: SimulatedMember[] = [];
        let generation = 0;
        const check = (): void => {
          const now = world.coordinator.describe(GROUP)?.generation ?? 0;
          expect(now).toBeGreaterThanOrEqual(generation);
          generation = now;
          checkHolders(members);
        };
        for (const each of steps) {
          if (each.kind === "join") members.push(new SimulatedMember(world.coordinator, world.clock, each.member));
          else if (each.kind === "wait") await world.clock.advance(each.ms);
          else {
            const running = members.filter(({ state }) => state === "running");
            const member = running[each.which % Math.max(1, running.length)];
            if (each.kind === "leave") await member?.leave();
            else if (each.kind === "crash") member?.crash();
            else member?.hang();
          }
          await world.clock.advance(0);
          check();
        }

        // Every barrier falls: longer than any timeout, several times over, since each fall may raise the next.
        for (let round = 0; round < 8; round++) {
          await world.clock.advance(45_000);
          check();
        }
        checkAtRest(world, members);
        checkGenerations(members);
      }),
      { numRuns: 150 },
    );
  });
});

/** Whoever may still commit is in the group's own generation, and no two of those hold the same partition. */
function checkHolders(members: readonly SimulatedMember[]): void {
  const holderOf = new Map<number, SimulatedMember>();
  for (const member of members) {
    let fenced = member.memberId === "";
    try {
      if (!fenced) member.commit();
    } catch (error) {
      expect(error).toMatchObject({
        code: expect.stringMatching(/^(UNKNOWN_MEMBER_ID|ILLEGAL_GENERATION|FENCED_INSTANCE_ID|REBALANCE_IN_PROGRESS)$/),
      });
      fenced = true;
    }
    if (member.state === "left") expect(fenced).toBe(true);
    if (fenced) continue;
    for (const partition of member.held) {
      expect(holderOf.has(partition)).toBe(false);
      holderOf.set(partition, member);
    }
  }
}

function checkAtRest({ coordinator }: World, members: readonly SimulatedMember[]): void {
  const group = coordinator.describe(GROUP);
  const running = members.filter(({ state }) => state === "running");
  if (group === null) {
    expect(running).toEqual([]);
    return;
  }
  expect(group.state).toBe(group.members.length > 0 ? "Stable" : "Empty");
  expect(group.members.length).toBeGreaterThanOrEqual(running.length);
  for (const member of running) {
    expect(member.generation).toBe(group.generation);
    member.commit();
  }
  const assigned = group.members.flatMap(({ assignment }) =>
    Buffer.from(assignment)
      .toString()
      .split(",")
      .filter((part) => part !== ""),
  );
  if (group.members.length > 0)
    expect(assigned.map(Number).sort()).toEqual(Array.from({ length: PARTITION_COUNT }, (_, partition) => partition));
}

/** Of all assignments ever given: one member's generations rise, and one generation gives a partition once. */
function checkGenerations(members: readonly SimulatedMember[]): void {
  const givenOf = new Map<string, string>();
  for (const { given, kind } of members) {
    for (const [index, { memberId, generation, partitions }] of given.entries()) {
      if (index > 0) expect(generation).toBeGreaterThanOrEqual(given[index - 1]?.generation ?? 0);
      for (const partition of partitions) {
        const key = `${generation}/${partition}`;
        // A static member's successor stands in its place, in the same generation.
        const holder = kind.groupInstanceId ?? memberId;
        expect(givenOf.get(key) ?? holder).toBe(holder);
        givenOf.set(key, holder);
      }
    }
  }
}
