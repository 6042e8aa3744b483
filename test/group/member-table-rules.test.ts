/** Who a group's members are, who leads them when one goes, whom a call may speak for, and what they agree on. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GroupMember, newMember } from "../../src/group/member.ts";
import { MemberTable } from "../../src/group/member-table.ts";
import { JOIN, text } from "./group-world.ts";

interface Kind {
  readonly groupInstanceId?: string | null;
  readonly protocols?: readonly string[];
  readonly rebalanceTimeoutMs?: number;
}

const said = (names: readonly string[]) => names.map((name) => ({ name, metadata: text(name) }));

function member(memberId: string, { protocols = ["range"], ...kind }: Kind = {}): GroupMember {
  return newMember(memberId, { ...JOIN, ...kind, protocols: said(protocols) }, "");
}

function table(...members: readonly GroupMember[]): MemberTable {
  const made = new MemberTable("g");
  for (const each of members) made.add(each);
  return made;
}

const ids = (members: MemberTable): string[] => [...members].map(({ memberId }) => memberId);

describe("the members of a group", () => {
  it("are led by the first, and by the next when that one goes; by nobody when the last has gone", () => {
    const [a, b, c] = [member("a"), member("b"), member("c")];
    const members = table(a, b, c);
    expect([members.leaderId, members.size, ids(members)]).toEqual(["a", 3, ["a", "b", "c"]]);
    members.remove(b, "gone");
    expect(members.leaderId).toBe("a");
    members.remove(a, "gone");
    expect(members.leaderId).toBe("c");
    members.remove(c, "gone");
    expect([members.leaderId, members.size]).toEqual([null, 0]);
    members.add(b);
    expect(members.leaderId).toBe("b");
  });

  it.each([
    ["a", ["x", "b", "c"], "x"],
    ["b", ["a", "x", "c"], "a"],
    ["c", ["a", "b", "x"], "a"],
  ])("keep their places when %s, which is static, is replaced: %j, led by %s", (replaced, expected, leader) => {
    const members = table(...["a", "b", "c"].map((id) => member(id, { groupInstanceId: `i${id}` })));
    const [old, successor] = [members.get(replaced) as GroupMember, member("x", { groupInstanceId: `i${replaced}` })];
    members.replace(old, successor);
    expect([ids(members), members.leaderId, members.size]).toEqual([expected, leader, 3]);
    expect(members.staticMember(`i${replaced}`)).toBe(successor);
    expect([members.has(old), members.has(successor)]).toEqual([false, true]);
    expect(members.unknown(replaced).message).toContain('"x" took its place as the same static member');
  });

  it("are not those of the same id that came before them", () => {
    const [before, now] = [member("a"), member("a")];
    const members = table(before);
    members.add(now);
    expect([members.has(before), members.has(now), members.size]).toEqual([false, true, 1]);
  });

  it("wait for the slowest of them", () => {
    expect(table().rebalanceTimeoutMsMax()).toBe(0);
    const slow = [5, 9, 7].map((rebalanceTimeoutMs, at) => member(`m${at}`, { rebalanceTimeoutMs }));
    expect(table(...slow).rebalanceTimeoutMsMax()).toBe(9);
  });

  it("are some of them of a kind, or none", () => {
    const members = table(member("a"), member("b"));
    expect([members.some(({ memberId }) => memberId === "b"), members.some(() => false), table().some(() => true)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("are forgotten by their instance when they go", () => {
    const [a, b] = [member("a", { groupInstanceId: "i" }), member("b")];
    const members = table(a, b);
    expect([members.staticMember("i"), members.staticMember("b"), members.staticMember("")]).toEqual([a, undefined, undefined]);
    members.remove(b, "gone");
    expect(members.staticMember("i")).toBe(a);
    members.remove(a, "gone");
    expect(members.staticMember("i")).toBeUndefined();
  });
});

describe("a call", () => {
  // "s" is static as "i", "d" is dynamic, "old" was "i" before "s".
  const members = table(member("old", { groupInstanceId: "i" }), member("d"));
  members.replace(members.get("old") as GroupMember, member("s", { groupInstanceId: "i" }));

  it.each([
    ["d", null, "d", "d"],
    ["s", null, "s", "s"],
    ["s", "i", "s", "s"],
    ["", "i", "FENCED_INSTANCE_ID", "s"],
    ["", null, "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID"],
    ["", "j", "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID"],
    ["old", null, "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID"],
    ["old", "i", "FENCED_INSTANCE_ID", "FENCED_INSTANCE_ID"],
    ["d", "i", "FENCED_INSTANCE_ID", "FENCED_INSTANCE_ID"],
    ["ghost", "i", "FENCED_INSTANCE_ID", "FENCED_INSTANCE_ID"],
    ["d", "j", "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID"],
    ["s", "j", "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID"],
    ["ghost", null, "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID"],
  ])("of %j as instance %j speaks for %s, and leaves for %s", (memberId, groupInstanceId, required, named) => {
    const outcome = (call: () => GroupMember): unknown => {
      try {
        return call().memberId;
      } catch (error) {
        return (error as { code: unknown }).code;
      }
    };
    expect(outcome(() => members.require({ memberId, groupInstanceId }))).toBe(required);
    expect(outcome(() => members.named({ memberId, groupInstanceId }))).toBe(named);
  });

  it("that is refused names the group, the member, and who has taken its place", () => {
    expect(() => members.require({ memberId: "old", groupInstanceId: "i" })).toThrow(
      expect.objectContaining({ name: "GroupError", message: 'group "g": "old" speaks for instance "i", which "s" has taken over' }),
    );
    expect(() => members.require({ memberId: "ghost", groupInstanceId: null })).toThrow('group "g" has no member "ghost": it never joined');
    expect(() => members.named({ memberId: "", groupInstanceId: "j" })).toThrow('has no member "j"');
  });
});

describe("what members agree on", () => {
  const asks = (protocolType: string, ...names: readonly string[]) => ({ ...JOIN, protocolType, protocols: said(names) });

  it.each([
    ["the type and one protocol that all know", "consumer", ["new", "range"], true],
    ["a protocol that one of them does not know", "consumer", ["sticky"], false],
    ["another type", "connect", ["range"], false],
    ["no type", "", ["range"], false],
    ["no protocol", "consumer", [], false],
  ])("lets in who brings %s", (_what, protocolType, names, isIn) => {
    const members = table(member("a", { protocols: ["range", "sticky"] }), member("b", { protocols: ["range"] }));
    const check = () => members.checkProtocols(asks(protocolType, ...names), "consumer", undefined);
    if (isIn) return check();
    expect(check).toThrow(
      expect.objectContaining({
        name: "GroupError",
        code: "INCONSISTENT_GROUP_PROTOCOL",
        message: `group "g": expected type "consumer" with one of ["range"], found type "${protocolType}" with ${JSON.stringify(names)}`,
      }),
    );
  });

  it.each([
    ["a protocol of its own", "consumer", ["new"], true],
    ["no type", "", ["new"], false],
    ["no protocol", "consumer", [], false],
  ])("is asked of the others alone: who is by itself may bring %s", (_what, protocolType, names, isIn) => {
    const alone = member("a", { protocols: ["range"] });
    for (const [members, self] of [
      [table(), undefined],
      [table(alone), alone],
    ] as const) {
      const check = () => members.checkProtocols(asks(protocolType, ...names), "consumer", self);
      if (isIn) check();
      else expect(check).toThrow("expected a protocol type and at least one protocol");
    }
    // The first of all brings the type, too.
    table().checkProtocols(asks("connect", "new"), "consumer", undefined);
    const stranger = () => table(alone).checkProtocols(asks("consumer", "new"), "consumer", undefined);
    expect(stranger).toThrow('with one of ["range"]');
  });

  it("is what each member's first wish that all can fulfil gets most votes for, the leader's order between equals", () => {
    const names = ["a", "b", "c", "d"] as const;
    const wishes = fc.array(fc.shuffledSubarray([...names], { minLength: 1 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(wishes, fc.nat(4), (lists, leader) => {
        const common = names.filter((name) => lists.every((list) => list.includes(name)));
        fc.pre(common.length > 0);
        const members = table(...lists.map((protocols, at) => member(`m${at}`, { protocols })));
        const led = leader % lists.length;
        members.leaderId = `m${led}`;
        const votes = (name: string): number =>
          lists.filter((list) => list.find((wish) => (common as string[]).includes(wish)) === name).length;
        const ranked = (lists[led] as string[])
          .filter((name) => (common as string[]).includes(name))
          .sort((left, right) => votes(right) - votes(left));
        expect(members.electProtocol()).toBe(ranked[0]);
      }),
      { numRuns: 300 },
    );
  });
});
